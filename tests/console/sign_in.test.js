/* SPDX-License-Identifier: ISC */
/*
 * sign_in.test.js: who gets in, for how long, and what ends it.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Daemon } from '../sdk/daemon.js';
import { Tab, launch } from './browser.js';

let browser;
let daemon;
let account;

before(async () => {
  daemon = await Daemon.start();
  account = daemon.addAccount('console1', 'console-secret-1');
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
});

function withTab(test, options) {
  return Tab.use(browser, daemon, options, test);
}

describe('signing in', () => {
  it('leads a browser from / to the console, and nobody else', async () => {
    await withTab(async (tab, page) => {
      await page.goto(daemon.url);
      await tab.heading('Sign in').waitFor();
      assert.equal(page.url(), `${daemon.url}/console/`);
    });
    const answer = await fetch(daemon.url);
    assert.equal(answer.status, 404);
    assert.equal(answer.headers.get('content-type'), 'application/problem+json');
  });

  it('is forgotten by a reload unless the user stays signed in', async () => {
    await withTab(async (tab, page) => {
      await tab.signIn(account);
      await tab.heading('Usage').waitFor();
      assert.deepEqual(await tab.context.cookies(), []);
      await page.reload();
      await tab.heading('Sign in').waitFor();
    });
  });

  it('is kept by a cookie that scripts cannot read, until the user signs out', async () => {
    await withTab(async (tab, page) => {
      await tab.signIn(account, { keep: true });
      await tab.heading('Usage').waitFor();
      const [cookie] = await tab.context.cookies();
      assert.deepEqual([cookie.name, cookie.httpOnly, cookie.sameSite, cookie.path], ['cdrd_session', true, 'Strict', '/']);
      assert.equal(await page.evaluate(() => document.cookie), '');
      await page.reload();
      await tab.heading('Usage').waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await tab.heading('Sign in').waitFor();
      const answer = await fetch(`${daemon.url}/v2/account`, { headers: { Cookie: `cdrd_session=${cookie.value}`, 'X-Requested-With': 'test' } });
      assert.equal(answer.status, 401, 'a copy of the cookie is worthless after the user has signed out');
    });
  });

  it('is not said to be over while the server has not ended it', async () => {
    await withTab(async (tab, page) => {
      await tab.signIn(account, { keep: true });
      await tab.heading('Usage').waitFor();
      const fails = (route) => route.request().method() === 'DELETE' ? route.fulfill({ status: 500, json: { detail: 'No room is left.' } }) : route.continue();
      await page.route('**/console/session', fails);
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByText('You are still signed in: No room is left.').waitFor();
      await tab.heading('Usage').waitFor();
      await page.unroute('**/console/session', fails);
      await page.getByRole('button', { name: 'Sign out' }).click();
      await tab.heading('Sign in').waitFor();
    });
  });

  it('says when the secret is wrong, and never opens the dialog of the browser', async () => {
    await withTab(async (tab, page) => {
      const challenges = [];
      page.on('response', (answer) => challenges.push(answer.headers()['www-authenticate'] ?? ''));
      await tab.go();
      await page.getByLabel('Account', { exact: true }).fill(account.apiKey);
      await page.getByLabel('Secret', { exact: true }).fill('not-the-secret');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').getByText('do not belong together').waitFor();
      assert.deepEqual(challenges.filter((one) => /basic/i.test(one)), []);
    });
  });
});
