/* SPDX-License-Identifier: ISC */
/*
 * reports_data.js: reports as the page shows them: asking for one, what it would hold and cost, those that there are.
 */
import { get, post, urlOf } from './api.js';
import { directionsOf } from './records_data.js';
import { isRunning as isStateRunning } from './report_state.js';
import { isoOf } from './time.js';

const DAY_MS = 86400000;
const LIST_DAYS = 40;

export const formats = [
  { value: 'csv', label: 'CSV' },
  { value: 'excel', label: 'CSV for spreadsheets' },
  { value: 'ndjson', label: 'JSON lines' },
  { value: 'parquet', label: 'Parquet' },
];
export const compressions = [
  { value: 'zip', label: 'ZIP' },
  { value: 'gzip', label: 'gzip' },
  { value: 'zstd', label: 'Zstandard' },
];

export const isRunning = ({ request_status: status }) => isStateRunning(status);
export const hasFile = (report) => Boolean(report._links?.download_report);

/* "2026-11-01T00:00:00Z/2026-12-01T00:00:00Z" as instants; null if it is not two times in order. */
export function exactRange(text) {
  const [from, to] = (text ?? '').split('/').map((one) => Date.parse(one));

  return from < to ? { from, to } : null;
}

/* The body of a request: query is that of scope.js, range of time.js or exactRange, choice what the form holds. */
export function bodyOf({ query, range, zone, product, choice }) {
  const [direction] = directionsOf(product);
  const body = {
    ...query,
    direction: query.direction || direction,
    date_start: isoOf(range.from),
    date_end: isoOf(Math.min(range.to, Math.floor(Date.now() / 1000) * 1000)),
    include_message: choice.message && product.has_message ? 'true' : '',
    format: choice.format === 'excel' ? 'csv' : choice.format,
    dialect: choice.format === 'excel' ? 'excel' : '',
    compression: choice.format === 'parquet' ? '' : choice.compression, // it has its own
    columns: choice.columns.join(','),
    time_zone: zone === 'UTC' ? '' : zone,
    callback_url: choice.callback.trim(),
    destination: choice.destination,
  };

  return Object.fromEntries(Object.entries(body).filter(([, value]) => value));
}

/* Where files can be delivered to; nowhere where the account may not know. */
export const loadDestinations = (signal) => get('/v2/reports/destinations', {}, { signal }).then(({ destinations }) => destinations, () => []);

function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/* Sent again after a break of the connection, it gives the same report. */
export const createReport = (body) => post('/v2/reports', body, { headers: { 'Idempotency-Key': randomKey() } });

/* { items_count, exact, size_bytes, price: text, currency, truncated_at }; the API writes the price as a number. */
export async function estimateReport(body, signal) {
  const answer = await post('/v2/reports/estimate', body, { signal });
  const price = String(answer.price);

  return { ...answer, price: price.includes('e') ? answer.price.toFixed(12).replace(/0+$/, '') : price };
}

export async function loadReports(account, signal) {
  const answer = await get('/v2/reports', { account_id: account, date_from: isoOf(Math.floor(Date.now() / 1000) * 1000 - LIST_DAYS * DAY_MS) }, { signal });

  return answer.reports;
}

/* A link cannot carry credentials: the browser downloads with a ticket, which is good for this file, once. */
export async function downloadFile(href) {
  const { pathname } = new URL(href);
  const path = pathname.slice(pathname.lastIndexOf('/v3/'));
  const { url } = await post(`${path}/ticket`);
  const link = document.createElement('a');

  link.href = urlOf(path, Object.fromEntries(new URL(url).searchParams)).href;
  link.download = '';
  link.click();
}

export const downloadReport = (report) => downloadFile(report._links.download_report.href);

/* Bytes of a file with so many rows, going by the newest file of the same kind; null if there is none. */
export function sizeOf(rows, body, reports) {
  const like = reports.find((one) => one.manifest?.rows > 0 && one.product === body.product && (one.format ?? 'csv') === body.format
    && (one.compression ?? 'zip') === (body.compression ?? 'zip') && String(one.include_message ?? 'false') === (body.include_message ?? 'false') && (one.columns ?? '') === (body.columns ?? ''));

  return like ? rows * like.manifest.bytes / like.manifest.rows : null;
}

/* The parameters of the address for the form that asks for the same once more. */
export function againOf(report, product, own) {
  const filters = Object.fromEntries(product.filters.filter(({ name }) => report[name]).map(({ name }) => [`f.${name}`, String(report[name])]));

  return {
    ...filters,
    new: 'yes',
    product: report.product,
    account: report.account_id === own ? '' : report.account_id,
    subaccounts: String(report.include_subaccounts) === 'true' ? 'yes' : '',
    zone: report.time_zone ?? 'UTC',
    exact: `${report.date_start}/${report.date_end}`,
    message: String(report.include_message) === 'true' ? 'yes' : '',
    format: report.dialect === 'excel' ? 'excel' : report.format ?? '',
    compression: report.compression ?? '',
    cols: report.columns ?? '',
  };
}
