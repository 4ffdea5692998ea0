/* SPDX-License-Identifier: ISC */
/*
 * webhooks.test.js: what a receiver got is what the page says that it was sent.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, it } from 'node:test';

import { Daemon } from '../sdk/daemon.js';
import { Tab, launch } from './browser.js';

let browser;
let daemon;
let account;
let receiver;
let received;
let answer;

before(async () => {
  receiver = createServer((request, response) => {
    received.push(request.headers);
    request.resume();
    response.writeHead(answer).end();
  });
  await new Promise((done) => { receiver.listen(0, '127.0.0.1', done); });
  daemon = await Daemon.start({ callback_allow: '127.0.0.1' });
  account = daemon.addAccount('hooks001', 'hooks-secret-1');
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  receiver?.close();
});

function withWebhooks(test) {
  return Tab.use(browser, daemon, { permissions: ['clipboard-read', 'clipboard-write'] }, async (tab, page) => {
    await tab.signIn(account, { path: '#/webhooks' });
    await test(tab, page);
  });
}

async function sendTest(page, url) {
  await page.getByRole('banner').first().waitFor();
  await page.getByRole('button', { name: 'Send a test' }).first().click();
  await page.getByRole('dialog').getByLabel('URL').fill(url);
  await page.getByRole('dialog').getByRole('button', { name: 'Send' }).click();
}

describe('webhooks', () => {
  it('say that nothing was sent, until a test is', async () => {
    received = [];
    answer = 204;
    await withWebhooks(async (tab, page) => {
      await tab.heading('Nothing was sent yet').waitFor();
      await sendTest(page, `http://127.0.0.1:${receiver.address().port}/hook?token=1`);
      await page.getByRole('row', { name: /delivered test .*\/hook HTTP 204/ }).waitFor();
      assert.equal(received.length, 1);
      answer = 500;
      await sendTest(page, `http://127.0.0.1:${receiver.address().port}/hook`);
      await page.getByRole('row', { name: /failed test .*\/hook HTTP 500/ }).waitFor();
      await tab.shoot('webhooks', { fullPage: true });
    });
  });

  it('say what is wrong with a URL where it is typed', async () => {
    await withWebhooks(async (tab, page) => {
      await sendTest(page, 'ftp://example.com/');
      await page.getByRole('dialog').getByText('must be http or https').waitFor();
      assert.equal(await page.getByLabel('URL').getAttribute('aria-invalid'), 'true');
    });
  });

  it('show the secret when asked to, and rotate it', async () => {
    await withWebhooks(async (tab, page) => {
      const secret = page.locator('.secret code').first();
      assert.match(await secret.innerText(), /^whsec_•+$/);
      await page.getByRole('button', { name: 'Show: Secret' }).click();
      const old = await secret.innerText();
      assert.match(old, /^whsec_[A-Za-z0-9+/]{43}=$/);
      await page.getByRole('button', { name: 'Copy: Secret' }).click();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), old);
      await page.getByRole('button', { name: 'Rotate' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
      await page.getByText('Previous secret', { exact: true }).waitFor();
      await page.getByRole('button', { name: 'Show: Previous secret' }).click();
      assert.equal(await page.locator('.secret code').last().innerText(), old);
    });
  });
});
