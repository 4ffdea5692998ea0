/* SPDX-License-Identifier: ISC */
/*
 * daemon.js: the real cdrd of $CDRD_BUILD_DIR for the SDK's tests, in a directory of its own, with cdrctl and cdrgen. With
 * CDRD_CLICKHOUSE in the environment (tests/cluster/cluster.py sets it), records are in a database of its own there.
 */
import { execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { accessSync, constants, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const BUILD_DIR = resolve(process.env.CDRD_BUILD_DIR ?? '.');
const FOLDERS = { cdrd: 'src', cdrctl: 'src/ctl' };
const CLICKHOUSE = process.env.CDRD_CLICKHOUSE;
const START_MS = 120000;
/* Options of a test of which another one proves nearly as much for less: it(name, SLOW, test). ./runtests leaves it out, CI does not. */
export const SLOW = { skip: process.env.CDRD_QUICK_TESTS ? 'slow' : false };

const PRODUCER = { name: 'carrier', secret: 'producer-secret-1' };

function program(name) {
  for (const folder of ['', 'src', FOLDERS[name] ?? '']) {
    const path = join(BUILD_DIR, folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch { /* the next place */ }
  }
  throw new Error(`${name} is not in CDRD_BUILD_DIR=${BUILD_DIR}`);
}

/* The ports of a hundred are those of the process that has the socket of their name until it ends, as in
 * tests/blackbox/harness.py; below those that the kernel gives to clients, which may be a client's by the time a server wants one. */
const HUNDREDS = { first: 100, end: 320 };
let next = 0;

function listens(where) {
  return new Promise((done) => {
    const server = createServer().unref();
    server.on('error', () => done(null));
    server.listen(where, () => done(server));
  });
}

export async function freePort() {
  for (;;) {
    while (next % 100 === 0) {
      const hundred = randomInt(HUNDREDS.first, HUNDREDS.end);
      next = await listens({ path: `\0cdrd-tests-ports-${hundred}` }) ? hundred * 100 + 1 : 0;
    }
    const port = next;
    next += 1;
    const probe = await listens({ port, host: '127.0.0.1' });
    if (probe) {
      await new Promise((done) => { probe.close(done); });
      return port;
    }
  }
}

function connects(address) {
  return new Promise((done) => {
    const probe = createConnection(address, () => { probe.destroy(); done(true); });
    probe.on('error', () => done(false));
  });
}

let databases = 0;

function clusterOptions() {
  databases += 1;
  return CLICKHOUSE ? {
    store: 'clickhouse', clickhouse: CLICKHOUSE, clickhouse_database: `n${process.pid}_${databases}`, clickhouse_quorum: 1,
    clickhouse_timeout: '30s',
  } : {};
}

export class Daemon {
  static async start(options = {}) {
    const daemon = new Daemon();
    daemon.directory = mkdtempSync(join(tmpdir(), 'cdrd-sdk-'));
    daemon.socket = join(daemon.directory, 'admin.sock');
    daemon.port = await freePort();
    daemon.url = `http://127.0.0.1:${daemon.port}`;
    const settings = {
      listen: `127.0.0.1:${daemon.port}`,
      data_dir: join(daemon.directory, 'data'),
      admin_socket: daemon.socket,
      sync_rate_max: 0,
      async_rate_max: 0,
      ...clusterOptions(),
      ...options,
    };
    daemon.arguments = Object.entries(settings).flatMap(([k, v]) => ['-o', `${k}=${v}`]);
    if (CLICKHOUSE) {
      execFileSync(program('cdrd'), [...daemon.arguments, '-m'], { stdio: 'ignore' });
    }
    await daemon.resume();
    daemon.ctl('producer', 'add', PRODUCER.name, '--secret', PRODUCER.secret);
    return daemon;
  }

  /* Starts the program with the data and the port that it has. */
  async resume() {
    const path = join(this.directory, 'log');
    const log = openSync(path, 'a');
    const before = statSync(path).size;
    this.process = spawn(program('cdrd'), this.arguments, { stdio: ['ignore', 'ignore', log] });
    this.ended = new Promise((done) => this.process.on('exit', (status, signal) => done(status ?? signal)));
    await this.#ready(before);
  }

  /* Has it found its tables since the log had so many bytes? Until then records are refused. */
  #serves(before) {
    return !CLICKHOUSE || readFileSync(join(this.directory, 'log')).includes('records are in ClickHouse', before);
  }

  async #ready(before) {
    const deadline = Date.now() + START_MS;
    while (!(await connects({ port: this.port, host: '127.0.0.1' })) || !(await connects({ path: this.socket }))
      || !this.#serves(before)) {
      if (this.process.exitCode !== null || Date.now() > deadline) {
        throw new Error(`cdrd did not start:\n${this.log()}`);
      }
      await sleep(20);
    }
  }

  log() {
    return readFileSync(join(this.directory, 'log'), 'utf8');
  }

  ctl(...words) {
    return execFileSync(program('cdrctl'), ['-s', this.socket, '--json', ...words], { encoding: 'utf8' });
  }

  addAccount(id, secret, ...more) {
    this.ctl('account', 'add', id, '--secret', secret, ...more);
    return { apiKey: id, apiSecret: secret };
  }

  /* Sample records as objects, in order of time. */
  generate(product, account, count, from, to, ...more) {
    const lines = execFileSync(program('cdrgen'), ['--product', product, '--account', account.apiKey, '--count', count,
      '--from', from, '--to', to, ...more], { encoding: 'utf8', maxBuffer: 1 << 28 });
    return lines.trim().split('\n').map((line) => JSON.parse(line));
  }

  async ingest(records) {
    const answer = await fetch(`${this.url}/v1/cdrs`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-ndjson',
        Authorization: `Basic ${Buffer.from(`${PRODUCER.name}:${PRODUCER.secret}`).toString('base64')}`,
      },
      body: records.map((record) => JSON.stringify(record)).join('\n'),
    });
    const summary = await answer.json();
    if (summary.accepted !== records.length) {
      throw new Error(`${records.length} records sent: ${answer.status} ${JSON.stringify(summary)}`);
    }
  }

  /* Ends the program; throws what a sanitizer said, or a status other than 0. */
  async pause() {
    this.process.kill('SIGTERM');
    const status = await this.ended;
    const log = this.log();
    if (status !== 0 || /ERROR: \w+Sanitizer|runtime error:/.test(log)) {
      throw new Error(`cdrd ended with ${status}:\n${log}`);
    }
  }

  /* The same, and its data goes. */
  async stop() {
    try {
      await this.pause();
    } finally {
      rmSync(this.directory, { recursive: true, force: true });
    }
  }
}
