/* SPDX-License-Identifier: ISC */
/*
 * reconcile_form.js: a new reconciliation: the carrier's file, what it is compared with, and how.
 */
import { useAction } from './action.js';
import { html, useEffect, useMemo, useRef, useState } from './html.js';
import { CheckField, Field, SelectField, TextField } from './form.js';
import { formatBytes } from './format.js';
import { Card } from './page.js';
import { DirectionField } from './records_find.js';
import { compared, createReconciliation, matches, monthName, months, paramsOf } from './reconcile_data.js';
import { AccountField, ProductField, useProduct } from './scope.js';
import { Failure } from './states.js';
import { browserZone, zones } from './time.js';
import { toast } from './toast.js';

const USAGE = 'REPORTS-USAGE'; // cdrd's own records: no carrier bills them

const beginning = (mappings) => ({
  product: '',
  account: '',
  month: months()[1],
  zone: browserZone,
  mapping: mappings[0],
  match: 'id',
  time: '60',
  duration: '0',
  price: '0',
  compare: compared.map(({ value }) => value),
});

function FileField({ onFile }) {
  return html`<${Field} label="The carrier's file" class="wide">
    ${(control) => html`<input ...${control} type="file" required onChange=${(event) => onFile(event.target.files[0] ?? null)} />`}</${Field}>`;
}

function Subject({ choice, own, products, onChange, wrong }) {
  const product = useProduct(choice.product);
  const zoneOptions = useMemo(() => zones().map((name) => ({ value: name, label: name.replaceAll('_', ' ') })), []);
  const monthOptions = months().map((value) => ({ value, label: monthName(value) }));

  return html`<div class="filters">
    <${ProductField} params=${choice} products=${products} onChange=${onChange} />
    <${AccountField} params=${choice} own=${own} onChange=${onChange} />
    ${product.data?.name === choice.product && html`<${DirectionField} product=${product.data} params=${choice} onChange=${onChange} />`}
    <${SelectField} label="Month" value=${choice.month} options=${monthOptions} error=${wrong('month')} onValue=${(month) => onChange({ month })} />
    <${SelectField} label="Time zone" value=${choice.zone} options=${zoneOptions} error=${wrong('time_zone')} onValue=${(zone) => onChange({ zone })} />
  </div>`;
}

function How({ choice, onChange, wrong }) {
  const number = (name, label, parameter) => html`<${TextField} label=${label} inputmode="decimal" value=${choice[name]} error=${wrong(parameter)} onValue=${(value) => onChange({ [name]: value.trim() })} />`;
  const onCompare = (name, on) => onChange({ compare: compared.map(({ value }) => value).filter((one) => (one === name ? on : choice.compare.includes(one))) });

  return html`<div class="filters">
      <${SelectField} label="Find them by" value=${choice.match} options=${matches} error=${wrong('match')} onValue=${(match) => onChange({ match })} />
      ${choice.match !== 'id' && number('time', 'Times may differ by, s', 'time_tolerance')}
      ${number('duration', 'Durations may differ by, s', 'duration_tolerance')}
      ${number('price', 'Prices may differ by', 'price_tolerance')}
    </div>
    <fieldset class="filters compared"><legend>Compare</legend>
      ${compared.map(({ value, label }) => html`<${CheckField} key=${value} label=${label} checked=${choice.compare.includes(value)}
        disabled=${choice.compare.length === 1 && choice.compare[0] === value} onValue=${(on) => onCompare(value, on)} />`)}</fieldset>`;
}

/* What is wrong with one of these is said at its field, all else here. */
const FIELDS = ['month', 'time_zone', 'mapping', 'match', 'time_tolerance', 'duration_tolerance', 'price_tolerance'];

function Problem({ error }) {
  const others = error.invalid?.filter(({ name }) => !FIELDS.includes(name)) ?? [];

  return (others.length > 0 || !error.invalid?.length) && html`<${Failure} error=${{ ...error, message: error.message, invalid: others }} />`;
}

/* onMade is called when the file has arrived. products: all there are, or null; mappings: names, at least one. */
export function ReconcileForm({ account, own, products, mappings, onMade, onClose }) {
  const [choice, setChoice] = useState(() => beginning(mappings));
  const [file, setFile] = useState(null);
  const abort = useRef(null);
  const others = products.filter(({ name }) => name !== USAGE);
  const chosen = { ...choice, product: choice.product || others[0].name };
  const onChange = (changes) => setChoice((before) => ({ ...before, ...changes }));
  const { busy, error, run } = useAction(() => {
    abort.current = new AbortController();
    return createReconciliation(paramsOf(chosen, account), file, abort.current.signal);
  }, () => {
    toast('The file has arrived and is being compared');
    onMade();
  });
  const stop = () => abort.current?.abort(new DOMException('Not sent', 'AbortError'));
  const shown = error?.name !== 'AbortError' ? error : null;
  const wrong = (name) => shown?.invalid?.find((one) => one.name === name)?.reason;

  useEffect(() => stop, []);
  return html`<${Card} title="New reconciliation" actions=${html`<button type="button" class="button small" onClick=${onClose}>Close</button>`}>
    <form class="inside new-report" aria-label="New reconciliation" onSubmit=${run}>
      <${Subject} choice=${chosen} own=${own} products=${others} onChange=${onChange} wrong=${wrong} />
      <div class="filters">
        <${FileField} onFile=${setFile} />
        <${SelectField} label="Mapping" value=${choice.mapping} options=${mappings} error=${wrong('mapping')} onValue=${(mapping) => onChange({ mapping })} />
      </div>
      <${How} choice=${choice} onChange=${onChange} wrong=${wrong} />
      <div class="create"><p class="quiet" role="status">${busy ? `Sending ${file.name}, ${formatBytes(file.size)}…` : 'The file may be compressed with gzip or zstd. The mapping says which column is what. Comparing is free.'}</p>
        ${busy ? html`<button type="button" class="button" onClick=${stop}>Stop sending</button>`
    : html`<button type="submit" class="button first" disabled=${!file}>Compare</button>`}</div>
      ${shown && html`<${Problem} error=${shown} />`}
    </form>
  </${Card}>`;
}
