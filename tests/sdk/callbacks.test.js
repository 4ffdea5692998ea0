/* SPDX-License-Identifier: ISC */
/*
 * callbacks.test.js: what a receiver sees when reports end, its signatures checked by the npm package standardwebhooks,
 * unmodified.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Auth } from '@vonage/auth';
import { Product, Reports } from '@vonage/reports';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';

import { Daemon } from './daemon.js';
import { DAY } from './queries.js';

const WAIT_MS = 60000;

let daemon;
let account;
let reports;
let receiver;

/* An HTTP server that keeps what it gets and answers with the statuses told to it, then with 200. */
async function startReceiver() {
  const received = [];
  const statuses = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    received.push({ headers: request.headers, path: request.url, body: Buffer.concat(chunks).toString('utf8') });
    response.writeHead(statuses.shift() ?? 200).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, received, statuses, url: (path) => `http://127.0.0.1:${server.address().port}${path}` };
}

/* The callbacks that came to a path, when there are `count`. */
async function callbacksTo(path, count) {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const there = receiver.received.filter((one) => one.path === path);
    if (there.length >= count) {
      return there;
    }
    assert.ok(Date.now() < deadline, `${there.length} callbacks to ${path}, not ${count}`);
    await sleep(20);
  }
}

const secretOf = (credentials) => JSON.parse(daemon.ctl('account', 'webhook-secret', credentials.apiKey)).secret;

/* The body, or the library's error. */
const verify = (callback, secret) => new Webhook(secret).verify(callback.body, callback.headers);

const makeReport = (path) => reports.createReport({
  product: Product.MESSAGES,
  direction: 'outbound',
  accountId: account.apiKey,
  ...DAY,
  callbackUrl: receiver.url(path),
});

before(async () => {
  receiver = await startReceiver();
  daemon = await Daemon.start({ callback_allow: '127.0.0.0/8', callback_retry_first: '50ms' });
  account = daemon.addAccount('callback', 'correct-horse-battery');
  await daemon.ingest(daemon.generate(Product.MESSAGES, account, 50, DAY.dateStart, DAY.dateEnd));
  reports = new Reports(new Auth(account), { apiHost: daemon.url });
});

after(async () => {
  await daemon?.stop();
  receiver?.server.close();
});

describe('callback of a report', () => {
  it('is signed as Standard Webhooks says and holds the status', async () => {
    const { requestId } = await makeReport('/signed');
    const [callback] = await callbacksTo('/signed', 1);
    const status = verify(callback, secretOf(account));
    assert.equal(status.request_id, requestId);
    assert.equal(status.request_status, 'SUCCESS');
    assert.ok(status._links.download_report.href.includes('/v3/media/'), JSON.stringify(status));
  });

  it('is told from a forged one', async () => {
    await makeReport('/forged');
    const [callback] = await callbacksTo('/forged', 1);
    const secret = secretOf(account);
    assert.throws(() => verify({ ...callback, body: `${callback.body} ` }, secret), WebhookVerificationError);
    const headers = { ...callback.headers, 'webhook-id': 'another' };
    assert.throws(() => verify({ ...callback, headers }, secret), WebhookVerificationError);
  });

  it('is signed anew, under the same id, when it is tried again', async () => {
    receiver.statuses.push(500, 503);
    await makeReport('/again');
    const attempts = await callbacksTo('/again', 3);
    assert.equal(new Set(attempts.map(({ headers }) => headers['webhook-id'])).size, 1);
    for (const attempt of attempts) {
      verify(attempt, secretOf(account));
    }
  });

  it('is right to a receiver that knows the old secret and to one that knows the new', async () => {
    const old = secretOf(account);
    daemon.ctl('account', 'webhook-secret', account.apiKey, '--rotate');
    const fresh = secretOf(account);
    assert.notEqual(fresh, old);
    await makeReport('/rotated');
    const [callback] = await callbacksTo('/rotated', 1);
    verify(callback, old);
    verify(callback, fresh);
  });
});
