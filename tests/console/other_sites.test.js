/* SPDX-License-Identifier: ISC */
/*
 * other_sites.test.js: a page of somebody else's, in a browser that remembers credentials for the daemon, as one does after its
 * own dialog. What such a page makes the browser send is not served; tests/blackbox/test_other_sites.py has each endpoint.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { Daemon, freePort } from '../sdk/daemon.js';
import { launch } from './browser.js';

const JANE = { username: 'jane', password: 'operators-secret-1' };
const HTML = { 'Content-Type': 'text/html' };

let browser;
let daemon;
let account;
let folder; /* of the access log, which knows what was answered where the browser shows nobody an answer */
let evil; /* its pages are what `pages` has, by path */
const pages = new Map();

before(async () => {
  const port = await freePort();
  folder = mkdtempSync(join(tmpdir(), 'cdrd-other-sites-'));
  daemon = await Daemon.start({ operator_listen: `127.0.0.1:${port}`, login_delay_max: 0, access_log: join(folder, 'log') });
  daemon.operators = `http://127.0.0.1:${port}`;
  daemon.ctl('operator', 'add', JANE.username, '--secret', JANE.password);
  account = daemon.addAccount('north-01', 'other-sites-test-1');
  await daemon.ingest([{ product: 'SMS', account_id: 'nobody' }]).catch(() => {}); /* is rejected */
  evil = createServer((request, answer) => {
    answer.writeHead(pages.has(request.url) ? 200 : 404, HTML);
    answer.end(pages.get(request.url) ?? '');
  });
  await new Promise((done) => { evil.listen(0, '127.0.0.1', done); });
  browser = await launch();
});

after(async () => {
  evil?.close();
  evil?.closeAllConnections();
  await browser?.close();
  await daemon?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const ask = (...words) => JSON.parse(daemon.ctl(...words));
const webhookSecret = () => ask('account', 'webhook-secret', account.apiKey).secret;

/* The statuses of what the API has answered until now. */
const answered = () => readFileSync(join(folder, 'log'), 'utf8').split('\n').map((line) => line.split(' '))
  .filter(([, , , , path]) => /^\/(v2|operator\/v1)\//.test(path)).map(([, , , , , status]) => Number(status));

/* Opens a page of the other site, by a name that is none of the daemon's, in a browser whose user has been at `first`, and gives
 * the statuses of what it has sent. */
async function visit(html, credentials, first = `${daemon.url}/v2/account`) {
  const origin = `http://localhost:${evil.address().port}`;
  const context = await browser.newContext({ httpCredentials: credentials });
  const page = await context.newPage();

  /* The log has a line a little after the browser has its answer. */
  const until = async (condition) => {
    for (let waited = 0; !condition() && waited < 600; waited += 1) {
      await page.waitForTimeout(100);
    }
  };
  const earlier = answered().length;

  await page.goto(first);
  await until(() => answered().includes(200, earlier));
  const before = answered().length;

  pages.set('/', html);
  await page.goto(`${origin}/`, { waitUntil: 'commit' }); /* a form of it may leave before it has loaded */
  await until(() => answered().length > before);
  await context.close();
  return answered().slice(before);
}

const form = (action, type = 'application/x-www-form-urlencoded', field = '') => `<form method="post" enctype="${type}" action="${action}">${field}</form><script>document.forms[0].submit()</script>`;
const script = (text) => `<script>${text}</script>`;

describe('a page of another site', () => {
  const customer = () => ({ username: account.apiKey, password: account.apiSecret });

  it('is sent along with credentials by the browser, so that the daemon must look', async () => {
    const statuses = await visit(`<a href="${daemon.url}/v2/account">x</a><script>document.links[0].click()</script>`, customer());
    assert.deepEqual(statuses, [200], 'a link is followed');
  });

  it('cannot rotate the secret of webhooks with a form', async () => {
    const secret = webhookSecret();
    assert.deepEqual(await visit(form(`${daemon.url}/v2/account/webhook/rotate`), customer()), [403]);
    assert.equal(webhookSecret(), secret);
  });

  it('cannot have a report made with a form whose text is JSON', async () => {
    const json = `{"account_id":"${account.apiKey}","product":"SMS","direction":"outbound","x":"`;
    assert.deepEqual(await visit(form(`${daemon.url}/v2/reports`, 'text/plain', `<input name='${json}' value='"}'>`), customer()), [403]);
    assert.deepEqual(ask('report', 'list'), []);
  });

  it('cannot have pages of records charged as images, frames or by scripts', async () => {
    const url = `${daemon.url}/v2/reports/records?account_id=${account.apiKey}&product=SMS&direction=outbound`;
    for (const html of [`<img src="${url}">`, `<iframe src="${url}"></iframe>`, script(`fetch('${url}', { mode: 'no-cors', credentials: 'include' }).catch(() => {})`)]) {
      assert.deepEqual(new Set(await visit(html, customer())), new Set([403]), html);
    }
  });

  it('cannot drop the quarantine, nor have operators search', async () => {
    const kept = ask('quarantine', 'list').length;
    const drop = `${daemon.operators}/operator/v1/quarantine-drop`;
    const requests = [
      form(drop, 'text/plain', '<input name=\'{"number":["all"],"x":"\' value=\'"}\'>'),
      script(`fetch('${drop}', { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"number":["all"]}' }).catch(() => {})`),
      script(`navigator.sendBeacon('${drop}', new Blob(['{"number":["all"]}'], { type: 'text/plain' }))`),
      `<img src="${daemon.operators}/operator/v1/storage">`,
    ];
    for (const html of requests) {
      assert.deepEqual(new Set(await visit(html, JANE, `${daemon.operators}/operator/v1/overview`)), new Set([403]), html);
    }
    assert.ok(kept > 0);
    assert.equal(ask('quarantine', 'list').length, kept);
  });
});
