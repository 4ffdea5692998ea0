/* SPDX-License-Identifier: ISC */
/*
 * page_records.js: single records: by ids, or those of a day that pass the filters, a page at a time.
 *
 * The API lists a day at once, so the days of the range that have records stand above the table, with how many.
 */
import { html, useState } from './html.js';
import { CheckField } from './form.js';
import { formatCount, formatDate, formatDay } from './format.js';
import { Icon } from './icons.js';
import { useLoad } from './load.js';
import { Card, PageHead } from './page.js';
import { RangePicker } from './range.js';
import { RecordDrawer } from './record_drawer.js';
import { PAGE_SIZE, loadById, loadDays, loadPage, recordsQuery } from './records_data.js';
import { DirectionField, FindForm } from './records_find.js';
import { ColumnsDialog, RecordsTable, chosenColumns } from './records_table.js';
import { href, setParams } from './router.js';
import { AccountField, FilterChips, ProductField, filterChange, filtersOf, labelOf, queryOf, useAccount, useProduct, useProducts } from './scope.js';
import { Empty, Failure, Loaded } from './states.js';
import { rangeOf } from './time.js';
import { loadLatest } from './usage_data.js';

const onChange = (changes) => setParams({ day: '', ...changes });

function IdChip({ id }) {
  return html`<ul class="chips" aria-label="Filters"><li><span>ID: <b><bdi>${id}</bdi></b></span>
    <button type="button" aria-label="Remove the filter ID" onClick=${() => onChange({ id: '' })}><${Icon} name="close" /></button></li></ul>`;
}

function Filters({ params, product, own }) {
  const products = useProducts();
  const shown = { ...params, 'f.direction': '' };

  return html`<form class="filters" aria-label="What is shown" onSubmit=${(event) => event.preventDefault()}>
      <${ProductField} params=${params} products=${products.data} onChange=${(changes) => onChange({ ...changes, id: '', cols: '' })} />
      <${AccountField} params=${params} own=${own} all=${false} onChange=${onChange} />
      ${product && html`<${DirectionField} product=${product} params=${params} onChange=${onChange} />`}
      ${!params.id && html`<${RangePicker} params=${params} onChange=${onChange} />`}
    </form>
    ${product && html`<${FindForm} key=${product.name} product=${product} onChange=${onChange} />`}
    ${params.id ? html`<${IdChip} id=${params.id} />` : html`<${FilterChips} params=${shown} onChange=${onChange} />`}`;
}

/* A card with records in it: which columns, with or without bodies, and one of them as a drawer. `about` is below its
 * title, `foot` below the table. */
function RecordsCard({ title, about, foot, product, params, account, zone, records }) {
  const [open, setOpen] = useState(null);
  const [choosing, setChoosing] = useState(false);
  const options = { withMessage: params.message === 'yes' };
  const names = chosenColumns(product, params.cols, options);
  const actions = html`
    ${product.has_message && html`<${CheckField} label="Message bodies" checked=${options.withMessage} onValue=${(on) => setParams({ message: on ? 'yes' : '' }, { replace: true })} />`}
    <button type="button" class="button small" onClick=${() => setChoosing(true)}>Columns…</button>`;

  return html`<${Card} title=${title} about=${about} actions=${actions}>
    <${RecordsTable} product=${product} names=${names} records=${records} zone=${zone} onRecord=${setOpen} />
    ${foot && html`<footer class="more pager">${foot}</footer>`}
    ${open && html`<${RecordDrawer} record=${open} product=${product} account=${account} zone=${zone} onClose=${() => setOpen(null)} />`}
    ${choosing && html`<${ColumnsDialog} product=${product} names=${names} options=${options} onClose=${() => setChoosing(false)}
      onNames=${(chosen) => setParams({ cols: chosen.join(',') }, { replace: true })} />`}
  </${Card}>`;
}

function ById({ query, ...shown }) {
  const found = useLoad((signal) => loadById(query, shown.params.id, signal), [JSON.stringify(query), shown.params.id]);

  return html`<${Loaded} from=${found}>${({ records, missing }) => html`
    ${missing.length > 0 && records.length > 0 && html`<p class="notice warn">Nothing was found for ${missing.join(', ')}.</p>`}
    ${records.length > 0 ? html`<${RecordsCard} title="Found by ID" records=${records} ...${shown} />`
    : html`<${Card}><${Empty} title="No record with this ID" icon="search">
        <p>IDs are those of ${labelOf(shown.product.name)} records of account ${query.account_id}, from the last months that are kept. Another product or account may have it; a record that has just happened may not have been ingested until now.</p>
      </${Empty}></${Card}>`}`}
  </${Loaded}>`;
}

/* Why there may be nothing, each with what can be done. */
function Nothing({ query, range, params, settings }) {
  const latest = useLoad((signal) => loadLatest(query, range.zone, signal), [JSON.stringify(query), range.zone]);
  const filtered = Object.keys(filtersOf(params)).some((name) => name !== 'direction');
  const kept = new Date();
  kept.setUTCMonth(kept.getUTCMonth() - (settings?.retention_months ?? 13));

  return html`<${Card}><${Empty} title="No records found" icon="search">
    <ul class="reasons">
      <li>These are ${query.direction ? `${query.direction} ` : ''}${labelOf(query.product)} records from ${formatDate(range.from, range.zone)} to ${formatDate(range.to - 1, range.zone)}, days of the time zone ${range.zone.replaceAll('_', ' ')}.</li>
      ${range.from < kept.getTime() && html`<li>Records are kept for ${settings?.retention_months ?? 13} months: there are none from before ${formatDate(kept)}.</li>`}
      ${range.to > Date.now() && html`<li>What has just happened may not have been ingested until now.</li>`}
      ${query.direction && html`<li><button type="button" class="link" onClick=${() => onChange(filterChange('direction', query.direction === 'outbound' ? 'inbound' : 'outbound'))}>Look at the other direction</button></li>`}
      ${filtered && html`<li><button type="button" class="link" onClick=${() => onChange(Object.fromEntries(Object.keys(filtersOf(params)).map((name) => [`f.${name}`, ''])))}>Take the filters away</button></li>`}
      ${latest.state === 'ready' && (latest.data
    ? html`<li>The newest one that would be found is of ${formatDate(latest.data, range.zone)}. <button type="button" class="link" onClick=${() => onChange({ range: 'custom', from: dayText(latest.data, range.zone), to: dayText(latest.data, range.zone) })}>Show that day</button></li>`
    : html`<li>There are none like this in the last 13 months.</li>`)}
    </ul>
  </${Empty}></${Card}>`;
}

const dayText = (instant, zone) => rangeOf({ range: 'today', zone }, instant).first;

function Days({ days, day, zone }) {
  return html`<div class="days" role="group" aria-label="Days with records">${days.map((one) => html`<button key=${one.day} type="button" class="day" aria-pressed=${one === day ? 'true' : 'false'}
      onClick=${() => setParams({ day: one.day })}><b>${formatDay(one.from, zone)}</b><span>${formatCount(one.count)}</span></button>`)}</div>`;
}

/* Pages are read forwards, so the way back is remembered: links[n] leads to page n. */
function DayPages({ query, day, settings, ...shown }) {
  const [links, setLinks] = useState([null]);
  const number = links.length - 1;
  const page = useLoad((signal) => loadPage(query, day, links[number], signal), [JSON.stringify(query), day.from, day.to, links[number]]);
  const first = number * PAGE_SIZE + 1;

  return html`<${Loaded} from=${page} lines=${10}>${({ records, next }) => html`<${RecordsCard} ...${shown} records=${records}
    title=${formatDate(day.from, shown.zone)} about=${day.count === 1 ? '1 record' : `${formatCount(day.count)} records, the oldest first`}
    foot=${(number > 0 || next) && html`<span>${formatCount(first)} to ${formatCount(first + records.length - 1)}</span>
      <button type="button" class="button small" disabled=${number === 0} onClick=${() => setLinks(links.slice(0, -1))}><${Icon} name="back" />Previous page</button>
      <button type="button" class="button small" disabled=${!next} onClick=${() => setLinks([...links, next])}>Next page<${Icon} name="next" /></button>`} />`}
  </${Loaded}>`;
}

function ByDay({ query, range, settings, ...shown }) {
  const key = JSON.stringify([query, range.from, range.to, range.zone]);
  const days = useLoad((signal) => loadDays(query, range, signal), [key]);

  return html`<${Loaded} from=${days} lines=${10}>${(list) => {
    const day = list.find((one) => one.day === shown.params.day) ?? list[0];
    return !day ? html`<${Nothing} query=${query} range=${range} params=${shown.params} settings=${settings} />`
      : html`<${Days} days=${list} day=${day} zone=${range.zone} />
        <${DayPages} key=${`${key} ${day.day}`} query=${query} day=${day} ...${shown} />`;
  }}</${Loaded}>`;
}

export function Page({ params, account }) {
  const range = rangeOf(params);
  const own = useAccount();
  const base = queryOf({ ...params, subaccounts: '' }, account);
  const product = useProduct(base.product);
  const ready = product.data?.name === base.product;
  const query = ready && recordsQuery(base, product.data, params.message === 'yes');
  const again = { ...params, new: 'yes', product: base.product, range: range.preset, zone: range.zone };
  const shown = { product: product.data, params, account, zone: range.zone };

  return html`<${PageHead} title="Records" about="Each page counts as a query of the API, and is charged like one.">
      <a class="button" href=${href('/reports', again)}><${Icon} name="reports" />Report of this</a></${PageHead}>
    <${Filters} params=${params} product=${ready ? product.data : null} own=${own.data} />
    ${product.error ? html`<${Failure} error=${product.error} retry=${product.reload} />`
    : ready && (params.id ? html`<${ById} query=${query} ...${shown} />`
      : html`<${ByDay} query=${query} range=${range} settings=${own.data?.settings} ...${shown} />`)}`;
}
