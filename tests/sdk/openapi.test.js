/* SPDX-License-Identifier: ISC */
/*
 * openapi.test.js: /openapi.json is OpenAPI 3.1, as a published validator reads it, and the daemon does what it says: every
 * example is sent, and every answer is as described, for each product, and so are errors.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Validator } from '@seriousme/openapi-schema-validator';

import { Daemon } from './daemon.js';
import { Described, escaped } from './described.js';
import { yesterday } from './queries.js';

const TOP = process.env.srcdir ?? '../..';
const WAIT_MS = 120000;
const ACCOUNT = 'abcd1234'; /* of the examples */
const SECRET = 'the-secret-of-it';
const USER = `${ACCOUNT}:${SECRET}`;
const PRODUCER = 'carrier:producer-secret-1';
const JSON_BODY = { 'Content-Type': 'application/json' };
const DATES = { date_start: yesterday.toISOString(), date_end: new Date(yesterday.getTime() + 86400000).toISOString() };
/* Parameters that stand with others, and what the examples leave out because it depends on the product. */
const BESIDE = { date_start: ['date_end'], date_end: ['date_start'], time_zone: ['interval'] };
const DIRECTED = { getRecords: { direction: 'outbound' } };
/* What no request of a test brings about at will. */
const RARE = new Set(['408', '500', '503', '507']);
/* For want of a client certificate, which test_tls.py is about. */
const ELSEWHERE = new Set(['putRecords 403']);

let daemon;
let api;
let products;

const isMade = ({ own }) => !own;
const jsonOf = (value) => ({ headers: JSON_BODY, body: JSON.stringify(value) });
const needed = (product) => (product.partition_direction ? { direction: 'outbound' } : {});
const queryOf = (product, more = {}) => ({ product: product.name, account_id: ACCOUNT, ...needed(product), ...more });

const documentOf = async (at) => (await fetch(new URL('/openapi.json', at.url))).json();

async function until(what, condition) {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    assert.ok(Date.now() < deadline, `waited in vain for ${what}`);
    await sleep(20);
  }
}

before(async () => {
  daemon = await Daemon.start({ callback_allow: '127.0.0.0/8', login_delay_max: 0, mappings_dir: join(TOP, 'etc/mappings'), ingest_body_max: '64K', schedules_per_account_max: 2, reconcile_upload_max: '64K' });
  const account = daemon.addAccount(ACCOUNT, SECRET);
  daemon.addAccount('efgh5678', 'secret-of-the-child', '--parent', ACCOUNT);
  daemon.addAccount('ijkl9012', 'secret-of-another');
  api = new Described(await documentOf(daemon), daemon.url);
  const { names } = { names: (await api.send('listProducts', { user: USER })).json().products };
  products = [];
  for (const { name } of names) {
    products.push((await api.send('getProduct', { path: { name }, user: USER })).json());
  }
  for (const product of products.filter(isMade)) {
    const records = daemon.generate(product.name, account, 30, DATES.date_start, DATES.date_end);
    await daemon.ingest(records);
  }
});

after(() => daemon.stop());

describe('the document', () => {
  it('is valid, as a published validator reads OpenAPI 3.1', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(api.document));
    assert.ok(valid, JSON.stringify(errors));
    assert.equal(validator.version, '3.1');
  });

  it('describes each row of routes.def but those that are hidden, and nothing else', () => {
    const rows = readFileSync(join(TOP, 'src/api/routes.def'), 'utf8').matchAll(/^ROUTE\(HTTP_(\w+), "([^"]+)"/gm);
    const { endpoints } = JSON.parse(readFileSync(join(TOP, 'src/api/api.json'), 'utf8'));
    const shown = [...rows].map(([, method, path]) => `${method} ${path}`).filter((row) => !endpoints[row].hidden);
    assert.deepEqual(api.operations().map(({ where }) => where).sort(), shown.sort());
  });

  it('has an example for each answer in JSON, and each example is as its schema has it', () => {
    for (const { where, path, method, described } of api.operations()) {
      for (const [status, { content = {} }] of Object.entries(described.responses)) {
        for (const [type, { schema, example, examples = {} }] of Object.entries(content)) {
          const all = [...(example ? [example] : []), ...Object.values(examples).map(({ value }) => value)];
          const isShown = type === 'application/json' && status !== '503' && path !== '/openapi.json';
          assert.ok(!isShown || all.length > 0, `${where} ${status} has no example`);
          const pointer = `/paths/${escaped(path)}/${method.toLowerCase()}/responses/${status}/content/${escaped(type)}/schema`;
          for (const one of schema ? all : []) {
            assert.deepEqual(api.schemaErrors(encodeURI(pointer), one), [], `${where} ${status}`);
          }
        }
      }
    }
  });

  it('knows the parameters that a request with records may have', async () => {
    const refused = (await api.send('putRecords', { query: { nonsense: 1 }, body: '', user: PRODUCER })).json();
    const [, there] = refused.invalid_parameters[0].reason.split('there are ');
    const described = api.parameters(api.operation('putRecords')).map((one) => one.name);
    assert.deepEqual(described.sort(), there.split(/, | and /).sort());
  });

  it('knows the columns and filters that products have', () => {
    for (const product of products) {
      const { schemas } = api.document.components;
      const columns = product.columns.filter(({ shown }) => shown !== 'never').map(({ name }) => name);
      assert.deepEqual(Object.keys(schemas[`Record_${product.name}`].properties), columns);
      const filters = schemas[`Filters_${product.name}`];
      assert.deepEqual(Object.keys(filters.properties), product.filters.map(({ name }) => name));
      for (const { name, required, values } of product.filters) {
        assert.equal(filters.required.includes(name), required, `${product.name} ${name}`);
        assert.deepEqual(filters.properties[name].anyOf?.[0].enum ?? [], values, `${product.name} ${name}`);
      }
    }
  });
});

describe('each product', () => {
  it('has records as described, by dates and by ids, with all that can be shown', async () => {
    for (const product of products) {
      const switches = {
        ...(product.has_message ? { include_message: true } : {}),
        ...(product.has_concatenated ? { show_concatenated: true } : {}),
      };
      const directions = product.partition_direction ? ['outbound', 'inbound'] : [undefined];
      for (const direction of directions) {
        const query = { ...queryOf(product, { ...DATES, limit: 100 }), ...(direction ? { direction } : {}) };
        const page = (await api.send('getRecords', { query, user: USER })).json();
        await api.send('getRecords', { query: { ...query, ...switches }, user: USER });
        if (isMade(product)) {
          assert.ok(page.items_count > 0, product.name);
          const id = page.records[0][product.lookup[0]];
          const found = await api.send('getRecords', { query: { ...queryOf(product), ...(direction ? { direction } : {}), id }, user: USER });
          assert.ok(found.json().items_count > 0, `${product.name} ${id}`);
        }
      }
    }
  });

  it('takes each of its filters, by the example', async () => {
    for (const product of products) {
      const { properties } = api.document.components.schemas[`Filters_${product.name}`];
      for (const [name, { example }] of Object.entries(properties)) {
        const query = { ...queryOf(product, DATES), [name]: example };
        for (const id of ['getRecords', 'getSummary']) {
          const { status } = await api.send(id, { query, user: USER });
          assert.equal(status, 200, `${id} ${product.name} ${name}`);
        }
      }
    }
  });

  it('has summaries by each column that says so, and changes', async () => {
    for (const product of products) {
      const group_by = product.columns.filter(({ groups }) => groups).map(({ name }) => name).slice(0, 8).join(',');
      const query = { product: product.name, account_id: ACCOUNT, ...DATES, group_by, interval: 'hour' };
      const summary = (await api.send('getSummary', { query, user: USER })).json();
      assert.ok(!isMade(product) || summary.groups_count > 0, product.name);
      const changes = { product: product.name, account_id: ACCOUNT, include_message: product.has_message };
      const page = (await api.send('getChanges', { query: changes, user: USER })).json();
      assert.ok(!isMade(product) || page.items_count > 0, product.name);
    }
  });

  it('has reports and estimates, by the examples of their bodies', async () => {
    const { examples } = api.operation('createReport').described.requestBody.content['application/json'];
    const made = [];
    for (const [name, { value }] of Object.entries(examples)) {
      assert.equal((await api.send('estimateReport', { ...jsonOf(value), user: USER })).status, 200, name);
      const created = await api.send('createReport', { ...jsonOf({ ...value, ...DATES }), user: USER });
      assert.equal(created.status, 200, name);
      made.push(created.json().request_id);
    }
    for (const id of made) {
      const report = await until(id, async () => {
        const status = (await api.send('getReport', { path: { id }, user: USER })).json();
        return status.end_time && status;
      });
      assert.equal(report.request_status, 'SUCCESS');
    }
    const list = (await api.send('listReports', { query: { account_id: ACCOUNT }, user: USER })).json();
    assert.equal(list.items_count, made.length);
  });
});

describe('each operation', () => {
  it('takes each of its parameters, by the example', async () => {
    for (const { where, method, path, described: { operationId: id } } of api.operations()) {
      if (method !== 'GET' || path.includes('{')) {
        continue;
      }
      const parameters = api.parameters(api.operation(id)).filter((one) => one.in === 'query');
      const examples = Object.fromEntries(parameters.filter((one) => one.example ?? one.examples)
        .map(({ name, example, examples: more }) => [name, example ?? Object.values(more)[0].value]));
      const required = parameters.filter((one) => one.required).map(({ name }) => name);
      for (const name of Object.keys(examples)) {
        const names = [...required, ...(BESIDE[name] ?? []), name].filter((one) => one in examples);
        const query = { ...DIRECTED[id], ...Object.fromEntries(names.map((one) => [one, examples[one]])) };
        const { status, text } = await api.send(id, { query, user: USER });
        assert.equal(status, 200, `${where} ${name}: ${text}`);
      }
    }
  });

  it('takes records as the examples have them', async () => {
    const { requestBody } = api.operation('putRecords').described;
    for (const [type, { example }] of Object.entries(requestBody.content)) {
      if (example) {
        const body = typeof example === 'string' ? example : JSON.stringify(example);
        const answer = await api.send('putRecords', { headers: { 'Content-Type': type }, body, user: PRODUCER });
        assert.equal(answer.json().accepted, 1, `${type}: ${answer.text}`);
      }
    }
    const wrong = await api.send('putRecords', { headers: JSON_BODY, body: '[{"product":"SMS"},{]', user: PRODUCER });
    assert.equal(wrong.json().rejected, 2);
    const query = { mode: 'merge', product: 'SMS', version: 'date_finalized', time_zone: 'Europe/Berlin', encoding: 'WINDOWS-1252' };
    await api.send('putRecords', { query, headers: { 'Content-Type': 'application/x-ndjson' }, body: '{}\n', user: PRODUCER });
    const rows = 'id,from,to,start\n3d56c128-5b4b-4f5c-9f0e-6d7c1d2f3a4b,12015550123,447700900103,2026-11-24T12:00:03Z\n';
    const mapped = { query: { mapping: 'generic-csv', account_id: ACCOUNT }, headers: { 'Content-Type': 'text/csv' } };
    const answer = (await api.send('putRecords', { ...mapped, body: rows, user: PRODUCER })).json();
    assert.deepEqual([answer.accepted, answer.skipped], [1, 0], JSON.stringify(answer));
  });

  it('pages, as its links say', async () => {
    const query = { product: 'SMS', account_id: ACCOUNT, direction: 'outbound', ...DATES, limit: 3 };
    const first = await api.send('getRecords', { query, user: USER });
    const next = new URL(first.json()._links.next.href).searchParams;
    assert.ok(first.headers.get('link'));
    await api.send('getRecords', { query: Object.fromEntries(next), user: USER });
    daemon.addAccount('mnop3456', 'secret-of-one-more', '--parent', ACCOUNT);
    const page = (await api.send('getAccount', { query: { limit: 1 }, user: USER })).json();
    assert.equal((await api.send('getAccount', { query: { after: page.subaccounts[0].account_id }, user: USER })).json().subaccounts.length, 1);
  });

  it('serves files, parts of them, and by tickets', async () => {
    const body = { product: 'SMS', account_id: ACCOUNT, direction: 'outbound', ...DATES, callback_url: 'http://127.0.0.1:1/' };
    const keyed = { 'Idempotency-Key': '2026-11-sms', ...JSON_BODY };
    const { request_id } = (await api.send('createReport', { headers: keyed, body: JSON.stringify(body), user: USER })).json();
    const report = await until(request_id, async () => {
      const status = (await api.send('getReport', { path: { id: request_id }, user: USER })).json();
      return status.end_time && status;
    });
    const id = report._links.download_report.href.split('/').at(-1);
    const get = (headers) => api.send('getFile', { path: { id }, headers, user: USER });
    const etag = (await get({})).headers.get('etag');
    assert.deepEqual([(await get({ Range: 'bytes=0-9' })).status, (await get({ 'If-None-Match': etag })).status,
      (await get({ Range: 'bytes=99999999-' })).status], [206, 304, 416]);
    const { url } = (await api.send('createTicket', { path: { id }, user: USER })).json();
    const query = { ticket: new URL(url).searchParams.get('ticket') };
    assert.equal((await api.send('getFile', { path: { id }, query })).status, 200);
    assert.equal((await api.send('getFile', { path: { id }, query })).status, 403);
    const again = await api.send('cancelReport', { path: { id: request_id }, user: USER });
    assert.equal(again.status, 409);
    const foreign = await api.send('getReport', { path: { id: request_id }, user: 'ijkl9012:secret-of-another' });
    assert.equal(foreign.status, 404);
    const ofChild = jsonOf({ ...body, account_id: 'efgh5678' });
    const child = (await api.send('createReport', { ...ofChild, user: 'efgh5678:secret-of-the-child' })).json();
    assert.equal((await api.send('cancelReport', { path: { id: child.request_id }, user: USER })).status, 403);
  });

  it('keeps schedules', async () => {
    const { example } = api.operation('createSchedule').described.requestBody.content['application/json'];
    const create = (user, more = {}) => api.send('createSchedule', { ...jsonOf({ ...example, ...more }), user });
    const child = 'efgh5678:secret-of-the-child';
    const made = (await create(USER, { include_subaccounts: true })).json();
    const ofChild = (await create(child, { account_id: 'efgh5678' })).json().schedule_id;
    assert.equal(made.next_runs.length, 5);
    assert.equal((await create(USER, { account_id: 'ijkl9012' })).status, 403);
    await create(USER);
    assert.equal((await create(USER)).status, 409);
    daemon.ctl('schedule', 'run', made.schedule_id);
    const seen = (await api.send('getSchedule', { path: { id: made.schedule_id }, user: USER })).json();
    assert.equal(seen.runs.length, 1);
    assert.equal((await api.send('listSchedules', { user: USER })).json().schedules.length, 2);
    assert.equal((await api.send('listSchedules', { query: { account_id: 'ijkl9012' }, user: USER })).status, 403);
    const remove = (id, user) => api.send('removeSchedule', { path: { id }, user });
    assert.equal((await remove(ofChild, USER)).status, 403);
    assert.equal((await remove(ofChild, child)).status, 204);
  });

  it('reconciles carriers\' files', async () => {
    const { requestBody } = api.operation('createReconciliation').described;
    const { example } = requestBody.content['text/csv'];
    const query = { product: 'VOICE-CALL', account_id: ACCOUNT, month: DATES.date_start.slice(0, 7), mapping: 'generic-csv' };
    const create = (more = {}, user = USER, body = example) =>
      api.send('createReconciliation', { query: { ...query, ...more }, headers: { 'Content-Type': 'text/csv' }, body, user });
    const child = 'efgh5678:secret-of-the-child';
    const { request_id: id } = (await create({ compare: 'price', match: 'number' })).json();
    const get = async () => (await api.send('getReconciliation', { path: { id }, user: USER })).json();
    const made = await until('the result', async () => {
      const status = await get();
      return status.request_status === 'SUCCESS' && status;
    });
    assert.deepEqual(made.files.map((file) => file.class), ['matched', 'different', 'only_ours', 'only_theirs', 'rejected']);
    assert.equal((await create({ account_id: 'ijkl9012' })).status, 403);
    assert.equal((await create({ month: 'november' })).status, 422);
    assert.equal((await create({}, USER, example.repeat(1000))).status, 413);
    const { request_id: ofChild } = (await create({ account_id: 'efgh5678' }, child)).json();
    assert.equal((await api.send('listReconciliations', { user: USER })).json().reconciliations.length, 2);
    const cancel = (which, user = USER) => api.send('cancelReconciliation', { path: { id: which }, user });
    assert.equal((await cancel(ofChild)).status, 403);
    assert.equal((await cancel(id)).status, 409);
    assert.equal((await cancel('7c9e6679-7425-40de-944b-e07fc1f90ae7')).status, 404);
    const idle = await Daemon.start({ mappings_dir: join(TOP, 'etc/mappings'), reconciles_max: 0 });
    try {
      idle.addAccount(ACCOUNT, SECRET);
      const there = new Described(api.document, idle.url, api.seen);
      const { request_id: waits } = (await there.send('createReconciliation', { query, body: example, user: USER })).json();
      const cancelled = await there.send('cancelReconciliation', { path: { id: waits }, user: USER });
      assert.equal(cancelled.json().request_status, 'ABORTED');
    } finally {
      await idle.stop();
    }
  });

  it('keeps destinations', async () => {
    const { example } = api.operation('createDestination').described.requestBody.content['application/json'];
    const create = (more = {}) => api.send('createDestination', { ...jsonOf({ ...example, ...more }), user: USER });
    assert.equal((await create()).status, 201);
    assert.equal((await create()).status, 409);
    daemon.ctl('destination', 'add', 'central', '--type', 'put', '--url', 'https://example.com/');
    assert.equal((await api.send('listDestinations', { user: USER })).json().destinations.length, 2);
    for (const name of [example.name, 'central']) {
      assert.equal((await api.send('getDestination', { path: { name }, user: USER })).json().name, name);
    }
    assert.equal((await api.send('testDestination', { path: { name: 'central' }, user: USER })).status, 202);
    const body = { product: 'SMS', account_id: ACCOUNT, direction: 'outbound', ...DATES, destination: example.name };
    const { request_id } = (await api.send('createReport', { ...jsonOf(body), user: USER })).json();
    await until('the state of the delivery', async () =>
      (await api.send('getReport', { path: { id: request_id }, user: USER })).json().delivery);
    assert.equal((await api.send('removeDestination', { path: { name: example.name }, user: USER })).status, 204);
  });

  it('rotates the secret, sends tests and lists the attempts', async () => {
    const post = (url) => api.send('testWebhook', { ...jsonOf({ url }), user: USER });
    await api.send('getWebhook', { user: USER });
    await api.send('rotateWebhookSecret', { user: USER });
    assert.equal((await api.send('rotateWebhookSecret', { user: USER })).json().previous_secret.slice(0, 6), 'whsec_');
    assert.equal((await post('http://127.0.0.1:1/')).status, 202);
    assert.equal((await post('ftp://example.com/')).status, 422);
    await until('an attempt', async () =>
      (await api.send('getWebhook', { user: USER })).json().attempts.some(({ kind }) => kind === 'test'));
  });

  it('is served to all where no credentials are asked for', async () => {
    const { headers } = await api.send('getDescription');
    assert.equal((await api.send('getDescription', { headers: { 'If-None-Match': headers.get('etag') } })).status, 304);
    for (const id of ['listProblems', 'isAlive', 'isReady']) {
      assert.equal((await api.send(id)).status, 200);
    }
    for (const title of api.document.components.schemas.Problem.properties.title.enum) {
      const name = title.toLowerCase().replaceAll(' ', '-');
      assert.equal((await api.send('getProblem', { path: { name } })).status, 200, name);
    }
  });
});

describe('errors', () => {
  const secured = () => api.operations().filter(({ described }) => described.security.length > 0);
  const pathOf = ({ path }) => Object.fromEntries([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, 'nothing']));
  const bodyOf = ({ described }) => (described.requestBody ? jsonOf({}) : {});

  it('are as described without credentials, and for what is not there', async () => {
    for (const operation of secured()) {
      const { operationId } = operation.described;
      const without = await api.send(operationId, { path: pathOf(operation), ...bodyOf(operation) });
      assert.equal(without.status, 401, operation.where);
      if (operation.path.includes('{')) {
        assert.equal((await api.send(operationId, { path: pathOf(operation), user: USER })).status, 404, operation.where);
      }
    }
    assert.equal((await api.send('getProblem', { path: { name: 'nothing' } })).status, 404);
  });

  it('are as described for a key that may not be used from here', async () => {
    const { key } = JSON.parse(daemon.ctl('key', 'add', ACCOUNT, '--networks', '192.0.2.0/24'));
    for (const operation of secured().filter(({ described }) => described.operationId !== 'putRecords')) {
      const answer = await api.send(operation.described.operationId,
        { path: pathOf(operation), ...bodyOf(operation), user: `${ACCOUNT}:${key}` });
      assert.equal(answer.status, 403, operation.where);
    }
  });

  it('are as described for wrong parameters and bodies', async () => {
    for (const operation of secured().filter(({ path }) => !path.includes('{'))) {
      const { operationId, requestBody, responses } = operation.described;
      const user = operationId === 'putRecords' ? PRODUCER : USER;
      if (requestBody?.content['application/json'] && operationId !== 'putRecords') {
        assert.equal((await api.send(operationId, { headers: JSON_BODY, body: '{', user })).status, 400, operationId);
        assert.equal((await api.send(operationId, { ...jsonOf({ nonsense: 1 }), user })).status, 422, operationId);
        const large = await api.send(operationId, { headers: JSON_BODY, body: ' '.repeat(1 << 17), user });
        assert.equal(large.status, 413, operationId);
        const coded = { ...JSON_BODY, 'Content-Encoding': 'br' };
        assert.equal((await api.send(operationId, { headers: coded, body: '{}', user })).status, 415, operationId);
      } else if ('422' in responses || '400' in responses) {
        const { status } = await api.send(operationId, { query: { nonsense: 1 }, user, ...bodyOf(operation) });
        assert.ok(status === 422 || status === 400, `${operationId}: ${status}`);
      }
    }
    for (const operation of secured().filter(({ described }) => '400' in described.responses && !described.requestBody)) {
      const { operationId } = operation.described;
      assert.equal((await api.send(operationId, { raw: '?a=%zz', user: USER })).status, 400, operationId);
    }
    const reconcile = (more) => api.send('createReconciliation', { body: '', user: USER, ...more });
    assert.equal((await reconcile({ raw: '?a=%zz' })).status, 400);
    assert.equal((await reconcile({ headers: { 'Content-Encoding': 'br' } })).status, 415);
    for (const [type, body, status] of [['image/png', 'x', 415], ['application/msgpack', new Uint8Array([0xc1]), 400],
      ['application/x-ndjson', '{}\n'.repeat(30000), 413]]) {
      const answer = await api.send('putRecords', { headers: { 'Content-Type': type }, body, user: PRODUCER });
      assert.equal(answer.status, status, answer.text);
    }
  });

  it('are as described for the records of others, and beside ids', async () => {
    const query = { product: 'SMS', account_id: 'ijkl9012', direction: 'outbound' };
    for (const id of ['getRecords', 'getSummary']) {
      assert.equal((await api.send(id, { query, user: USER })).status, 403);
    }
    const { direction, ...undirected } = query;
    assert.equal((await api.send('getChanges', { query: undirected, user: USER })).status, 403);
    assert.equal((await api.send('listReports', { query: { account_id: 'ijkl9012' }, user: USER })).status, 403);
    for (const id of ['createReport', 'estimateReport']) {
      assert.equal((await api.send(id, { ...jsonOf({ ...query, direction }), user: USER })).status, 403);
    }
    const beside = { product: 'SMS', account_id: ACCOUNT, id: 'x', status: 'delivered' };
    assert.equal((await api.send('getRecords', { query: beside, user: USER })).json().title, 'Invalid filter');
    for (const product of products) {
      const refused = { ...queryOf(product), [product.partition_direction ? 'call_id' : 'nonsense']: 'x' };
      assert.equal((await api.send('getRecords', { query: refused, user: USER })).status, 422, product.name);
    }
  });

  it('are as described beyond limits, while callbacks are held, and when cancelling', async () => {
    const small = await Daemon.start({ sync_rate_max: 1, async_rate_max: 1, callbacks: 'no', disk_min_free: '1024T' });
    try {
      small.addAccount(ACCOUNT, SECRET);
      const there = new Described(api.document, small.url, api.seen);
      const calm = async (id, request) => until(id, async () => {
        const answer = await there.send(id, { ...request, user: USER });
        return answer.status !== 429 && answer;
      });
      for (const { described, method, path } of there.operations()) {
        const request = { path: pathOf({ path }), user: USER, ...(described.requestBody ? jsonOf({}) : {}) };
        const limited = described.responses['200']?.headers?.RateLimit || described.responses['202']?.headers?.RateLimit;
        if (limited && method) {
          await until(`429 of ${path}`, async () => (await there.send(described.operationId, request)).status === 429);
        }
      }
      assert.equal((await calm('testWebhook', jsonOf({ url: 'https://example.com/' }))).status, 409);
      small.ctl('destination', 'add', 'central', '--type', 'put', '--url', 'https://example.com/');
      assert.equal((await calm('testDestination', { path: { name: 'central' } })).status, 409);
      const { request_id } = (await calm('createReport', jsonOf({ product: 'ASR', account_id: ACCOUNT }))).json();
      const cancelled = await calm('cancelReport', { path: { id: request_id } });
      assert.equal(cancelled.json().request_status, 'ABORTED');
    } finally {
      await small.stop();
    }
  });

  it('of HTTP itself are problems, too', async () => {
    for (const [method, path, status] of [['DELETE', '/v2/account', 405], ['GET', '/nothing', 404], ['GET', `/${'x'.repeat(20000)}`, 414]]) {
      const answer = await fetch(new URL(path, daemon.url), { method });
      assert.equal(answer.status, status);
      assert.deepEqual(api.schemaErrors('/components/schemas/Problem', await answer.json()), []);
    }
  });
});

it('every answer that is described has been seen, but rare ones', () => {
  const described = api.operations().flatMap(({ described: { operationId, responses } }) =>
    Object.keys(responses).filter((status) => status !== 'default' && !RARE.has(status) && status !== '429')
      .map((status) => `${operationId} ${status}`));
  assert.deepEqual(described.filter((one) => !api.seen.has(one) && !ELSEWHERE.has(one)), []);
});
