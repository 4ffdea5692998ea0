/* SPDX-License-Identifier: ISC */
/*
 * page_usage.js: how many records there were, how long they took and what they cost, over time and by the values of a
 * column, beside the period before.
 */
import { html, useMemo } from './html.js';
import { saveFile } from './csv.js';
import { formatCount, formatDate } from './format.js';
import { Icon } from './icons.js';
import { useLoad } from './load.js';
import { Card, PageHead } from './page.js';
import { RangePicker, RangeText } from './range.js';
import { href, setParams } from './router.js';
import { AccountField, FilterChips, ProductField, filterChange, labelOf, queryOf, useAccount, useProduct, useProducts } from './scope.js';
import { Empty, Failure, Loaded } from './states.js';
import { rangeOf } from './time.js';
import { csvOfBreakdown, Breakdown, columnsToGroup } from './usage_breakdown.js';
import { UsageChart, Tiles } from './usage_chart.js';
import { loadBreakdown, loadLatest, loadUsage } from './usage_data.js';

const onChange = (changes) => setParams(changes);

function Filters({ params }) {
  const products = useProducts();
  const own = useAccount();

  return html`<form class="filters" aria-label="What is shown" onSubmit=${(event) => event.preventDefault()}>
      <${ProductField} params=${params} products=${products.data} onChange=${onChange} />
      <${AccountField} params=${params} own=${own.data} onChange=${onChange} />
      <${RangePicker} params=${params} onChange=${onChange} />
    </form>
    <${FilterChips} params=${params} onChange=${onChange} />`;
}

/* Why there may be nothing, and where there is something. */
function Nothing({ query, range, params }) {
  const latest = useLoad((signal) => loadLatest(query, range.zone, signal), [JSON.stringify(query), range.zone]);
  const filtered = Object.keys(params).some((name) => name.startsWith('f.'));

  return html`<${Card}><${Empty} title="No records in this range">
    <p>There are no ${labelOf(query.product)} records${filtered ? ' with these filters' : ''} from ${formatDate(range.from, range.zone)} to ${formatDate(range.to - 1, range.zone)} in the time zone ${range.zone.replaceAll('_', ' ')}.</p>
    ${latest.state === 'ready' && (latest.data
    ? html`<p>The newest is of ${formatDate(latest.data, range.zone)}. <a href=${href('/usage', { ...params, range: 'custom', ...daysBefore(latest.data, range.zone) })}>Show the week until then</a></p>`
    : html`<p>There are none in the last 13 months either.</p>`)}
  </${Empty}></${Card}>`;
}

function daysBefore(instant, zone) {
  const { first } = rangeOf({ range: '7d', zone }, instant);

  return { from: first, to: rangeOf({ range: 'today', zone }, instant).last };
}

/* What is in no sum must not go unnoticed. */
function Gaps({ total }) {
  const notes = [
    total.unpriced > 0 && `${formatCount(total.unpriced)} of these records have no price; they are counted, but add nothing to the amounts.`,
    total.unreadable > 0 && `${formatCount(total.unreadable)} of these records have a price or duration that is not a number; such values are in no sum.`,
  ].filter(Boolean);

  return notes.map((note) => html`<p class="notice warn" key=${note}>${note}</p>`);
}

function Body({ params, query, range, product }) {
  const key = JSON.stringify([query, range.first, range.last, range.zone]);
  const usage = useLoad((signal) => loadUsage(query, range, signal), [key]);
  const columns = useMemo(() => columnsToGroup(product, query), [product, key]);
  const by = columns.includes(params.by) ? params.by : columns[0];
  const breakdown = useLoad((signal) => loadBreakdown(query, range, by, signal), [key, by]);
  const filter = product.filters.find(({ column }) => column === by)?.name;
  const onFilter = by === product.account ? (value) => onChange({ account: value, subaccounts: '', by: '' })
    : filter && ((value) => onChange(filterChange(filter, value)));

  return html`<${Loaded} from=${usage} lines=${8}>${(data) => (data.total.count === 0 && data.before.count === 0 ? html`<${Nothing} query=${query} range=${range} params=${params} />` : html`
    <${Tiles} usage=${data} metric=${params.metric} onMetric=${(metric) => setParams({ metric }, { replace: true })} />
    <${Gaps} total=${data.total} />
    <${UsageChart} usage=${data} range=${range} metric=${params.metric} onZoom=${(from, to) => onChange({ range: 'custom', from, to })} />
    <${Breakdown} from=${breakdown} column=${by} columns=${columns} usage=${data} range=${range}
      onColumn=${(column) => setParams({ by: column }, { replace: true })}
      onFilter=${onFilter}
      onCsv=${() => saveFile(`usage-${query.product.toLowerCase()}-${by}-${range.first}-${range.last}.csv`, csvOfBreakdown(breakdown.data, by))} />`)}
  </${Loaded}>`;
}

export function Page({ params, account }) {
  const range = rangeOf(params);
  const query = queryOf(params, account);
  const product = useProduct(query.product);
  const again = { ...params, new: 'yes', product: query.product, range: range.preset, zone: range.zone };

  return html`<${PageHead} title="Usage" about=${html`<${RangeText} range=${range} />`}>
      <a class="button" href=${href('/reports', again)}><${Icon} name="reports" />Report of this</a></${PageHead}>
    <${Filters} params=${params} />
    ${product.error ? html`<${Failure} error=${product.error} retry=${product.reload} />`
    : product.data?.name === query.product && html`<${Body} params=${params} query=${query} range=${range} product=${product.data} />`}`;
}
