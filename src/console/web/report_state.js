/* SPDX-License-Identifier: ISC */
/*
 * report_state.js: the state of a report, as a badge.
 */
import { html } from './html.js';

const states = {
  PENDING: ['Waiting', ''], PROCESSING: ['Being made', 'busy'], SUCCESS: ['Ready', 'good'], TRUNCATED: ['Cut off', 'warn'], FAILED: ['Failed', 'bad'], ABORTED: ['Cancelled', ''],
};

export const stateOptions = Object.entries(states).map(([value, [label]]) => ({ value, label }));
export const isRunning = (state) => state === 'PENDING' || state === 'PROCESSING';

export function ReportState({ state, reason }) {
  const [label, kind] = states[state] ?? [state, ''];

  return html`<span class="badge ${kind}" title=${reason}>${label}</span>`;
}
