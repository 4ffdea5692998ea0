/* SPDX-License-Identifier: ISC */
/*
 * decimal.js: exact sums of amounts, which are texts ("0.0415") from the API to the screen. No amount ever becomes a
 * number of JavaScript, which cannot hold most of them.
 */
const FORM = /^(-?)(\d+)(?:\.(\d+))?$/;

/* { units, digits }: units / 10^digits. */
function parse(text) {
  const found = FORM.exec(text);

  if (!found) {
    throw new RangeError(`${text} is not a decimal`);
  }
  const [, sign, whole, fraction = ''] = found;
  const units = BigInt(whole + fraction);
  return { units: sign ? -units : units, digits: fraction.length };
}

function format(units, digits) {
  const sign = units < 0n ? '-' : '';
  const text = String(units < 0n ? -units : units).padStart(digits + 1, '0');
  const at = text.length - digits;

  return digits > 0 ? `${sign}${text.slice(0, at)}.${text.slice(at)}` : sign + text;
}

/* Both with the same number of digits. */
function align(a, b) {
  const x = parse(a);
  const y = parse(b);
  const digits = Math.max(x.digits, y.digits);

  return [x.units * 10n ** BigInt(digits - x.digits), y.units * 10n ** BigInt(digits - y.digits), digits];
}

export function add(a, b) {
  const [x, y, digits] = align(a, b);

  return format(x + y, digits);
}

export function subtract(a, b) {
  const [x, y, digits] = align(a, b);

  return format(x - y, digits);
}

/* Less than, equal to or greater than 0. */
export function compare(a, b) {
  const [x, y] = align(a, b);

  return x < y ? -1 : x > y ? 1 : 0;
}

/* Times a whole number. */
export function multiply(a, count) {
  const { units, digits } = parse(a);

  return format(units * BigInt(count), digits);
}

/* a / b as a number, for a share or a change in per cent and for the height of a bar; null if b is 0. */
export function ratio(a, b) {
  const [x, y] = align(a, b);

  return y === 0n ? null : Number(x * 1000000n / y) / 1000000;
}
