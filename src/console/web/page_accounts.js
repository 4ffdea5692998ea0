/* SPDX-License-Identifier: ISC */
/*
 * page_accounts.js: accounts by the beginning of their ids, a page at a time.
 */
import { ask } from './commands.js';
import { formatCount, formatDate } from './format.js';
import { SelectField, TextField } from './form.js';
import { html, useEffect, useState } from './html.js';
import { useLoad } from './load.js';
import { Card, PageHead } from './page.js';
import { setParams } from './router.js';
import { Empty, Loaded } from './states.js';
import { Table } from './table.js';

const PAGE = 50;
const TYPING_MS = 300;

function stateOf({ disabled, deleted }) {
  return deleted ? ['deleted', 'bad'] : disabled ? ['disabled', 'busy'] : ['enabled', 'good'];
}

const columns = [
  { key: 'id', label: 'Account', cell: ({ id }) => html`<bdi>${id}</bdi>` },
  { key: 'name', label: 'Name', class: 'wrap', cell: ({ name }) => html`<bdi>${name}</bdi>` },
  { key: 'parent', label: 'Parent', cell: ({ parent }) => html`<bdi>${parent}</bdi>` },
  { key: 'plan', label: 'Plan' },
  { key: 'state', label: 'State', cell: (row) => html`<span class="badge ${stateOf(row)[1]}">${stateOf(row)[0]}</span>` },
  { key: 'secrets', label: 'Secrets', number: true, cell: ({ secrets }) => formatCount(secrets) },
  { key: 'created', label: 'Created', cell: ({ created }) => formatDate(created) },
];

/* The text as it is typed; the address has it a moment later. */
function Prefix({ value }) {
  const [text, setText] = useState(value);

  useEffect(() => {
    const timer = text !== value && setTimeout(() => setParams({ prefix: text, after: '' }, { replace: true }), TYPING_MS);

    return () => clearTimeout(timer);
  }, [text, value]);
  return html`<${TextField} label="Begins with" name="prefix" type="search" autocomplete="off" spellcheck=${false} value=${text} onValue=${setText} />`;
}

export function Page({ params: { prefix = '', state = '', after = '' } }) {
  const accounts = useLoad((signal) => ask('account-list', { prefix, state, after, limit: PAGE }, { signal }), [prefix, state, after]);
  const more = accounts.data?.length === PAGE;

  return html`<${PageHead} title="Accounts" about="In order of their ids." />
    <div class="filters"><${Prefix} value=${prefix} />
      <${SelectField} label="State" value=${state} onValue=${(chosen) => setParams({ state: chosen, after: '' })}
        options=${[{ value: '', label: 'Any' }, 'enabled', 'disabled', 'deleted']} /></div>
    <${Card} title="By id"><${Loaded} from=${accounts}>${(list) => (list.length === 0
    ? html`<${Empty} title=${after ? 'There are no more accounts' : 'There are no such accounts'} />`
    : html`<${Table} caption="Accounts" columns=${columns} rows=${list} keyOf=${({ id }) => id} />`)}</${Loaded}>
      ${(after || more) && html`<div class="more pager">
        ${after && html`<button type="button" class="button small" onClick=${() => setParams({ after: '' })}>First page</button>`}
        ${more && html`<button type="button" class="button small" onClick=${() => setParams({ after: accounts.data.at(-1).id })}>Next page</button>`}</div>`}
    </${Card}>`;
}
