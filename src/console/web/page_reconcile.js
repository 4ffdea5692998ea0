/* SPDX-License-Identifier: ISC */
/*
 * page_reconcile.js: carriers' files beside the records of a month: those that were compared, the newest first, as they
 * are made; the form for a new one; and, with `id` in the address, the result of one.
 */
import { remove } from './api.js';
import { html, useCallback, useEffect } from './html.js';
import { formatAgo, formatCount, formatTime } from './format.js';
import { Icon } from './icons.js';
import { useInterval, useLoad } from './load.js';
import { Card, PageHead } from './page.js';
import { classes, isRunning, loadReconciliation, loadReconciliations, pathOf } from './reconcile_data.js';
import { ReconcileForm } from './reconcile_form.js';
import { Result, describe } from './reconcile_result.js';
import { Progress, ReportState } from './report_state.js';
import { href, navigate } from './router.js';
import { useAccount, useProducts } from './scope.js';
import { Empty, Loaded } from './states.js';
import { Table } from './table.js';
import { browserZone } from './time.js';
import { toast } from './toast.js';

const SOON_MS = 1000;
const LATER_MS = 10000;
const HERE = '/reconcile';

async function cancel(job, then) {
  try {
    await remove(pathOf(job.request_id));
    toast('The reconciliation was cancelled');
  } catch (error) {
    toast(error.message, 'bad');
  }
  then();
}

function State({ job }) {
  return html`<${ReportState} state=${job.request_status} reason=${job.reason} />
    ${job.request_status === 'PROCESSING' && html`<${Progress} report=${job} />`}
    ${job.reason && html`<div class="quiet">${job.reason}</div>`}`;
}

/* "2 matched, 1 only theirs"; classes without rows are left out. */
function found({ files = [] }) {
  const counts = classes.map(({ name, label }) => ({ label, rows: files.find((file) => file.class === name)?.rows ?? 0 }));

  return counts.filter(({ rows }) => rows > 0).map(({ label, rows }) => `${formatCount(rows)} ${label.toLowerCase()}`).join(', ');
}

const columnsOf = (onChanged) => [
  { key: 'what', label: 'Compared', class: 'wrap', cell: (job) => html`<b>${describe(job)}</b><div class="quiet"><bdi>${job.file_name ?? job.mapping}</bdi></div>` },
  { key: 'time', label: 'Asked for', cell: ({ receive_time: time }) => html`<time datetime=${time} title=${formatTime(time, browserZone)}>${formatAgo(time)}</time>` },
  { key: 'state', label: 'State', class: 'wrap', cell: (job) => html`<${State} job=${job} />` },
  { key: 'found', label: 'Result', class: 'wrap', cell: (job) => (job.result ? found(job) || 'Nothing on either side' : '') },
  { key: 'actions', label: html`<span class="hidden">Actions</span>`, class: 'ends', cell: (job) => isRunning(job)
    && html`<div class="actions"><button type="button" class="button small danger" onClick=${() => cancel(job, onChanged)}>Cancel</button></div>` },
];

/* Those that are being made are asked for one by one, and the list when one of them has ended. */
function useFollowed(list) {
  const ids = (list.data?.reconciliations ?? []).filter(isRunning).map(({ request_id: id }) => id);
  const fresh = useLoad((signal) => Promise.all(ids.map((id) => loadReconciliation(id, signal))), [ids.join()]);
  const byId = new Map((fresh.data ?? []).map((job) => [job.request_id, job]));

  useEffect(() => {
    if (fresh.error || fresh.data?.some((job) => !isRunning(job))) {
      list.reload();
    }
  }, [fresh.error, fresh.data]);
  useInterval(fresh.reload, SOON_MS, ids.length > 0 && fresh.state === 'ready');
  useInterval(list.reload, LATER_MS, list.state === 'ready');
  return list.data?.reconciliations.map((job) => (ids.includes(job.request_id) && byId.get(job.request_id)) || job);
}

function List({ jobs, onNew, onChanged }) {
  return html`<${Card} class="report-list">
    ${jobs.length === 0 ? html`<${Empty} title="No reconciliations yet" icon="reconcile">
        <p>What a carrier bills for a month is compared with the records: what matches, what differs, and what one side alone has.</p>
        ${onNew && html`<p><button type="button" class="button first" onClick=${onNew}>New reconciliation</button></p>`}</${Empty}>`
    : html`<${Table} caption="Reconciliations" rows=${jobs} keyOf=${({ request_id: id }) => id} onRow=${({ request_id: id }) => navigate(HERE, { id })} columns=${columnsOf(onChanged)} />`}
  </${Card}>`;
}

function New({ account, own, mappings, onMade, onClose }) {
  const products = useProducts();

  if (mappings.length === 0) {
    return html`<${Card}><${Empty} title="There are no mappings"><p>A mapping says which column of a carrier's file is what. The operator of this server has to add one.</p></${Empty}></${Card}>`;
  }
  return html`<${Loaded} from=${products}>${(all) => html`<${ReconcileForm} account=${account} own=${own} products=${all} mappings=${mappings} onMade=${onMade} onClose=${onClose} />`}</${Loaded}>`;
}

function All({ params, account, own }) {
  const list = useLoad(loadReconciliations, [account]);
  const jobs = useFollowed(list);
  const onNew = () => navigate(HERE, { new: 'yes' });
  const onClose = () => navigate(HERE, {});
  const onMade = useCallback(() => {
    onClose();
    list.reload();
  }, [list.reload]);
  const isNew = params.new === 'yes';

  return html`<${PageHead} title="Reconcile" about="What a carrier bills for a month, beside the records of it.">
      ${!isNew && html`<button type="button" class="button first" onClick=${onNew}><${Icon} name="plus" />New reconciliation</button>`}</${PageHead}>
    <${Loaded} from=${list.data ? { ...list, state: 'ready' } : list}>${({ mappings }) => html`
      ${isNew && html`<${New} account=${account} own=${own} mappings=${mappings} onMade=${onMade} onClose=${onClose} />`}
      <${List} jobs=${jobs} onNew=${!isNew && onNew} onChanged=${list.reload} />`}</${Loaded}>`;
}

function One({ id, own }) {
  const job = useLoad((signal) => loadReconciliation(id, signal), [id]);

  useInterval(job.reload, SOON_MS, job.state === 'ready' && isRunning(job.data));
  return html`<${PageHead} title="Reconcile" about="What a carrier bills for a month, beside the records of it.">
      <a class="button" href=${href(HERE)}><${Icon} name="back" />All reconciliations</a></${PageHead}>
    <${Loaded} from=${job.data ? { ...job, state: 'ready' } : job}>${(data) => html`<${Result} job=${data} keep=${own?.settings?.report_file_keep} onCancel=${() => cancel(data, job.reload)} />`}</${Loaded}>`;
}

export function Page({ params, account }) {
  const own = useAccount();

  return params.id ? html`<${One} key=${params.id} id=${params.id} own=${own.data} />` : html`<${All} params=${params} account=${account} own=${own.data} />`;
}
