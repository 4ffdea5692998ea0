/* SPDX-License-Identifier: ISC */
/*
 * pages_states.test.js: each page of the console, and each of operators, while it loads, when there is nothing, and after
 * 401, 403, 429, 500 and 503, without a network, and when the daemon was restarted meanwhile.
 */
import { after, before, describe, it } from 'node:test';

import { Daemon, SLOW, freePort } from '../sdk/daemon.js';
import { Tab, launch } from './browser.js';
import { checkStates } from './page_states.js';

const JANE = { name: 'jane', secret: 'operators-secret-1' };

/* The heading of each page where there is nothing yet. */
const pages = {
  usage: 'No records in this range',
  records: 'No records found',
  reports: 'No reports yet',
  reconcile: 'No reconciliations yet',
  prices: 'No requests yet',
  webhooks: 'Nothing was sent yet',
};
const operators = { overview: 'No records yet', quarantine: 'There are no rejected records', callbacks: 'All callbacks are delivered', reports: 'No report was asked for yet', days: 'There are no records yet', accounts: 'There are no such accounts' };

let browser;
let daemon;
let nobody;

before(async () => {
  const port = await freePort();

  daemon = await Daemon.start({ operator_listen: `127.0.0.1:${port}`, login_delay_max: 0 });
  daemon.operators = { url: `http://127.0.0.1:${port}` };
  daemon.ctl('operator', 'add', JANE.name, '--secret', JANE.secret);
  nobody = daemon.addAccount('empty001', 'empty-secret-1');
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
});

function withOperator(path, test) {
  return Tab.use(browser, daemon.operators, {}, async (tab, page) => {
    await page.goto(`${daemon.operators.url}/operator/${path}`);
    await page.getByLabel('Operator', { exact: true }).fill(JANE.name);
    await page.getByLabel('Secret', { exact: true }).fill(JANE.secret);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('.frame').waitFor();
    await test(tab, page);
  });
}

describe('a page without anything says so', () => {
  for (const [name, heading] of Object.entries(pages)) {
    it(name, () => Tab.use(browser, daemon, {}, async (tab, page) => {
      await tab.signIn(nobody, { path: `#/${name}` });
      await page.getByRole('heading', { name: heading }).waitFor();
    }));
  }

  it('and so do those of operators', async () => {
    for (const [name, heading] of Object.entries(operators)) {
      await withOperator(`#/${name}${name === 'accounts' ? '?prefix=zz' : ''}`, (tab, page) => page.getByRole('heading', { name: heading }).first().waitFor());
    }
  });
});

describe('a page loads, is refused, waits by itself, and continues', () => {
  const names = Object.keys(pages);

  for (const [n, name] of names.entries()) {
    it(name, name === 'records' ? {} : SLOW, () => Tab.use(browser, daemon, {}, async (tab, page) => {
      const show = (which) => page.goto(`${daemon.url}/console/#/${which}?zone=UTC`);
      await tab.signIn(nobody, { path: `#/${name}` });
      await checkStates(tab, page, { daemon, name, requests: /\/v2\//, show: () => show(name), leave: () => show(`${names.at(n - 1)}`) });
    }));
  }
  for (const name of Object.keys(operators).filter((one) => process.env.CDRD_LONG_TESTS || one === 'quarantine')) { /* the others are alike, and take a while */
    it(`${name}, of operators`, SLOW, () => withOperator('#/nowhere', async (tab, page) => {
      const show = (which) => page.goto(`${daemon.operators.url}/operator/#/${which}`);
      await checkStates(tab, page, { daemon, name, requests: /\/operator\/v1\//, show: () => show(name), leave: () => show(name === 'days' ? 'accounts' : 'days') });
    }));
  }
});
