/* SPDX-License-Identifier: ISC */
/*
 * reconcile_result.js: what became of a reconciliation: its classes with their files, what differs, and sums by currency
 * and country for both sides.
 */
import { html } from './html.js';
import { digitsOfAll, formatAgo, formatAmount, formatBytes, formatCount, formatCountry, formatTime } from './format.js';
import { Icon } from './icons.js';
import { Card } from './page.js';
import { classes, isRunning, monthName, totalsOf } from './reconcile_data.js';
import { Progress, ReportState } from './report_state.js';
import { downloadFile } from './reports_data.js';
import { labelOf } from './scope.js';
import { Table } from './table.js';
import { browserZone } from './time.js';
import { toast } from './toast.js';

const NOT_ASKED = ['_links', 'request_id', 'request_status', 'receive_time', 'start_time', 'end_time', 'file_bytes', 'progress', 'result', 'files', 'reason'];
const SIDES = [['sum_ours', 'Ours'], ['sum_theirs', 'Theirs'], ['difference', 'Difference']];

export const describe = ({ product, month }) => `${labelOf(product)}, ${monthName(month)}`;

function Tile({ name, value, children }) {
  return html`<div class="tile still"><span class="name">${name}</span><span class="value">${formatCount(value)}</span><span class="then quiet">${children}</span></div>`;
}

function Counts({ result }) {
  const asides = [['rejected', 'rejected'], ['skipped', 'skipped'], ['other', 'of other products or directions'], ['duplicates', 'billed twice']]
    .filter(([name]) => result[name] > 0).map(([name, text]) => `${formatCount(result[name])} ${text}`);

  return html`<div class="tiles">
    <${Tile} name="Ours" value=${result.rows_ours}>records of the month</${Tile}>
    <${Tile} name="Theirs" value=${result.rows_theirs}>rows of the carrier's file${asides.length > 0 && `; ${asides.join(', ')}`}</${Tile}>
    <${Tile} name="Price differs" value=${result.price_differs}>of those on both sides</${Tile}>
    <${Tile} name="Duration differs" value=${result.duration_differs}>of those on both sides</${Tile}>
    <${Tile} name="Status differs" value=${result.status_differs}>of those on both sides</${Tile}>
  </div>`;
}

const Amounts = ({ sums, of }) => (sums.length === 0 ? '–' : sums.map((sum) => html`<div key=${sum.currency}>${formatAmount(sum[of], sum.currency)}</div>`));

function Download({ of, label }) {
  const start = () => downloadFile(of.href).catch((error) => toast(error.message, 'bad'));

  return html`<button type="button" class="button small" title=${formatBytes(of.bytes)} onClick=${start}><${Icon} name="download" />CSV<span class="hidden"> of ${label}</span></button>`;
}

function Classes({ rows, about }) {
  const columns = [
    { key: 'label', label: 'Class', class: 'wrap', cell: ({ label, about: what }) => html`<b>${label}</b><div class="quiet">${what}</div>` },
    { key: 'rows', label: 'Rows', number: true, cell: ({ file }) => formatCount(file.rows) },
    ...SIDES.map(([key, label]) => ({ key, label, number: true, cell: ({ totals }) => html`<${Amounts} sums=${totals} of=${key} />` })),
    { key: 'file', label: html`<span class="hidden">File</span>`, class: 'ends', cell: ({ file, label }) => html`<div class="actions"><${Download} of=${file} label=${label} /></div>` },
  ];

  return html`<${Card} title="Classes" about=${about} class="report-list"><${Table} caption="Classes" columns=${columns} rows=${rows} keyOf=${({ name }) => name} /></${Card}>`;
}

function Sums({ label, sums, unsummed }) {
  const digits = digitsOfAll(sums.flatMap((sum) => SIDES.map(([key]) => sum[key])));
  const columns = [
    { key: 'country', label: 'Country', cell: ({ country }) => (country ? html`<bdi>${formatCountry(country)}</bdi>` : 'Unknown') },
    { key: 'currency', label: 'Currency', cell: ({ currency }) => (currency ? html`<bdi>${currency}</bdi>` : 'None') },
    { key: 'rows_ours', label: 'Rows, ours', number: true, cell: (sum) => formatCount(sum.rows_ours) },
    { key: 'rows_theirs', label: 'Rows, theirs', number: true, cell: (sum) => formatCount(sum.rows_theirs) },
    ...SIDES.map(([key, side]) => ({ key, label: side, number: true, cell: (sum) => formatAmount(sum[key], sum.currency, digits) })),
  ];

  return html`<${Card} title=${`${label}, by country`} about=${unsummed > 0 && `${formatCount(unsummed)} rows are in no sum.`}>
    <${Table} caption=${`${label}, by country`} columns=${columns} rows=${sums} keyOf=${({ currency, country }) => `${currency} ${country}`} /></${Card}>`;
}

/* The classes of the table above, each with its file, its sums and their totals. */
function classesOf({ result, files }) {
  return classes.map((one) => {
    const made = result.classes.find(({ class: name }) => name === one.name);
    const sums = made?.sums ?? [];
    return { ...one, file: files.find(({ class: name }) => name === one.name), sums, unsummed: made?.unsummed ?? 0, totals: totalsOf(sums) };
  }).filter(({ file }) => file);
}

function Facts({ job }) {
  const asked = Object.entries(job).filter(([name]) => !NOT_ASKED.includes(name)).map(([name, value]) => [labelOf(name), String(value)]);
  const times = [['Asked for', job.receive_time], ['Begun', job.start_time], ['Ended', job.end_time]].filter(([, time]) => time).map(([name, time]) => [name, formatTime(time, browserZone)]);

  return html`<${Card} title="What was asked for"><div class="inside"><dl class="facts">
    ${[...asked, ['Size of the file', formatBytes(job.file_bytes)], ...times, ['ID', job.request_id]].map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd><bdi>${value}</bdi></dd></div>`)}</dl></div></${Card}>`;
}

/* keep: seconds for which it is kept after its end, if that is known. */
export function Result({ job, keep, onCancel }) {
  const rows = job.result ? classesOf(job) : [];
  const gone = job.end_time && keep ? Date.parse(job.end_time) + keep * 1000 : null;

  return html`<${Card} title=${describe(job)} about=${job.file_name && html`<bdi>${job.file_name}</bdi>`}
      actions=${isRunning(job) && html`<button type="button" class="button small danger" onClick=${() => onCancel(job)}>Cancel</button>`}>
      <div class="inside" role="status"><${ReportState} state=${job.request_status} />
        ${job.request_status === 'PROCESSING' && html`<${Progress} report=${job} />`}
        ${job.reason && html` <span>${job.reason}</span>`}
        ${gone && html`<div class="quiet">Removed with its files ${formatAgo(gone)}, ${formatTime(gone, browserZone)}.</div>`}</div></${Card}>
    ${job.result && html`<${Counts} result=${job.result} />
      <${Classes} rows=${rows} about="Each with a CSV of its rows; that of different rows says what differs." />
      ${rows.filter(({ sums }) => sums.length > 0).map((one) => html`<${Sums} key=${one.name} label=${one.label} sums=${one.sums} unsummed=${one.unsummed} />`)}`}
    <${Facts} job=${job} />`;
}
