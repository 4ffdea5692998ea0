/* SPDX-License-Identifier: ISC */
/*
 * page_reports.js: the account's reports, the newest first, as they are made; and the form for a new one.
 */
import { remove } from './api.js';
import { html, useCallback, useEffect, useState } from './html.js';
import { formatAgo, formatBytes, formatCount, formatRange, formatTime } from './format.js';
import { Icon } from './icons.js';
import { useInterval, useLoad } from './load.js';
import { Card, PageHead } from './page.js';
import { ReportDrawer, describe } from './report_drawer.js';
import { ReportForm } from './report_form.js';
import { Progress, ReportState } from './report_state.js';
import { againOf, downloadReport, hasFile, isRunning, loadReports } from './reports_data.js';
import { navigate, setParams } from './router.js';
import { Schedules, loadSchedules } from './schedules.js';
import { useAccount, useProduct, useProducts } from './scope.js';
import { Empty, Failure, Loaded, Loading } from './states.js';
import { Table } from './table.js';
import { browserZone } from './time.js';
import { toast } from './toast.js';

const SOON_MS = 1000;
const LATER_MS = 10000;

function State({ report, keep }) {
  const gone = report.manifest && (hasFile(report) ? keep && Date.parse(report.end_time) + keep * 1000 : 0);

  return html`<${ReportState} state=${report.request_status} reason=${report.reason} />
    ${report.request_status === 'PROCESSING' && html`<${Progress} report=${report} />`}
    ${report.callback && html` <span class="badge" title="Its callback">callback ${report.callback.state}</span>`}
    ${report.delivery && html` <span class="badge" title="To its destination">delivery ${report.delivery.state}</span>`}
    ${gone === 0 && html`<div class="quiet">The file is deleted</div>`}
    ${gone > 0 && html`<div class="quiet">Deleted ${formatAgo(gone)}</div>`}`;
}

async function attempt(call, said) {
  try {
    await call();
    if (said) {
      toast(said);
    }
  } catch (error) {
    toast(error.message, 'bad');
  }
}

function Actions({ report, onAgain, onChanged }) {
  const cancel = () => attempt(() => remove(`/v2/reports/${report.request_id}`), 'The report was cancelled').then(onChanged);

  return html`<div class="actions">
    ${hasFile(report) && html`<button type="button" class="button small" onClick=${() => attempt(() => downloadReport(report))}><${Icon} name="download" />Download</button>`}
    ${isRunning(report) ? html`<button type="button" class="button small danger" onClick=${cancel}>Cancel</button>`
    : html`<button type="button" class="button small" onClick=${() => onAgain(report)}>Again</button>`}
  </div>`;
}

function What({ report }) {
  const product = useProduct(report.product);
  const zone = report.time_zone ?? 'UTC';

  return html`<div><b>${describe(report, product.data)}</b>
    ${report.date_start && html`<div class="quiet">${formatRange(Date.parse(report.date_start), Date.parse(report.date_end) - 1, /^[+-]/.test(zone) ? 'UTC' : zone)}</div>`}</div>`;
}

const columnsOf = ({ zone, keep, onAgain, onChanged }) => [
  { key: 'what', label: 'Report', class: 'wrap', cell: (report) => html`<${What} report=${report} />` },
  { key: 'time', label: 'Asked for', cell: ({ receive_time: time }) => html`<time datetime=${time} title=${formatTime(time, zone)}>${formatAgo(time)}</time>` },
  { key: 'state', label: 'State', cell: (report) => html`<${State} report=${report} keep=${keep} />` },
  { key: 'rows', label: 'Records', number: true, cell: (report) => (report.request_status === 'PENDING' ? '–' : formatCount(report.items_count)) },
  { key: 'size', label: 'Size', number: true, cell: ({ manifest, progress }) => (manifest || progress ? formatBytes((manifest ?? progress).bytes) : '–') },
  { key: 'actions', label: html`<span class="hidden">Actions</span>`, class: 'ends', cell: (report) => html`<${Actions} report=${report} onAgain=${onAgain} onChanged=${onChanged} />` },
];

function List({ reports, own, onNew, onAgain, onChanged }) {
  const [open, setOpen] = useState(null);
  const keep = own?.settings?.report_file_keep;
  const shown = reports.find(({ request_id: id }) => id === open);

  return html`<${Card} class="report-list">
    ${reports.length === 0 ? html`<${Empty} title="No reports yet" icon="reports">
        <p>A report is a file with all records of up to 13 months, made in the background: for spreadsheets, for checking an invoice, for your own database.</p>
        ${onNew && html`<p><button type="button" class="button first" onClick=${onNew}>New report</button></p>`}</${Empty}>`
    : html`<${Table} caption="Reports" rows=${reports} keyOf=${({ request_id: id }) => id} onRow=${({ request_id: id }) => setOpen(id)}
        columns=${columnsOf({ zone: browserZone, keep, onAgain, onChanged })} />`}
    ${shown && html`<${ReportDrawer} report=${shown} zone=${browserZone} keep=${keep} onClose=${() => setOpen(null)} onDownload=${() => attempt(() => downloadReport(shown))} />`}
  </${Card}>`;
}

function New({ params, account, own, reports, onMade, onClose }) {
  const products = useProducts();
  const name = params.product || 'SMS';
  const product = useProduct(name);

  if (product.error) {
    return html`<${Card}><${Failure} error=${product.error} retry=${product.reload} /></${Card}>`;
  }
  return product.data?.name === name
    ? html`<${ReportForm} params=${params} account=${account} own=${own} products=${products.data} product=${product.data} reports=${reports} onMade=${onMade} onClose=${onClose} />`
    : html`<${Card}><${Loading} lines=${4} /></${Card}>`;
}

/* "Again" needs the product of a report, to know its filters: the address of the form is made when it is there. */
function Again({ report, account, onReady }) {
  const product = useProduct(report.product);

  useEffect(() => {
    if (product.data?.name === report.product) {
      onReady(againOf(report, product.data, account));
    }
  }, [product.data]);
  return null;
}

export function Page({ params, account }) {
  const own = useAccount();
  const reports = useLoad((signal) => loadReports(account, signal), [account]);
  const schedules = useLoad(loadSchedules, []);
  const [again, setAgain] = useState(null);
  const running = reports.data?.some(isRunning);
  const onNew = () => setParams({ new: 'yes' });
  const onClose = () => navigate('/reports', {});
  const onMade = useCallback(() => {
    onClose();
    reports.reload();
    schedules.reload();
  }, [reports.reload, schedules.reload]);
  const onReady = (changes) => {
    setAgain(null);
    navigate('/reports', changes);
    window.scrollTo(0, 0);
  };

  useInterval(reports.reload, running ? SOON_MS : LATER_MS, reports.state === 'ready');
  return html`<${PageHead} title="Reports" about="Files of up to 13 months of records, made in the background.">
      ${params.new !== 'yes' && html`<button type="button" class="button first" onClick=${onNew}><${Icon} name="plus" />New report</button>`}</${PageHead}>
    ${params.new === 'yes' && html`<${New} params=${params} account=${account} own=${own.data} reports=${reports.data ?? []} onMade=${onMade} onClose=${onClose} />`}
    ${again && html`<${Again} key=${again.request_id} report=${again} account=${account} onReady=${onReady} />`}
    <${Schedules} from=${schedules} />
    <${Loaded} from=${{ ...reports, state: 'ready' }}>${(list) => html`<${List} reports=${list} own=${own.data} onNew=${params.new !== 'yes' && onNew} onAgain=${setAgain} onChanged=${reports.reload} />`}</${Loaded}>`;
}
