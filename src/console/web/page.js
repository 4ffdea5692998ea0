/* SPDX-License-Identifier: ISC */
/*
 * page.js: the module of a page, loaded when it is first shown; its heading.
 */
import { html } from './html.js';
import { useLoad } from './load.js';
import { href } from './router.js';
import { Empty, Loading } from './states.js';

export function PageOf({ pages, page, params, account }) {
  const module = useLoad(() => (page ? page.load() : Promise.resolve(null)), [page]);

  if (!page) {
    return html`<${Empty} title="There is no such page"><a href=${href(pages[0].path)}>Go to ${pages[0].title}</a></${Empty}>`;
  }
  if (module.error) {
    return html`<${Empty} title="This page could not be loaded" icon="alert">
      <p>The console may have been updated since you opened it.</p>
      <p><button type="button" class="button" onClick=${() => location.reload()}>Reload</button></p></${Empty}>`;
  }
  if (!module.data) {
    return html`<${Loading} />`;
  }
  return html`<${module.data.Page} params=${params} account=${account} />`;
}

/* The heading of a page, with what can be done on it at the right. */
export function PageHead({ title, about, children }) {
  return html`<header class="head"><div><h1>${title}</h1>${about && html`<p>${about}</p>`}</div>
    ${children && html`<div class="actions">${children}</div>`}</header>`;
}

/* `hint` says what a click does, and is not printed. */
export function Card({ title, about, hint, actions, children, class: name = '' }) {
  return html`<section class="card ${name}">
    ${(title || actions) && html`<header><div><h2>${title}</h2>${about && html`<p class="quiet">${about}</p>`}${hint && html`<p class="quiet click">${hint}</p>`}</div>${actions && html`<div class="actions">${actions}</div>`}</header>`}
    ${children}</section>`;
}
