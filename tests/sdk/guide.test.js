/* SPDX-License-Identifier: ISC */
/*
 * guide.test.js: the JavaScript of docs/guide/programs.md that needs a package, run as it stands there: the copy in DuckDB, and
 * the report that DuckDB reads.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { tmpdir } from 'node:os';
import { after, before, it } from 'node:test';

import { Daemon } from './daemon.js';

const GUIDE = readFileSync(join(process.env.srcdir ?? '../..', 'docs/guide/programs.md'), 'utf8');
const RECORDS = 2500; /* more than a page */

let daemon;
let account;
let folder;
let stored; /* records, as they are now */

before(async () => {
  daemon = await Daemon.start();
  account = daemon.addAccount('abcd1234', 'the-secret-of-it');
  folder = mkdtempSync(join(tmpdir(), 'cdrd-guide-'));
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  for (const [, content, name] of GUIDE.matchAll(/^```js\n(\/\/ (\w+\.mjs).*?)^```$/gms)) {
    writeFileSync(join(folder, name), content.replaceAll('http://127.0.0.1:8080', daemon.url));
  }
  const from = new Date(Date.now() - 48 * 3600 * 1000).toISOString();
  stored = daemon.generate('SMS', account, RECORDS, from, new Date().toISOString(), '--direction', 'outbound');
  await daemon.ingest(stored);
});

after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await daemon.stop();
});

const run = (name) => execFileSync(process.execPath, [name],
  { cwd: folder, encoding: 'utf8', env: { ...process.env, SECRET: account.apiSecret } }).trim().split('\n');

/* Amounts to compare with, exact: in units of 10^-12. */
function unitsOf(text) {
  const [whole, fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(12, '0'));
}

function sumsOf(records, by = 'status') {
  const sums = new Map();
  for (const { [by]: key = '', total_price: price = '' } of records) {
    const [count, sum] = sums.get(key) ?? [0, 0n];
    sums.set(key, [count + 1, sum + (price ? unitsOf(price) : 0n)]);
  }
  return [...sums].map(([status, [count, sum]]) => `${status} ${count} ${sum}`).sort();
}

const shown = (lines) => lines.map((line) => {
  const [status, count, price] = line.split(' ');
  return `${status} ${count} ${price === 'null' ? 0 : unitsOf(price)}`;
}).sort();

it('keeps a copy in DuckDB, which has what is stored, each record once, as it is now', async () => {
  const records = stored;
  const first = run('changes.mjs');
  const isCount = (line) => line.endsWith('new or changed');
  assert.equal(first.filter(isCount).reduce((sum, line) => sum + parseInt(line, 10), 0), RECORDS);
  assert.deepEqual(shown(first.filter((line) => !isCount(line))), sumsOf(records));

  const changed = records.slice(0, 3).map((record) => ({ ...record, status: 'delivered', total_price: '0.125' }));
  await fetch(`${daemon.url}/v1/cdrs`, {
    method: 'POST',
    headers: { Authorization: `Basic ${Buffer.from('carrier:producer-secret-1').toString('base64')}`, 'Content-Type': 'application/x-ndjson' },
    body: changed.map((record) => JSON.stringify(record)).join('\n'),
  });
  const second = run('changes.mjs');
  assert.deepEqual(second.filter(isCount), ['3 new or changed']);
  stored = [...changed, ...records.slice(3)];
  assert.deepEqual(shown(second.filter((line) => !isCount(line))), sumsOf(stored));
});

it('reads a report into DuckDB as the table that it is', () => {
  assert.deepEqual(shown(run('month.mjs')), sumsOf(stored, 'country'));
});
