/* SPDX-License-Identifier: ISC */
/*
 * dialogs.test.js: each dialog and drawer of the console, in light and dark colours and on a telephone.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Daemon, SLOW } from '../sdk/daemon.js';
import { Tab, launch, violations } from './browser.js';
import { checkDialog } from './dialogs.js';

const looks = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true },
};

/* Where each is, and what opens it. */
const dialogs = {
  record: { path: '#/records?range=7d&zone=UTC', opener: (page) => page.locator('tbody .open').first() },
  columns: { path: '#/records?range=7d&zone=UTC', opener: (page) => page.getByRole('button', { name: 'Columns…' }) },
  report: { path: '#/reports', opener: (page) => page.getByRole('region', { name: 'Reports' }).locator('tbody .open').first() },
  schedule: { path: '#/reports', opener: (page) => page.getByRole('region', { name: 'Schedules' }).locator('tbody .open').first() },
  statement: { path: '#/prices', opener: (page) => page.getByRole('region', { name: 'Months' }).locator('tbody .open').first() },
  rotate: { path: '#/webhooks', opener: (page) => page.getByRole('button', { name: 'Rotate' }) },
  test: { path: '#/webhooks', opener: (page) => page.getByRole('button', { name: 'Send a test' }).first() },
};

let browser;
let daemon;
let account;

const at = (hours) => `${new Date(Date.now() - hours * 3600000).toISOString().slice(0, 19)}Z`;

async function api(method, path, body) {
  const answer = await fetch(`${daemon.url}${path}`, {
    method,
    headers: { Authorization: `Basic ${btoa(`${account.apiKey}:${account.apiSecret}`)}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });

  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.json();
}

before(async () => {
  daemon = await Daemon.start();
  account = daemon.addAccount('dialog01', 'dialogs-secret-1');
  await daemon.ingest(daemon.generate('SMS', account, 40, at(6), at(1)));
  const report = { account_id: account.apiKey, product: 'SMS', direction: 'outbound' };
  const { request_id: id } = await api('POST', '/v2/reports', { ...report, date_start: at(24), date_end: at(0) });
  await api('POST', '/v2/reports/schedules', { ...report, cron: '0 6 1 * *', range: 'last_month', time_zone: 'UTC' });
  await api('POST', '/v2/account/webhook/rotate');
  for (let status = ''; status !== 'SUCCESS'; await sleep(50)) {
    ({ request_status: status } = await api('GET', `/v2/reports/${id}`));
  }
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
});

describe('each dialog keeps the focus, closes with Escape, gives the focus back, and axe-core finds nothing', () => {
  for (const [look, options] of Object.entries(looks)) {
    it(`${Object.keys(dialogs).join(', ')}: ${look}`, look === 'phone' ? {} : SLOW, async () => {
      await Tab.use(browser, daemon, options, async (tab, page) => {
        await tab.signIn(account);
        for (const [name, { path, opener }] of Object.entries(dialogs)) {
          await page.goto(`${daemon.url}/console/${path}`);
          await opener(page).waitFor();
          await checkDialog(tab, page, opener(page), `dialog-${name}-${look}`);
        }
      });
    });
  }

  it('remove a schedule, which takes the place of the drawer', async () => {
    await Tab.use(browser, daemon, {}, async (tab, page) => {
      await tab.signIn(account, { path: '#/reports' });
      await dialogs.schedule.opener(page).click();
      await page.getByRole('button', { name: 'Remove' }).press('Enter');
      const dialog = page.getByRole('dialog', { name: 'Remove the schedule' });
      await dialog.waitFor();
      assert.deepEqual(await violations(page), []);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      await page.getByRole('region', { name: 'Schedules' }).locator('tbody .open').waitFor();
    });
  });
});
