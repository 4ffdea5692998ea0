/* SPDX-License-Identifier: ISC */
/*
 * operator.test.js: the operators' page, on a listener of its own.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, it } from 'node:test';

import { Daemon, SLOW, freePort } from '../sdk/daemon.js';
import { Tab, launch, violations } from './browser.js';
import { checkDialog } from './dialogs.js';

const JANE = { name: 'jane', secret: 'operators-secret-1' };
const EVIL = '<img src=x onerror=alert(1)>';

const looks = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true },
};

let browser;
let daemon;
let slow; /* makes no progress with reports */
let account;
let other;
let receiver;
let failing = true;
let seed = 0;

/* The result of a command of cdrctl. */
const ask = (...words) => JSON.parse(daemon.ctl(...words));

/* An hour ago, so that no test depends on the time of day. */
function records(of, count, changes = {}) {
  const at = (hours) => `${new Date(Date.now() - hours * 3600000).toISOString().slice(0, 19)}Z`;

  return daemon.generate('SMS', of, count, at(2), at(1), '--seed', String(seed += 1)).map((record) => ({ ...record, ...changes }));
}

/* With an operator's listener, and Jane. */
async function startWith(options) {
  const port = await freePort();
  const started = await Daemon.start({ operator_listen: `127.0.0.1:${port}`, login_delay_max: 0, ...options });

  started.operators = { url: `http://127.0.0.1:${port}` };
  started.ctl('operator', 'add', JANE.name, '--secret', JANE.secret);
  return started;
}

before(async () => {
  daemon = await startWith({ callback_allow: '127.0.0.0/8', callback_retry_first: '1h', callback_retry_max_delay: '1h' });
  account = daemon.addAccount('north-01', 'operator-test-1', '--name', EVIL);
  other = daemon.addAccount('south-02', 'operator-test-2');
  receiver = createServer((request, answer) => {
    request.resume();
    answer.statusCode = failing ? 500 : 200;
    answer.end();
  });
  await new Promise((done) => { receiver.listen(0, '127.0.0.1', done); });
  await daemon.ingest(records(account, 40));
  await daemon.ingest(records(other, 7));
  await fetch(`${daemon.url}/v2/reports/records?account_id=north-01&product=SMS&direction=outbound&date_start=${new Date(Date.now() - 3 * 3600000).toISOString().slice(0, 19)}Z`, { headers: { Authorization: `Basic ${btoa('north-01:operator-test-1')}` } });
  browser = await launch();
});

after(async () => {
  receiver?.close();
  receiver?.closeAllConnections();
  await browser?.close();
  await daemon?.stop();
  await slow?.stop();
});

/* Rejects a record for its price, and gives its number in quarantine. */
async function reject(of, changes = {}) {
  const [record] = records(of, 1, { total_price: 'much', ...changes });

  await daemon.ingest([record]).catch(() => {});
  return ask('quarantine', 'list', '--account', of.apiKey).at(-1).number;
}

async function signIn(page, { path = '', secret = JANE.secret, of = daemon } = {}) {
  await page.goto(`${of.operators.url}/operator/${path}`);
  await page.getByLabel('Operator', { exact: true }).fill(JANE.name);
  await page.getByLabel('Secret', { exact: true }).fill(secret);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

function withTab(path, test, options, of = daemon) {
  return Tab.use(browser, of.operators, options ?? {}, async (tab, page) => {
    await signIn(page, { path, of });
    await page.locator('.frame').waitFor();
    await test(tab, page);
  });
}

describe('an operator', () => {
  it('is led to the page, and signs in with credentials of its own', async () => {
    await Tab.use(browser, daemon.operators, {}, async (tab, page) => {
      await page.goto(daemon.operators.url);
      await tab.heading('Sign in').waitFor();
      assert.equal(page.url(), `${daemon.operators.url}/operator/`);
      await signIn(page, { secret: 'not-the-secret' });
      await page.getByRole('alert').getByText('do not belong together').waitFor();
      await signIn(page);
      await tab.heading('Overview').waitFor();
      assert.deepEqual(await tab.context.cookies(), []);
      await page.getByRole('button', { name: 'Sign out' }).click();
      await tab.heading('Sign in').waitFor();
    });
  });

  it('is signed out when it is removed', async () => {
    daemon.ctl('operator', 'add', 'leaver', '--secret', 'leavers-secret-1');
    await Tab.use(browser, daemon.operators, {}, async (tab, page) => {
      await page.goto(`${daemon.operators.url}/operator/`);
      await page.getByLabel('Operator', { exact: true }).fill('leaver');
      await page.getByLabel('Secret', { exact: true }).fill('leavers-secret-1');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await tab.heading('Overview').waitFor();
      daemon.ctl('operator', 'remove', 'leaver');
      await page.getByRole('alert').getByText('You were signed out').waitFor();
    });
  });
});

describe('the overview', () => {
  it('shows the accounts with the most records and charges, and follows what happens', async () => {
    await withTab('', async (tab, page) => {
      const most = page.getByRole('region', { name: 'Most records today' });
      await most.getByRole('row', { name: /north-01 \d+/ }).waitFor();
      await page.getByRole('region', { name: 'Highest charges today' }).getByRole('row', { name: /north-01 €0\.0\d+ 1$/ }).waitFor();
      await tab.shoot('operator-overview');
      await daemon.ingest(records(other, 500));
      await most.getByRole('row', { name: /south-02 507/ }).waitFor();
    });
  });

  it('marks what calls for somebody', async () => {
    const number = await reject(other);

    await withTab('', async (tab, page) => {
      const tile = page.locator('.tile', { hasText: 'Quarantine' });
      await tile.getByText('look').waitFor();
      await tile.getByRole('link', { name: 'Quarantine' }).click();
      await tab.heading('Quarantine').waitFor();
      daemon.ctl('quarantine', 'drop', String(number));
      await page.getByText('There are no rejected records').waitFor();
    });
  });
});

describe('the quarantine', () => {
  it('mends a record and replays it', async () => {
    const number = await reject(other);

    await withTab('#/quarantine?account=south-02', async (tab, page) => {
      await page.getByRole('button', { name: String(number), exact: true }).click();
      const drawer = page.getByRole('dialog');
      await drawer.getByText('total_price').first().waitFor();
      assert.equal(await drawer.getByLabel('Field').inputValue(), 'total_price');
      assert.equal(await drawer.getByLabel('New value').inputValue(), 'much');
      await tab.shoot('operator-mend');
      await drawer.getByLabel('New value').fill('still wrong');
      await drawer.getByRole('button', { name: 'Mend and replay' }).click();
      await drawer.getByRole('alert').getByText('must be a number').waitFor();
      await drawer.getByLabel('New value').fill('0.05');
      await drawer.getByRole('button', { name: 'Mend and replay' }).click();
      await page.getByText(`Record ${number} was ingested`).waitFor();
      await page.getByText('There are no rejected records').waitFor();
    });
    assert.deepEqual(ask('quarantine', 'list', '--account', 'south-02'), []);
  });

  it('drops what its filters let pass, after it has asked', async () => {
    daemon.ctl('quarantine', 'drop', 'all');
    await reject(other);
    await reject(other);
    const kept = await reject(account);

    await withTab('#/quarantine', async (tab, page) => {
      await page.getByRole('row', { name: /south-02/ }).nth(1).waitFor();
      await page.getByLabel('Account', { exact: true }).fill('south-02');
      await page.getByRole('button', { name: 'Filter' }).click();
      await page.getByRole('row', { name: /north-01/ }).waitFor({ state: 'detached' });
      await tab.shoot('operator-quarantine');
      await page.getByRole('button', { name: 'Drop all…' }).click();
      await page.getByRole('button', { name: 'Drop them' }).click();
      await page.getByText('2 dropped').waitFor();
      await page.getByText('There are no rejected records').waitFor();
    });
    assert.deepEqual(ask('quarantine', 'list').map(({ number }) => number), [kept]);
    daemon.ctl('quarantine', 'drop', 'all');
  });
});

describe('callbacks', () => {
  it('are shown with their last error, and tried again', async () => {
    failing = true;
    const url = `http://127.0.0.1:${receiver.address().port}/hook`;
    await fetch(`${daemon.url}/v2/reports`, {
      method: 'POST',
      headers: { Authorization: `Basic ${btoa('south-02:operator-test-2')}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ account_id: 'south-02', product: 'SMS', direction: 'outbound', callback_url: url, date_start: new Date(Date.now() - 86400000).toISOString(), date_end: new Date().toISOString() }),
    });
    await withTab('#/callbacks', async (tab, page) => {
      await page.getByRole('row', { name: /south-02/ }).getByText('HTTP status 500').waitFor();
      await tab.shoot('operator-callbacks');
      failing = false;
      await page.getByRole('button', { name: /^Try now/ }).click();
      await page.getByText('1 tried again').waitFor();
      await page.getByText('All callbacks are delivered').waitFor();
    });
  });
});

describe('reports', () => {
  const at = (hours) => `${new Date(Date.now() - hours * 3600000).toISOString().slice(0, 19)}Z`;

  async function report(of, secret, more = {}, from = daemon) {
    const answer = await fetch(`${from.url}/v2/reports`, {
      method: 'POST', headers: { Authorization: `Basic ${btoa(`${of.apiKey}:${secret}`)}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ account_id: of.apiKey, product: 'SMS', direction: 'outbound', date_start: at(3), date_end: at(0), ...more }),
    });
    return (await answer.json()).request_id;
  }

  it('of all accounts are shown as they are made, with their callbacks, and what was asked for', async () => {
    failing = true;
    daemon.ctl('destination', 'add', 'lake', '--type', 'put', '--url', `http://127.0.0.1:${receiver.address().port}/lake/`);
    await report(account, 'operator-test-1', { callback_url: `http://127.0.0.1:${receiver.address().port}/done`, destination: 'lake' });
    await report(other, 'operator-test-2');
    await withTab('#/reports', async (tab, page) => {
      await page.getByRole('row', { name: /south-02 SMS Ready \d+/ }).first().waitFor();
      const row = page.getByRole('row', { name: /north-01 SMS Ready .* waiting waiting/ });
      await row.waitFor();
      await tab.shoot('operator-reports');
      await row.getByRole('button').click();
      const drawer = page.getByRole('dialog');
      await drawer.getByRole('heading', { name: 'Its callback' }).waitFor();
      await drawer.getByRole('heading', { name: 'Its delivery' }).waitFor();
      await drawer.getByText('outbound').waitFor();
      await page.keyboard.press('Escape');
      await page.getByLabel('Account', { exact: true }).fill('south-02');
      await page.getByRole('button', { name: 'Filter' }).click();
      await page.getByRole('row', { name: /north-01/ }).waitFor({ state: 'detached' });
      await page.getByLabel('State').selectOption('Failed');
      await page.getByText('There are no such reports').waitFor();
    });
    failing = false;
    daemon.ctl('callback', 'retry', 'all');
  });

  it('is cancelled after the page has asked', async () => {
    slow = await startWith({ report_pause: '10s' });
    slow.addAccount('south-02', 'operator-test-2');
    await slow.ingest(slow.generate('SMS', other, 20000, at(2), at(1)));
    await report(other, 'operator-test-2', { include_message: 'true' }, slow);
    await withTab('#/reports?account=south-02', async (tab, page) => {
      await page.getByRole('row', { name: /Being made|Waiting/ }).getByRole('button').click();
      await page.getByRole('button', { name: 'Cancel the report' }).click();
      await page.getByRole('button', { name: 'Cancel it' }).click();
      await page.getByRole('row', { name: /Cancelled/ }).waitFor();
    }, {}, slow);
  });
});

describe('each dialog of operators keeps the focus, closes with Escape, gives the focus back, and axe-core finds nothing', () => {
  for (const [look, options] of Object.entries(looks)) {
    it(`mend, replay all, drop all: ${look}`, look === 'phone' ? {} : SLOW, async () => {
      const number = await reject(account, { client_ref: EVIL });

      await withTab('#/quarantine', async (tab, page) => {
        const openers = {
          mend: page.getByRole('button', { name: String(number), exact: true }), replay: page.getByRole('button', { name: 'Replay all…' }), drop: page.getByRole('button', { name: 'Drop all…' }),
        };
        for (const [name, opener] of Object.entries(openers)) {
          await opener.waitFor();
          await checkDialog(tab, page, opener, `dialog-${name}-${look}`);
        }
      }, options);
      daemon.ctl('quarantine', 'drop', 'all');
    });
  }
});

describe('days', () => {
  it('show what is to be sealed, until it is', async () => {
    await withTab('#/days', async (tab, page) => {
      await page.getByRole('row').nth(1).waitFor();
      await tab.shoot('operator-days');
      /* Again, as a usage record of the tests before may come after it has begun. */
      for (let sealed = false; !sealed; sealed = ask('storage').every(({ hot }) => hot === 0)) {
        await page.getByRole('button', { name: 'Seal all now' }).click();
        await page.getByText('Sealing has begun').first().waitFor();
        await page.waitForTimeout(100);
      }
      await page.getByRole('button', { name: 'Read again' }).click();
      await page.waitForFunction(() => [...document.querySelectorAll('tbody tr td:nth-child(3)')].every((cell) => cell.textContent === '0'));
    });
  });
});

describe('accounts', () => {
  it('come by the beginning of their ids, a page at a time', async () => {
    for (let n = 0; n < 51; n += 1) {
      daemon.addAccount(`many-${String(n).padStart(3, '0')}`, 'many-secret-1');
    }
    await withTab('#/accounts', async (tab, page) => {
      await page.getByLabel('Begins with').fill('many-');
      await page.waitForURL(/prefix=many-/);
      await page.getByRole('row', { name: /many-049/ }).waitFor();
      assert.equal(await page.getByRole('row', { name: /many-/ }).count(), 50);
      await page.getByRole('button', { name: 'Next page' }).click();
      await page.getByRole('row', { name: /many-050/ }).waitFor();
      assert.equal(await page.getByRole('row', { name: /many-/ }).count(), 1);
      await page.getByRole('button', { name: 'First page' }).click();
      await page.getByRole('row', { name: /many-000/ }).waitFor();
      await page.getByLabel('Begins with').fill('north');
      await page.getByRole('row', { name: /north-01/ }).getByText(EVIL).waitFor();
      await tab.shoot('operator-accounts');
    });
  });
});

describe('every page of operators', () => {
  for (const [look, options] of Object.entries(looks)) {
    it(`has nothing that axe-core objects to, and fits: ${look}`, look === 'phone' ? {} : SLOW, async () => {
      await reject(account, { client_ref: EVIL });
      await withTab('', async (tab, page) => {
        for (const name of ['Overview', 'Quarantine', 'Callbacks', 'Reports', 'Days', 'Accounts']) {
          await page.goto(`${daemon.operators.url}/operator/#/${name.toLowerCase()}`);
          await tab.heading(name).waitFor();
          await page.waitForFunction(() => !document.querySelector('.loading'));
          assert.deepEqual(await violations(page), [], name);
          const width = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          assert.equal(width, 0, `${name} is wider than the screen`);
          await tab.shoot(`operator-${name.toLowerCase()}-${look}`);
        }
      }, options);
      daemon.ctl('quarantine', 'drop', 'all');
    });
  }
});
