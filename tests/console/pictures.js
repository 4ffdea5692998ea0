/* SPDX-License-Identifier: ISC */
/*
 * pictures.js FOLDER: the pictures of the README, of a daemon with sample records of a month. CONTRIBUTING.md says how
 * to make them again.
 */
import { join, resolve } from 'node:path';

import { Daemon } from '../sdk/daemon.js';
import { Tab, launch } from './browser.js';

const DAY_MS = 86400000;
const WEEK = [0.45, 1, 1.1, 1.05, 1.15, 1.2, 0.6]; /* Sunday first */
const [folder = '.'] = process.argv.slice(2);

const iso = (instant) => `${new Date(instant).toISOString().slice(0, 19)}Z`;

/* Fewer at weekends, and a little more each day. */
async function fill(daemon, account, product, perDay) {
  const now = Date.now();

  for (let day = 61; day > 0; day -= 1) {
    const from = now - day * DAY_MS;
    const count = Math.round(perDay * WEEK[new Date(from).getUTCDay()] * (1 + (61 - day) / 90));
    await daemon.ingest(daemon.generate(product, account, count, iso(from), iso(from + DAY_MS - 1000), '--seed', String(day)));
  }
}

async function picture(browser, daemon, account, { name, path, options = {} }) {
  await Tab.use(browser, daemon, { viewport: { width: 1200, height: 680 }, ...options }, async (tab, page) => {
    await tab.signIn(account, { path });
    await page.locator('tbody tr').first().waitFor();
    await page.waitForFunction(() => !document.querySelector('[aria-busy=true]'));
    await page.screenshot({ path: join(resolve(folder), `${name}.png`), animations: 'disabled' });
  });
}

const daemon = await Daemon.start();
const browser = await launch();
try {
  const account = daemon.addAccount('abcd1234', 'pictures-secret', '--name', 'Example Ltd');
  await fill(daemon, account, 'SMS', 120);
  await fill(daemon, account, 'VOICE-CALL', 60);
  await picture(browser, daemon, account, { name: 'console-usage', path: '#/usage?product=VOICE-CALL&range=30d&zone=UTC' });
  await picture(browser, daemon, account, {
    name: 'console-records',
    path: `#/records?product=SMS&range=7d&zone=UTC&day=${iso(Date.now() - DAY_MS).slice(0, 10)}`, /* a whole day */
    options: { colorScheme: 'dark' },
  });
} finally {
  await browser.close();
  await daemon.stop();
}
