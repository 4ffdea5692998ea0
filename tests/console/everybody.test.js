/* SPDX-License-Identifier: ISC */
/*
 * everybody.test.js: every page for who sees little, has no mouse, or a telephone; and for who means harm: texts that
 * customers or their customers have chosen are never anything but text.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Daemon, SLOW } from '../sdk/daemon.js';
import { Tab, launch, violations } from './browser.js';

const RTL = '\u202egnp.exe\u2066';
const EVIL = [`<img src=x onerror=alert(1)>${RTL}`, 'javascript:alert(1)', '"><script>alert(1)</script>', '{{constructor.constructor("alert(1)")()}}'];

const looks = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true },
};

let browser;
let daemon;
let account;

before(async () => {
  daemon = await Daemon.start({ filter_values: 'any' });
  account = daemon.addAccount('every001', 'every-secret-1', '--name', EVIL[0]);
  daemon.addAccount('child001', 'child-secret-1', '--parent', account.apiKey, '--name', EVIL[2]);
  const at = (hours) => `${new Date(Date.now() - hours * 3600000).toISOString().slice(0, 19)}Z`;
  const records = daemon.generate('SMS', account, 40, at(6), at(1));
  records.forEach((record, n) => Object.assign(record, { client_ref: EVIL[n % 4], from: EVIL[n % 4], message_body: EVIL[n % 4], network_name: EVIL[n % 4] }));
  await daemon.ingest(records);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
});

function withTab(path, test, options) {
  return Tab.use(browser, daemon, options, async (tab, page) => {
    await tab.signIn(account, { path });
    await test(tab, page);
  });
}

const links = (page) => page.locator('nav a').evaluateAll((all) => all.map((one) => one.getAttribute('href')));

/* Labels of fields that have a part of the window in common. */
const overlaps = (page) => page.evaluate(() => {
  const fields = [...document.querySelectorAll('.filters .field, .filters .check')].map((one) => [one.textContent.trim().slice(0, 20), one.getBoundingClientRect(), one]);

  return fields.flatMap(([name, a, one], n) => fields.slice(n + 1).filter(([, b, other]) => !one.contains(other)
    && a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1).map(([other]) => `${name} / ${other}`));
});

/* Tables with the usual columns that are wider than their place: their rows become cards on telephones, and long texts end in dots. */
const cutOff = (page) => page.evaluate(() => [...document.querySelectorAll('.table')].filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.querySelector('caption').textContent));

/* Until nothing is being loaded any more. */
async function settled(page) {
  await page.locator('h1').waitFor();
  await page.waitForFunction(() => !document.querySelector('[aria-busy=true]'));
}

describe('every page', () => {
  for (const [look, options] of Object.entries(looks)) {
    it(`has nothing that axe-core objects to: ${look}`, look === 'phone' ? {} : SLOW, async () => {
      const tab = await Tab.open(browser, daemon, options);
      await tab.go();
      await tab.heading('Sign in').waitFor();
      assert.deepEqual(await violations(tab.page), [], 'sign in');
      await tab.shoot(`sign-in-${look}`);
      await tab.close();
      await withTab('#/usage?zone=UTC', async (signedIn, page) => {
        for (const path of [...await links(page), '#/reports?new=yes']) {
          await page.goto(`${daemon.url}/console/${path}`);
          await settled(page);
          assert.deepEqual(await violations(page), [], path);
          assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${path} is not wider than the window`);
          assert.deepEqual(await cutOff(page), [], `${path}: tables of which a part is out of sight`);
          assert.deepEqual(await overlaps(page), [], `${path}: fields that lie over each other`);
          await signedIn.shoot(`${path.slice(2).replaceAll(/\W+/g, '-')}-${look}`, { fullPage: true });
        }
      }, options);
    });
  }

  it('can be reached and left with the keyboard alone', async () => {
    const tab = await Tab.open(browser, daemon);
    const { page } = tab;
    await tab.go();
    await tab.heading('Sign in').waitFor();
    await page.waitForFunction(() => document.activeElement.tagName === 'INPUT'); /* a moment later */
    await page.keyboard.type(account.apiKey);
    await page.keyboard.press('Tab');
    await page.keyboard.type(account.apiSecret);
    await page.keyboard.press('Enter');
    await tab.heading('Usage').waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the page');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'MAIN');
    await page.getByRole('link', { name: 'Webhooks' }).focus();
    await page.keyboard.press('Enter');
    await tab.heading('Webhooks').waitFor();
    const button = page.getByRole('button', { name: 'Send a test' }).first();
    await button.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    assert.ok(await page.evaluate(() => document.querySelector('dialog').contains(document.activeElement)), 'the focus is in the dialog');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.waitForFunction(() => document.activeElement.textContent === 'Send a test'); /* once the dialog is gone, the focus comes back */
    await page.getByRole('button', { name: 'Sign out' }).focus();
    await page.keyboard.press('Enter');
    await tab.heading('Sign in').waitFor();
    await tab.close();
  });

  it('has its navigation in a menu on a telephone', async () => {
    await withTab('#/usage', async (tab, page) => {
      await page.getByRole('link', { name: 'Prices' }).waitFor({ state: 'hidden' });
      await page.getByRole('button', { name: 'Menu' }).click();
      await page.getByRole('link', { name: 'Prices' }).click();
      await tab.heading('Prices').waitFor();
      await page.getByRole('link', { name: 'Prices' }).waitFor({ state: 'hidden' });
    }, looks.phone);
  });

  it('is printed in dark colours on white, without what can only be clicked', async () => {
    await withTab('#/usage?zone=UTC', async (tab, page) => {
      await settled(page);
      await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
      assert.equal(await page.evaluate(() => getComputedStyle(document.body).color), 'rgb(26, 31, 43)');
      assert.equal(await page.locator('.filters').isVisible(), false);
      assert.equal(await page.getByRole('navigation').count(), 0);
      await tab.shoot('usage-print', { fullPage: true });
    }, looks.dark);
  });

  it('is printed without hints and controls, and fits on paper', async () => {
    await withTab('#/usage?zone=UTC', async (tab, page) => {
      for (const path of [...await links(page), '#/reports?new=yes']) {
        await page.goto(`${daemon.url}/console/${path}`);
        await settled(page);
        await page.emulateMedia({ media: 'print' });
        for (const what of ['.click', '.filters', '.side', '.pager', '.tip', '.toasts', 'main .actions', '.card .button']) {
          assert.equal(await page.locator(what).filter({ visible: true }).count(), 0, `${path}: ${what} is not printed`);
        }
        await page.setViewportSize({ width: 720, height: 1020 }); /* A4, about */
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${path} fits on paper`);
        await tab.shoot(`print-${path.slice(2).replaceAll(/\W+/g, '-')}`, { fullPage: true });
        await page.setViewportSize({ width: 1280, height: 800 });
        await page.emulateMedia({ media: 'screen' });
      }
    });
  });

  it('is printed as the drawer alone where one is open', async () => {
    await withTab('#/records?range=7d&zone=UTC', async (tab, page) => {
      await page.locator('tbody .open').first().click();
      await page.getByRole('dialog').waitFor();
      await settled(page);
      await page.emulateMedia({ media: 'print' });
      assert.equal(await tab.heading('Records').isVisible(), false);
      assert.equal(await tab.heading('SMS record').isVisible(), true);
      await tab.shoot('print-record', { fullPage: true });
    }, looks.dark);
  });

  it('is as dark as the user wants, and remembers it', async () => {
    await withTab('#/usage', async (tab, page) => {
      const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
      assert.equal(await theme(), 'light');
      await page.getByRole('button', { name: 'Use dark colours' }).click();
      assert.equal(await theme(), 'dark');
      await page.reload();
      await tab.heading('Sign in').waitFor();
      assert.equal(await theme(), 'dark');
    });
  });
});

describe('texts that mean harm', () => {
  it('are shown as texts: names of accounts and values of records', async () => {
    for (const by of ['client_ref', 'network_name']) {
      await withTab(`#/usage?zone=UTC&range=7d&by=${by}`, async (tab, page) => {
        for (const text of EVIL) {
          await page.getByRole('row').getByText(text, { exact: true }).first().waitFor();
        }
        await settled(page);
        assert.equal(await page.locator('main img, main script:not([src])').count(), 0);
        assert.ok((await page.getByLabel('Account', { exact: true }).locator('option').allTextContents()).some((text) => text.includes('<img')));
        await tab.shoot(`harm-${by}`);
      });
    }
  });

  it('are filters like others', async () => {
    await withTab('#/usage?zone=UTC&range=7d&by=client_ref', async (tab, page) => {
      await page.getByRole('button', { name: EVIL[1], exact: true }).click();
      await page.locator('.value').first().getByText('10', { exact: true }).waitFor();
      await page.locator('.chips').getByText(EVIL[1]).waitFor();
    });
  });

  it('in the address are nothing but parameters', async () => {
    await withTab('#/prices', async (tab, page) => {
      for (const text of [...EVIL, '%', 'Nowhere/Atlantis', '../../v2/account']) {
        const odd = encodeURIComponent(text);
        await page.goto(`${daemon.url}/console/#/usage?range=${odd}&by=${odd}&metric=${odd}&zone=${odd}&from=${odd}&account=${account.apiKey}`);
        await settled(page);
        await page.getByRole('row', { name: /^All 40 / }).waitFor();
      }
      await page.goto(`${daemon.url}/console/#/usage?%zz&&&=`);
      await page.getByRole('row', { name: /^All 40 / }).waitFor();
    });
  });
});
