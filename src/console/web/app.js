/* SPDX-License-Identifier: ISC */
/*
 * app.js: signs in, then shows the page that the address names. The console's (main.js) and the operators' (operator.js)
 * differ in their pages, and in who signs in (session.js).
 */
import { get } from './api.js';
import { html, render, useEffect } from './html.js';
import { Layout } from './layout.js';
import { useLoad } from './load.js';
import { PageOf } from './page.js';
import { navigate, route } from './router.js';
import { resume, session } from './session.js';
import { SignIn } from './sign_in.js';
import { Loading } from './states.js';
import { useStore } from './store.js';
import { applyTheme } from './theme.js';
import { Toasts } from './toast.js';

/* The pages that the user's secret or key is good for; all until that is known. */
function useAllowed(pages, account) {
  const asks = account && pages.some(({ scope }) => scope);
  const own = useLoad((signal) => (asks ? get('/v2/account', { limit: 1 }, { signal }) : Promise.resolve(null)), [account]);

  return pages.filter(({ scope }) => !scope || (own.data?.scopes.includes(scope) ?? true));
}

function App({ pages, title }) {
  const { state, account } = useStore(session);
  const { path, params } = useStore(route);
  const page = pages.find((one) => one.path === path);
  const allowed = useAllowed(pages, account);

  useEffect(() => {
    if (path === '/' && state === 'in') {
      navigate(pages[0].path, {}, { replace: true });
    }
  }, [path, state]);
  useEffect(() => {
    document.title = state === 'in' && page ? `${page.title} · cdrd` : title;
  }, [state, page]);
  if (state === 'unknown') {
    return html`<div class="boot"><${Loading} lines=${0} /></div>`;
  }
  if (state === 'out') {
    return html`<${SignIn} />`;
  }
  return html`<${Layout} pages=${allowed} account=${account} path=${path}>
    <${PageOf} key=${path} pages=${pages} page=${page} params=${params} account=${account} /></${Layout}>`;
}

/* `title` is the document's while nobody is signed in. */
export async function start({ pages, title }) {
  applyTheme();
  document.getElementById('app').replaceChildren();
  render(html`<${App} pages=${pages} title=${title} /><${Toasts} />`, document.getElementById('app'));
  await resume();
}
