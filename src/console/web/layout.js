/* SPDX-License-Identifier: ISC */
/*
 * layout.js: the navigation beside the page, and the line that says what the connection does.
 */
import { connection } from './api.js';
import { classes, html, useEffect, useRef, useState } from './html.js';
import { Icon } from './icons.js';
import { href } from './router.js';
import { realm, signOut } from './session.js';
import { useStore } from './store.js';
import { theme, toggleTheme } from './theme.js';

const waits = {
  limit: 'Too many requests in this second.',
  busy: 'The server is busy or starting.',
  offline: 'The server cannot be reached.',
};

/* Shown only when it takes long enough to be noticed. */
function Connection() {
  const state = useStore(connection);
  const [now, setNow] = useState(0);

  useEffect(() => {
    const tick = () => setNow(Date.now());
    const timer = state && setInterval(tick, 250);

    tick();
    return () => clearInterval(timer);
  }, [state]);
  const seconds = state ? Math.max(0, Math.ceil((state.until - now) / 1000)) : 0;
  return html`<div class=${classes('connection', state && 'shown')} role="status">
    ${state && html`<p><b>${navigator.onLine === false ? 'You are offline.' : waits[state.kind]}</b> ${seconds > 0 ? `Trying again in ${seconds} s…` : 'Trying again…'}</p>`}</div>`;
}

export function ThemeButton() {
  const name = useStore(theme);
  const label = name === 'dark' ? 'Use light colours' : 'Use dark colours';

  return html`<button type="button" class="plain" aria-label=${label} title=${label} onClick=${toggleTheme}><${Icon} name=${name === 'dark' ? 'sun' : 'moon'} /></button>`;
}

function Navigation({ pages, path, account }) {
  return html`<ul>${pages.map((page) => html`<li key=${page.path}>
      <a href=${href(page.path)} aria-current=${page.path === path ? 'page' : undefined}><${Icon} name=${page.icon} />${page.title}</a></li>`)}</ul>
    <div class="who"><div><span class="quiet">${realm.name}</span><b title=${account}><bdi>${account}</bdi></b></div>
      <button type="button" class="plain" aria-label="Sign out" title="Sign out" onClick=${signOut}><${Icon} name="out" /></button></div>`;
}

export function Layout({ pages, account, path, children }) {
  const [open, setOpen] = useState(false);
  const main = useRef(null);

  useEffect(() => {
    setOpen(false);
    window.scrollTo(0, 0);
  }, [path]);
  const skip = (event) => {
    event.preventDefault();
    main.current.focus();
  };
  return html`<div class="frame">
    <a class="skip" href="#main" onClick=${skip}>Skip to the page</a>
    <header class=${classes('side', open && 'opened')} onKeyDown=${(event) => event.key === 'Escape' && setOpen(false)}>
      <div class="brand"><a href=${href(pages[0].path)}><span class="logo" aria-hidden="true"></span>cdrd</a>
        <${ThemeButton} />
        <button type="button" class="plain menu" aria-label="Menu" aria-expanded=${open ? 'true' : 'false'} aria-controls="navigation" onClick=${() => setOpen(!open)}><${Icon} name=${open ? 'close' : 'menu'} /></button></div>
      <nav id="navigation" aria-label="Pages"><${Navigation} pages=${pages} path=${path} account=${account} /></nav>
    </header>
    <main id="main" ref=${main} tabindex="-1"><${Connection} />${children}</main>
  </div>`;
}
