/* SPDX-License-Identifier: ISC */
/*
 * operator.js: the page of operators, on operator_listen. Everything on it comes from the commands at /operator/v1.
 */
import { get } from './api.js';
import { start } from './app.js';
import { setRealm } from './session.js';

setRealm({
  name: 'Operator',
  about: 'With the name and secret that cdrctl operator add has made.',
  wrong: 'This operator and secret do not belong together.',
  keeps: false,
  find: async (options) => (await get('/operator/v1', {}, options)).operator,
});

await start({
  title: 'cdrd operator',
  pages: [
    { path: '/overview', title: 'Overview', icon: 'usage', load: () => import('./page_overview.js') },
    { path: '/quarantine', title: 'Quarantine', icon: 'alert', load: () => import('./page_quarantine.js') },
    { path: '/callbacks', title: 'Callbacks', icon: 'webhooks', load: () => import('./page_callbacks.js') },
    { path: '/reports', title: 'Reports', icon: 'reports', load: () => import('./page_jobs.js') },
    { path: '/days', title: 'Days', icon: 'records', load: () => import('./page_days.js') },
    { path: '/accounts', title: 'Accounts', icon: 'prices', load: () => import('./page_accounts.js') },
  ],
});
