/* SPDX-License-Identifier: ISC */
/*
 * reports.test.js: createReport, getReport, cancelReport and getReportData of the official SDK, unmodified, and the zip
 * opened with adm-zip. Its CSV must say, field by field, what getRecords says.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import dns from 'node:dns';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Auth } from '@vonage/auth';
import { AsyncReportStatus, Direction, Product, Reports } from '@vonage/reports';
import AdmZip from 'adm-zip';

import { Daemon } from './daemon.js';
import { camelCase, DAY, problemOf, queryOf, readCsv, WITH_DIRECTION } from './queries.js';

const PER_PRODUCT = 40;
const WAIT_MS = 60000;
const ENDED = new Set(['SUCCESS', 'TRUNCATED', 'FAILED', 'ABORTED']);
const PRODUCTS = [...Object.values(Product), 'NUMBER-INSIGHT-V2'].filter((name) => name !== Product.REPORTS_USAGE);

/* The SDK downloads from names under vonage.com and nexmo.com alone. This one leads to the daemon, in this process. */
const HOST = 'cdrd.vonage.com';
const { lookup } = dns;
dns.lookup = (name, ...more) => lookup(name === HOST ? '127.0.0.1' : name, ...more);

let daemon;
let account;
let child;
let folder;

const urlOf = ({ port }) => `http://${HOST}:${port}`;

/* A client of its own each time: getReportData changes the one it is called on. */
const reports = (credentials = account, at = daemon) => new Reports(new Auth(credentials), { apiHost: urlOf(at) });

async function ended(requestId) {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const report = await reports().getReport(requestId);
    if (ENDED.has(report.requestStatus)) {
      return report;
    }
    assert.ok(Date.now() < deadline, `still ${report.requestStatus}`);
    await sleep(20);
  }
}

const make = async (params) => ended((await reports().createReport(params)).requestId);

/* Where getReportData has put the file. */
async function download(report) {
  const path = join(folder, `${report.requestId}.zip`);
  await reports().getReportData(report.requestId, path);
  return path;
}

/* Rows as getRecords names their members. */
function rowsOf(text) {
  const [header, ...rows] = readCsv(text);
  return rows.map((values) => Object.fromEntries(values.map((value, i) => [camelCase(header[i]), value])));
}

/* JSON columns come parsed from getRecords, with keys in camel case; they are compared as text without their keys. */
function assertSameValue(shown, value, what) {
  if (typeof value === 'object') {
    assert.deepEqual(Object.values(JSON.parse(shown || '{}')).map(String), Object.values(value).map(String), what);
  } else {
    assert.equal(shown, value, what);
  }
}

function assertSameRows(rows, records) {
  assert.equal(rows.length, records.length);
  rows.forEach((row, i) => {
    assert.deepEqual(Object.keys(row), Object.keys(records[i]));
    for (const [name, value] of Object.entries(records[i])) {
      assertSameValue(row[name], value, `${name} of record ${i}`);
    }
  });
}

before(async () => {
  daemon = await Daemon.start();
  folder = mkdtempSync(join(tmpdir(), 'cdrd-sdk-files-'));
  account = daemon.addAccount('sdkr0001', 'sdk-secret-1');
  child = daemon.addAccount('sdkr0002', 'sdk-secret-2', '--parent', account.apiKey);
  for (const product of PRODUCTS) {
    const direction = WITH_DIRECTION.has(product) ? ['--direction', 'outbound'] : [];
    for (const owner of [account, child]) {
      await daemon.ingest(daemon.generate(product, owner, PER_PRODUCT, DAY.dateStart, DAY.dateEnd, ...direction));
    }
  }
});

after(async () => {
  await daemon?.stop();
  if (folder) {
    rmSync(folder, { recursive: true });
  }
});

describe('a report', () => {
  for (const product of PRODUCTS) {
    it(`of ${product} has in its zip what getRecords says`, async () => {
      const report = await make(queryOf(product, account));
      assert.equal(report.requestStatus, AsyncReportStatus.SUCCESS);
      assert.equal(report.itemsCount, PER_PRODUCT);
      const zip = new AdmZip(await download(report));
      const [entry, ...others] = zip.getEntries();
      assert.equal(others.length, 0);
      assert.match(entry.entryName, new RegExp(`^report_${product}_${account.apiKey}_\\d{8}\\.csv$`));
      const page = await reports().getRecords(queryOf(product, account));
      assertSameRows(rowsOf(entry.getData().toString('utf8')), page.records);
    });
  }

  it('echoes its parameters, and says what is in the file', async () => {
    const report = await make({ ...queryOf(Product.SMS, account), includeMessage: true, includeSubaccounts: false });
    assert.equal(report.accountId, account.apiKey);
    assert.equal(report.product, Product.SMS);
    assert.equal(report.direction, Direction.OUTBOUND);
    assert.equal(report.includeMessage, true);
    assert.equal(report.includeSubaccounts, false);
    assert.equal(new Date(report.dateStart).toISOString(), DAY.dateStart);
    assert.equal(report.links.self.href, `${urlOf(daemon)}/v2/reports/${report.requestId}`);
    assert.ok(report.links.downloadReport.href.startsWith(`${urlOf(daemon)}/v3/media/`));
    const bytes = readFileSync(await download(report));
    assert.equal(report.manifest.bytes, bytes.length);
    assert.equal(report.manifest.sha256, createHash('sha256').update(bytes).digest('hex'));
  });

  it('includes subaccounts when asked to', async () => {
    const report = await make({ ...queryOf(Product.AMD, account), includeSubaccounts: true });
    const rows = rowsOf(new AdmZip(await download(report)).getEntries()[0].getData().toString('utf8'));
    const owners = rows.map((row) => row.accountId);
    assert.equal(owners.filter((id) => id === account.apiKey).length, PER_PRODUCT);
    assert.equal(owners.filter((id) => id === child.apiKey).length, PER_PRODUCT);
  });
});

describe('cancelReport', () => {
  it('ends a report that runs, and refuses one that has ended', async () => {
    const slow = await Daemon.start({ report_pause: '10s' });
    try {
      const owner = slow.addAccount('sdkr0003', 'sdk-secret-3');
      const client = reports(owner, slow);
      const { requestId, requestStatus } = await client.createReport({ product: Product.AMD, accountId: owner.apiKey });
      assert.equal(requestStatus, AsyncReportStatus.PENDING);
      assert.equal((await client.cancelReport(requestId)).requestStatus, AsyncReportStatus.ABORTED);
      assert.equal((await client.getReport(requestId)).requestStatus, AsyncReportStatus.ABORTED);
      await assert.rejects(client.cancelReport(requestId), (error) => error.response.status === 409);
      await assert.rejects(client.getReportData(requestId, join(folder, 'none')), /does not have a file/);
    } finally {
      await slow.stop();
    }
  });
});

describe('errors', () => {
  it('404 for a report that does not exist', async () => {
    const id = '00000000-0000-4000-8000-000000000000';
    const problem = await problemOf(reports().getReport(id));
    assert.equal(problem.status, 404);
    assert.equal(problem.title, 'Invalid report ID');
    assert.equal(problem.detail, `Report ${id} does not exist, or you do not have access.`);
  });

  it('422 names what is wrong', async () => {
    const problem = await problemOf(reports().createReport({ product: Product.SMS, accountId: account.apiKey }));
    assert.equal(problem.status, 422);
    assert.deepEqual(problem.invalid_parameters, [{ name: 'direction', reason: 'Missing required parameter' }]);
  });

  it('403 for another account\'s data', async () => {
    const problem = await problemOf(reports(child).createReport({ product: Product.AMD, accountId: account.apiKey }));
    assert.equal(problem.status, 403);
  });
});
