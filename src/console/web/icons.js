/* SPDX-License-Identifier: ISC */
/*
 * icons.js: small drawings of 16 by 16, in the colour of the text that they stand beside. They say nothing that the text
 * does not: screen readers pass over them.
 */
import { html } from './html.js';

const paths = {
  usage: 'M2 14h12M4 11V7m4 4V3m4 8V6',
  records: 'M2.5 4h11M2.5 8h11M2.5 12h7',
  reports: 'M4 1.8h5L12.5 5v9.2h-8.5zM9 1.8V5h3.5M6 8.5h4.5M6 11h4.5',
  reconcile: 'M2 5.5h11M10 2.5l3 3-3 3M14 10.5H3m3-3-3 3 3 3',
  prices: 'M2 8V2.5h5.5L14 9l-5.5 5.5zM5 5.4v.2',
  webhooks: 'M6 5.5a2 2 0 1 1 2.8 1.8L11 11M8 6l-3 5m6.2 0a2 2 0 1 1-1.6 1.8H5.5M5 11a2 2 0 1 0 .6 3',
  close: 'M4 4l8 8m0-8l-8 8',
  menu: 'M2 4h12M2 8h12M2 12h12',
  sun: 'M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2m7.6 7.6L13 13M13 3l-1.2 1.2M4.2 11.8 3 13',
  moon: 'M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z',
  download: 'M8 2v8m0 0L4.8 6.8M8 10l3.2-3.2M2.5 13.5h11',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  refresh: 'M13.5 8A5.5 5.5 0 1 1 11.6 3.8M13.5 1.8v3h-3',
  check: 'M3 8.5l3.2 3.2L13 4.8',
  alert: 'M8 2L1.5 13.5h13zM8 6.5v3.2M8 11.6v.1',
  empty: 'M1.8 9.5 4 3h8l2.2 6.5v4H1.8zM1.8 9.5h3.6c0 1.4 1.1 2.3 2.6 2.3s2.6-.9 2.6-2.3h3.6',
  next: 'M6 3l5 5-5 5',
  back: 'M10 3L5 8l5 5',
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.3 10.3l3.4 3.4',
  out: 'M6.5 2.5h-4v11h4M6.5 8h7m0 0l-2.8-2.8M13.5 8l-2.8 2.8',
  plus: 'M8 3v10M3 8h10',
  up: 'M8 13V3m0 0L4 7m4-4l4 4',
  down: 'M8 3v10m0 0l4-4m-4 4L4 9',
};

export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${paths[name]} /></svg>`;
}
