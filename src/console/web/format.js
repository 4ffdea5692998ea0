/* SPDX-License-Identifier: ISC */
/*
 * format.js: counts, amounts, times and sizes as the browser's locale writes them. Amounts keep every digit.
 */
const locale = navigator.languages?.length > 0 ? [...navigator.languages] : undefined;
const counts = new Intl.NumberFormat(locale);
const short = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });
const percents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
const signedPercents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1, signDisplay: 'exceptZero' });
const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });

export const formatCount = (value) => counts.format(value);
export const formatShort = (value) => short.format(value);
export const formatPercent = (ratio) => percents.format(ratio);
export const formatChange = (ratio) => signedPercents.format(ratio);

const digitsOf = (text) => (text.split('.')[1] ?? '').length;

/* A decimal text, grouped; every digit stays. */
export function formatDecimal(text, digitsMin = 0) {
  const digits = Math.max(digitsMin, digitsOf(text));

  return new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(text);
}

/* The most digits after the point that any of the texts has: amounts below each other are written with as many. */
export const digitsOfAll = (texts) => Math.max(2, ...texts.map(digitsOf));

/* An amount with its currency, as text: "€0.0415". */
export function formatAmount(text, currency, digitsMin = 2) {
  const digits = Math.max(digitsMin, digitsOf(text));

  if (!/^[A-Z]{3}$/.test(currency)) {
    return `${formatDecimal(text, digits)} ${currency}`.trim();
  }
  return new Intl.NumberFormat(locale, {
    style: 'currency', currency, minimumFractionDigits: digits, maximumFractionDigits: digits,
  }).format(text);
}

/* Seconds as minutes and seconds: "12:05", "1,234:00". */
export function formatMinutes(text) {
  const [whole] = text.split('.');
  const seconds = BigInt(whole);

  return `${counts.format(seconds / 60n)}:${String(seconds % 60n).padStart(2, '0')}`;
}

const times = new Map();

/* Cached: to make one takes longer than to use it. */
function timesOf(zone, options) {
  const key = `${zone} ${JSON.stringify(options)}`;

  if (!times.has(key)) {
    times.set(key, new Intl.DateTimeFormat(locale, { ...options, timeZone: zone || undefined }));
  }
  return times.get(key);
}

export const formatTime = (value, zone) => timesOf(zone, { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(value));
export const formatMinute = (value, zone) => timesOf(zone, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(value));
export const formatDate = (value, zone) => timesOf(zone, { dateStyle: 'medium' }).format(new Date(value));
export const formatDay = (value, zone) => timesOf(zone, { day: 'numeric', month: 'short' }).format(new Date(value));
export const formatHour = (value, zone) => timesOf(zone, { hour: '2-digit', minute: '2-digit' }).format(new Date(value));
export const formatMonth = (value, zone) => timesOf(zone, { month: 'long', year: 'numeric' }).format(new Date(value));
export const formatRange = (from, to, zone) => timesOf(zone, { dateStyle: 'medium' }).formatRange(new Date(from), new Date(to));

const STEPS = [[60, 'second'], [60, 'minute'], [24, 'hour'], [7, 'day'], [4.35, 'week'], [12, 'month'], [Infinity, 'year']];

/* "5 min. ago", "in 3 hr." */
export function formatAgo(value, now = Date.now()) {
  let amount = (new Date(value).getTime() - now) / 1000;

  for (const [size, unit] of STEPS) {
    if (Math.abs(amount) < size) {
      return relative.format(Math.round(amount), unit);
    }
    amount /= size;
  }
  return '';
}

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

export function formatBytes(bytes) {
  let value = bytes;
  let unit = 0;

  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return new Intl.NumberFormat(locale, { style: 'unit', unit: UNITS[unit], unitDisplay: unit > 0 ? 'short' : 'long', maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0 }).format(value);
}

const countries = new Intl.DisplayNames(locale, { type: 'region', fallback: 'code' });

/* "Germany" for DE; the code itself if it is none. */
export function formatCountry(code) {
  try {
    return countries.of(code);
  } catch {
    return code;
  }
}
