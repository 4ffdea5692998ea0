/* SPDX-License-Identifier: ISC */
/*
 * dialogs.js: what each dialog and drawer must do for who has no mouse, and for who does not see it.
 */
import assert from 'node:assert/strict';

import { violations } from './browser.js';

const TABS = 15; /* more than most of them have fields and buttons */

const isInside = (page) => page.evaluate(() => document.querySelector('dialog[open]:last-of-type')?.contains(document.activeElement) || document.activeElement === document.body);

/*
 * Opens it with the keyboard, by a button or link that has the focus then; looks at it; closes it with Escape. Whoever opened
 * it has the focus again, unless another takes its place. `name` is that of the screenshot.
 */
export async function checkDialog(tab, page, opener, name) {
  await opener.focus();
  const text = await opener.textContent();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog').last();
  await dialog.waitFor();
  await page.waitForFunction(() => !document.querySelector('dialog [aria-busy=true]'));
  assert.ok(await page.evaluate(() => document.querySelector('dialog[open]').contains(document.activeElement)), `${name}: the focus is in it`);
  assert.ok(await dialog.getAttribute('aria-labelledby'), `${name}: it has a name`);
  assert.deepEqual(await violations(page), [], name);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name}: the page is not wider than the window`);
  assert.ok(await dialog.evaluate((one) => one.scrollWidth <= one.clientWidth), `${name}: it is not wider than itself`);
  for (const key of ['Tab', 'Shift+Tab']) {
    for (let n = 0; n < TABS; n += 1) {
      await page.keyboard.press(key);
      assert.ok(await isInside(page), `${name}: the focus left it after ${n + 1} times ${key}`);
    }
  }
  await tab.shoot(name);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await page.waitForFunction((wanted) => document.activeElement.textContent === wanted, text);
}
