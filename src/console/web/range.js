/* SPDX-License-Identifier: ISC */
/*
 * range.js: which days, in which time zone. What is picked is in the parameters of the address: range, from, to, zone.
 */
import { html, useMemo } from './html.js';
import { Field, SelectField } from './form.js';
import { formatRange } from './format.js';
import { browserZone, presets, rangeOf, textOfDay, dayOf, zones } from './time.js';

/* params: those of the address; onChange gets those that are to be changed. */
export function RangePicker({ params, onChange }) {
  const range = rangeOf(params);
  const options = useMemo(() => zones().map((name) => ({ value: name, label: name.replaceAll('_', ' ') })), []);
  const today = textOfDay(dayOf(Date.now(), range.zone));
  const onPreset = (preset) => onChange(preset === 'custom'
    ? { range: preset, from: range.first, to: range.last }
    : { range: preset, from: '', to: '' });
  const onDay = (name, text) => {
    const days = { from: range.first, to: range.last, [name]: text };
    if (text) {
      onChange({ range: 'custom', from: days.from <= days.to ? days.from : text, to: days.from <= days.to ? days.to : text });
    }
  };

  return html`
    <${SelectField} label="Dates" value=${range.preset} onValue=${onPreset} options=${presets.map(({ name, label }) => ({ value: name, label }))} />
    ${range.preset === 'custom' && ['from', 'to'].map((name) => html`<${Field} key=${name} label=${name === 'from' ? 'First day' : 'Last day'}>
      ${(control) => html`<input ...${control} type="date" required max=${today} value=${name === 'from' ? range.first : range.last}
        onChange=${(event) => onDay(name, event.target.value)} />`}
    </${Field}>`)}
    <${SelectField} label="Time zone" value=${range.zone} onValue=${(zone) => onChange({ zone: zone === browserZone ? '' : zone })} options=${options} />
  `;
}

export function RangeText({ range }) {
  return html`<span class="quiet">${formatRange(range.from, range.to - 1, range.zone)}, ${range.zone.replaceAll('_', ' ')}</span>`;
}
