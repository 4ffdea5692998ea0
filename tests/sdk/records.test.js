/* SPDX-License-Identifier: ISC */
/*
 * records.test.js: getRecords of the official SDK, unmodified, against cdrd.
 *
 * Sample records of every product are ingested; the SDK must give back each with the values that were sent, under
 * the names it makes of the columns.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Auth } from '@vonage/auth';
import { Direction, Product, Reports } from '@vonage/reports';

import { Daemon } from './daemon.js';
import { camelCase, DAY, HOUR_MS, problemOf, queryOf, WITH_DIRECTION, yesterday } from './queries.js';

const PER_PRODUCT = 40;
const PAGED = 2500;
const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';

/* Products newer than this version of the SDK are queried by their names. */
const PRODUCTS = [...Object.values(Product), 'NUMBER-INSIGHT-V2'];
/** Columns that are kept for filters alone. */
const NOT_SHOWN = { ASR: ['country', 'network'] };
const OWN = Product.REPORTS_USAGE;

let daemon;
let account;
let paged;
let reports;
const sent = {};
let sentPaged;

const clientOf = (credentials) => new Reports(new Auth(credentials), { apiHost: daemon.url });

before(async () => {
  daemon = await Daemon.start();
  account = daemon.addAccount('sdk00001', 'sdk-secret-1');
  paged = daemon.addAccount('sdk00002', 'sdk-secret-2');
  for (const product of PRODUCTS.filter((name) => name !== OWN)) {
    const direction = WITH_DIRECTION.has(product) ? ['--direction', 'outbound'] : [];
    sent[product] = daemon.generate(product, account, PER_PRODUCT, DAY.dateStart, DAY.dateEnd, ...direction);
    await daemon.ingest(sent[product]);
  }
  sentPaged = daemon.generate('SMS', paged, PAGED, DAY.dateStart, DAY.dateEnd, '--direction', 'outbound', '--seed', '2');
  await daemon.ingest(sentPaged);
  reports = clientOf(account);
});

after(() => daemon?.stop());

describe('getRecords by dates', () => {
  for (const product of PRODUCTS.filter((name) => name !== OWN)) {
    it(`gives the records of ${product} as they were sent`, async () => {
      const page = await reports.getRecords(queryOf(product, account));
      assert.equal(page.requestStatus, 'SUCCESS');
      assert.equal(page.itemsCount, PER_PRODUCT);
      assert.equal(page.records.length, PER_PRODUCT);
      page.records.forEach((record, i) => {
        const { product: _, message_body: __, concatenated: ___, ...columns } = sent[product][i];
        for (const [name, value] of Object.entries(columns)) {
          if (NOT_SHOWN[product]?.includes(name)) {
            assert.equal(record[camelCase(name)], undefined);
            continue;
          }
          assert.equal(record[camelCase(name)], value, `${name} of record ${i}`);
        }
      });
    });
  }

  it('gives no records of REPORTS-USAGE before the daemon writes any', async () => {
    const page = await reports.getRecords(queryOf(OWN, account));
    assert.deepEqual([page.itemsCount, page.records], [0, []]);
  });

  it('gives bodies and concatenated when asked for', async () => {
    const page = await reports.getRecords({
      ...queryOf(Product.SMS, account), includeMessage: true, showConcatenated: true,
    });
    assert.deepEqual(page.records.map((r) => [r.messageBody, r.concatenated]),
      sent.SMS.map((r) => [r.message_body, r.concatenated]));
  });

  it('filters', async () => {
    const { status } = sent.SMS[0];
    const page = await reports.getRecords({ ...queryOf(Product.SMS, account), status });
    assert.deepEqual(page.records.map((r) => r.id), sent.SMS.filter((r) => r.status === status).map((r) => r.id));
  });

  it('echoes the query', async () => {
    const page = await reports.getRecords(queryOf(Product.SMS, account));
    assert.equal(page.accountId, account.apiKey);
    assert.equal(page.product, Product.SMS);
    assert.equal(page.direction, Direction.OUTBOUND);
    assert.ok(page.links.self.href.startsWith(`${daemon.url}/v2/reports/records?`));
  });
});

describe('paging', () => {
  it('walks 2,500 records with cursor and iv', async () => {
    const client = clientOf(paged);
    const found = [];
    const statuses = [];
    let more = {};
    do {
      const page = await client.getRecords({ ...queryOf(Product.SMS, paged), ...more });
      found.push(...page.records.map((r) => r.id));
      statuses.push(page.requestStatus);
      more = { cursor: page.cursor, iv: page.iv };
    } while (more.cursor);
    assert.deepEqual(statuses, ['TRUNCATED', 'TRUNCATED', 'SUCCESS']);
    assert.deepEqual(found, sentPaged.map((r) => r.id));
  });

  it('walks them by the next link', async () => {
    const authorization = await new Auth(paged).createBasicHeader();
    let page = await clientOf(paged).getRecords(queryOf(Product.SMS, paged));
    const found = page.records.map((r) => r.id);
    let next = page.links.next?.href;
    while (next) {
      page = await (await fetch(next, { headers: { authorization } })).json();
      found.push(...page.records.map((r) => r.id));
      next = page._links.next?.href;
    }
    assert.deepEqual(found, sentPaged.map((r) => r.id));
  });
});

describe('getRecords by id', () => {
  it('finds several and names those it does not find', async () => {
    const ids = sent.SMS.slice(0, 5).map((r) => r.id);
    const page = await reports.getRecords({
      product: Product.SMS, accountId: account.apiKey, id: [...ids, UNKNOWN_ID].join(','),
    });
    assert.deepEqual(page.records.map((r) => r.id).sort(), [...ids].sort());
    assert.equal(page.idsNotFound, UNKNOWN_ID);
  });

  it('does not find another account\'s', async () => {
    const page = await reports.getRecords({
      product: Product.SMS, accountId: account.apiKey, id: sentPaged[0].id,
    });
    assert.deepEqual([page.records, page.idsNotFound], [[], sentPaged[0].id]);
  });
});

describe('errors', () => {
  it('422 lists what is wrong', async () => {
    const problem = await problemOf(reports.getRecords({ accountId: account.apiKey, product: 'SMOKE-SIGNAL' }));
    assert.equal(problem.status, 422);
    assert.equal(problem.title, 'Unprocessable entity');
    assert.deepEqual(problem.invalid_parameters.map((p) => p.name), ['product']);
  });

  it('422 for a range over 24 hours', async () => {
    const problem = await problemOf(reports.getRecords({
      ...queryOf(Product.AMD, account), dateEnd: new Date(yesterday.getTime() + 25 * HOUR_MS).toISOString(),
    }));
    assert.equal(problem.status, 422);
    assert.deepEqual(problem.invalid_parameters.map((p) => p.name), ['date_end']);
  });

  it('422 for a filter beside id', async () => {
    const problem = await problemOf(reports.getRecords({ ...queryOf(Product.AMD, account), id: UNKNOWN_ID }));
    assert.equal(problem.status, 422);
    assert.equal(problem.title, 'Invalid filter');
  });

  it('401 for wrong credentials', async () => {
    const client = clientOf({ apiKey: account.apiKey, apiSecret: 'wrong-secret' });
    const problem = await problemOf(client.getRecords(queryOf(Product.AMD, account)));
    assert.equal(problem.status, 401);
    assert.equal(problem.detail, 'You did not provide correct credentials.');
  });

  it('403 for another account\'s data', async () => {
    const problem = await problemOf(reports.getRecords({ ...queryOf(Product.AMD, account), accountId: paged.apiKey }));
    assert.equal(problem.status, 403);
    assert.equal(problem.detail, 'User not authorized to query the requested data');
  });
});

describe('subaccounts', () => {
  it('are read by their primary account by name', async () => {
    const child = daemon.addAccount('sdk00003', 'sdk-secret-3', '--parent', account.apiKey);
    const records = daemon.generate('AMD', child, 3, DAY.dateStart, DAY.dateEnd);
    await daemon.ingest(records);
    const page = await reports.getRecords(queryOf(Product.AMD, child));
    assert.deepEqual(page.records.map((r) => r.id), records.map((r) => r.id));
  });
});
