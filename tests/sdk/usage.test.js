/* SPDX-License-Identifier: ISC */
/*
 * usage.test.js: the official SDK, unmodified, reads what it has been charged for: REPORTS-USAGE records.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Auth } from '@vonage/auth';
import { Direction, Product, Reports } from '@vonage/reports';

import { Daemon } from './daemon.js';
import { DAY } from './queries.js';

const RECORDS = 300;

let daemon;
let account;
let reports;
let outbound;

async function usageRecords(count) {
  const deadline = Date.now() + 60000;
  for (;;) {
    const { records } = await reports.getRecords({ product: Product.REPORTS_USAGE, accountId: account.apiKey });
    if (records.length >= count || Date.now() > deadline) {
      return records;
    }
    await sleep(50);
  }
}

before(async () => {
  daemon = await Daemon.start();
  account = daemon.addAccount('usage001', 'usage-secret-1');
  reports = new Reports(new Auth(account), { apiHost: daemon.url });
  const sent = daemon.generate('SMS', account, RECORDS, DAY.dateStart, DAY.dateEnd);
  await daemon.ingest(sent);
  outbound = sent.filter((record) => record.direction === 'outbound');
});

after(() => daemon?.stop());

describe('REPORTS-USAGE', () => {
  it('has a record of each request, with its items and its price', async () => {
    const query = { product: Product.SMS, accountId: account.apiKey, direction: Direction.OUTBOUND, ...DAY };
    const page = await reports.getRecords(query);
    const found = await reports.getRecords({ product: Product.SMS, accountId: account.apiKey, id: outbound[0].id });
    const made = await reports.createReport(query);
    const usage = await usageRecords(3);
    const byId = Object.fromEntries(usage.map((record) => [record.id, record]));

    assert.equal(usage.length, 3);
    assert.equal(byId[page.requestId].jobType, 'SYNC_JOB_FROM_DATES');
    assert.equal(byId[found.requestId].jobType, 'SYNC_JOB_FROM_ID');
    assert.equal(byId[made.requestId].jobType, 'ASYNC_JOB');
    assert.equal(byId[page.requestId].itemsWritten, String(outbound.length));
    assert.equal(byId[found.requestId].itemsWritten, '1');
    assert.equal(byId[made.requestId].itemsWritten, String(outbound.length));
    for (const record of usage) {
      assert.equal(record.accountId, account.apiKey);
      assert.equal(record.requestProduct, 'SMS');
      assert.equal(record.status, 'SUCCESS');
      assert.equal(record.isCharged, 'TRUE');
      assert.equal(record.currency, 'EUR');
      assert.equal(record.price, '0.0004');
    }
    assert.equal(Number(byId[page.requestId].totalPrice), page.price);
  });

  it('costs nothing itself', async () => {
    const before = (await usageRecords(3)).length;
    const page = await reports.getRecords({ product: Product.REPORTS_USAGE, accountId: account.apiKey });
    assert.equal(page.price, 0);
    await sleep(500);
    assert.equal((await usageRecords(3)).length, before);
  });

  it('sums up to what cdrctl usage says', async () => {
    const usage = await usageRecords(3);
    const { lines } = JSON.parse(daemon.ctl('usage', '--account', account.apiKey));
    const parts = (text) => Math.round(Number(text) * 1e4);
    const sum = (values) => values.reduce((total, value) => total + value, 0);

    assert.equal(sum(lines.map((line) => parts(line.total_price))), sum(usage.map((r) => parts(r.totalPrice))));
    assert.equal(sum(lines.map((line) => line.items)), sum(usage.map((r) => Number(r.itemsWritten))));
  });
});
