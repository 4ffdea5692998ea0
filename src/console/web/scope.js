/* SPDX-License-Identifier: ISC */
/*
 * scope.js: whose records of which product, and the filters on them, as the parameters of the address have them:
 *
 *	product=SMS  account=sub00001 or subaccounts=yes  f.country=DE  (beside range, from, to, zone of time.js)
 *
 * All pages read these, so that one can lead to another with what was chosen.
 */
import { get } from './api.js';
import { html } from './html.js';
import { Field, SelectField } from './form.js';
import { Icon } from './icons.js';
import { useLoad } from './load.js';

const FILTER = 'f.';

/* The parameters of the API for account and filters; `own` is the account that is signed in. */
export function queryOf(params, own) {
  return {
    account_id: params.account || own,
    product: params.product || 'SMS',
    include_subaccounts: !params.account && params.subaccounts === 'yes' ? 'true' : '',
    ...filtersOf(params),
  };
}

export function filtersOf(params) {
  return Object.fromEntries(Object.entries(params).filter(([name, value]) => name.startsWith(FILTER) && value)
    .map(([name, value]) => [name.slice(FILTER.length), value]));
}

/* The change of the address that sets a filter, or with '' takes it away. */
export const filterChange = (name, value) => ({ [FILTER + name]: value });

/* Products have filters of their own: another product begins without. */
function withoutFilters(params) {
  return Object.fromEntries(Object.keys(filtersOf(params)).map((name) => [FILTER + name, '']));
}

/* What the API says of its products does not change while the page is open. It is asked once, however many components want
 * to know at the same time, so no single one of them can abort it. */
const kept = new Map();

function once(path) {
  if (!kept.has(path)) {
    const answer = get(path);
    kept.set(path, answer);
    answer.catch(() => kept.delete(path));
  }
  return kept.get(path);
}

export const useProducts = () => useLoad(() => once('/v2/reports/products').then(({ products }) => products), []);
export const useProduct = (name) => useLoad(() => once(`/v2/reports/products/${encodeURIComponent(name)}`), [name]);
export const useAccount = () => useLoad((signal) => get('/v2/account', { limit: 1000 }, { signal }), []);

const AS_THEY_ARE = new Set(['SMS', 'ASR', 'AMD', 'TTS', 'API', 'V2', 'ID', 'IP', 'DCS', 'UDH', 'HLS', 'URL']);

/* "Voice call" of VOICE-CALL, "Client ref" of client_ref. */
export function labelOf(name) {
  const text = name.split(/[-_]/).map((word) => (AS_THEY_ARE.has(word.toUpperCase()) ? word.toUpperCase() : word.toLowerCase())).join(' ');

  return text.charAt(0).toUpperCase() + text.slice(1);
}

/* The same within a sentence. */
export function wordsOf(name) {
  const label = labelOf(name);

  return AS_THEY_ARE.has(label.split(' ')[0]) ? label : label.charAt(0).toLowerCase() + label.slice(1);
}

export function ProductField({ params, products, onChange }) {
  const options = (products ?? [{ name: params.product || 'SMS' }]).map(({ name }) => ({ value: name, label: labelOf(name) }));

  return html`<${SelectField} label="Product" value=${params.product || 'SMS'} options=${options}
    onValue=${(product) => onChange({ ...withoutFilters(params), product, by: '', metric: '' })} />`;
}

const nameOf = ({ account_id: id, name }) => (name ? `${name} (${id})` : id);

/* Nothing for an account without subaccounts; `all`: they can be chosen together. A list that is too long to choose from is typed into. */
export function AccountField({ params, own, all = true, onChange }) {
  const subaccounts = own?.subaccounts ?? [];
  const value = params.account || (all && params.subaccounts === 'yes' ? '*' : '');
  const onValue = (chosen) => onChange({ account: chosen === '*' ? '' : chosen, subaccounts: chosen === '*' ? 'yes' : '' });

  if (subaccounts.length === 0) {
    return null;
  }
  if (own._links?.next) {
    return html`<${Field} label="Account" hint=${all ? '* for all' : ''}>${(control) => html`<input ...${control} list="subaccounts" value=${value || own.account_id}
        onChange=${(event) => onValue(event.target.value === own.account_id ? '' : event.target.value.trim())} />
      <datalist id="subaccounts">${subaccounts.map((one) => html`<option key=${one.account_id} value=${one.account_id}>${one.name}</option>`)}</datalist>`}</${Field}>`;
  }
  return html`<${SelectField} label="Account" value=${value} onValue=${onValue} options=${[
    { value: '', label: nameOf(own) },
    ...(all ? [{ value: '*', label: 'This and all subaccounts' }] : []),
    ...subaccounts.map((one) => ({ value: one.account_id, label: nameOf(one) })),
  ]} />`;
}

/* The filters that are set, each with a button that takes it away. */
export function FilterChips({ params, onChange }) {
  const filters = Object.entries(filtersOf(params));

  return filters.length > 0 && html`<ul class="chips" aria-label="Filters">
    ${filters.map(([name, value]) => html`<li key=${name}><span>${labelOf(name)}: <b><bdi>${value}</bdi></b></span>
      <button type="button" aria-label=${`Remove the filter ${labelOf(name)}`} onClick=${() => onChange(filterChange(name, ''))}><${Icon} name="close" /></button></li>`)}
  </ul>`;
}
