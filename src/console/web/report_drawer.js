/* SPDX-License-Identifier: ISC */
/*
 * report_drawer.js: all that is known of a report: what was asked for, what its file holds, its callback.
 */
import { CallbackState } from './callback_state.js';
import { html } from './html.js';
import { Drawer } from './dialog.js';
import { formatAgo, formatAmount, formatBytes, formatCount, formatTime } from './format.js';
import { Icon } from './icons.js';
import { hasFile } from './reports_data.js';
import { wordsOf, labelOf } from './scope.js';
import { copyText } from './toast.js';

const NOT_ASKED = ['_links', 'request_id', 'request_status', 'receive_time', 'start_time', 'end_time', 'items_count', 'progress', 'manifest', 'callback', 'delivery', 'reason'];

function Facts({ title, facts }) {
  const shown = facts.filter(([, value]) => value !== undefined && value !== null && value !== '');

  return shown.length > 0 && html`<h3>${title}</h3><dl class="facts">${shown.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

const Time = ({ value, zone }) => html`<time datetime=${value} title=${value}>${formatTime(value, zone)}</time>`;
const timeFact = (name, value, zone) => [name, value && html`<${Time} value=${value} zone=${zone} />`];

function fileFacts({ manifest }, zone) {
  const sums = Object.entries(manifest.total_price).map(([currency, sum]) => formatAmount(sum, currency));

  return [
    ['Records', formatCount(manifest.rows)],
    ['Sum of prices', sums.map((sum) => html`<div key=${sum}>${sum}</div>`)],
    ['In no sum', manifest.rows_in_no_sum && `${formatCount(manifest.rows_in_no_sum)}, whose price is not a number`],
    timeFact('First record', manifest.first_time, zone),
    timeFact('Last record', manifest.last_time, zone),
    ['Size', `${formatBytes(manifest.bytes)} (${formatCount(manifest.bytes)} bytes)`],
    ['SHA-256', html`<code class="wrap">${manifest.sha256}</code>`],
  ];
}

/* Of a callback, or of the delivery of the file. */
function attemptFacts(callback, zone) {
  return [
    ['State', html`<${CallbackState} state=${callback.state} />`],
    ['Attempts', formatCount(callback.attempts)],
    ['Answer', callback.last_status ? `HTTP ${callback.last_status}` : callback.last_error],
    timeFact('Last attempt', callback.last_attempt, zone),
    timeFact('Next attempt', callback.next_attempt, zone),
  ];
}

/* keep: seconds for which a file is kept, if that is known. */
export function ReportDrawer({ report, zone, keep, onDownload, onClose }) {
  const asked = Object.entries(report).filter(([name]) => !NOT_ASKED.includes(name));
  const gone = report.end_time && keep ? Date.parse(report.end_time) + keep * 1000 : null;

  return html`<${Drawer} title="${labelOf(report.product)} report" onClose=${onClose} actions=${hasFile(report) && html`
      <button type="button" class="button first" onClick=${onDownload}><${Icon} name="download" />Download</button>`}>
    <p><code><bdi>${report.request_id}</bdi></code>
      <button type="button" class="plain" aria-label="Copy the ID" title="Copy the ID" onClick=${() => copyText(report.request_id, 'The ID was copied')}><${Icon} name="copy" /></button></p>
    ${report.reason && html`<p class="notice ${report.request_status === 'FAILED' ? 'bad' : 'warn'}">${report.reason}</p>`}
    ${report.manifest && html`<${Facts} title="The file" facts=${[...fileFacts(report, zone), ['Can be downloaded', hasFile(report) ? gone && html`until <${Time} value=${new Date(gone).toISOString()} zone=${zone} />, ${formatAgo(gone)}` : 'no longer']]} />`}
    ${report.callback && html`<${Facts} title="Callback" facts=${attemptFacts(report.callback, zone)} />`}
    ${report.delivery && html`<${Facts} title="Delivery" facts=${attemptFacts(report.delivery, zone)} />`}
    <${Facts} title="When" facts=${[timeFact('Asked for', report.receive_time, zone), timeFact('Begun', report.start_time, zone), timeFact('Ended', report.end_time, zone)]} />
    <${Facts} title="What was asked for" facts=${asked.map(([name, value]) => [labelOf(name), html`<bdi>${String(value)}</bdi>`])} />
  </${Drawer}>`;
}

/* In a sentence: "SMS, outbound, status delivered, country DE". */
export function describe(report, product) {
  const filters = (product?.filters ?? []).filter(({ name }) => report[name])
    .map(({ name }) => html`, ${name === 'direction' ? '' : wordsOf(name)} <bdi>${report[name]}</bdi>`);

  return html`${labelOf(report.product)}${filters}${String(report.include_subaccounts) === 'true' ? ', with subaccounts' : ''}`;
}
