/* SPDX-License-Identifier: ISC */
/*
 * page_states.js: a page in every state that its requests can be in; what passes by itself is waited for.
 */
import assert from 'node:assert/strict';

const problem = (status, title, headers = {}) => ({ status, headers, contentType: 'application/problem+json', body: JSON.stringify({ title, detail: `${title}, says the test.` }) });

const PASSING = [[429, 'Too Many Requests', 'Too many requests'], [503, 'Service Unavailable', 'The server is busy']];
const LASTING = [[403, 'Forbidden', 'Not allowed'], [500, 'Internal Server Error', 'Internal Server Error']];

const settled = (page) => page.waitForFunction(() => document.querySelector('h1') && !document.querySelector('[aria-busy=true], .loading'));

/*
 * `tab` is signed in to `daemon`; `show` leads to the page and `leave` to another one; `requests` is a pattern for the
 * requests for data.
 */
export async function checkStates(tab, page, { daemon, name, requests, show, leave }) {
  const banner = (text) => page.locator('.connection').getByText(text);
  const fine = async (state) => {
    await settled(page);
    assert.equal(await page.locator('.failure').count(), 0, `${name}: nothing failed after ${state}`);
  };

  await show();
  await fine('it was shown');
  await leave();

  let release;
  const held = new Promise((done) => { release = done; });
  await page.route(requests, async (route) => {
    await held;
    await route.continue().catch(() => {}); /* a request that the page has given up */
  });
  await show();
  await page.locator('main .loading, main [aria-busy=true]').first().waitFor();
  release();
  await fine('loading');
  await page.unroute(requests);

  for (const [status, title, text] of PASSING) {
    await leave();
    let refused = false;
    await page.route(requests, (route) => {
      if (refused) {
        return route.continue();
      }
      return route.fulfill(problem(status, title, { 'Retry-After': '1' }));
    });
    await show();
    await banner(text).waitFor();
    refused = true;
    await banner(text).waitFor({ state: 'detached' });
    await fine(status);
    await page.unroute(requests);
  }

  for (const [status, title, heading] of LASTING) {
    await leave();
    await page.route(requests, (route) => route.fulfill(problem(status, title)));
    await show();
    await page.getByRole('alert').getByRole('heading', { name: heading }).first().waitFor();
    await page.unroute(requests);
  }

  await leave();
  await settled(page);
  await tab.context.setOffline(true);
  await show();
  await banner('You are offline').waitFor();
  await tab.context.setOffline(false);
  await banner('You are offline').waitFor({ state: 'detached' });
  await fine('being offline');

  await leave();
  await settled(page);
  await daemon.pause();
  await show();
  await banner('The server cannot be reached').waitFor();
  await daemon.resume();
  await banner('The server cannot be reached').waitFor({ state: 'detached' });
  await fine('a restart');

  await leave();
  await page.route(requests, (route) => route.fulfill(problem(401, 'Unauthorized')));
  await show();
  await tab.heading('Sign in').waitFor();
  await page.getByRole('alert').waitFor();
  await page.unroute(requests);
}
