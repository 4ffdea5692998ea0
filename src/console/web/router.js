/* SPDX-License-Identifier: ISC */
/*
 * router.js: what is shown is in the fragment of the address, #/usage?product=SMS, which the browser keeps to itself:
 * numbers that somebody looks for get into no server's log. Back, forward and bookmarks work.
 */
import { Store } from './store.js';

function parse() {
  const [path, query = ''] = location.hash.slice(1).split(/\?(.*)/s);

  return { path: path || '/', params: Object.fromEntries(new URLSearchParams(query)) };
}

/* { path: '/usage', params: { product: 'SMS' } } */
export const route = new Store(parse());

/* Parameters that are empty are left out. */
export function href(path, params = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== ''));

  return query.size > 0 ? `#${path}?${query}` : `#${path}`;
}

/* `replace`: without a step in the history, for what changes while somebody types. */
export function navigate(path, params, { replace = false } = {}) {
  if (replace) {
    history.replaceState(null, '', href(path, params));
    route.set(parse());
  } else {
    location.hash = href(path, params);
  }
}

/* Changes some parameters of the page that is shown. */
export function setParams(changes, options) {
  navigate(route.value.path, { ...route.value.params, ...changes }, options);
}

globalThis.addEventListener('hashchange', () => route.set(parse()));
