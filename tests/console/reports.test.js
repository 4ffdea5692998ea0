/* SPDX-License-Identifier: ISC */
/*
 * reports.test.js: reports are asked for, watched, downloaded, cancelled and made again in the browser.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { Daemon } from '../sdk/daemon.js';
import { Tab, launch } from './browser.js';

const DAY_MS = 86400000;
const now = Date.now();
const midnight = (before) => `${new Date(now - before * DAY_MS).toISOString().slice(0, 10)}T00:00:00Z`;
const dayText = (before) => midnight(before).slice(0, 10);
const RANGE = `range=custom&from=${dayText(6)}&to=${dayText(1)}&zone=UTC`;
const RECORDS = 400;

let browser;
let daemon;
let slow;
let account;
let other;
let sent;

before(async () => {
  daemon = await Daemon.start({ plans: 'payg: record 0.0004' });
  account = daemon.addAccount('report01', 'reports-secret-1', '--name', 'Reports Ltd');
  other = daemon.addAccount('report02', 'reports-secret-2');
  sent = daemon.generate('SMS', account, RECORDS, midnight(6), midnight(0)).filter(({ direction }) => direction === 'outbound');
  await daemon.ingest(sent);
  slow = await Daemon.start({ report_pause: '2s' });
  slow.addAccount('report01', 'reports-secret-1');
  await slow.ingest(slow.generate('SMS', account, 20000, midnight(6), midnight(0)));
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  await slow?.stop();
});

function withReports(path, test, { options, who = account, of = daemon } = {}) {
  return Tab.use(browser, of, options, async (tab, page) => {
    await tab.signIn(who, { path: `#/reports?${path}` });
    await test(tab, page);
  });
}

const row = (page, n = 0) => page.locator('.table tbody tr').nth(n);
const fact = (page, name) => page.locator('.estimate div').filter({ has: page.getByText(name, { exact: true }) }).locator('dd');

/* The lines of the one file in a zip. */
const lines = (path) => execFileSync('unzip', ['-p', path], { encoding: 'utf8' }).trim().split('\n');

describe('reports', () => {
  it('that there are none: says what they are for', async () => {
    await withReports('', async (tab, page) => {
      await tab.heading('No reports yet').waitFor();
      await tab.shoot('reports-none');
    }, { who: other });
  });

  it('are estimated, made and downloaded', async () => {
    await withReports(`${RANGE}&new=yes`, async (tab, page) => {
      await fact(page, 'Records').getByText(String(sent.length), { exact: true }).waitFor();
      assert.match(await fact(page, 'Price').innerText(), /^€0\.\d+$/);
      assert.match(await fact(page, 'Size').innerText(), /^about \d.* k?bytes?$|^about \d.* kB$/, 'though no such report was made yet');
      await page.getByLabel('Filter by').selectOption('Status');
      await page.getByLabel('Status', { exact: true }).selectOption('delivered');
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      const delivered = sent.filter(({ status }) => status === 'delivered');
      await fact(page, 'Records').getByText(String(delivered.length), { exact: true }).waitFor();
      await tab.shoot('report-new');
      await page.getByRole('button', { name: 'Make the report' }).click();
      await row(page).getByText('Ready').waitFor();
      const [download] = await Promise.all([page.waitForEvent('download'), row(page).getByRole('button', { name: 'Download' }).click()]);
      assert.equal(lines(await download.path()).length, delivered.length + 1);
      await row(page).getByRole('button').first().click();
      await page.getByRole('dialog').getByText('SHA-256').waitFor();
      await tab.shoot('report');
    });
  });

  it('have the columns and the form that were chosen, and can be made again as they were', async () => {
    await withReports(`${RANGE}&new=yes&format=excel`, async (tab, page) => {
      await page.getByRole('button', { name: 'Choose', exact: true }).click();
      for (const name of await page.locator('.columns .check label').allInnerTexts()) {
        if (!['To', 'Status', 'Date received'].includes(name)) {
          await page.locator('.columns').getByLabel(name, { exact: true }).uncheck();
        }
      }
      await page.getByRole('button', { name: 'Make the report' }).click();
      await row(page, 1).waitFor();
      await row(page).getByText('Ready').waitFor();
      const [download] = await Promise.all([page.waitForEvent('download'), row(page).getByRole('button', { name: 'Download' }).click()]);
      const text = lines(await download.path());
      assert.equal(text.length, sent.length + 1);
      assert.deepEqual(text[0].replace(/^\uFEFF|"/g, '').trim().split(',').toSorted(), ['date_received', 'status', 'to']);
      await row(page).getByRole('button', { name: 'Again' }).click();
      await fact(page, 'Records').getByText(String(sent.length), { exact: true }).waitFor();
      assert.equal(await page.getByLabel('Format').inputValue(), 'excel');
      await page.getByText('3 of').waitFor();
      await fact(page, 'Size').getByText(/about .*B/).waitFor();
    });
  });

  it('can be Parquet, which has a compression of its own', async () => {
    const fresh = daemon.addAccount('report04', 'reports-secret-4');
    await withReports(`${RANGE}&new=yes`, async (tab, page) => {
      await page.getByLabel('Compression').selectOption('Zstandard');
      await page.getByLabel('Format').selectOption('Parquet');
      await page.getByLabel('Compression').waitFor({ state: 'detached' });
      await page.getByRole('button', { name: 'Make the report' }).click();
      await row(page).getByText('Ready').waitFor();
      const [download] = await Promise.all([page.waitForEvent('download'), row(page).getByRole('button', { name: 'Download' }).click()]);
      assert.match(download.suggestedFilename(), /^SMS_.*\.parquet$/);
      assert.equal(readFileSync(await download.path(), 'latin1').slice(0, 4), 'PAR1');
      await row(page).getByRole('button', { name: 'Again' }).click();
      await page.getByLabel('Format').and(page.locator('select')).waitFor();
      assert.equal(await page.getByLabel('Format').inputValue(), 'parquet');
    }, { who: fresh });
  });

  it('show how far they are, and can be cancelled', async () => {
    await withReports(`${RANGE}&new=yes&message=yes`, async (tab, page) => {
      await page.getByRole('button', { name: 'Make the report' }).click();
      await row(page).getByRole('progressbar').waitFor();
      await page.waitForFunction(() => Number(document.querySelector('[role=progressbar]')?.ariaValueNow) > 0);
      await tab.shoot('report-progress');
      await row(page).getByRole('button', { name: 'Cancel' }).click();
      await row(page).getByText('Cancelled').waitFor();
    }, { of: slow });
  });

  it('are made every month by a schedule, until it is removed', async () => {
    await withReports(`${RANGE}&new=yes&f.status=delivered`, async (tab, page) => {
      await page.getByLabel('How often').selectOption('Every month');
      await page.getByText('a report of the month before').waitFor();
      await page.getByRole('button', { name: 'Set the schedule' }).click();
      const schedules = page.getByRole('region', { name: 'Schedules' });
      await schedules.getByText('Every month').waitFor();
      await schedules.locator('tbody').getByRole('button').click();
      await page.getByText('It has not run yet').waitFor();
      assert.equal(await page.getByRole('dialog').locator('.facts').first().locator('dt').count(), 5);
      await tab.shoot('schedule');
      await page.getByRole('button', { name: 'Remove' }).click();
      await page.getByRole('dialog', { name: 'Remove the schedule' }).getByRole('button', { name: 'Remove' }).click();
      await schedules.waitFor({ state: 'detached' });
    });
  });

  it('are delivered to a destination where there is one, once and by a schedule', async () => {
    const { apiKey } = daemon.addAccount('report03', 'reports-secret-3');
    const who = { apiKey, apiSecret: 'reports-secret-3' };
    await withReports(`${RANGE}&new=yes`, async (tab, page) => {
      await page.getByRole('button', { name: 'Make the report' }).waitFor();
      assert.equal(await page.getByLabel('Deliver to').count(), 0);
    }, { who });
    daemon.ctl('destination', 'add', 'archive', '--account', apiKey, '--type', 'put', '--url', 'https://192.0.2.1/');
    await withReports(`${RANGE}&new=yes`, async (tab, page) => {
      await page.getByLabel('Deliver to').selectOption('archive');
      const asked = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/v2/reports'));
      await page.getByRole('button', { name: 'Make the report' }).click();
      assert.equal((await asked).postDataJSON().destination, 'archive');
      await row(page).waitFor();
    }, { who });
    await withReports(`${RANGE}&new=yes&deliver=archive`, async (tab, page) => {
      await page.getByLabel('How often').selectOption('Every month');
      await page.getByRole('button', { name: 'Set the schedule' }).click();
      const schedules = page.getByRole('region', { name: 'Schedules' });
      await schedules.locator('tbody').getByRole('button').click();
      await page.getByRole('dialog').getByText('archive').waitFor();
    }, { who });
  });

  it('say what is wrong with a request where it is', async () => {
    await withReports(`${RANGE}&new=yes`, async (tab, page) => {
      await fact(page, 'Records').getByText(String(sent.length), { exact: true }).waitFor();
      await page.getByLabel('Callback URL').fill('ftp://example.com/');
      await page.getByRole('button', { name: 'Make the report' }).click();
      await page.locator('.field.wrong .error').waitFor();
    });
  });

  it('of another customer are never shown', async () => {
    await withReports('new=yes&account=report01', async (tab, page) => {
      await page.locator('.estimate .notice.bad').waitFor();
      await tab.heading('No reports yet').waitFor();
    }, { who: other });
  });

  it('fit on a phone', async () => {
    await withReports(`${RANGE}&new=yes`, async (tab, page) => {
      await fact(page, 'Records').getByText(String(sent.length), { exact: true }).waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
      await tab.shoot('reports-phone', { fullPage: true });
    }, { options: { viewport: { width: 360, height: 740 }, colorScheme: 'dark' } });
  });
});
