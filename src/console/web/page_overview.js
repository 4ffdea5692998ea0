/* SPDX-License-Identifier: ISC */
/*
 * page_overview.js: what the daemon does now, what calls for somebody, and the accounts with the most today.
 */
import { useLive } from './commands.js';
import { compare } from './decimal.js';
import { formatAgo, formatAmount, formatBytes, formatCount, formatDate, formatDecimal, formatPercent, formatTime } from './format.js';
import { classes, html } from './html.js';
import { href } from './router.js';
import { Card, PageHead } from './page.js';
import { Empty, Loaded } from './states.js';
import { Table } from './table.js';

const BACKUP_OLD_S = 2 * 86400;

const rate = (value) => `${formatDecimal(String(value))}/s`;
const ms = (us) => `${formatDecimal((us / 1000).toFixed(1))} ms`;

function Tile({ name, value, alarm, to, children }) {
  return html`<div class=${classes('tile still', alarm && 'alarm')}>
    <span class="name">${to ? html`<a href=${href(to)}>${name}</a>` : name}${alarm && html` <span class="badge bad">look</span>`}</span>
    <span class="value">${value}</span><span class="then quiet">${children}</span></div>`;
}

function Faults({ store }) {
  const faults = [
    store.catalog && `The catalog ${store.catalog}.`,
    store.days_broken > 0 && `${formatCount(store.days_broken)} days cannot be read.`,
    store.commits_failed > 0 && `${formatCount(store.commits_failed)} commits failed: ${store.last_failure}`,
  ].filter(Boolean);

  return faults.map((fault) => html`<p class="notice bad" role="alert" key=${fault}>${fault}</p>`);
}

function Tiles({ now }) {
  const { rates, loop, store, disk, reports, callbacks, quarantine, backup } = now;

  return html`<div class="tiles">
    <${Tile} name="Records in" value=${rate(rates.records)}>${formatBytes(rates.ingest_bytes)}/s, rejected ${rate(rates.rejected)}</${Tile}>
    <${Tile} name="Requests" value=${rate(rates.requests)}>pages ${rate(rates.pages)}, ids ${rate(rates.ids)}, ${formatCount(loop.connections)} connections</${Tile}>
    <${Tile} name="Lag" value=${ms(loop.lag_longest_lately_us)}>at most, lately; 99% below ${ms(loop.lag_99th_us)}</${Tile}>
    <${Tile} name="Disk" value=${`${formatBytes(disk.free_bytes)} free`} alarm=${disk.low}>${formatPercent(1 - disk.free_bytes / disk.size_bytes)} of ${formatBytes(disk.size_bytes)}${disk.low ? ', ingest is refused' : disk.low_at ? `, low ${formatDate(disk.low_at)}` : ''}</${Tile}>
    <${Tile} name="Sealing" to="/days" value=${formatCount(store.hot_rows)} alarm=${store.sealing_lags}>rows to seal, ${rate(rates.sealed_rows)}; ${formatCount(store.days)} days</${Tile}>
    <${Tile} name="Reports" to="/reports" value=${formatCount(reports.processing)}>being made, ${formatCount(reports.pending)} pending</${Tile}>
    <${Tile} name="Callbacks" to="/callbacks" value=${formatCount(callbacks.failed)} alarm=${callbacks.failed > 0}>failed, ${formatCount(callbacks.waiting)} waiting${callbacks.held === 'no' ? '' : `, held: ${callbacks.held}`}</${Tile}>
    <${Tile} name="Quarantine" to="/quarantine" value=${formatCount(quarantine.records)} alarm=${quarantine.records > 0}>rejected records, ${formatBytes(quarantine.disk_bytes)}</${Tile}>
    <${Tile} name="Last backup" value=${backup.last ? formatAgo(backup.last) : 'None'} alarm=${backup.age_seconds > BACKUP_OLD_S}>${backup.last ? formatTime(backup.last) : 'known of'}</${Tile}>
    <${Tile} name="Process" value=${formatBytes(now.memory_bytes)}>cdrd ${now.version}, started ${formatAgo(now.started)}</${Tile}>
  </div>`;
}

const account = { key: 'account', label: 'Account', cell: ({ account: id }) => html`<bdi>${id}</bdi>` };

const byRecords = [
  account,
  { key: 'records', label: 'Records', number: true, cell: ({ records }) => formatCount(records), sort: (a, b) => a.records - b.records },
];

const byCharges = [
  account,
  { key: 'charged', label: 'Charged', number: true, cell: ({ charged, currency }) => formatAmount(charged, currency), sort: (a, b) => compare(a.charged, b.charged) },
  { key: 'requests', label: 'Requests', number: true, cell: ({ requests }) => formatCount(requests), sort: (a, b) => a.requests - b.requests },
];

/* Sums are exact while no more accounts come than the daemon's table holds. */
function Accounts({ title, top, columns, none }) {
  const low = Number(top.low_by_at_most) > 0 && `; there are many accounts: a sum may be too low by ${formatDecimal(String(top.low_by_at_most))}`;

  return html`<${Card} title=${title} about=${`Since ${formatTime(top.since)}${low || ''}.`}>
    ${top.accounts.length === 0 ? html`<${Empty} title=${none} />`
    : html`<${Table} caption=${title} columns=${columns} rows=${top.accounts} keyOf=${(row) => `${row.account} ${row.currency ?? ''}`} />`}
  </${Card}>`;
}

export function Page() {
  const overview = useLive('overview', { accounts: 20 });

  return html`<${PageHead} title="Overview" about="What the daemon does now; asked again every two seconds." />
    <${Loaded} from=${overview}>${(now) => html`
      <${Faults} store=${now.store} />
      <${Tiles} now=${now} />
      <div class="pair">
        <${Accounts} title="Most records today" top=${now.records_today} columns=${byRecords} none="No records yet" />
        <${Accounts} title="Highest charges today" top=${now.charges_today} columns=${byCharges} none="Nothing was charged yet" />
      </div>`}
    </${Loaded}>`;
}
