/* SPDX-License-Identifier: ISC */
/*
 * prices.test.js: what is shown of a plan and its charges is what was charged.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Daemon } from '../sdk/daemon.js';
import { Tab, launch } from './browser.js';

const plan = await import(join(resolve(process.env.srcdir ?? '../..'), 'src', 'console', 'web', 'plan.js'));

let browser;
let daemon;
let account;

before(async () => {
  daemon = await Daemon.start({ plans: 'tiered: free 10, record 0.0004 to 25, record 0.0003, month 12.50', plan_default: 'tiered' });
  account = daemon.addAccount('prices01', 'prices-secret');
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
});

function withPrices(test) {
  return Tab.use(browser, daemon, {}, async (tab, page) => {
    await tab.signIn(account, { path: '#/prices' });
    await test(tab, page);
  });
}

describe('the price of so many records', () => {
  const tiered = { free: 10, tiers: [{ to: 25, price: '0.0004' }, { to: null, price: '0.0003' }] };

  it('is exact over all tiers, of which the free ones are a part', () => {
    assert.deepEqual([0, 10, 11, 25, 26, 1000].map((volume) => plan.costOf(tiered, volume)),
      ['0.0000', '0.0000', '0.0004', '0.0060', '0.0063', '0.2985']);
    assert.equal(plan.costOf({ free: 0, tiers: [] }, 1000), '0');
  });

  it('is forecast from the second day of a month on', () => {
    assert.equal(plan.forecastOf(100, Date.parse('2026-04-01T12:00:00Z')), null);
    assert.equal(plan.forecastOf(100, Date.parse('2026-04-16T00:00:00Z')), 200);
  });
});

describe('prices', () => {
  it('say that nothing was requested yet', async () => {
    await withPrices(async (tab) => {
      await tab.heading('No requests yet').waitFor();
      await tab.shoot('prices-empty');
    });
  });

  it('are those of the plan, and the statement is what was charged', async () => {
    const to = new Date(Date.now() - 3600000).toISOString();
    const from = new Date(Date.now() - 7200000).toISOString();
    await daemon.ingest(daemon.generate('ASR', account, 30, `${from.slice(0, 19)}Z`, `${to.slice(0, 19)}Z`));
    const query = new URLSearchParams({ account_id: account.apiKey, product: 'ASR', date_start: from, date_end: new Date().toISOString() });
    const basic = { Authorization: `Basic ${Buffer.from(`${account.apiKey}:${account.apiSecret}`).toString('base64')}` };
    const page = await fetch(`${daemon.url}/v2/reports/records?${query}`, { headers: basic });
    assert.equal((await page.json()).items_count, 30);
    const charges = new URLSearchParams({ account_id: account.apiKey, product: 'REPORTS-USAGE', date_start: from, date_end: new Date(Date.now() + 600000).toISOString() });
    for (let count = 0; count === 0; await sleep(50)) { /* a charge may wait for usage_delay */
      ({ total: { count } } = await (await fetch(`${daemon.url}/v2/reports/summary?${charges}`, { headers: basic })).json());
    }

    await withPrices(async (tab, tabPage) => {
      /* 15 at 0.0004, 5 at 0.0003, and the fee; on a month's last day it is the forecast, too. */
      await tabPage.locator('.tile', { hasText: 'Charged this month' }).getByText('€12.5075', { exact: true }).waitFor();
      await tabPage.getByRole('row', { name: /from 26.*you are here.*€0.0003/ }).waitFor();
      await tab.shoot('prices', { fullPage: true });
      await tabPage.getByRole('button', { name: /until now/ }).click();
      const drawer = tabPage.getByRole('dialog');
      await drawer.getByRole('row', { name: /ASR Pages of records 1 €0.0075/ }).waitFor();
      const [download] = await Promise.all([tabPage.waitForEvent('download'), drawer.getByRole('button', { name: 'CSV' }).click()]);
      const month = new Date().toISOString().slice(0, 7);
      assert.equal(readFileSync(await download.path(), 'utf8'),
        `month,account_id,product,job_type,requests,charged_EUR\r\n${month},prices01,ASR,SYNC_JOB_FROM_DATES,1,0.0075\r\n${month},prices01,tiered,MONTHLY_FEE,,12.5\r\n`);
      await drawer.getByRole('row', { name: /Plan tiered Monthly fee – €12.5000/ }).waitFor();
      await drawer.getByRole('row', { name: /All 1 €12.5075/ }).waitFor();
      await tabPage.keyboard.press('Escape');
      await drawer.waitFor({ state: 'detached' });
    });
  });

  it('of months without a request have the fees that were owed, in their statements, too', async () => {
    await Tab.use(browser, daemon, {}, async (tab, page) => {
      const before = new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() - 2, 1)).toISOString().slice(0, 7);
      /* The account is as young as this test. */
      await page.route('**/v2/account?*', async (route) => {
        const answer = await route.fetch();
        const body = await answer.json();
        await route.fulfill({ response: answer, json: { ...body, fees: [...body.fees, { month: before, plan: 'old', amount: '7.25', currency: 'EUR' }] } });
      });
      await tab.signIn(account, { path: `#/prices?month=${before}` });
      await page.getByRole('dialog').getByRole('row', { name: /Plan old Monthly fee – €7.25/ }).waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('row', { name: /0 – €7.25/ }).waitFor();
    });
  });
});
