/* SPDX-License-Identifier: ISC */
/*
 * usage_breakdown.js: the same sums by the values of a column, most records first, as bars and numbers.
 */
import { Bar } from './bar.js';
import { csvOf } from './csv.js';
import { compare, ratio } from './decimal.js';
import { html, useMemo } from './html.js';
import { digitsOfAll, formatAmount, formatChange, formatCount, formatCountry, formatMinutes, formatPercent } from './format.js';
import { Icon } from './icons.js';
import { Card } from './page.js';
import { labelOf, wordsOf } from './scope.js';
import { Empty, Loaded } from './states.js';
import { Table } from './table.js';
import { currenciesOf } from './usage_data.js';

/* What most people ask for first; then all other columns of few values. */
const USUAL = ['country', 'country_code', 'network', 'status', 'direction'];
const SHOWN_MAX = 250;
/* Records that are in no amount; columns that are there only if such records are. */
const GAPS = [{ key: 'unpriced', label: 'Without price' }, { key: 'unreadable', label: 'Unreadable' }];
const SHARE_MIN = 0.005; /* of a bar, so that something is seen */

export function columnsToGroup(product, query) {
  const own = query.include_subaccounts ? [product.account] : [];
  const columns = product.columns.filter(({ groups, shown, name }) => groups && shown !== 'never' && name !== product.account).map(({ name }) => name);

  return [...own, ...USUAL.filter((name) => columns.includes(name)), ...columns.filter((name) => !USUAL.includes(name))];
}

function nameOf(column, value) {
  if (value === '') {
    return html`<span class="quiet">None</span>`;
  }
  return /^country(_code)?$/.test(column) ? html`${formatCountry(value)} <span class="quiet">${value}</span>` : html`<bdi>${value}</bdi>`;
}

function changeOf(row) {
  const change = row.before && ratio(String(row.count), String(row.before.count));

  return change ? formatChange(change - 1) : 'new';
}

function amountColumn(rows, currency) {
  const digits = digitsOfAll(rows.map(({ amounts }) => amounts.get(currency) ?? '0'));

  return {
    key: `amount ${currency}`, label: `Amount in ${currency || 'no currency'}`, number: true,
    sort: (a, b) => compare(a.amounts.get(currency) ?? '0', b.amounts.get(currency) ?? '0'),
    cell: ({ amounts }) => (amounts.has(currency) ? formatAmount(amounts.get(currency), currency, digits) : '–'),
  };
}

function columnsOf({ column, rows, usage, onFilter }) {
  const most = rows[0]?.count ?? 1;
  const all = usage.total.count || 1;

  return [
    {
      key: 'value', label: labelOf(column), class: 'wide', sort: (a, b) => a.value.localeCompare(b.value),
      cell: ({ value, total }) => (total ? 'All' : onFilter && value !== '' ? html`<button type="button" class="link" onClick=${() => onFilter(value)} title="Show these alone">${nameOf(column, value)}</button>` : nameOf(column, value)),
    },
    { key: 'bar', label: html`<span class="hidden">Bar</span>`, class: 'bars', cell: ({ count, total }) => !total && html`<${Bar} aria-hidden="true" share=${Math.max(SHARE_MIN, count / most)} />` },
    { key: 'count', label: 'Records', number: true, sort: (a, b) => a.count - b.count, cell: ({ count }) => formatCount(count) },
    { key: 'share', label: 'Share', number: true, class: 'quiet', cell: ({ count }) => formatPercent(count / all) },
    usage.total.duration !== null && {
      key: 'duration', label: 'Minutes', number: true, sort: (a, b) => compare(a.duration ?? '0', b.duration ?? '0'), cell: ({ duration }) => formatMinutes(duration ?? '0'),
    },
    ...currenciesOf([usage.total]).map((currency) => amountColumn(rows, currency)),
    ...GAPS.filter(({ key }) => usage.total[key] > 0).map(({ key, label }) => ({
      key, label, number: true, sort: (a, b) => a[key] - b[key], cell: (row) => (row[key] > 0 ? formatCount(row[key]) : '–'),
    })),
    { key: 'before', label: 'Records before', number: true, class: 'quiet', cell: ({ before }) => formatCount(before?.count ?? 0) },
    { key: 'change', label: 'Change', number: true, class: 'quiet', cell: (row) => changeOf(row) },
  ].filter(Boolean);
}

export function csvOfBreakdown(rows, column) {
  const currencies = currenciesOf(rows);
  const gaps = GAPS.map(({ key }) => key).filter((key) => rows.some((row) => row[key] > 0));
  const header = [column, 'records', 'records_before', 'seconds', ...currencies.map((currency) => `amount_${currency}`), ...gaps];

  return csvOf(header, rows.map((row) => [
    row.value, row.count, row.before?.count ?? 0, row.duration ?? '', ...currencies.map((currency) => row.amounts.get(currency) ?? ''), ...gaps.map((key) => row[key]),
  ]));
}

function ByColumn({ column, columns, onColumn }) {
  return html`<label class="by"><span class="quiet">By</span><select aria-label="Sum up by" value=${column} onChange=${(event) => onColumn(event.target.value)}>
    ${columns.map((name) => html`<option key=${name} value=${name} selected=${name === column}>${labelOf(name)}</option>`)}</select></label>`;
}

/* from: what useLoad has of loadBreakdown; onFilter: called with a value, or nothing where there is no such filter. */
export function Breakdown({ from, column, columns, usage, onColumn, onFilter, onCsv }) {
  const rows = from.data ?? [];
  const table = useMemo(() => columnsOf({ column, rows, usage, onFilter }), [column, rows, usage, Boolean(onFilter)]);

  return html`<${Card} title="Usage by ${wordsOf(column)}" hint=${onFilter ? 'A click on a value shows it alone.' : ''} actions=${html`
      <${ByColumn} column=${column} columns=${columns} onColumn=${onColumn} />
      <button type="button" class="button small" disabled=${rows.length === 0} onClick=${onCsv}><${Icon} name="download" />CSV of this table</button>`}>
    <${Loaded} from=${from}>${() => (rows.length === 0 ? html`<${Empty} title="No records in this range" />` : html`
      <${Table} caption="Usage by ${wordsOf(column)}" columns=${table} rows=${rows.slice(0, SHOWN_MAX)} keyOf=${({ value }) => value} total=${{ ...usage.total, total: true, before: usage.before }} />
      ${rows.length > SHOWN_MAX && html`<p class="more quiet">The first ${SHOWN_MAX} of ${formatCount(rows.length)}; the CSV has all of them.</p>`}`)}
    </${Loaded}>
  </${Card}>`;
}
