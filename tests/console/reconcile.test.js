/* SPDX-License-Identifier: ISC */
/*
 * reconcile.test.js: a carrier's file is sent, compared with the records of a month, and the result read in the browser.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';

import { Daemon } from '../sdk/daemon.js';
import { Tab, launch, violations } from './browser.js';

const MAPPINGS = join(resolve(process.env.srcdir ?? '../..'), 'etc/mappings');
const DAY = new Date(Date.now() - 86400000).toISOString().slice(0, 10);
const MONTH = DAY.slice(0, 7);
const UUID = '00000000-0000-4000-8000-00000000000';
const LONG = '12345678901234.0000000001'; // no number of JavaScript holds it

let browser;
let daemon;
let idle;
let account;
let other;
let calls;

/* As a carrier bills them, for the mapping generic-csv. */
const billOf = (rows) => `${[['id', 'from', 'to', 'start', 'duration', 'status', 'price', 'currency'],
  ...rows.map((row) => [row.id, row.from, `+${row.to}`, row.date_start, row.duration, row.status, row.total_price, row.currency])].map((cells) => cells.join(',')).join('\n')}\n`;

const callOf = (n, changes = {}) => ({
  product: 'VOICE-CALL', account_id: account.apiKey, id: UUID + n, call_id: UUID + n, direction: 'outbound', from: '15550100001', to: `44770090010${n}`, country: 'GB',
  date_start: `${DAY}T10:0${n}:00Z`, duration: '60', status: 'answered', currency: 'EUR', total_price: '0.05', ...changes,
});

before(async () => {
  daemon = await Daemon.start({ mappings_dir: MAPPINGS, login_delay_max: 0 });
  account = daemon.addAccount('recon001', 'recon-secret-1');
  other = daemon.addAccount('recon002', 'recon-secret-2');
  calls = [callOf(0), callOf(1, { total_price: LONG }), callOf(2), callOf(3, { currency: 'USD' }), callOf(4), callOf(5)];
  await daemon.ingest(calls);
  idle = await Daemon.start({ mappings_dir: MAPPINGS, reconciles_max: 0, reconcile_upload_max: '1K', login_delay_max: 0 });
  idle.addAccount(account.apiKey, account.apiSecret);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  await idle?.stop();
});

function withPage(path, test, { options, who = account, of = daemon } = {}) {
  return Tab.use(browser, of, options, async (tab, page) => {
    await tab.signIn(who, { path: `#/reconcile?${path}` });
    await test(tab, page);
  });
}

/* 0 as it is, 1 with another price, 2 with another duration and status, 3 not billed; one more that was never made. */
function bill() {
  return billOf([calls[0], { ...calls[1], total_price: '12345678901234' }, { ...calls[2], duration: '61', status: 'failed' }, calls[4], calls[5], callOf(9, { total_price: '1.5' })]);
}

async function fill(page, { text = bill(), name = 'carrier.csv', match = 'ID' } = {}) {
  await page.getByLabel('Product').selectOption('Voice call');
  await page.getByLabel('Month').selectOption(MONTH);
  await page.getByLabel('Mapping').selectOption('generic-csv');
  await page.getByLabel('Find them by').selectOption(match);
  await page.getByLabel('The carrier\'s file').setInputFiles({ name, mimeType: '', buffer: Buffer.from(text) });
}

const send = (page) => page.getByRole('button', { name: 'Compare', exact: true }).click();
const row = (page, n = 0) => page.getByRole('region', { name: 'Reconciliations' }).locator('tbody tr').nth(n);
const classRow = (page, label) => page.getByRole('region', { name: 'Classes', exact: true }).locator('tbody tr').filter({ has: page.getByText(label, { exact: true }) });

async function cells(of) {
  await of.first().waitFor();
  return of.locator('td').allInnerTexts();
}

const tile = (page, name) => page.locator('.tile').filter({ has: page.getByText(name, { exact: true }) }).locator('.value').innerText();

async function download(page, label) {
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: `CSV of ${label}`, exact: true }).click()]);

  return { name: file.suggestedFilename(), lines: execFileSync('unzip', ['-p', await file.path()], { encoding: 'utf8' }).trim().split('\n') };
}

describe('a carrier\'s file', () => {
  it('is compared by id, and the result has classes, what differs, exact sums and files', async () => {
    await withPage('new=yes', async (tab, page) => {
      await fill(page);
      await tab.shoot('reconcile-new');
      await send(page);
      await row(page).getByText('Ready').waitFor();
      await row(page).getByText('3 matched, 2 different, 1 only ours, 1 only theirs', { exact: true }).waitFor();
      await tab.shoot('reconcile-list');
      await row(page).getByRole('button').first().click();
      assert.deepEqual((await cells(classRow(page, 'Matched'))).slice(1, 5), ['3', '€0.15', '€0.15', '€0.00']);
      assert.deepEqual((await cells(classRow(page, 'Different'))).slice(1, 5), ['2', '€12,345,678,901,234.0500000001', '€12,345,678,901,234.05', '€0.0000000001']);
      assert.deepEqual((await cells(classRow(page, 'Only ours'))).slice(1, 5), ['1', '$0.05', '$0.00', '$0.05']);
      assert.deepEqual((await cells(classRow(page, 'Only theirs'))).slice(1, 5), ['1', '€0.00', '€1.50', '-€1.50']);
      assert.deepEqual([await tile(page, 'Ours'), await tile(page, 'Theirs')], ['6', '6']);
      assert.deepEqual([await tile(page, 'Price differs'), await tile(page, 'Duration differs'), await tile(page, 'Status differs')], ['1', '1', '1']);
      const countries = page.getByRole('region', { name: 'Only ours, by country' }).locator('tbody tr');
      assert.deepEqual(await cells(countries), ['United Kingdom', 'USD', '1', '0', '$0.05', '$0.00', '$0.05']);
      await page.getByText(/^Removed with its files in /).waitFor();
      const theirs = await download(page, 'Only theirs');
      assert.equal(theirs.name, `reconcile_VOICE-CALL_${MONTH}_only_theirs.zip`);
      assert.equal(theirs.lines.length, 2);
      assert.match(theirs.lines[1], new RegExp(`${UUID}9`));
      assert.equal((await download(page, 'Different')).lines.length, 3);
      assert.deepEqual(await violations(page), []);
      await tab.shoot('reconcile-result', { fullPage: true });
    });
  });

  it('is compared by number and time within tolerances, of what is chosen, and may be compressed', async () => {
    await withPage('new=yes', async (tab, page) => {
      const later = calls.map((call) => ({ ...call, id: `X${call.id}`, date_start: call.date_start.replace(':00Z', ':20Z'), duration: '62', total_price: '9' }));
      await fill(page, { text: gzipSync(billOf(later)), name: 'late.csv.gz', match: 'Number called and time' });
      await page.getByLabel('Times may differ by').fill('25');
      await page.getByLabel('Durations may differ by').fill('2');
      await page.getByLabel('Price', { exact: true }).uncheck();
      await send(page);
      await row(page).getByText('late.csv.gz').waitFor();
      await row(page).getByText('6 matched', { exact: true }).waitFor();
    });
  });

  it('that cannot be read says why', async () => {
    await withPage('new=yes', async (tab, page) => {
      await fill(page, { text: 'nothing,of,this\n1,2,3\n', name: 'odd.csv' });
      await send(page);
      await row(page).getByText('Failed').waitFor();
      assert.match(await row(page).innerText(), /The header line lacks/);
      await row(page).getByRole('button').first().click();
      await tab.heading('What was asked for').waitFor();
      await tab.shoot('reconcile-failed');
    });
  });

  it('that is too large, and settings that are wrong, are refused where they are', async () => {
    await withPage('new=yes', async (tab, page) => {
      await fill(page, { match: 'Number called and time' });
      await page.getByLabel('Times may differ by').fill('soon');
      await send(page);
      await page.locator('.field.wrong').getByText('whole seconds').or(page.locator('.field.wrong').getByText('decimal number')).first().waitFor();
      await tab.shoot('reconcile-wrong');
      await page.getByLabel('Times may differ by').fill('60');
      await page.getByLabel('The carrier\'s file').setInputFiles({ name: 'large.csv', mimeType: 'text/csv', buffer: Buffer.alloc(4096, 'x') });
      await send(page);
      await page.getByRole('alert').getByRole('heading', { name: 'Content Too Large' }).waitFor();
    }, { of: idle });
  });
});

describe('a reconciliation', () => {
  it('waits for its turn, shows how far it is, and can be cancelled', async () => {
    await withPage('new=yes', async (tab, page) => {
      await fill(page, { text: billOf([calls[0]]) });
      await send(page);
      await row(page).getByText('Waiting').waitFor();
      const one = /\/v2\/reports\/reconcile\/[^/]+$/;
      await page.route(one, async (route) => {
        const answer = await route.fetch();
        await route.fulfill({ response: answer, json: { ...await answer.json(), request_status: 'PROCESSING', start_time: new Date(Date.now() - 60000).toISOString(), progress: { rows_ours: 1, rows_theirs: 1, share: 0.25 } } });
      });
      await row(page).getByRole('progressbar').waitFor();
      assert.equal(await row(page).getByRole('progressbar').getAttribute('aria-valuenow'), '25');
      await tab.shoot('reconcile-progress');
      await page.unroute(one);
      await row(page).getByRole('button', { name: 'Cancel' }).click();
      await row(page).getByText('Cancelled', { exact: true }).waitFor();
    }, { of: idle });
  });

  it('is sent and opened with the keyboard alone', async () => {
    await withPage('', async (tab, page) => {
      await page.getByRole('button', { name: 'New reconciliation' }).first().focus();
      await page.keyboard.press('Enter');
      await fill(page, { name: 'keys.csv' });
      await page.getByLabel('Mapping').focus();
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Compare', exact: true }).focus();
      await page.keyboard.press('Enter');
      await row(page).getByText('keys.csv').waitFor();
      await row(page).getByText('Ready').waitFor();
      await row(page).getByRole('button').first().focus();
      await page.keyboard.press('Enter');
      await classRow(page, 'Matched').waitFor();
      await page.getByRole('link', { name: 'All reconciliations' }).focus();
      await page.keyboard.press('Enter');
      await row(page).waitFor();
    });
  });

  it('of another customer is never shown', async () => {
    const list = await fetch(`${daemon.url}/v2/reports/reconcile`, { headers: { Authorization: `Basic ${Buffer.from(`${account.apiKey}:${account.apiSecret}`).toString('base64')}` } });
    const [{ request_id: id }] = (await list.json()).reconciliations;
    await withPage('', async (tab, page) => {
      await tab.heading('No reconciliations yet').waitFor();
      await page.goto(`${daemon.url}/console/#/reconcile?id=${id}`);
      await page.getByRole('alert').getByRole('heading', { name: 'Not found' }).waitFor();
    }, { who: other });
  });

  it('is in the navigation only of those whose secret or key is good for it', async () => {
    const key = (scope) => ({ apiKey: account.apiKey, apiSecret: JSON.parse(daemon.ctl('key', 'add', account.apiKey, '--scope', scope)).key });
    const link = (page) => page.getByRole('link', { name: 'Reconcile' });
    await withPage('', async (tab, page) => {
      await row(page).waitFor();
      await link(page).waitFor();
    }, { who: key('reports') });
    await withPage('', async (tab, page) => {
      await page.getByRole('alert').getByRole('heading', { name: 'Not allowed' }).first().waitFor();
      await link(page).waitFor({ state: 'detached' });
      await page.getByRole('link', { name: 'Records' }).waitFor();
    }, { who: key('records') });
  });

  it('fits on a telephone, in dark colours, as cards', async () => {
    await withPage('new=yes', async (tab, page) => {
      await fill(page, { name: 'phone.csv' });
      assert.deepEqual(await violations(page), []);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
      await tab.shoot('reconcile-phone-new', { fullPage: true });
      await send(page);
      await row(page).getByText('phone.csv').waitFor();
      await row(page).getByText('Ready').waitFor();
      await row(page).getByRole('button').first().click();
      await classRow(page, 'Matched').waitFor();
      assert.deepEqual(await violations(page), []);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
      assert.equal(await page.evaluate(() => [...document.querySelectorAll('.table')].filter((one) => one.scrollWidth > one.clientWidth).length), 0);
      await tab.shoot('reconciled-phone', { fullPage: true });
    }, { options: { viewport: { width: 360, height: 740 }, colorScheme: 'dark' } });
  });
});
