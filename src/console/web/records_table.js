/* SPDX-License-Identifier: ISC */
/*
 * records_table.js: records in a table whose columns the user chooses, and how the value of a column is shown.
 */
import { html } from './html.js';
import { CheckField } from './form.js';
import { Dialog } from './dialog.js';
import { formatAmount, formatCountry, formatTime } from './format.js';
import { labelOf } from './scope.js';
import { Table } from './table.js';

/* What is shown at first, of the columns that a product has. */
const USUAL = ['from', 'to', 'number', 'channel', 'status', 'country', 'country_code', 'network', 'duration', 'message_body', 'total_price', 'price'];
const USUAL_MIN = 5;

const CUT = ['text', 'number']; /* kinds that may be long texts, which are cut off in the table */
const LONG = 18;
const DECIMAL = /^-?\d+(\.\d+)?$/;
const GOOD = /^(delivered|read|answered|completed|success|successful|sent|ok)$/i;
const BAD = /^(failed|rejected|expired|undeliverable|undelivered|error|deleted|busy|cancelled|unanswered|timeout)$/i;

/* With or without the message. */
export function columnsOf(product, { withMessage }) {
  return product.columns.filter(({ shown }) => shown === 'always' || (shown === 'with_message' && withMessage));
}

function usualColumns(product, options) {
  const names = columnsOf(product, options).map(({ name }) => name);
  const usual = USUAL.filter((name) => names.includes(name));
  const others = names.filter((name) => !usual.includes(name) && name !== product.time && name !== product.account && name !== 'currency');

  return [product.time, ...usual, ...others.slice(0, Math.max(0, USUAL_MIN - usual.length))];
}

/* The columns that the address names, or the usual ones. */
export function chosenColumns(product, names, options) {
  const chosen = (names ?? '').split(',').filter((name) => columnsOf(product, options).some((column) => column.name === name));

  return chosen.length > 0 ? chosen : usualColumns(product, options);
}

export function Value({ column, record, zone }) {
  const value = record[column.name];

  if (value === undefined || value === null || value === '') {
    return html`<span class="quiet" aria-label="Nothing">–</span>`;
  }
  if (column.kind === 'time' && !Number.isNaN(Date.parse(value))) {
    return html`<time datetime=${value} title=${value}>${formatTime(value, zone)}</time>`;
  }
  if (column.kind === 'money' && DECIMAL.test(value)) {
    return formatAmount(value, record.currency ?? '');
  }
  if (column.name === 'status') {
    return html`<span class="badge ${GOOD.test(value) ? 'good' : BAD.test(value) ? 'bad' : ''}">${value}</span>`;
  }
  if (/^country(_code)?$/.test(column.name)) {
    return html`${formatCountry(value)} <span class="quiet"><bdi>${value}</bdi></span>`;
  }
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return html`<bdi title=${text.length > LONG ? text : undefined}>${text}</bdi>`;
}

/* Kind "number" is that of telephones: a text. */
const isNumber = ({ kind }) => kind === 'money' || kind === 'count';

export function RecordsTable({ product, names, records, zone, onRecord }) {
  const columns = names.map((name) => {
    const column = product.columns.find((one) => one.name === name);
    return {
      key: name, label: labelOf(name), number: isNumber(column), class: column.kind === 'body' || column.kind === 'json' ? 'wrap' : CUT.includes(column.kind) ? 'cut' : '',
      cell: (record) => html`<${Value} column=${column} record=${record} zone=${zone} />`,
    };
  });

  return html`<${Table} caption="Records" columns=${columns} rows=${records} onRow=${onRecord} />`;
}

/* onNames gets the names chosen, [] for the usual ones. */
export function ColumnsDialog({ product, names, options, onNames, onClose }) {
  const onColumn = (name, on) => onNames(columnsOf(product, options).map((column) => column.name)
    .filter((one) => (one === name ? on : names.includes(one))));

  return html`<${Dialog} title="Columns" onClose=${onClose} actions=${html`
      <button type="button" class="button" onClick=${() => onNames([])}>The usual ones</button>
      <button type="button" class="button first" onClick=${onClose}>Done</button>`}>
    <div class="choices">${columnsOf(product, options).map(({ name }) => html`<${CheckField} key=${name} label=${labelOf(name)} checked=${names.includes(name)}
      disabled=${names.length === 1 && names.includes(name)} onValue=${(on) => onColumn(name, on)} />`)}</div>
  </${Dialog}>`;
}
