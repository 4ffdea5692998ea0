/* SPDX-License-Identifier: ISC */
/*
 * schedules.js: reports that are made again and again: how often, those that there are, and one of them with its runs.
 */
import { useAction } from './action.js';
import { get, post, remove } from './api.js';
import { html, useState } from './html.js';
import { Dialog, Drawer } from './dialog.js';
import { formatAgo, formatMinute } from './format.js';
import { useLoad } from './load.js';
import { Card } from './page.js';
import { labelOf, wordsOf } from './scope.js';
import { Loaded } from './states.js';
import { Table } from './table.js';
import { toast } from './toast.js';

const PATH = '/v2/reports/schedules';
const pathOf = ({ schedule_id: id }) => `${PATH}/${encodeURIComponent(id)}`;

/* What the form offers; schedules made by programs may be others. */
export const rhythms = [
  { value: 'day', label: 'Every day', cron: '0 6 * * *', range: 'yesterday', of: 'the day before' },
  { value: 'week', label: 'Every week', cron: '0 6 * * MON', range: 'last_week', of: 'the week before, on Monday' },
  { value: 'month', label: 'Every month', cron: '0 6 1 * *', range: 'last_month', of: 'the month before, on the first day' },
];

/* The body of a report, again and again in the zone. */
export function createSchedule({ date_start: from, date_end: to, time_zone: shown, ...body }, { cron, range }, zone) {
  return post(PATH, { ...body, cron, range, time_zone: zone });
}

export const loadSchedules = (signal) => get(PATH, {}, { signal }).then(({ schedules }) => schedules);

function whenOf({ cron, range }) {
  const known = rhythms.find((one) => one.cron === cron && one.range === range);

  return known ? `${known.label}, ${known.of}` : `${cron}, ${wordsOf(range)}`;
}

const NOT_FILTERS = ['_links', 'schedule_id', 'creator', 'name', 'account_id', 'product', 'cron', 'range', 'time_zone', 'paused', 'created', 'next_run', 'next_runs', 'waits_for', 'report', 'runs'];

function Runs({ schedule }) {
  const { time_zone: zone, next_runs: next = [], runs = [], report = {} } = schedule;
  const asked = Object.entries(report).filter(([name]) => !NOT_FILTERS.includes(name));

  return html`
    ${schedule.waits_for && html`<p class="notice warn">The run that is due waits: ${schedule.waits_for}</p>`}
    <h3>Next</h3><dl class="facts">${next.map((time) => html`<div key=${time}><dt>${formatMinute(time, zone)}</dt><dd>${formatAgo(time)}</dd></div>`)}</dl>
    <h3>Until now</h3>${runs.length === 0 ? html`<p class="quiet">It has not run yet.</p>` : html`<dl class="facts">${runs.map((run) => html`<div key=${run.due}><dt>${formatMinute(run.due, zone)}</dt>
      <dd>${run.request_id ? html`${run.request_status} <code><bdi>${run.request_id}</bdi></code>` : run.error}</dd></div>`)}</dl>`}
    <h3>What the next one asks for</h3><dl class="facts">${asked.map(([name, value]) => html`<div key=${name}><dt>${labelOf(name)}</dt><dd><bdi>${String(value)}</bdi></dd></div>`)}</dl>`;
}

function ScheduleDrawer({ schedule, onRemove, onClose }) {
  const whole = useLoad((signal) => get(pathOf(schedule), {}, { signal }), [schedule.schedule_id]);

  return html`<${Drawer} title="${labelOf(schedule.product)}, ${whenOf(schedule)}" onClose=${onClose}
      actions=${html`<button type="button" class="button danger" onClick=${onRemove}>Remove</button>`}>
    <${Loaded} from=${whole}>${(data) => html`<${Runs} schedule=${data} />`}</${Loaded}>
  </${Drawer}>`;
}

function RemoveDialog({ schedule, onDone, onClose }) {
  const action = useAction(() => remove(pathOf(schedule)), () => {
    toast('The schedule was removed');
    onDone();
  });

  return html`<${Dialog} title="Remove the schedule" onClose=${onClose} actions=${html`<button type="button" class="button" onClick=${onClose}>Keep it</button>
      <button type="button" class="button danger" disabled=${action.busy} onClick=${action.run}>Remove</button>`}>
    <p>No more reports are made by it. Those that were made stay.</p>${action.error && html`<p class="notice bad" role="alert">${action.error.message}</p>`}
  </${Dialog}>`;
}

/* "SMS, Invoice, status delivered": what it is of, its name and its filters. */
function whatOf(schedule) {
  const filters = Object.entries(schedule).filter(([name]) => !NOT_FILTERS.includes(name)).map(([name, value]) => html`, ${name === 'direction' ? '' : wordsOf(name)} <bdi>${String(value)}</bdi>`);

  return html`${labelOf(schedule.product)}${schedule.name && html`, <bdi>${schedule.name}</bdi>`}${filters}`;
}

const columns = [
  { key: 'what', label: 'Schedule', class: 'wrap', cell: (schedule) => whatOf(schedule) },
  { key: 'when', label: 'When', class: 'wrap', cell: (schedule) => whenOf(schedule) },
  { key: 'next', label: 'Next', cell: ({ next_run: next, paused, time_zone: zone }) => (paused ? html`<span class="badge warn">paused by the operator</span>` : next && formatMinute(next, zone)) },
  { key: 'zone', label: 'Time zone', class: 'quiet', cell: ({ time_zone: zone }) => zone.replaceAll('_', ' ') },
];

/* from: what useLoad has of loadSchedules. Nothing where there are none. */
export function Schedules({ from }) {
  const [open, setOpen] = useState(null);
  const [removing, setRemoving] = useState(null);
  const done = () => {
    setRemoving(null);
    setOpen(null);
    from.reload();
  };

  return from.data?.length > 0 && html`<${Card} title="Schedules" about="Reports that are made again and again.">
    <${Table} caption="Schedules" columns=${columns} rows=${from.data} keyOf=${({ schedule_id: id }) => id} onRow=${setOpen} />
    ${open && !removing && html`<${ScheduleDrawer} schedule=${open} onRemove=${() => setRemoving(open)} onClose=${() => setOpen(null)} />`}
    ${removing && html`<${RemoveDialog} schedule=${removing} onDone=${done} onClose=${() => setRemoving(null)} />`}
  </${Card}>`;
}
