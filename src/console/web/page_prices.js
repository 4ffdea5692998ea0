/* SPDX-License-Identifier: ISC */
/*
 * page_prices.js: the plan, what was used of it this month, what the month may come to, and the months before. Months
 * are those of UTC, as charges count them.
 */
import { get } from './api.js';
import { add } from './decimal.js';
import { html, useState } from './html.js';
import { formatAmount, formatCount, formatMonth } from './format.js';
import { useLoad } from './load.js';
import { Card, PageHead } from './page.js';
import { costOf, feesOf, forecastOf, tiersOf } from './plan.js';
import { Statement } from './prices_statement.js';
import { navigate, route } from './router.js';
import { useAccount } from './scope.js';
import { Empty, Loaded } from './states.js';
import { Table } from './table.js';
import { isoOf } from './time.js';
import { currenciesOf, sumsOf } from './usage_data.js';

const MONTHS = 13;

/* The first instant of a month, so many before this one. */
function monthStart(before, now = Date.now()) {
  const date = new Date(now);

  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - before, 1);
}

async function loadMonths(own, signal) {
  const answer = await get('/v2/reports/summary', {
    account_id: own.account_id,
    product: 'REPORTS-USAGE',
    include_subaccounts: own.subaccounts.length > 0 ? 'true' : '',
    interval: 'month',
    date_start: isoOf(monthStart(MONTHS - 1)),
    date_end: isoOf(Date.now() + 60000),
  }, { signal });
  const byStart = new Map(answer.groups.map((group) => [Date.parse(group.start), sumsOf(group)]));

  return Array.from({ length: MONTHS }, (_, n) => monthStart(n)).map((start, n) => ({ start, current: n === 0, ...(byStart.get(start) ?? sumsOf({ count: 0, amounts: [] })) }))
    .map((month) => ({ ...month, fees: feesOf(own, new Date(month.start).toISOString().slice(0, 7)) }))
    .filter(({ count, current, fees }) => count > 0 || current || fees.length > 0);
}

function Tile({ name, value, children }) {
  return html`<div class="tile still"><span class="name">${name}</span><span class="value">${value}</span><span class="then quiet">${children}</span></div>`;
}

function Now({ own, month }) {
  const { plan } = own;
  const money = (text) => formatAmount(text, plan.currency);
  const fee = month.fees.filter(({ currency }) => currency === plan.currency).reduce((sum, { amount }) => add(sum, amount), '0');
  const used = month.amounts.get(plan.currency) ?? '0';
  const forecast = forecastOf(plan.volume, Date.now());
  const others = currenciesOf([month]).filter((currency) => currency !== plan.currency);

  return html`<div class="tiles">
    <${Tile} name="Charged this month" value=${money(add(used, fee))}>
      for records${own.subaccounts.length > 0 && ', of subaccounts too'}${fee !== '0' && `, and ${money(fee)} monthly fee`}${others.map((currency) => `, and ${formatAmount(month.amounts.get(currency), currency)}`)}</${Tile}>
    <${Tile} name="Records this month" value=${formatCount(plan.volume)}>the next one costs ${money(plan.next_price)}</${Tile}>
    <${Tile} name="Forecast for the month" value=${forecast === null ? '–' : money(add(costOf(plan, forecast), fee))}>
      ${forecast === null ? 'from the second day on' : `${formatCount(forecast)} records at this pace`}</${Tile}>
  </div>`;
}

function Plan({ own }) {
  const { plan } = own;
  const tiers = tiersOf(plan);
  const money = (text) => formatAmount(text, plan.currency);
  const isHere = ({ from, to }) => plan.volume + 1 >= from && (to === null || plan.volume + 1 <= to);
  const columns = [
    { key: 'range', label: 'Records of a month', cell: ({ from, to }) => (to === null ? `from ${formatCount(from)}` : `${formatCount(from)} to ${formatCount(to)}`) },
    { key: 'here', label: html`<span class="hidden">Now</span>`, cell: (tier) => isHere(tier) && html`<span class="badge busy">you are here</span>` },
    { key: 'price', label: 'Price of each', number: true, cell: ({ price, free }) => (free ? 'free' : money(price)) },
  ];

  return html`<${Card} title=${html`Plan <bdi>${plan.name}</bdi>`} about=${own.parent ? html`With the prices of <bdi>${own.parent}</bdi>, unless it has a plan of its own.` : plan.month === '0' ? 'Without a monthly fee.' : `${money(plan.month)} a month.`}>
    ${tiers.length > 0 ? html`<${Table} caption="Prices of records" columns=${columns} rows=${tiers} keyOf=${({ from }) => from} />`
    : html`<div class="inside"><p>Records cost nothing in this plan.</p></div>`}
  </${Card}>`;
}

function Months({ months, onOpen }) {
  const currencies = currenciesOf(months);
  const feesIn = (month) => [...month.fees.reduce((sums, { amount, currency }) => sums.set(currency, add(sums.get(currency) ?? '0', amount)), new Map())];
  const columns = [
    { key: 'month', label: 'Month', cell: ({ start, current }) => html`${formatMonth(start, 'UTC')}${current ? ' (until now)' : ''}` },
    { key: 'count', label: 'Requests', number: true, cell: ({ count }) => formatCount(count) },
    ...(currencies.length > 0 ? currencies : ['']).map((currency) => ({
      key: currency, label: `Charged for records${currency && `, ${currency}`}`, number: true,
      cell: ({ amounts }) => (amounts.has(currency) ? formatAmount(amounts.get(currency), currency) : '–'),
    })),
    { key: 'fees', label: 'Fees of plans', number: true, cell: (month) => (month.fees.length > 0 ? feesIn(month).map(([currency, sum]) => formatAmount(sum, currency)).join(', ') : '–') },
  ];

  return html`<${Card} title="Months" about="Months are those of UTC; fees are at the plans' present prices." hint="A month opens its statement.">
    ${months.every(({ count, fees, current }) => count === 0 && (current || fees.length === 0)) ? html`<${Empty} title="No requests yet"><p>Requests that return records appear here, with what they cost.</p></${Empty}>`
    : html`<${Table} caption="Months" columns=${columns} rows=${months} keyOf=${({ start }) => start} onRow=${onOpen} />`}
  </${Card}>`;
}

function Body({ own, params }) {
  const months = useLoad((signal) => loadMonths(own, signal), [own.account_id]);
  const [opened, setOpened] = useState(null);
  const open = (month) => {
    setOpened(month);
    navigate(route.value.path, { ...params, month: new Date(month.start).toISOString().slice(0, 7) }, { replace: true });
  };
  const close = () => {
    setOpened(null);
    navigate(route.value.path, { ...params, month: '' }, { replace: true });
  };

  return html`<${Loaded} from=${months}>${(list) => {
    const shown = opened ?? list.find(({ start }) => params.month && new Date(start).toISOString().startsWith(params.month));
    return html`<${Now} own=${own} month=${list[0]} />
      <${Plan} own=${own} />
      <${Months} months=${list} onOpen=${open} />
      ${shown && html`<${Statement} own=${own} month=${shown} onClose=${close} />`}`;
  }}</${Loaded}>`;
}

export function Page({ params }) {
  const own = useAccount();

  return html`<${PageHead} title="Prices" about="What requests for records cost, and what they have cost." />
    <${Loaded} from=${own}>${(data) => html`<${Body} own=${data} params=${params} />`}</${Loaded}>`;
}
