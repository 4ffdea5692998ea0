/* SPDX-License-Identifier: ISC */
/*
 * records_data.js: what the page of records asks the API for: the days of a range that have records, a page of one of
 * these days, records by their ids; and the same request for a command line.
 */
import { followLink, get, urlOf } from './api.js';
import { addDays, dayOf, isoOf, startOf, textOfDay } from './time.js';

export const PAGE_SIZE = 100;

const DIRECTIONS = ['outbound', 'inbound'];

/* Directions to choose from, '' for both; none for products without. */
export function directionsOf(product) {
  const filter = product.filters.find(({ name }) => name === 'direction');

  return !filter ? [] : filter.required ? DIRECTIONS : ['', ...DIRECTIONS];
}

/* The API's parameters for records of a product, which may want a direction. */
export function recordsQuery(query, product, withMessage) {
  const { include_subaccounts: all, ...own } = query;
  const [direction] = directionsOf(product);

  return {
    ...own,
    direction: own.direction || direction || '',
    include_message: withMessage && product.has_message ? 'true' : '',
  };
}

/* Days with records, the newest first: { day: '2026-11-24', from, to, count } */
export async function loadDays(query, range, signal) {
  const { include_message: without, ...counted } = query;
  const { groups } = await get('/v2/reports/summary', {
    ...counted, date_start: isoOf(range.from), date_end: isoOf(range.to), interval: 'day', time_zone: range.zone,
  }, { signal });

  return groups.filter(({ count }) => count > 0).map(({ start, count }) => {
    const from = Date.parse(start);
    const day = dayOf(from, range.zone);
    return { day: textOfDay(day), from, to: startOf(addDays(day, 1), range.zone), count };
  }).reverse();
}

/* A page of a day, or the one that `link` of the page before leads to: { records, next: a link or null } */
export async function loadPage(query, day, link, signal) {
  const answer = link
    ? await followLink(link, { signal })
    : await get('/v2/reports/records', { ...query, date_start: isoOf(day.from), date_end: isoOf(day.to), limit: PAGE_SIZE }, { signal });

  return { records: answer.records, next: answer._links.next?.href ?? null };
}

/* ids: as the user wrote them, with commas or spaces between; { records, missing: ids that nothing was found for } */
export async function loadById(query, ids, signal) {
  const wanted = ids.split(/[\s,]+/).filter(Boolean);
  const { account_id: account, product, include_message: message } = query;
  const answer = await get('/v2/reports/records', { account_id: account, product, include_message: message, id: wanted.join(',') }, { signal });

  return { records: answer.records, missing: (answer.ids_not_found ?? '').split(',').filter(Boolean) };
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export const idOf = (record, product) => product.lookup.map((column) => record[column]).find(Boolean) ?? '';

/* A line for a shell that asks for the one record. */
export function curlOf(record, product, account) {
  const url = urlOf('/v2/reports/records', { account_id: record[product.account] || account, product: product.name, id: idOf(record, product) });

  return `curl -u ${account}:"$SECRET" ${quoted(url.href)}`;
}
