/* SPDX-License-Identifier: ISC */
/*
 * parquet.test.js: reports as Parquet, read by DuckDB and by Apache Arrow's reader (parquet-wasm). Both must say, value
 * by value, what the CSV of the same report says.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { DuckDBInstance } from '@duckdb/node-api';
import { Product } from '@vonage/reports';
import AdmZip from 'adm-zip';
import { tableFromIPC } from 'apache-arrow';
import { readParquet } from 'parquet-wasm/node';

import { Daemon } from './daemon.js';
import { DAY, readCsv, WITH_DIRECTION } from './queries.js';

const PER_PRODUCT = 60;
const WAIT_MS = 120000;
const ENDED = new Set(['SUCCESS', 'TRUNCATED', 'FAILED', 'ABORTED']);
const PRODUCTS = [...Object.values(Product), 'NUMBER-INSIGHT-V2'];
const SCALE = 12;
const RANGE = { date_start: DAY.dateStart, date_end: DAY.dateEnd };
const day = DAY.dateStart.slice(0, 10);

let daemon;
let account;
let child;
let odd;
let folder;
let db;

/* --- asking --- */

const headersOf = ({ apiKey, apiSecret }) => ({
  Authorization: `Basic ${Buffer.from(`${apiKey}:${apiSecret}`).toString('base64')}`,
  'Content-Type': 'application/json',
});

async function ask(owner, params) {
  const body = { account_id: owner.apiKey, ...RANGE, ...params };
  const answer = await fetch(`${daemon.url}/v2/reports`, {
    method: 'POST', headers: headersOf(owner), body: JSON.stringify(body),
  });
  return { status: answer.status, ...await answer.json() };
}

async function ended(owner, id) {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const report = await (await fetch(`${daemon.url}/v2/reports/${id}`, { headers: headersOf(owner) })).json();
    if (ENDED.has(report.request_status)) {
      return report;
    }
    assert.ok(Date.now() < deadline, `still ${report.request_status}`);
    await sleep(20);
  }
}

async function make(owner, params) {
  const { request_id: id, ...more } = await ask(owner, params);
  assert.ok(id, JSON.stringify(more));
  return ended(owner, id);
}

async function download(owner, report) {
  const answer = await fetch(report._links.download_report.href, { headers: headersOf(owner) });
  assert.equal(answer.status, 200);
  return { headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
}

const paramsOf = (product) => ({ product, ...(WITH_DIRECTION.has(product) ? { direction: 'outbound' } : {}) });

/* --- the CSV --- */

async function csvOf(owner, params) {
  const report = await make(owner, params);
  const { bytes } = await download(owner, report);
  const [names, ...rows] = readCsv(new AdmZip(bytes).getEntries()[0].getData().toString('utf8'));
  return { report, names, rows };
}

/* 2024-11-26T10:00:00.123456+0000 in microseconds */
function microsecondsOf(text) {
  const [, seconds, fraction = '', zone = 'Z'] = text.match(/^([^.+Z]{19})(?:\.(\d{1,6}))?(.*)$/);
  const offset = zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2') || 'Z';
  return BigInt(Date.parse(seconds.replace(' ', 'T') + offset)) * 1000n + BigInt(fraction.padEnd(6, '0'));
}

/* A decimal in units of 10^-12 */
function unitsOf(text) {
  const [, sign, whole, fraction = ''] = text.match(/^([+-]?)(\d*)(?:\.(\d*))?$/);
  return BigInt(`${sign}${whole || 0}${fraction.padEnd(SCALE, '0')}`);
}

const CONVERSIONS = { time: microsecondsOf, decimal: unitsOf, text: (value) => value };

/* A text of the CSV as the value of a column of this kind; an empty one is null. */
const valueOf = (kind, text) => (text === '' ? null : CONVERSIONS[kind](text));

/* --- the two readers: names, kinds and rows --- */

const DUCKDB_KINDS = { 'TIMESTAMP WITH TIME ZONE': 'time', 'DECIMAL(30,12)': 'decimal', VARCHAR: 'text' };

async function readByDuckDb(bytes) {
  const path = join(folder, 'report.parquet');
  writeFileSync(path, bytes);
  const described = (await db.runAndReadAll(`DESCRIBE SELECT * FROM '${path}'`)).getRows();
  const names = described.map(([name]) => name);
  const kinds = described.map(([, type]) => DUCKDB_KINDS[type] ?? type);
  const shown = { time: (name) => `epoch_us("${name}")`, decimal: (name) => `"${name}"::VARCHAR`, text: (name) => `"${name}"` };
  const columns = names.map((name, i) => shown[kinds[i]](name)).join(', ');
  const rows = (await db.runAndReadAll(`SELECT ${columns} FROM '${path}'`)).getRows();
  return {
    names,
    kinds,
    rows: rows.map((row) => row.map((value, i) => (value !== null && kinds[i] === 'decimal' ? unitsOf(value) : value))),
  };
}

const ARROW_KINDS = { 'Timestamp<MICROSECOND, UTC>': 'time', 'Decimal[30e+12]': 'decimal', 'Decimal[30e12]': 'decimal', Utf8: 'text' };

/* 128 bits in four words, least significant first */
const decimalOf = (words) => BigInt.asIntN(128, words.reduce((sum, word, i) => sum | BigInt(word >>> 0) << BigInt(32 * i), 0n));

/* Times as they are stored: the vector's own getter makes doubles of them. */
function arrowValues(vector, kind) {
  return vector.data.flatMap((chunk) => Array.from({ length: chunk.length }, (_, i) => {
    if (!chunk.getValid(i)) {
      return null;
    }
    return kind === 'time' ? chunk.values[i] : kind === 'decimal'
      ? decimalOf(chunk.values.subarray(4 * i, 4 * i + 4)) : null;
  }));
}

function readByArrow(bytes) {
  const table = tableFromIPC(readParquet(bytes).intoIPCStream());
  const names = table.schema.fields.map(({ name }) => name);
  const kinds = table.schema.fields.map(({ type }) => ARROW_KINDS[String(type)] ?? String(type));
  const columns = kinds.map((kind, i) => {
    const vector = table.getChildAt(i);
    return kind === 'text' ? vector.toArray() : arrowValues(vector, kind);
  });
  return { names, kinds, rows: Array.from({ length: table.numRows }, (_, row) => columns.map((column) => column[row])) };
}

const READERS = { DuckDB: readByDuckDb, Arrow: readByArrow };

/* --- comparing --- */

function assertSame(reader, read, csv) {
  assert.deepEqual(read.names, csv.names, reader);
  assert.equal(read.rows.length, csv.rows.length, reader);
  csv.rows.forEach((row, i) => {
    row.forEach((text, column) => {
      assert.equal(read.rows[i][column], valueOf(read.kinds[column], text),
        `${reader}: ${csv.names[column]} of row ${i}: ${text}`);
    });
  });
}

async function assertReadsAsCsv(owner, params) {
  const csv = await csvOf(owner, params);
  const report = await make(owner, { ...params, format: 'parquet' });
  assert.equal(report.request_status, 'SUCCESS', JSON.stringify(report));
  const { bytes } = await download(owner, report);
  assert.deepEqual(report.manifest.total_price, csv.report.manifest.total_price);
  assert.equal(report.items_count, csv.rows.length);
  for (const [name, read] of Object.entries(READERS)) {
    assertSame(name, await read(bytes), csv);
  }
  return csv;
}

before(async () => {
  daemon = await Daemon.start();
  folder = mkdtempSync(join(tmpdir(), 'cdrd-parquet-'));
  db = await (await DuckDBInstance.create(':memory:')).connect();
  account = daemon.addAccount('parq0001', 'sdk-secret-1');
  child = daemon.addAccount('parq0002', 'sdk-secret-2', '--parent', account.apiKey);
  odd = daemon.addAccount('parq0003', 'sdk-secret-3');
  for (const product of PRODUCTS.filter((name) => name !== Product.REPORTS_USAGE)) {
    for (const owner of [account, child]) {
      await daemon.ingest(daemon.generate(product, owner, PER_PRODUCT, DAY.dateStart, DAY.dateEnd));
    }
  }
});

after(async () => {
  db?.closeSync();
  await daemon?.stop();
  if (folder) {
    rmSync(folder, { recursive: true });
  }
});

describe('a report as Parquet', () => {
  for (const product of PRODUCTS) {
    it(`of ${product} says what its CSV says`, async () => {
      const { rows } = await assertReadsAsCsv(account, paramsOf(product));
      assert.ok(product === Product.REPORTS_USAGE || rows.length > 0);
    });
  }

  it('has times, amounts and counts as such', async () => {
    const report = await make(account, { ...paramsOf('SMS'), format: 'parquet' });
    const { names, kinds } = await readByDuckDb((await download(account, report)).bytes);
    const kindOf = Object.fromEntries(names.map((name, i) => [name, kinds[i]]));
    assert.deepEqual([kindOf.date_received, kindOf.date_finalized, kindOf.total_price, kindOf.latency, kindOf.to, kindOf.error_code],
      ['time', 'time', 'decimal', 'decimal', 'text', 'text']);
  });

  it('has bodies, subaccounts, chosen columns and inbound records like any other', async () => {
    const bodies = await assertReadsAsCsv(account, { ...paramsOf('SMS'), include_message: true, show_concatenated: true });
    assert.ok(bodies.names.includes('message_body'));
    const both = await assertReadsAsCsv(account, { ...paramsOf('SMS'), include_subaccounts: true });
    assert.equal(new Set(both.rows.map(([owner]) => owner)).size, 2);
    const chosen = await assertReadsAsCsv(account, { product: 'VOICE-CALL', columns: 'duration,to,date_start,price' });
    assert.deepEqual(chosen.names, ['duration', 'to', 'date_start', 'price']);
    await assertReadsAsCsv(account, { product: 'SMS', direction: 'inbound' });
    await assertReadsAsCsv(account, { ...paramsOf('SMS'), status: 'delivered' });
  });

  it('without rows has its columns', async () => {
    const { names, rows } = await assertReadsAsCsv(account, { ...paramsOf('SMS'), to: '1' });
    assert.deepEqual([rows.length, names[0]], [0, 'account_id']);
  });

  it('has the instants of times whatever its time zone, and exact amounts', async () => {
    const [sample] = daemon.generate('SMS', odd, 1, DAY.dateStart, DAY.dateEnd, '--direction', 'outbound');
    const record = (i, changes) => ({ ...sample, id: `odd-${i}`, message_id: `odd-${i}`, ...changes });
    const prices = ['0', '0.000000000001', '-0.000000000001', '999999999999999999.999999999999', '-999999999999999999', '12.5', ''];
    const texts = ['"', 'a,b', 'line\nline', 'ÄÖ€😀', ' ', '=1+1', 'x'.repeat(3000), '""'];
    await daemon.ingest([
      ...prices.map((total_price, i) => record(i, { total_price, latency: total_price })),
      ...texts.map((client_ref, i) => record(100 + i, { client_ref, date_finalized: `${day}T10:00:00.123456Z` })),
      record(200, { date_received: `${day}T23:59:59.999999Z`, date_finalized: '' }),
    ]);
    const csv = await assertReadsAsCsv(odd, paramsOf('SMS'));
    assert.equal(csv.rows.length, prices.length + texts.length + 1);
    const zoned = await make(odd, { ...paramsOf('SMS'), format: 'parquet', time_zone: 'Asia/Tokyo' });
    assertSame('with a time zone', await readByDuckDb((await download(odd, zoned)).bytes), csv);
  });

  it('comes as a file of its own kind, with the manifest of others', async () => {
    const report = await make(account, { ...paramsOf('SMS'), format: 'parquet', compression: 'zstd' });
    const { headers, bytes } = await download(account, report);
    assert.equal(headers.get('content-type'), 'application/vnd.apache.parquet');
    assert.equal(headers.get('content-disposition'), `attachment; filename="SMS_${report.request_id}.parquet"`);
    assert.equal(report.manifest.bytes, bytes.length);
    assert.equal(report.manifest.sha256, createHash('sha256').update(bytes).digest('hex'));
    assert.equal(report.format, 'parquet');
  });

  it('refuses what only CSV has', async () => {
    for (const params of [{ compression: 'zip' }, { compression: 'gzip' }, { dialect: 'excel' }]) {
      const refused = await ask(account, { ...paramsOf('SMS'), format: 'parquet', ...params });
      assert.equal(refused.status, 422, JSON.stringify(refused));
      assert.equal(refused.invalid_parameters?.[0]?.name ?? Object.keys(params)[0], Object.keys(params)[0]);
    }
  });

  it('no longer has a number that was erased', async () => {
    const { names, rows } = await csvOf(account, paramsOf('SMS'));
    const number = rows[0][names.indexOf('to')];
    const report = await make(account, { ...paramsOf('SMS'), format: 'parquet' });
    const erased = JSON.parse(daemon.ctl('erase', '--account', account.apiKey, '--number', number));
    assert.ok(erased.reports_made_anew >= 1, JSON.stringify(erased));
    const { bytes } = await download(account, await ended(account, report.request_id));
    const again = await csvOf(account, paramsOf('SMS'));
    assert.ok(!again.rows.some((row) => row.includes(number)));
    assertSame('DuckDB', await readByDuckDb(bytes), again);
  });
});
