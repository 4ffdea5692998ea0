/* SPDX-License-Identifier: ISC */
/*
 * page_usage.js: what was sent and received, and what it cost.
 */
import { html } from './html.js';
import { PageHead } from './page.js';
import { Empty } from './states.js';

export function Page() {
  return html`<${PageHead} title="Usage" /><${Empty} title="Nothing to show yet" />`;
}
