/* SPDX-License-Identifier: ISC */
/*
 * records_find.js: what records are looked for: by any filter that the product has, or by ids.
 */
import { html, useState } from './html.js';
import { Field, SelectField } from './form.js';
import { Icon } from './icons.js';
import { directionsOf } from './records_data.js';
import { filterChange, labelOf } from './scope.js';

const directionNames = { '': 'Both', outbound: 'Outbound', inbound: 'Inbound' };

export function DirectionField({ product, params, onChange }) {
  const options = directionsOf(product);

  return options.length > 0 && html`<${SelectField} label="Direction" value=${params['f.direction'] || options[0]}
    options=${options.map((value) => ({ value, label: directionNames[value] }))} onValue=${(value) => onChange(filterChange('direction', value))} />`;
}

const filterWays = (product) => product.filters.filter(({ name }) => name !== 'direction')
  .map(({ name, values }) => ({ value: `f.${name}`, label: labelOf(name), values }));

const idWay = (product) => ({ value: 'id', label: product.lookup.map(labelOf).find((label) => label !== 'ID') ?? 'ID', values: [] });

/* `name` of one of the ways, and a value for it; onFind gets both. */
function WayForm({ ways, name, label, button, icon, onFind }) {
  const [chosen, setChosen] = useState('');
  const way = ways.find(({ value }) => value === chosen) ?? ways.find(({ value }) => value === 'f.to' || value === 'f.number') ?? ways[0];
  const [text, setText] = useState('');
  const onSubmit = (event) => {
    event.preventDefault();
    if (text.trim()) {
      onFind(way.value, text.trim());
      setText('');
    }
  };

  return html`<form class="filters find" role="search" aria-label=${name} onSubmit=${onSubmit}>
    <${SelectField} label=${label} value=${way.value} options=${ways} onValue=${(value) => { setChosen(value); setText(''); }} />
    ${way.values.length > 0
    ? html`<${SelectField} key=${way.value} label=${way.label} value=${text} onValue=${setText} options=${[{ value: '', label: 'Choose…' }, ...way.values.map((value) => ({ value, label: value }))]} />`
    : html`<${Field} key=${way.value} label=${way.label}>${(control) => html`<input ...${control} type="search" autocomplete="off" spellcheck=${false} value=${text} onInput=${(event) => setText(event.target.value)} />`}</${Field}>`}
    <button type="submit" class="button" disabled=${!text.trim()}><${Icon} name=${icon} />${button}</button>
  </form>`;
}

/* onChange gets the change of the address: a filter is added to those that are set, ids stand alone. */
export function FindForm({ product, onChange }) {
  return html`<${WayForm} ways=${[idWay(product), ...filterWays(product)]} name="Find records" label="Find by" button="Find" icon="search" onFind=${(name, value) => onChange({ id: '', [name]: value })} />`;
}

/* Filters alone. */
export function FilterForm({ product, onChange }) {
  return html`<${WayForm} ways=${filterWays(product)} name="Add a filter" label="Filter by" button="Add" icon="plus" onFind=${(name, value) => onChange({ [name]: value })} />`;
}
