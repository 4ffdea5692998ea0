/* SPDX-License-Identifier: ISC */
/*
 * usage_data.js: what the page of usage reads, in the shape that it shows it.
 */
import { get } from './api.js';
import { addDays, dayOf, dayOfText, intervalOf, isoOf, startOf } from './time.js';

const HOUR_MS = 3600000;

/* The instants at which the intervals of a range begin. */
function startsOf(range, interval) {
  const starts = [];

  if (interval === 'hour') {
    for (let at = range.from; at < range.to; at += HOUR_MS) {
      starts.push(at);
    }
    return starts;
  }
  const last = dayOfText(range.last);
  for (let day = dayOfText(range.first); startOf(day, range.zone) <= startOf(last, range.zone);) {
    starts.push(startOf(day, range.zone));
    day = interval === 'day' ? addDays(day, 1) : dayOf(Date.UTC(day.year, day.month, 1), 'UTC');
  }
  return starts;
}

function summary(query, { from, to }, more, signal) {
  return get('/v2/reports/summary', { ...query, date_start: isoOf(from), date_end: isoOf(to), ...more }, { signal });
}

/* { count, duration: seconds as text or null, amounts: Map of currency to text, unpriced, unreadable: records that are in no sum } */
export function sumsOf(group) {
  const amounts = new Map((group.amounts ?? []).map((one) => [one.currency, one.total_price ?? one.price]));

  return {
    count: group.count,
    duration: group.duration ?? null,
    amounts,
    unpriced: group.unpriced ?? 0,
    unreadable: group.unreadable ?? 0,
  };
}

const nothing = { count: 0, duration: null, amounts: new Map(), unpriced: 0, unreadable: 0 };

/* Puts the answer's groups where their intervals are. A day of 23 or 25 hours shifts hours, not days. */
function fill(starts, groups) {
  const byStart = new Map(groups.map((group) => [Date.parse(group.start), sumsOf(group)]));

  return starts.map((start) => ({ start, ...(byStart.get(start) ?? nothing) }));
}

/* { interval, total, before, points, pointsBefore }; the points of the period before are as many as it has. */
export async function loadUsage(query, range, signal) {
  const interval = intervalOf(range);
  const zone = { time_zone: range.zone, interval };
  const [now, then] = await Promise.all([range, range.before].map((one) => summary(query, one, zone, signal)));
  const starts = startsOf(range, interval);
  const startsBefore = startsOf(range.before, interval);

  return {
    interval,
    total: sumsOf(now.total),
    before: sumsOf(then.total),
    points: fill(starts, now.groups),
    pointsBefore: fill(startsBefore, then.groups),
  };
}

/* Rows by the values of a column, most records first: { value, ...sums, before: sums or null }. */
export async function loadBreakdown(query, range, column, signal) {
  const [now, then] = await Promise.all([range, range.before].map((one) => summary(query, one, { group_by: column }, signal)));
  const before = new Map(then.groups.map((group) => [group[column], sumsOf(group)]));

  return now.groups.map((group) => ({ value: group[column], ...sumsOf(group), before: before.get(group[column]) ?? null }))
    .toSorted((a, b) => b.count - a.count);
}

/* The newest record of a product within the last 13 months, as an instant; null if there is none. */
export async function loadLatest(query, zone, signal) {
  const answer = await summary(query, { from: Date.now() - 396 * 24 * HOUR_MS, to: Date.now() }, { interval: 'day', time_zone: zone }, signal);
  const last = answer.groups.at(-1);

  return last ? Date.parse(last.start) : null;
}

export function currenciesOf(sums) {
  return [...new Set(sums.flatMap(({ amounts }) => [...amounts.keys()]))].toSorted();
}
