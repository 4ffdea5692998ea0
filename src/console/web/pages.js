/* SPDX-License-Identifier: ISC */
/*
 * pages.js: the pages, in the order of the navigation. Each is a module that exports a component `Page`, which is given
 * { params, account } and is loaded when it is first shown. One with a `scope` is in the navigation only of those whose secret
 * or key is good for that (GET /v2/account).
 */
export const pages = [
  { path: '/usage', title: 'Usage', icon: 'usage', load: () => import('./page_usage.js') },
  { path: '/records', title: 'Records', icon: 'records', load: () => import('./page_records.js') },
  { path: '/reports', title: 'Reports', icon: 'reports', scope: 'reports', load: () => import('./page_reports.js') },
  { path: '/reconcile', title: 'Reconcile', icon: 'reconcile', scope: 'reports', load: () => import('./page_reconcile.js') },
  { path: '/prices', title: 'Prices', icon: 'prices', load: () => import('./page_prices.js') },
  { path: '/webhooks', title: 'Webhooks', icon: 'webhooks', load: () => import('./page_webhooks.js') },
];
