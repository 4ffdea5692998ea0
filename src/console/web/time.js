/* SPDX-License-Identifier: ISC */
/*
 * time.js: days and months of a time zone, and the ranges that a user picks: from the beginning of one day to the end of
 * another, in the zone chosen. Days are { year, month, day }, instants milliseconds as Date.now() has them.
 */
export const browserZone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

export function zones() {
  const names = Intl.supportedValuesOf('timeZone').filter((name) => name !== 'UTC');

  return ['UTC', ...names];
}

function isZone(name) {
  try {
    return Boolean(name && new Intl.DateTimeFormat('en-US', { timeZone: name }));
  } catch {
    return false;
  }
}

const formats = new Map();

function fieldsOf(instant, zone) {
  if (!formats.has(zone)) {
    formats.set(zone, new Intl.DateTimeFormat('en-US', {
      timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric',
    }));
  }
  return Object.fromEntries(formats.get(zone).formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
}

/* How far the zone's clocks are ahead of UTC at that instant. */
function offsetOf(instant, zone) {
  const { year, month, day, hour, minute, second } = fieldsOf(instant, zone);

  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(instant / 1000) * 1000;
}

export function dayOf(instant, zone) {
  const { year, month, day } = fieldsOf(instant, zone);

  return { year, month, day };
}

/* The instant at which a day begins; days and months beyond the last one count on. */
export function startOf({ year, month, day }, zone) {
  const naive = Date.UTC(year, month - 1, day);
  const first = naive - offsetOf(naive, zone);

  return naive - offsetOf(first, zone);
}

export const addDays = (day, count) => dayOf(Date.UTC(day.year, day.month - 1, day.day + count), 'UTC');

export function textOfDay({ year, month, day }) {
  return `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
}

/* null if the text is no day. */
export function dayOfText(text) {
  const found = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text ?? '');

  if (!found) {
    return null;
  }
  const [year, month, day] = found.slice(1).map(Number);
  const same = dayOf(Date.UTC(year, month - 1, day), 'UTC');
  return same.month === month && same.day === day ? { year, month, day } : null;
}

function daysBetween(first, last) {
  return Math.round((Date.UTC(last.year, last.month - 1, last.day) - Date.UTC(first.year, first.month - 1, first.day)) / 86400000);
}

export const presets = [
  { name: 'today', label: 'Today' },
  { name: 'yesterday', label: 'Yesterday' },
  { name: '7d', label: 'Last 7 days' },
  { name: '30d', label: 'Last 30 days' },
  { name: 'month', label: 'This month' },
  { name: 'last-month', label: 'Last month' },
  { name: 'custom', label: 'Custom…' },
];

const firstOfMonth = ({ year, month }) => ({ year, month, day: 1 });
const lastOfMonth = ({ year, month }) => dayOf(Date.UTC(year, month, 0), 'UTC');

/* First and last day, and those of the period before, of a preset. */
function daysOf(preset, today) {
  const yesterday = addDays(today, -1);
  const lastMonth = addDays(firstOfMonth(today), -1);
  const monthBefore = addDays(firstOfMonth(lastMonth), -1);

  switch (preset) {
    case 'today':
      return [today, today, yesterday, yesterday];
    case 'yesterday':
      return [yesterday, yesterday, addDays(today, -2), addDays(today, -2)];
    case 'month': {
      const before = { ...lastMonth, day: Math.min(today.day, lastMonth.day) };
      return [firstOfMonth(today), today, firstOfMonth(lastMonth), before];
    }
    case 'last-month':
      return [firstOfMonth(lastMonth), lastOfMonth(lastMonth), firstOfMonth(monthBefore), lastOfMonth(monthBefore)];
    case '30d':
      return [addDays(today, -29), today, addDays(today, -59), addDays(today, -30)];
    default:
      return [addDays(today, -6), today, addDays(today, -13), addDays(today, -7)];
  }
}

/*
 * What was picked as instants: { preset, zone, first, last, from, to, before: the same without preset }; first and last
 * are texts of days. The period before is as far along as the range is, if that ends in the future.
 */
export function rangeOf({ range = '7d', from, to, zone: wanted }, now = Date.now()) {
  const zone = isZone(wanted) ? wanted : browserZone;
  const today = dayOf(now, zone);
  const own = range === 'custom' ? [dayOfText(from), dayOfText(to)] : [null, null];
  let days = daysOf(range, today);

  if (own[0] && own[1] && daysBetween(...own) >= 0) {
    const length = daysBetween(...own) + 1;
    days = [...own, addDays(own[0], -length), addDays(own[0], -1)];
  }
  const [first, last, beforeFirst, beforeLast] = days;
  const start = startOf(first, zone);
  const end = startOf(addDays(last, 1), zone);
  const beforeStart = startOf(beforeFirst, zone);
  const beforeEnd = startOf(addDays(beforeLast, 1), zone);
  const left = Math.max(0, end - Math.max(now, start));
  return {
    preset: presets.some(({ name }) => name === range) ? range : '7d',
    zone,
    first: textOfDay(first),
    last: textOfDay(last),
    from: start,
    to: end,
    before: { zone, first: textOfDay(beforeFirst), last: textOfDay(beforeLast), from: beforeStart, to: left > 0 && now > start ? Math.max(beforeStart + 1000, beforeEnd - left) : beforeEnd },
  };
}

/* As the API takes it. */
export function isoOf(instant) {
  return new Date(instant).toISOString().replace('.000Z', 'Z');
}

/* As the API takes the end of a range, which it does not include. */
export const intervalOf = ({ from, to }) => (to - from <= 2.1 * 86400000 ? 'hour' : to - from <= 100 * 86400000 ? 'day' : 'month');
