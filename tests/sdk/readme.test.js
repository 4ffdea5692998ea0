/* SPDX-License-Identifier: ISC */
/*
 * readme.test.js: the README's JavaScript, run as it stands there against the real daemon.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Auth } from '@vonage/auth';
import { Reports } from '@vonage/reports';
import AdmZip from 'adm-zip';

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

it('asks for a page with the official SDK, and downloads a report without it', async () => {
  const scope = {
    Reports, Auth, SECRET: account.apiSecret, sleep: () => sleep(20), files: new Map(),
  };
  scope.writeFile = async (name, content) => scope.files.set(name, content);
  const run = new AsyncFunction(...Object.keys(scope), `${program()}\nreturn { page, report };`);
  const { page, report } = await run(...Object.values(scope));
  assert.equal(page.itemsCount ?? page.items_count, 0);
  assert.equal(report.requestStatus, 'SUCCESS');
  const [entry] = new AdmZip(scope.files.get('report.zip')).getEntries();
  assert.match(entry.getData().toString(), /^"account_id",/);
});
