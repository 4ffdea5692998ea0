/* SPDX-License-Identifier: ISC */
/*
 * page_quarantine.js: rejected records; a row opens one of them, to be mended (quarantine_drawer.js). All that the
 * filters let pass can be replayed or dropped at once.
 */
import { useAction } from './action.js';
import { change, useLive } from './commands.js';
import { Dialog } from './dialog.js';
import { formatAgo, formatCount, formatTime } from './format.js';
import { TextField } from './form.js';
import { html, useCallback, useState } from './html.js';
import { Card, PageHead } from './page.js';
import { QuarantineDrawer, ReplayResult } from './quarantine_drawer.js';
import { setParams } from './router.js';
import { Empty, Loaded } from './states.js';
import { Table } from './table.js';
import { toast } from './toast.js';

const LIMIT = 100;

const columns = [
  { key: 'number', label: 'Number', cell: ({ number }) => String(number) },
  { key: 'time', label: 'Came', cell: ({ time }) => html`<time datetime=${time} title=${formatTime(time)}>${formatAgo(time)}</time>` },
  { key: 'producer', label: 'Producer', cell: ({ producer }) => html`<bdi>${producer}</bdi>` },
  { key: 'account', label: 'Account', cell: ({ account }) => html`<bdi>${account}</bdi>` },
  { key: 'product', label: 'Product', cell: ({ product }) => html`<bdi>${product}</bdi>` },
  { key: 'field', label: 'Field', cell: ({ field }) => html`<bdi>${field}</bdi>` },
  { key: 'reason', label: 'Reason', class: 'wrap', cell: ({ reason }) => html`<bdi>${reason}</bdi>` },
];

const FILTERS = [['account', 'Account'], ['producer', 'Producer'], ['product', 'Product'], ['reason', 'Reason contains']];

function Filters({ args }) {
  const [texts, setTexts] = useState(args);
  const onSubmit = (event) => {
    event.preventDefault();
    setParams(texts);
  };

  return html`<form class="filters" onSubmit=${onSubmit}>
    ${FILTERS.map(([name, label]) => html`<${TextField} key=${name} label=${label} name=${name} autocomplete="off" spellcheck=${false} value=${texts[name]} onValue=${(text) => setTexts({ ...texts, [name]: text })} />`)}
    <button type="submit" class="button">Filter</button>
  </form>`;
}

/* Asks before it replays or drops all that the filters let pass. */
function AllDialog({ what, args, onClose, onDone }) {
  const [result, setResult] = useState(null);
  const all = { number: ['all'], ...Object.fromEntries(Object.entries(args).filter(([, value]) => value)) };
  const action = useAction(() => change(what === 'drop' ? 'quarantine-drop' : 'quarantine-replay', all), (done) => {
    if (what === 'drop') {
      toast(`${formatCount(done.dropped)} dropped`);
      onClose();
    } else {
      setResult(done);
    }
    onDone();
  });
  const filtered = Object.values(args).some(Boolean);

  return html`<${Dialog} title=${what === 'drop' ? 'Drop rejected records' : 'Replay rejected records'} onClose=${onClose} actions=${html`
      <button type="button" class="button" onClick=${onClose}>${result ? 'Close' : 'Cancel'}</button>
      ${!result && html`<button type="button" class=${what === 'drop' ? 'button danger' : 'button first'} disabled=${action.busy} onClick=${action.run}>${what === 'drop' ? 'Drop them' : 'Replay them'}</button>`}`}>
    ${result ? html`<${ReplayResult} result=${result} />`
    : html`<p>${filtered ? 'All rejected records that the filters let pass, also those that are not shown,' : 'All rejected records'} ${what === 'drop' ? 'are removed for good.' : 'are ingested again as they were sent.'}</p>`}
    ${action.error && html`<p class="notice bad" role="alert">${action.error.message}</p>`}
  </${Dialog}>`;
}

export function Page({ params }) {
  const args = Object.fromEntries(FILTERS.map(([name]) => [name, params[name] ?? '']));
  const listed = useLive('quarantine-list', { ...args, limit: LIMIT });
  const [open, setOpen] = useState(null); /* a number, 'drop' or 'replay' */
  const close = useCallback(() => setOpen(null), []);

  return html`<${PageHead} title="Quarantine" about="Records that were rejected, with why; the oldest first.">
      ${listed.data?.length > 0 && html`<button type="button" class="button" onClick=${() => setOpen('replay')}>Replay all…</button>
        <button type="button" class="button danger" onClick=${() => setOpen('drop')}>Drop all…</button>`}</${PageHead}>
    <${Filters} key=${JSON.stringify(args)} args=${args} />
    <${Card} title="Rejected records"><${Loaded} from=${listed}>${(list) => (list.length === 0
    ? html`<${Empty} title="There are no rejected records" icon="check" />`
    : html`<${Table} caption="Rejected records" columns=${columns} rows=${list} keyOf=${({ number }) => number} onRow=${({ number }) => setOpen(number)} />
        ${list.length === LIMIT && html`<p class="more quiet">The first ${formatCount(LIMIT)}; there may be more.</p>`}`)}
    </${Loaded}></${Card}>
    ${typeof open === 'string' && html`<${AllDialog} what=${open} args=${args} onClose=${close} onDone=${listed.reload} />`}
    ${typeof open === 'number' && html`<${QuarantineDrawer} number=${open} onClose=${close} onDone=${listed.reload} />`}`;
}
