/* SPDX-License-Identifier: ISC */
/*
 * records.test.js: records that were ingested are found by day, filter, number and id, and shown as they are.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Daemon } from '../sdk/daemon.js';
import { Tab, launch } from './browser.js';

const DAY_MS = 86400000;
const now = Date.now();
const midnight = (before) => `${new Date(now - before * DAY_MS).toISOString().slice(0, 10)}T00:00:00Z`;
const dayText = (before) => midnight(before).slice(0, 10);
const RANGE = `range=custom&from=${dayText(4)}&to=${dayText(1)}&zone=UTC`;
const HOSTILE = '<img src=x onerror=alert(1)>';
const RTL = '\u202Eevil\u202C';

let browser;
let daemon;
let account;
let other;
let sent;
let odd;

before(async () => {
  daemon = await Daemon.start();
  account = daemon.addAccount('record01', 'records-secret-1');
  other = daemon.addAccount('record02', 'records-secret-2');
  sent = [...daemon.generate('SMS', account, 300, midnight(2), midnight(1)), ...daemon.generate('SMS', account, 20, midnight(4), midnight(3), '--seed', '5')];
  odd = {
    ...sent.find(({ direction }) => direction === 'outbound'), message_id: '11111111-2222-4333-8444-555555555555', id: undefined, to: '447700900999', from: HOSTILE, client_ref: RTL,
    message_body: '<script>alert(1)</script> javascript:alert(1)', date_received: midnight(3), status: 'rejected',
  };
  await daemon.ingest([...sent, odd]);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
});

function withRecords(path, test, { options, who = account } = {}) {
  return Tab.use(browser, daemon, options, async (tab, page) => {
    await tab.signIn(who, { path: `#/records?${path}` });
    await test(tab, page);
  });
}

const rows = (page) => page.getByRole('region', { name: 'Records' }).locator('tbody tr');

async function waitForRows(page, count) {
  await page.waitForFunction((wanted) => document.querySelectorAll('.card tbody tr').length === wanted, count);
}

describe('records', () => {
  it('are listed by day, a page at a time', async () => {
    await withRecords(RANGE, async (tab, page) => {
      await waitForRows(page, 100);
      const outbound = (day) => sent.filter(({ direction, date_received: time }) => direction === 'outbound' && time.startsWith(day)).length;
      const days = page.getByRole('group', { name: 'Days with records' }).getByRole('button');
      assert.deepEqual((await days.allInnerTexts()).map((text) => text.split('\n').at(-1)), [outbound(dayText(2)), 1, outbound(dayText(4))].map(String));
      await tab.shoot('records', { fullPage: true });
      await page.getByRole('button', { name: 'Next page' }).click();
      await page.getByText('101 to 200').waitFor();
      await page.getByRole('button', { name: 'Next page' }).click();
      await waitForRows(page, outbound(dayText(2)) - 200);
      assert.equal(await page.getByRole('button', { name: 'Next page' }).isDisabled(), true);
      await page.getByRole('button', { name: 'Previous page' }).click();
      await page.getByText('101 to 200').waitFor();
      await days.nth(2).click();
      await waitForRows(page, outbound(dayText(4)));
    });
  });

  it('are found by a number, and nothing in them runs as script', async () => {
    await withRecords(RANGE, async (tab, page) => {
      await page.getByLabel('Find by').selectOption('To');
      await page.getByRole('searchbox', { name: 'To' }).fill('447700900999');
      await page.getByRole('button', { name: 'Find', exact: true }).click();
      await waitForRows(page, 1);
      await page.getByLabel('Message bodies').check();
      await rows(page).getByText('<script>alert(1)</script>').waitFor();
      assert.equal(await page.locator('img').count(), 0);
      await rows(page).getByRole('button').first().click();
      const drawer = page.getByRole('dialog');
      await drawer.getByText(HOSTILE, { exact: true }).waitFor();
      assert.equal(await drawer.getByText(RTL, { exact: true }).evaluate((element) => element.tagName), 'BDI');
      await tab.shoot('record');
      const shown = JSON.parse(await drawer.locator('pre').first().innerText());
      assert.equal(shown.message_id, odd.message_id);
      assert.match(await drawer.locator('pre').nth(1).innerText(), /^curl -u record01:"\$SECRET" 'http:.*id=11111111-2222/);
      await page.keyboard.press('Escape');
      await drawer.waitFor({ state: 'hidden' });
    });
  });

  it('are found by id, and what is not found is named', async () => {
    await withRecords('product=SMS', async (tab, page) => {
      await page.getByLabel('Find by').selectOption('Message ID');
      await page.getByRole('searchbox', { name: 'Message ID' }).fill(`${odd.message_id} 99999999-2222-4333-8444-555555555555`);
      await page.getByRole('button', { name: 'Find', exact: true }).click();
      await waitForRows(page, 1);
      await page.getByText('Nothing was found for 99999999-2222-4333-8444-555555555555').waitFor();
    });
  });

  it('have the columns that the user chooses', async () => {
    await withRecords(RANGE, async (tab, page) => {
      await waitForRows(page, 100);
      await page.getByRole('button', { name: 'Columns…' }).click();
      await page.getByRole('dialog').getByLabel('Client ref').check();
      await page.getByRole('dialog').getByLabel('Status', { exact: true }).uncheck();
      await tab.shoot('records-columns');
      await page.getByRole('button', { name: 'Done' }).click();
      const heads = await page.getByRole('columnheader').allInnerTexts();
      assert.ok(heads.includes('Client ref') && !heads.includes('Status'), heads.join());
    });
  });

  it('that are not there: says why, and leads to where there are some', async () => {
    await withRecords(`range=custom&from=${dayText(20)}&to=${dayText(19)}&zone=UTC`, async (tab, page) => {
      await tab.heading('No records found').waitFor();
      await page.getByText('days of the time zone UTC').waitFor();
      await page.getByRole('button', { name: 'Show that day' }).waitFor();
      await tab.shoot('records-empty');
      await page.getByRole('button', { name: 'Show that day' }).click();
      await waitForRows(page, 100);
    });
  });

  it('of the other direction are a click away', async () => {
    await withRecords(`${RANGE}&f.to=447700900999&f.direction=inbound`, async (tab, page) => {
      await page.getByRole('button', { name: 'Look at the other direction' }).click();
      await waitForRows(page, 1);
      assert.equal(await page.getByLabel('Direction').inputValue(), 'outbound');
    });
  });

  it('of another customer are never shown', async () => {
    await withRecords(`account=record01&id=${odd.message_id}`, (tab) => tab.heading('Not allowed').waitFor(), { who: other });
    await withRecords(`id=${odd.message_id}`, (tab) => tab.heading('No record with this ID').waitFor(), { who: other });
  });

  it('fit on a phone', async () => {
    await withRecords(RANGE, async (tab, page) => {
      await waitForRows(page, 100);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
      await tab.shoot('records-phone');
    }, { options: { viewport: { width: 360, height: 740 }, colorScheme: 'dark' } });
  });
});
