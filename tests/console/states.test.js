/* SPDX-License-Identifier: ISC */
/*
 * states.test.js: what a user sees while something is slow, refused, over, or not there; and that it passes by itself.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Daemon, SLOW } from '../sdk/daemon.js';
import { Tab, launch } from './browser.js';

let browser;
let daemon;

before(async () => {
  daemon = await Daemon.start({ login_delay_max: 0 });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
});

let accounts = 0;

/* Signed in, with records of yesterday, on the page of usage: in the first hour after midnight, today has none of an hour ago. */
async function withTab(test, { keep = false, path = '#/usage?range=7d&zone=UTC', records = true } = {}) {
  const account = daemon.addAccount(`states${String(accounts += 1).padStart(2, '0')}`, 'states-secret-1');
  const yesterday = new Date(Date.now() - 86400000).toISOString().slice(0, 10);

  if (records) {
    await daemon.ingest(daemon.generate('SMS', account, 25, `${yesterday}T11:00:00Z`, `${yesterday}T12:00:00Z`));
  }
  await Tab.use(browser, daemon, {}, async (tab, page) => {
    await tab.signIn(account, { keep, path });
    await test(tab, page, account);
  });
}

/* All of it: the sums, and the table below them, which is loaded last. */
async function shown(page) {
  await page.locator('.value').first().waitFor();
  await page.getByRole('row', { name: /^All / }).waitFor();
}

const banner = (page) => page.locator('.connection');

describe('a page', () => {
  it('shows that it loads, and then what it has loaded', async () => {
    await withTab(async (tab, page) => {
      await shown(page);
      let release;
      const held = new Promise((done) => { release = done; });
      await page.route('**/summary?*', async (route) => {
        await held;
        await route.continue();
      });
      await page.goto(`${daemon.url}/console/#/prices`);
      await page.locator('.loading, [aria-busy=true]').first().waitFor();
      await tab.shoot('loading');
      release();
      await tab.heading('Months').waitFor();
    });
  });

  it('waits by itself when there were too many requests', SLOW, async () => {
    await withTab(async (tab, page) => {
      await shown(page);
      let refused = 0;
      await page.route('**/summary?*', (route) => {
        refused += 1;
        return refused > 2 ? route.continue() : route.fulfill({ status: 429, headers: { 'Retry-After': '1' }, contentType: 'application/problem+json', body: '{"title":"Too Many Requests"}' });
      });
      await page.getByLabel('Dates').selectOption('Yesterday');
      await banner(page).getByText('Too many requests').waitFor();
      await shown(page);
      await banner(page).getByText('Too many').waitFor({ state: 'detached' });
      assert.ok(refused > 2);
    });
  });

  it('waits for a limit of the daemon itself, and gets everything in the end', async () => {
    await daemon.pause();
    daemon.arguments.push('-o', 'sync_rate_max=1');
    await daemon.resume();
    await withTab(async (tab, page) => {
      await page.locator('.value').first().getByText('25', { exact: true }).waitFor();
      await page.getByRole('row', { name: /^All / }).waitFor();
    });
    daemon.arguments.splice(-2);
    await daemon.pause();
    await daemon.resume();
  });

  it('waits while the server is busy', SLOW, async () => {
    await withTab(async (tab, page) => {
      await shown(page);
      let refused = 0;
      await page.route('**/summary?*', (route) => {
        refused += 1;
        return refused > 1 ? route.continue() : route.fulfill({ status: 503, headers: { 'Retry-After': '2' }, contentType: 'application/problem+json', body: '{}' });
      });
      await page.getByLabel('Dates').selectOption('Yesterday');
      await banner(page).getByText('The server is busy').waitFor();
      await tab.shoot('busy');
      await banner(page).getByText('The server is busy').waitFor({ state: 'detached' });
      await shown(page);
    });
  });

  it('says that the browser is offline, and continues when it is no longer', SLOW, async () => {
    await withTab(async (tab, page) => {
      await shown(page);
      await tab.context.setOffline(true);
      await page.getByLabel('Dates').selectOption('Yesterday');
      await banner(page).getByText('You are offline').waitFor();
      await tab.context.setOffline(false);
      await banner(page).getByText('You are offline').waitFor({ state: 'detached' });
      await page.getByText('The newest is of').or(page.locator('.value').first()).first().waitFor();
    });
  });

  it('continues where it was when the daemon was restarted meanwhile', SLOW, async () => {
    await withTab(async (tab, page) => {
      await shown(page);
      await daemon.pause();
      await page.getByLabel('Dates').selectOption('Last 30 days');
      await banner(page).getByText('The server cannot be reached').waitFor();
      await tab.shoot('restarted');
      await daemon.resume();
      await banner(page).getByText('The server cannot be reached').waitFor({ state: 'detached' });
      await page.locator('.value').first().getByText('25', { exact: true }).waitFor();
    }, { keep: true });
  });

  it('asks to sign in again, and why, when the secret was revoked', async () => {
    for (const keep of [false, true]) {
      await withTab(async (tab, page, account) => {
        await shown(page);
        daemon.ctl('secret', 'add', account.apiKey);
        daemon.ctl('secret', 'revoke', account.apiKey, '1');
        await page.getByLabel('Dates').selectOption('Today');
        await page.getByRole('alert').getByText('the secret was revoked').waitFor();
        assert.match(page.url(), /#\/usage\?range=today/, 'after signing in again, the same page is shown');
      }, { keep });
    }
  });

  it('says what is not allowed, wrong or broken, and how to go on', async () => {
    await withTab(async (tab) => tab.heading('Not allowed').waitFor(), { path: '#/usage?account=nobody99', records: false });
    await withTab(async (tab, page) => {
      await page.getByRole('alert').waitFor();
      assert.match(await page.getByRole('alert').innerText(), /NONSENSE/);
      await tab.shoot('failure');
    }, { path: '#/usage?product=NONSENSE', records: false });
    await withTab(async (tab, page) => {
      await shown(page);
      let failures = 0;
      await page.route('**/summary?*', (route) => {
        failures += 1;
        return failures > 1 ? route.continue() : route.fulfill({ status: 500, contentType: 'application/problem+json', body: '{"title":"Internal Server Error","detail":"Quote the instance.","instance":"abc-1"}' });
      });
      await page.getByLabel('Dates').selectOption('Yesterday');
      await page.getByText('Reference for support').waitFor();
      await page.getByRole('button', { name: 'Try again' }).first().click();
      await shown(page);
    });
  });

  it('that does not exist leads to one that does', async () => {
    await withTab(async (tab, page) => {
      await tab.heading('There is no such page').waitFor();
      await page.getByRole('link', { name: 'Go to Usage' }).click();
      await tab.heading('Usage').waitFor();
    }, { path: '#/nowhere', records: false });
  });
});
