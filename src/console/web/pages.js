/* SPDX-License-Identifier: ISC */
/*
 * pages.js: the pages, in the order of the navigation. Each is a module that exports a component `Page`, which is given
 * { params, account } and is loaded when it is first shown.
 */
export const pages = [
  { path: '/usage', title: 'Usage', icon: 'usage', load: () => import('./page_usage.js') },
];
