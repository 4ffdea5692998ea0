/* SPDX-License-Identifier: ISC */
/*
 * table.js: rows and columns.
 *
 *	columns: [{ key, label, number: true aligns to the right, cell: (row) => what is shown, sort: (a, b) => order }]
 *	rows, keyOf: (row) => a key; onRow: called with a row that is clicked or opened with Enter
 *
 * A table that is wider than the page scrolls in a region of its own, which the keyboard reaches. Where there is as little
 * room as on a telephone each row of more than two columns becomes a card, by the style sheet alone; roles are written out,
 * as some browsers forget what a table is once its rows are laid out otherwise.
 */
import { classes, html, useId, useMemo, useState } from './html.js';

const TABLE_COLUMNS_MAX = 2;

function Heading({ column, order, onSort }) {
  const sorted = order?.key === column.key ? (order.down ? 'descending' : 'ascending') : undefined;

  return html`<th scope="col" role="columnheader" class=${classes(column.number && 'number', column.class)} aria-sort=${sorted}>
    ${column.sort
    ? html`<button type="button" class="sort" onClick=${() => onSort(column.key)}>${column.label}<span aria-hidden="true">${sorted ? (order.down ? '↓' : '↑') : ''}</span></button>`
    : column.label}
  </th>`;
}

function Row({ row, columns, onRow, foot }) {
  const onClick = onRow && ((event) => {
    if (!event.target.closest('a, button, input, label')) {
      onRow(row);
    }
  });

  return html`<tr role="row" class=${classes(onRow && 'opens')} onClick=${onClick}>
    ${columns.map((column, n) => {
    const cell = column.cell ? column.cell(row) : row[column.key];
    const shown = onRow && n === 0 ? html`<button type="button" class="open" onClick=${() => onRow(row)}>${cell}</button>` : cell;
    return n === 0 && foot
      ? html`<th scope="row" role="rowheader" key=${column.key}>${shown}</th>`
      : html`<td role="cell" class=${classes(column.number && 'number', column.class)} data-label=${typeof column.label === 'string' ? column.label : undefined} key=${column.key}>${shown}</td>`;
  })}
  </tr>`;
}

/* `first`: the order at first, { key, down }. `total`: a row below all others, or nothing. */
export function Table({ caption, columns, rows, keyOf, onRow, first, total, showCaption = false }) {
  const [order, setOrder] = useState(first ?? null);
  const id = useId();
  const sorted = useMemo(() => {
    const by = order && columns.find(({ key }) => key === order.key)?.sort;
    return by ? rows.toSorted((a, b) => (order.down ? by(b, a) : by(a, b))) : rows;
  }, [rows, columns, order]);
  const onSort = (key) => setOrder((before) => ({ key, down: before?.key === key ? !before.down : true }));

  return html`<div class=${classes('table', columns.length > TABLE_COLUMNS_MAX && 'cards')} role="region" aria-labelledby=${id} tabindex="0">
    <table role="table">
      <caption id=${id} class=${showCaption ? '' : 'hidden'}>${caption}</caption>
      <thead role="rowgroup"><tr role="row">${columns.map((column) => html`<${Heading} key=${column.key} column=${column} order=${order} onSort=${onSort} />`)}</tr></thead>
      <tbody role="rowgroup">${sorted.map((row, n) => html`<${Row} key=${keyOf ? keyOf(row) : n} row=${row} columns=${columns} onRow=${onRow} />`)}</tbody>
      ${total && html`<tfoot role="rowgroup"><${Row} row=${total} columns=${columns} foot=${true} /></tfoot>`}
    </table>
  </div>`;
}
