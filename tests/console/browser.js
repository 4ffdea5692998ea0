/* SPDX-License-Identifier: ISC */
/*
 * browser.js: Debian's chromium without windows (the usual one without a window takes half as much processor time again), and
 * a tab of it that shows the console of a daemon.
 *
 * What no page may ever do is checked of every tab when it is closed: throw, log an error, break its own
 * Content-Security-Policy, or ask another host for anything.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PATIENCE_MS = 60000;
const SHOTS = resolve(process.env.CDRD_BUILD_DIR ?? '.', 'screenshots');

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium-headless-shell', args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
}

let failures = 0;

/* Errors that the browser logs by itself when a test has made requests fail. */
const LOGGED_BY_BROWSER = /^Failed to load resource: /;

export class Tab {
  /*
   * `options` are those of a context of Playwright: viewport, colorScheme, locale, timezoneId, ... Where slow tests are left out,
   * nothing moves, as to paint what does takes the processor from what is tested.
   */
  static async open(browser, daemon, options = {}) {
    const tab = new Tab();

    tab.daemon = daemon;
    tab.context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-US', timezoneId: 'UTC', reducedMotion: process.env.CDRD_QUICK_TESTS ? 'reduce' : 'no-preference', ...options });
    tab.page = await tab.context.newPage();
    tab.page.setDefaultTimeout(PATIENCE_MS);
    tab.faults = [];
    tab.page.on('pageerror', (error) => tab.faults.push(`thrown: ${error.stack}`));
    tab.page.on('dialog', (dialog) => {
      tab.faults.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    tab.page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()) && !LOGGED_BY_BROWSER.test(message.text())) {
        tab.faults.push(`logged: ${message.text()}`);
      }
    });
    tab.page.on('request', (request) => {
      if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).host !== new URL(daemon.url).host) {
        tab.faults.push(`asked another host: ${request.url()}`);
      }
    });
    return tab;
  }

  /* Runs test(tab, page) in a new tab, and closes it. What the page looked like when a test failed is kept. */
  static async use(browser, daemon, options, test) {
    const tab = await Tab.open(browser, daemon, options);

    try {
      await test(tab, tab.page);
    } catch (error) {
      await tab.shoot(`failed-${failures += 1}`).catch(() => {});
      error.message += `\nThe page was ${tab.page.url()}, ${SHOTS}/failed-${failures}.png; ${tab.faults.join('\n')}`;
      await tab.context.close();
      throw error;
    }
    await tab.close();
  }

  async go(path = '') {
    await this.page.goto(`${this.daemon.url}/console/${path}`);
  }

  async signIn(account, { keep = false, path = '' } = {}) {
    await this.go(path);
    await this.page.getByLabel('Account', { exact: true }).fill(account.apiKey);
    await this.page.getByLabel('Secret', { exact: true }).fill(account.apiSecret);
    await this.page.getByLabel('Stay signed in').setChecked(keep);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
    await this.page.locator('.frame').waitFor();
    /* The page goes to its first view a moment later; who went elsewhere meanwhile would be led back. */
    await this.page.waitForFunction(() => window.location.hash !== '');
  }

  heading(name) {
    return this.page.getByRole('heading', { name, exact: true });
  }

  /* Into the build folder, for people to look at; where slow tests are left out, of what failed alone. */
  async shoot(name, options = {}) {
    if (process.env.CDRD_QUICK_TESTS && !name.startsWith('failed-')) {
      return;
    }
    mkdirSync(SHOTS, { recursive: true });
    await this.page.screenshot({ path: join(SHOTS, `${name}.png`), animations: 'disabled', ...options });
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.faults, []);
  }
}

/* What axe-core finds, without what it only wants a human to look at. Its script comes in beside the page's policy. */
export async function violations(page) {
  const { violations: found } = await page.evaluate(`(() => { ${AXE}; return axe.run(document); })()`);

  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`);
}
