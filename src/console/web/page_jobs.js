/* SPDX-License-Identifier: ISC */
/*
 * page_jobs.js: the reports of all accounts, for operators: their states, progress, callbacks and deliveries; a row opens
 * one of them. What was asked for is not shown in the list, as filters may hold numbers of people.
 */
import { useAction } from './action.js';
import { Bar } from './bar.js';
import { CallbackState } from './callback_state.js';
import { ask, change, useLive } from './commands.js';
import { Dialog, Drawer } from './dialog.js';
import { formatAgo, formatBytes, formatCount, formatPercent, formatTime } from './format.js';
import { SelectField, TextField } from './form.js';
import { html, useCallback, useState } from './html.js';
import { useLoad } from './load.js';
import { Card, PageHead } from './page.js';
import { ReportState, isRunning, stateOptions } from './report_state.js';
import { setParams } from './router.js';
import { labelOf } from './scope.js';
import { Empty, Loaded } from './states.js';
import { Table } from './table.js';
import { toast } from './toast.js';

const LIMIT = 100;

const when = (time) => time && html`<time datetime=${time} title=${formatTime(time)}>${formatAgo(time)}</time>`;

function State({ job }) {
  return html`<${ReportState} state=${job.state} />${job.state === 'PROCESSING' && html`<div class="progress">
    <${Bar} share=${job.percent / 100} role="progressbar" aria-label="Made so far" aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(job.percent)} />
    <span class="quiet">${formatPercent(job.percent / 100)}</span></div>`}`;
}

const columns = [
  { key: 'account', label: 'Account', cell: ({ account }) => html`<bdi>${account}</bdi>` },
  { key: 'product', label: 'Product', cell: ({ product }) => labelOf(product) },
  { key: 'state', label: 'State', cell: (job) => html`<${State} job=${job} />` },
  { key: 'rows', label: 'Records', number: true, cell: ({ rows }) => formatCount(rows) },
  { key: 'bytes', label: 'Size', number: true, cell: ({ file_bytes: bytes }) => (bytes > 0 ? formatBytes(bytes) : '–') },
  { key: 'received', label: 'Asked for', cell: ({ received }) => when(received) },
  { key: 'callback', label: 'Callback', cell: ({ callback }) => (callback ? html`<${CallbackState} state=${callback} />` : '–') },
  { key: 'delivery', label: 'Delivery', cell: ({ delivery }) => (delivery ? html`<${CallbackState} state=${delivery} />` : '–') },
  { key: 'reason', label: 'Reason', class: 'wrap', cell: ({ reason }) => reason && html`<bdi>${reason}</bdi>` },
];

/* A fact with a name, times as such; nothing where there is none. */
function Fact({ name, value }) {
  const text = value === undefined || value === '' ? '' : /_at$|^(received|started|ended|(first|last)_record|(last|next)_attempt|from|to)$/.test(name) ? formatTime(value) : String(value);

  return text && html`<div><dt>${labelOf(name)}</dt><dd><bdi>${text}</bdi></dd></div>`;
}

function Facts({ title, of }) {
  return of && html`<h3>${title}</h3><dl class="facts">${Object.entries(of).map(([name, value]) => html`<${Fact} key=${name} name=${name} value=${value} />`)}</dl>`;
}

function Job({ job }) {
  const { callback_attempts: callback, delivery_attempts: delivery, parameters, total_price: sums = [], id, state, ...facts } = job;

  return html`<p><${ReportState} state=${state} /> <code><bdi>${id}</bdi></code></p>
    <dl class="facts">${Object.entries(facts).map(([name, value]) => html`<${Fact} key=${name} name=${name} value=${value} />`)}
      ${sums.map(({ currency, sum }) => html`<${Fact} key=${currency} name="sum_of_prices" value=${`${sum} ${currency}`} />`)}</dl>
    <${Facts} title="Its callback" of=${callback} />
    <${Facts} title="Its delivery" of=${delivery} />
    <${Facts} title="What was asked for" of=${parameters} />`;
}

function CancelDialog({ id, onClose, onDone }) {
  const action = useAction(() => change('report-cancel', { id }), () => {
    toast('The report was cancelled');
    onDone();
  });

  return html`<${Dialog} title="Cancel the report" onClose=${onClose} actions=${html`
      <button type="button" class="button" onClick=${onClose}>Keep it</button>
      <button type="button" class="button danger" disabled=${action.busy} onClick=${action.run}>Cancel it</button>`}>
    <p>The customer sees that the operator has cancelled it. Its file is removed.</p>
    ${action.error && html`<p class="notice bad" role="alert">${action.error.message}</p>`}
  </${Dialog}>`;
}

function JobDrawer({ id, onCancel, onClose }) {
  const job = useLoad((signal) => ask('report-show', { id }, { signal }), [id]);
  const cancel = isRunning(job.data?.state) && html`<button type="button" class="button danger" onClick=${onCancel}>Cancel the report</button>`;

  return html`<${Drawer} title="Report" onClose=${onClose} actions=${cancel}>
    <${Loaded} from=${job}>${(data) => html`<${Job} job=${data} />`}</${Loaded}></${Drawer}>`;
}

function Filters({ account, state }) {
  const [text, setText] = useState(account);
  const onSubmit = (event) => {
    event.preventDefault();
    setParams({ account: text.trim() });
  };

  return html`<form class="filters" onSubmit=${onSubmit}>
    <${TextField} label="Account" name="account" autocomplete="off" spellcheck=${false} value=${text} onValue=${setText} />
    <${SelectField} label="State" value=${state} onValue=${(chosen) => setParams({ state: chosen })} options=${[{ value: '', label: 'Any' }, ...stateOptions]} />
    <button type="submit" class="button">Filter</button>
  </form>`;
}

export function Page({ params: { account = '', state = '' } }) {
  const jobs = useLive('report-list', { account, state, limit: LIMIT });
  const [open, setOpen] = useState(null);
  const [cancelling, setCancelling] = useState(false);
  const close = useCallback(() => {
    setOpen(null);
    setCancelling(false);
  }, []);
  const done = () => {
    close();
    jobs.reload();
  };

  return html`<${PageHead} title="Reports" about="Of all accounts, the newest first, as they are made, called back and delivered." />
    <${Filters} key=${account} account=${account} state=${state} />
    <${Card}><${Loaded} from=${{ ...jobs, state: 'ready' }}>${(list) => (list.length === 0
    ? html`<${Empty} title=${account || state ? 'There are no such reports' : 'No report was asked for yet'} icon="reports" />`
    : html`<${Table} caption="Reports" columns=${columns} rows=${list} keyOf=${({ id }) => id} onRow=${({ id }) => setOpen(id)} />
      ${list.length === LIMIT && html`<p class="more quiet">The newest ${LIMIT}.</p>`}`)}</${Loaded}></${Card}>
    ${open && !cancelling && html`<${JobDrawer} id=${open} onCancel=${() => setCancelling(true)} onClose=${close} />`}
    ${open && cancelling && html`<${CancelDialog} id=${open} onClose=${close} onDone=${done} />`}`;
}
