/* SPDX-License-Identifier: ISC */
/*
 * reconcile_data.js: reconciliations as the page shows them: asking for one with a carrier's file, those that there are,
 * and sums of a result.
 */
import { get, request } from './api.js';
import { add } from './decimal.js';
import { formatMonth } from './format.js';
import { isRunning as isStateRunning } from './report_state.js';

const PATH = '/v2/reports/reconcile';
const MONTHS = 14;
const NAME_BYTES_MAX = 125; // a letter that is cut off becomes a mark of up to three bytes

/* How files are compressed, by their first bytes. */
const CODINGS = [{ name: 'gzip', magic: [0x1f, 0x8b] }, { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd] }];

export const matches = [
  { value: 'id', label: 'ID' },
  { value: 'number', label: 'Number called and time' },
  { value: 'numbers', label: 'Both numbers and time' },
];
export const compared = [
  { value: 'price', label: 'Price' },
  { value: 'duration', label: 'Duration' },
  { value: 'status', label: 'Status' },
];
export const classes = [
  { name: 'matched', label: 'Matched', about: 'On both sides, and the same' },
  { name: 'different', label: 'Different', about: 'On both sides, and not the same' },
  { name: 'only_ours', label: 'Only ours', about: 'The carrier does not bill them' },
  { name: 'only_theirs', label: 'Only theirs', about: 'There is no such record' },
  { name: 'rejected', label: 'Rejected', about: 'Rows that the mapping could not read' },
];

export const isRunning = ({ request_status: status }) => isStateRunning(status);
export const pathOf = (id) => `${PATH}/${encodeURIComponent(id)}`;

/* "November 2026" of "2026-11" */
export const monthName = (month) => formatMonth(`${month}-01T00:00:00Z`, 'UTC');

/* This month and those before, the newest first, as texts. */
export function months(now = Date.now()) {
  const date = new Date(now);

  return Array.from({ length: MONTHS }, (_, n) => new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - n, 1)).toISOString().slice(0, 7));
}

/* { reconciliations, mappings } */
export const loadReconciliations = (signal) => get(PATH, {}, { signal });
export const loadReconciliation = (id, signal) => get(pathOf(id), {}, { signal });

async function codingOf(file) {
  const start = new Uint8Array(await file.slice(0, 4).arrayBuffer());

  return CODINGS.find(({ magic }) => magic.every((byte, n) => start[n] === byte))?.name;
}

function nameOf(file) {
  const bytes = new TextEncoder().encode(file.name.replaceAll(/\p{Cc}/gu, ' '));

  return new TextDecoder().decode(bytes.slice(0, NAME_BYTES_MAX));
}

/* The parameters of a request: `choice` is what the form holds, `account` who is signed in. */
export function paramsOf(choice, account) {
  return {
    product: choice.product,
    account_id: choice.account || account,
    include_subaccounts: !choice.account && choice.subaccounts === 'yes' ? 'true' : '',
    month: choice.month,
    mapping: choice.mapping,
    direction: choice['f.direction'],
    match: choice.match,
    time_tolerance: choice.match === 'id' ? '' : choice.time,
    duration_tolerance: choice.duration,
    price_tolerance: choice.price,
    compare: choice.compare.length < compared.length ? choice.compare.join(',') : '',
    time_zone: choice.zone === 'UTC' ? '' : choice.zone,
  };
}

/* Sends the file, and returns the status of what was begun. */
export async function createReconciliation(params, file, signal) {
  const coding = await codingOf(file);
  const headers = coding ? { 'Content-Encoding': coding } : {};
  const answer = await request('POST', PATH, { params: { ...params, file_name: nameOf(file) }, body: file, headers, signal });

  return answer.json();
}

/* Sums of all countries: [{ currency, sum_ours, sum_theirs, difference }] */
export function totalsOf(sums) {
  const totals = new Map();

  for (const sum of sums) {
    const total = totals.get(sum.currency) ?? { currency: sum.currency, sum_ours: '0', sum_theirs: '0', difference: '0' };
    for (const key of ['sum_ours', 'sum_theirs', 'difference']) {
      total[key] = add(total[key], sum[key]);
    }
    totals.set(sum.currency, total);
  }
  return [...totals.values()];
}
