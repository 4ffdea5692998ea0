/* SPDX-License-Identifier: ISC */
/*
 * report_state.js: the state of a report or a reconciliation, as a badge, and how far it is.
 */
import { Bar } from './bar.js';
import { html } from './html.js';
import { formatAgo, formatPercent } from './format.js';

const SOON_MS = 1000;

const states = {
  PENDING: ['Waiting', ''], PROCESSING: ['Being made', 'busy'], SUCCESS: ['Ready', 'good'], TRUNCATED: ['Cut off', 'warn'], FAILED: ['Failed', 'bad'], ABORTED: ['Cancelled', ''],
};

export const stateOptions = Object.entries(states).map(([value, [label]]) => ({ value, label }));
export const isRunning = (state) => state === 'PENDING' || state === 'PROCESSING';

export function ReportState({ state, reason }) {
  const [label, kind] = states[state] ?? [state, ''];

  return html`<span class="badge ${kind}" title=${reason}>${label}</span>`;
}

/* Milliseconds until it is made, if it goes on as until now; null when nothing can be said. */
function timeLeft(report, now) {
  const share = report.progress?.share ?? 0;
  const elapsed = now - Date.parse(report.start_time);

  return share > 0.01 && elapsed > 0 ? elapsed * (1 - share) / share : null;
}

export function Progress({ report }) {
  const share = report.progress?.share ?? 0;
  const left = timeLeft(report, Date.now());

  return html`<div class="progress"><${Bar} share=${share} role="progressbar" aria-label="Made so far" aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(share * 100)} />
    <span class="quiet">${formatPercent(share)}${left !== null && left > SOON_MS ? `, ready ${formatAgo(Date.now() + left)}` : ''}</span></div>`;
}
