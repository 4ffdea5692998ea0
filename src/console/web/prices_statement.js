/* SPDX-License-Identifier: ISC */
/*
 * prices_statement.js: the charges of a month by product and kind of request, in a drawer.
 */
import { get } from './api.js';
import { csvOf, saveFile } from './csv.js';
import { add } from './decimal.js';
import { Drawer } from './dialog.js';
import { html } from './html.js';
import { digitsOfAll, formatAmount, formatCount, formatMonth } from './format.js';
import { Icon } from './icons.js';
import { useLoad } from './load.js';
import { href } from './router.js';
import { labelOf } from './scope.js';
import { feesOf } from './plan.js';
import { Empty, Loaded } from './states.js';
import { Table } from './table.js';
import { isoOf, textOfDay } from './time.js';
import { currenciesOf, sumsOf } from './usage_data.js';

const kinds = {
  SYNC_JOB_FROM_DATES: 'Pages of records',
  SYNC_JOB_FROM_ID: 'Look-ups by id',
  ASYNC_JOB: 'Reports',
};

const FEE = 'MONTHLY_FEE';
const monthOf = (start) => new Date(start).toISOString().slice(0, 7);

/* Sums with those of fees added. */
function withFees(sums, fees) {
  const amounts = new Map(sums.amounts);

  for (const { currency, amount } of fees) {
    amounts.set(currency, add(amounts.get(currency) ?? '0', amount));
  }
  return { ...sums, amounts };
}

const endOf = (start) => Date.UTC(new Date(start).getUTCFullYear(), new Date(start).getUTCMonth() + 1, 1);

async function loadStatement(own, start, signal) {
  const several = own.subaccounts.length > 0;
  const columns = [several && 'account_id', 'request_product', 'job_type'].filter(Boolean);
  const answer = await get('/v2/reports/summary', {
    account_id: own.account_id,
    product: 'REPORTS-USAGE',
    include_subaccounts: several ? 'true' : '',
    group_by: columns.join(','),
    date_start: isoOf(start),
    date_end: isoOf(endOf(start)),
  }, { signal });

  const fees = feesOf(own, monthOf(start)).map((fee) => ({ ...fee, kind: FEE, count: null, amounts: new Map([[fee.currency, fee.amount]]) }));

  return {
    several,
    total: withFees(sumsOf(answer.total), fees),
    rows: [...answer.groups.map((group) => ({ account: group.account_id ?? own.account_id, product: group.request_product, kind: group.job_type, ...sumsOf(group) })), ...fees],
  };
}

function columnsOf({ several, rows, total }) {
  return [
    several && { key: 'account', label: 'Account', cell: ({ account }) => html`<bdi>${account ?? 'All'}</bdi>` },
    { key: 'product', label: 'Product', cell: ({ product, plan }) => (plan !== undefined ? html`Plan <bdi>${plan}</bdi>` : product === undefined ? (several ? '' : 'All') : labelOf(product)) },
    { key: 'kind', label: 'Requests for', cell: ({ kind, plan }) => (kind === undefined ? '' : plan !== undefined ? 'Monthly fee' : kinds[kind] ?? labelOf(kind)) },
    { key: 'count', label: 'Requests', number: true, cell: ({ count }) => (count === null ? '–' : formatCount(count)) },
    ...currenciesOf([total]).map((currency) => {
      const digits = digitsOfAll(rows.map(({ amounts }) => amounts.get(currency) ?? '0'));
      return { key: currency, label: `Charged, ${currency}`, number: true, cell: ({ amounts }) => (amounts.has(currency) ? formatAmount(amounts.get(currency), currency, digits) : '–') };
    }),
  ].filter(Boolean);
}

function save({ rows }, month) {
  const currencies = currenciesOf(rows);
  const header = ['month', 'account_id', 'product', 'job_type', 'requests', ...currencies.map((currency) => `charged_${currency}`)];

  saveFile(`statement-${month}.csv`, csvOf(header, rows.map((row) => [month, row.account, row.plan ?? row.product, row.kind, row.count ?? '', ...currencies.map((currency) => row.amounts.get(currency) ?? '0')])));
}

export function Statement({ own, month, onClose }) {
  const statement = useLoad((signal) => loadStatement(own, month.start, signal), [month.start]);
  const name = new Date(month.start).toISOString().slice(0, 7);
  const last = new Date(endOf(month.start) - 1);
  const all = {
    new: 'yes', product: 'REPORTS-USAGE', range: 'custom', zone: 'UTC', from: `${name}-01`, subaccounts: own.subaccounts.length > 0 ? 'yes' : '',
    to: textOfDay({ year: last.getUTCFullYear(), month: last.getUTCMonth() + 1, day: last.getUTCDate() }),
  };

  return html`<${Drawer} title="Statement of ${formatMonth(month.start, 'UTC')}" onClose=${onClose} actions=${html`
      <a class="button" href=${href('/reports', all)}><${Icon} name="reports" />All requests as a report</a>
      <button type="button" class="button" disabled=${!statement.data} onClick=${() => save(statement.data, name)}><${Icon} name="download" />CSV</button>`}>
    <${Loaded} from=${statement}>${(data) => (data.rows.length === 0 ? html`<${Empty} title="No requests in this month" />`
    : html`<${Table} caption="Charges of the month" columns=${columnsOf(data)} rows=${data.rows} total=${data.total} />`)}</${Loaded}>
  </${Drawer}>`;
}
