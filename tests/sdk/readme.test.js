/*
 * readme.test.js: the README's JavaScript, run as it stands there against the real daemon.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';

import { Auth } from '@vonage/auth';
import { Reports } from '@vonage/reports';

import { Daemon } from './daemon.js';

const README = readFileSync(join(process.env.srcdir ?? '../..', 'README.md'), 'utf8');
const AsyncFunction = (async () => {}).constructor;

let daemon;
let account;

before(async () => {
  daemon = await Daemon.start();
  account = daemon.addAccount('abcd1234', 'the-secret-of-it');
});

after(() => daemon.stop());

/* All blocks as one program; what they import is in scope. */
function program() {
  const blocks = [...README.matchAll(/^```js\n(.*?)^```$/gms)].map(([, block]) => block);
  assert.ok(blocks.length > 0, 'the README has no JavaScript');
  return blocks.join('\n').replaceAll(/^import .*$/gm, '').replaceAll('http://127.0.0.1:8080', daemon.url);
}

it('asks for a page with the official SDK', async () => {
  const run = new AsyncFunction('Reports', 'Auth', 'SECRET', `${program()}\nreturn page;`);
  const page = await run(Reports, Auth, account.apiSecret);
  assert.equal(page.itemsCount ?? page.items_count, 0);
});
