/* SPDX-License-Identifier: ISC */
/*
 * record_drawer.js: all of one record, as the API gives it, and how to ask for it from a command line.
 */
import { html, useState } from './html.js';
import { Drawer } from './dialog.js';
import { Icon } from './icons.js';
import { curlOf, idOf } from './records_data.js';
import { Value } from './records_table.js';
import { labelOf } from './scope.js';
import { copyText } from './toast.js';

function CodeBlock({ label, text, copied }) {
  return html`<section class="code"><header><h3>${label}</h3>
      <button type="button" class="button small" aria-label=${`Copy: ${label}`} onClick=${() => copyText(text, copied)}><${Icon} name="copy" />Copy</button></header>
    <pre tabindex="0">${text}</pre></section>`;
}

/* Columns without a value are shown only when asked for. */
export function RecordDrawer({ record, product, account, zone, onClose }) {
  const [all, setAll] = useState(false);
  const columns = product.columns.filter(({ name }) => name in record);
  const filled = columns.filter(({ name }) => record[name] !== '' && record[name] !== null);

  return html`<${Drawer} title="${labelOf(product.name)} record" onClose=${onClose}>
    <p class="quiet">${labelOf(product.lookup[0])} <code><bdi>${idOf(record, product)}</bdi></code></p>
    <dl class="facts">${(all ? columns : filled).map((column) => html`<div key=${column.name}><dt>${labelOf(column.name)}</dt>
      <dd><${Value} column=${column} record=${record} zone=${zone} /></dd></div>`)}</dl>
    ${filled.length < columns.length && html`<p><button type="button" class="link" onClick=${() => setAll(!all)}>${all ? 'Only columns with a value' : `All ${columns.length} columns`}</button></p>`}
    <${CodeBlock} label="JSON" text=${JSON.stringify(record, null, 2)} copied="The record was copied" />
    <${CodeBlock} label="The same with curl" text=${curlOf(record, product, account)} copied="The line was copied" />
  </${Drawer}>`;
}
