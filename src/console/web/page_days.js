/* SPDX-License-Identifier: ISC */
/*
 * page_days.js: what each day holds, and sealing.
 */
import { useAction } from './action.js';
import { ask, change } from './commands.js';
import { formatBytes, formatCount, formatDate, formatPercent } from './format.js';
import { html } from './html.js';
import { useLoad } from './load.js';
import { Card, PageHead } from './page.js';
import { Empty, Loaded } from './states.js';
import { Table } from './table.js';
import { toast } from './toast.js';

const count = (key, label) => ({ key, label, number: true, cell: (row) => formatCount(row[key]), sort: (a, b) => a[key] - b[key] });

const columns = [
  { key: 'day', label: 'Day', cell: ({ day }) => (day === 'total' ? 'All days' : formatDate(day, 'UTC')), sort: (a, b) => (a.day < b.day ? -1 : 1) },
  count('records', 'Records'),
  count('hot', 'To seal'),
  { key: 'hot_percent', label: 'Of it', number: true, cell: ({ hot_percent: percent }) => formatPercent(percent / 100) },
  count('sealed', 'Sealed'),
  count('replaced', 'Replaced'),
  count('blocks', 'Blocks'),
  { key: 'disk_bytes', label: 'Disk', number: true, cell: ({ disk_bytes: bytes }) => formatBytes(bytes), sort: (a, b) => a.disk_bytes - b.disk_bytes },
  { key: 'bytes_a_record', label: 'A record', number: true, cell: ({ bytes_a_record: bytes }) => formatBytes(bytes) },
];

/* The newest day first; the row of all days, which is there unless there is but one, apart. */
function Days({ list }) {
  const days = list.filter(({ day }) => day !== 'total').toReversed();

  return days.length === 0 ? html`<${Empty} title="There are no records yet" />`
    : html`<${Table} caption="Days" columns=${columns} rows=${days} keyOf=${({ day }) => day} total=${list.find(({ day }) => day === 'total')} />`;
}

export function Page() {
  const days = useLoad((signal) => ask('storage', {}, { signal }), []);
  const seal = useAction(() => change('seal', {}), () => {
    toast('Sealing has begun');
    days.reload();
  });

  return html`<${PageHead} title="Days" about="Records of each UTC day, and how much of them is sealed.">
      <button type="button" class="button" onClick=${days.reload}>Read again</button>
      <button type="button" class="button first" disabled=${seal.busy} onClick=${seal.run}>Seal all now</button></${PageHead}>
    ${seal.error && html`<p class="notice bad" role="alert">${seal.error.message}</p>`}
    <${Card} title="Each day"><${Loaded} from=${days}>${(list) => html`<${Days} list=${list} />`}</${Loaded}></${Card}>`;
}
