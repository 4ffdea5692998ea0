/* SPDX-License-Identifier: ISC */
/*
 * exact.test.js: amounts and days, which no rounding and no clock may change: the modules that have no page.
 */
import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';

const WEB = join(resolve(process.env.srcdir ?? '../..'), 'src', 'console', 'web');
const decimal = await import(join(WEB, 'decimal.js'));
const time = await import(join(WEB, 'time.js'));
const { csvOf } = await import(join(WEB, 'csv.js'));

describe('amounts', () => {
  it('are added up and subtracted to the last digit', () => {
    assert.equal(decimal.add('0.1', '0.2'), '0.3');
    assert.equal(decimal.add('99999999999999999999.9999999999', '0.0000000001'), '100000000000000000000.0000000000');
    assert.equal(decimal.subtract('0.0415', '1'), '-0.9585');
    assert.equal(decimal.subtract('-0.5', '-0.5'), '0.0');
    assert.equal(decimal.multiply('0.0004', 12345678901), '4938271.5604');
    assert.deepEqual([decimal.compare('1.10', '1.1'), decimal.compare('-1', '0.5'), decimal.compare('10', '9')], [0, -1, 1]);
    assert.equal(decimal.ratio('3', '4'), 0.75);
    assert.equal(decimal.ratio('3', '0.00'), null);
  });

  it('that are none are refused', () => {
    for (const text of ['', '1,5', '0x1', '1e3', 'NaN', ' 1', '1.']) {
      assert.throws(() => decimal.add(text, '1'), RangeError, text);
    }
  });
});

describe('ranges', () => {
  const now = Date.parse('2026-03-29T10:00:00Z'); /* the day on which Berlin's clocks are set forward */
  const iso = (instant) => new Date(instant).toISOString();

  it('begin and end at midnight of the zone, on days of 23 hours too', () => {
    const today = time.rangeOf({ range: 'today', zone: 'Europe/Berlin' }, now);
    assert.deepEqual([iso(today.from), iso(today.to)], ['2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z']);
    const kolkata = time.rangeOf({ range: 'yesterday', zone: 'Asia/Kolkata' }, now);
    assert.deepEqual([iso(kolkata.from), iso(kolkata.to)], ['2026-03-27T18:30:00.000Z', '2026-03-28T18:30:00.000Z']);
  });

  it('are beside a period before that is as far along', () => {
    const month = time.rangeOf({ range: 'month', zone: 'UTC' }, now);
    assert.deepEqual([month.first, month.last, iso(month.before.from), iso(month.before.to)],
      ['2026-03-01', '2026-03-29', '2026-02-01T00:00:00.000Z', '2026-02-28T10:00:00.000Z']);
    const last = time.rangeOf({ range: 'last-month', zone: 'UTC' }, now);
    assert.deepEqual([last.first, last.last, last.before.first, last.before.last], ['2026-02-01', '2026-02-28', '2026-01-01', '2026-01-31']);
  });

  it('of the user are taken if they are days, in order', () => {
    const own = (from, to) => time.rangeOf({ range: 'custom', from, to, zone: 'UTC' }, now);
    assert.deepEqual([own('2026-01-05', '2026-01-06').before.first, own('2026-01-05', '2026-01-06').before.last], ['2026-01-03', '2026-01-04']);
    for (const [from, to] of [['2026-02-30', '2026-03-01'], ['2026-03-02', '2026-03-01'], ['x', undefined]]) {
      assert.deepEqual([own(from, to).first, own(from, to).last], ['2026-03-23', '2026-03-29'], `${from} to ${to}`);
    }
  });
});

describe('a table as a file', () => {
  it('has no formula that a spreadsheet would run', () => {
    assert.equal(csvOf(['a', 'b'], [['=1+1', '-2.50'], ['@x,"y"', 3], ['+49', '-1-1']]),
      'a,b\r\n\'=1+1,-2.50\r\n"\'@x,""y""",3\r\n\'+49,\'-1-1\r\n');
  });
});
