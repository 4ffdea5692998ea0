/* SPDX-License-Identifier: ISC */
/*
 * usage.test.js: what the page of usage shows is what was ingested.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { Daemon } from '../sdk/daemon.js';
import { Tab, launch } from './browser.js';

const DAY_MS = 86400000;
const RECORDS = 700;

let browser;
let daemon;
let account;
let other;
let sent;

/* Midnight in UTC, so many days before today's. */
const now = Date.now();
const midnight = (before) => `${new Date(now - before * DAY_MS).toISOString().slice(0, 10)}T00:00:00Z`;

before(async () => {
  daemon = await Daemon.start();
  account = daemon.addAccount('usage001', 'usage-secret-1', '--name', 'Usage Ltd');
  other = daemon.addAccount('other001', 'other-secret-1');
  const branch = daemon.addAccount('branch01', 'branch-secret', '--parent', 'usage001', '--name', 'Branch');
  sent = daemon.generate('SMS', account, RECORDS, midnight(7), midnight(0));
  await daemon.ingest(sent);
  await daemon.ingest(daemon.generate('SMS', branch, 30, midnight(7), midnight(0), '--seed', '3'));
  await daemon.ingest(daemon.generate('VOICE-CALL', account, 100, midnight(3), midnight(0)));
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
});

function withUsage(path, test, { options, who = account } = {}) {
  return Tab.use(browser, daemon, options, async (tab, page) => {
    await tab.signIn(who, { path: `#/usage?range=custom&from=${midnight(7).slice(0, 10)}&to=${midnight(1).slice(0, 10)}&zone=UTC${path}` });
    await test(tab, page);
  });
}

const tile = (page, name) => page.getByRole('button', { name, pressed: undefined }).filter({ has: page.locator('.value') }).locator('.value');

/* As Intl writes it in en-US. */
const counted = (list) => list.length.toLocaleString('en-US');

function total(list) {
  const units = list.reduce((sum, { total_price: price }) => sum + BigInt(Math.round(Number(price) * 1e5)), 0n);

  return `€${(Number(units) / 1e5).toFixed(5).replace(/0{1,3}$/, '')}`;
}

describe('usage', () => {
  it('shows how many records there were, and what they cost to the last digit', async () => {
    await withUsage('', async (tab, page) => {
      await tile(page, 'Records').getByText(counted(sent), { exact: true }).waitFor();
      assert.equal(await tile(page, 'Amount in EUR').innerText(), total(sent));
      await page.locator('canvas').waitFor();
      await tab.shoot('usage', { fullPage: true });
    });
  });

  it('shows minutes of products that have durations', async () => {
    await withUsage('&product=VOICE-CALL&metric=minutes', async (tab, page) => {
      await tile(page, 'Minutes').waitFor();
      assert.match(await tile(page, 'Minutes').innerText(), /^\d[\d,]*:\d\d$/);
      await tab.heading('Minutes by day').waitFor();
    });
  });

  it('sums up by a column, whose values are filters', async () => {
    await withUsage('&by=status', async (tab, page) => {
      const delivered = sent.filter(({ status }) => status === 'delivered');
      await page.getByRole('button', { name: 'delivered', exact: true }).click();
      await tile(page, 'Records').getByText(counted(delivered), { exact: true }).waitFor();
      assert.match(page.url(), /f\.status=delivered/);
      await page.getByRole('button', { name: 'Remove the filter Status' }).click();
      await tile(page, 'Records').getByText(counted(sent), { exact: true }).waitFor();
    });
  });

  it('is that of subaccounts, too, if they are chosen', async () => {
    await withUsage('', async (tab, page) => {
      await page.getByLabel('Account', { exact: true }).selectOption('This and all subaccounts');
      await tile(page, 'Records').getByText(String(RECORDS + 30), { exact: true }).waitFor();
      await page.getByRole('button', { name: 'branch01' }).click();
      await tile(page, 'Records').getByText('30', { exact: true }).waitFor();
    });
  });

  it('looks closer at the days that are dragged over', async () => {
    await withUsage('', async (tab, page) => {
      const box = await page.locator('.u-over').boundingBox();
      const y = box.y + box.height / 2;
      await page.mouse.move(box.x + box.width * 0.3, y);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.36, y, { steps: 4 });
      await page.mouse.up();
      await tab.heading('Records by hour').waitFor();
      const day = midnight(5).slice(0, 10);
      assert.match(page.url(), new RegExp(`from=${day}&to=${day}`));
    });
  });

  it('is a file of the numbers in the table', async () => {
    await withUsage('&by=country', async (tab, page) => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV of this table' }).click()]);
      const lines = readFileSync(await download.path(), 'utf8').trim().split('\r\n');
      assert.equal(lines[0], 'country,records,records_before,seconds,amount_EUR');
      const countries = new Set(sent.map(({ country }) => country));
      assert.equal(lines.length, countries.size + 1);
      assert.equal(lines.slice(1).reduce((sum, line) => sum + Number(line.split(',')[1]), 0), RECORDS);
    });
  });

  it('says how many records have no price, or one that cannot be read, and so does its CSV', async () => {
    const gaps = daemon.addAccount('gaps0001', 'gaps-secret-1');
    const list = daemon.generate('SMS', gaps, 60, midnight(7), midnight(0), '--seed', '5');
    for (const record of list.slice(0, 7)) {
      record.total_price = '';
    }
    await daemon.ingest(list);
    await withUsage('&by=country', async (tab, page) => {
      /* Ingest lets no such price in any more; older data may have them. */
      await page.route('**/summary?*', async (route) => {
        const answer = await route.fetch();
        const body = await answer.json();
        for (const group of [...body.groups.slice(0, 1), body.total].filter(({ count }) => count > 0)) {
          group.unreadable = 2;
        }
        await route.fulfill({ response: answer, json: body });
      });
      await page.reload();
      await page.getByLabel('Account', { exact: true }).fill(gaps.apiKey);
      await page.getByLabel('Secret', { exact: true }).fill(gaps.apiSecret);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('7 of these records have no price').waitFor();
      await page.getByText('2 of these records have a price or duration that is not a number').waitFor();
      assert.equal(await tile(page, 'Amount in EUR').innerText(), total(list));
      await page.getByRole('columnheader', { name: 'Without price' }).waitFor();
      await tab.shoot('usage-gaps', { fullPage: true });
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV of this table' }).click()]);
      const lines = readFileSync(await download.path(), 'utf8').trim().split('\r\n').map((line) => line.split(','));
      assert.deepEqual(lines[0].slice(-2), ['unpriced', 'unreadable']);
      assert.equal(lines.slice(1).reduce((sum, line) => sum + Number(line.at(-2)), 0), 7);
      assert.equal(lines.slice(1).reduce((sum, line) => sum + Number(line.at(-1)), 0), 2);
    }, { who: gaps });
  });

  it('takes less than 100 KB until all of it is shown, files and answers', async () => {
    await Tab.use(browser, daemon, {}, async (tab, page) => {
      await tab.signIn(account, { keep: true, path: '#/prices' });
      const probe = await tab.context.newPage();
      const network = await tab.context.newCDPSession(probe);
      let bytes = 0;
      await network.send('Network.enable');
      await network.send('Network.setCacheDisabled', { cacheDisabled: true });
      network.on('Network.loadingFinished', ({ encodedDataLength }) => { bytes += encodedDataLength; });
      await probe.goto(`${daemon.url}/console/#/usage?range=30d`);
      await probe.locator('canvas').waitFor();
      await probe.getByRole('row', { name: /^All / }).waitFor();
      assert.ok(bytes > 20000 && bytes < 100000, `${bytes} bytes`);
    });
  });

  it('says why there is nothing, and where there is something', async () => {
    await withUsage('&f.country=XX', async (tab, page) => {
      await tab.heading('No records in this range').waitFor();
      await page.getByText('none in the last 13 months either').waitFor();
      await tab.shoot('usage-empty');
    });
  });

  it('is never that of another customer', async () => {
    await withUsage('&account=usage001', async (tab, page) => {
      await tab.heading('Not allowed').waitFor();
      assert.equal(await page.getByText(counted(sent), { exact: true }).count(), 0);
    }, { who: other });
    await withUsage('', (tab) => tab.heading('No records in this range').waitFor(), { who: other });
  });
});
