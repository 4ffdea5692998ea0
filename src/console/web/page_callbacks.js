/* SPDX-License-Identifier: ISC */
/*
 * page_callbacks.js: callbacks that are not delivered yet or were given up, and trying them again.
 */
import { useAction } from './action.js';
import { change, useLive } from './commands.js';
import { formatAgo, formatCount, formatTime } from './format.js';
import { html } from './html.js';
import { Card, PageHead } from './page.js';
import { Empty, Loaded } from './states.js';
import { Table } from './table.js';
import { toast } from './toast.js';

const kinds = { waiting: 'busy', sending: 'busy', failed: 'bad' };
const when = (time) => html`<time datetime=${time} title=${formatTime(time)}>${formatAgo(time)}</time>`;

function Again({ id, label, onDone }) {
  const action = useAction(() => change('callback-retry', { id }), ({ retried }) => {
    toast(`${formatCount(retried)} tried again`);
    onDone();
  });

  return html`<button type="button" class="button small" disabled=${action.busy} aria-label=${id === 'all' ? undefined : `${label}: ${id}`} onClick=${action.run}>${label}</button>
    ${action.error && html`<p class="notice bad" role="alert">${action.error.message}</p>`}`;
}

const columnsOf = (onDone) => [
  { key: 'account', label: 'Account', cell: ({ account }) => html`<bdi>${account}</bdi>` },
  { key: 'state', label: 'State', cell: ({ state }) => html`<span class="badge ${kinds[state] ?? ''}">${state}</span>` },
  { key: 'attempts', label: 'Attempts', number: true, cell: ({ attempts }) => formatCount(attempts) },
  { key: 'last_error', label: 'Last error', class: 'wrap', cell: ({ last_error: error }) => html`<bdi>${error}</bdi>` },
  { key: 'next', label: 'Next', cell: ({ next }) => (next ? when(next) : 'never') },
  { key: 'again', label: 'Again', cell: ({ id }) => html`<${Again} id=${id} label="Try now" onDone=${onDone} />` },
  { key: 'url', label: 'URL', class: 'wrap', cell: ({ url }) => html`<bdi>${url}</bdi>` },
  { key: 'created', label: 'Created', cell: ({ created }) => when(created) },
  { key: 'id', label: 'Id', class: 'wrap', cell: ({ id }) => html`<code><bdi>${id}</bdi></code>` },
];

function Held({ onDone }) {
  const overview = useLive('overview', { accounts: 0 });
  const held = overview.data?.callbacks.held ?? 'no';
  const action = useAction(() => change('callback-resume', {}), () => {
    toast('Callbacks are sent again');
    onDone();
  });

  return held !== 'no' && html`<p class="notice warn">Callbacks are held: ${held}.
      <button type="button" class="button small" disabled=${action.busy} onClick=${action.run}>Resume</button>
      ${action.error && html`<span role="alert">${action.error.message}</span>`}</p>`;
}

export function Page() {
  const callbacks = useLive('callback-list');

  return html`<${PageHead} title="Callbacks" about="Those that are not delivered yet, or were given up.">
      ${callbacks.data?.length > 0 && html`<${Again} id="all" label="Try all now" onDone=${callbacks.reload} />`}</${PageHead}>
    <${Held} onDone=${callbacks.reload} />
    <${Card} title="Not delivered"><${Loaded} from=${callbacks}>${(list) => (list.length === 0
    ? html`<${Empty} title="All callbacks are delivered" icon="check" />`
    : html`<${Table} caption="Callbacks" columns=${columnsOf(callbacks.reload)} rows=${list} keyOf=${({ id }) => id} />`)}
    </${Loaded}></${Card}>`;
}
