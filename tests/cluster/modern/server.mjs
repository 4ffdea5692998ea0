/* SPDX-License-Identifier: ISC */
/*
 * server.mjs PACKAGES PORT FOLDER: a modern ClickHouse (chdb) that speaks as much of ClickHouse's HTTP interface as cdrd does: one
 * server, which is a shard of one replica. Statements go to it as they are, settings of the address as they are in SET, so that
 * it is ClickHouse that says what it does not know. What is translated, as chdb has no server around it:
 *
 * - Replicated tables are plain ones, as nothing gives chdb the address that a replica must have. They remember blocks that
 *   were inserted, which replicated ones do by themselves.
 * - An insert is refused that a server would keep for a while and put together with others (async_insert), as chdb does not.
 * - Rows of an insert, and the list `numbers`, are read from a file: chdb takes statements of UTF-8 alone.
 */
import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';

process.env.UV_THREADPOOL_SIZE = '16'; // statements that run at once, before libuv begins

const [packages, port, folder] = process.argv.slice(2);
const { Session } = createRequire(resolve(packages, 'server.mjs'))('chdb');
const data = join(folder, 'data');
/* The others are of the same server while it is there. Deletions end later, as they do on a server. */
const first = new Session(data, { connectionArgs: ['--mutations_sync=0'] });
const version = first.query('SELECT version()', 'TSV').trim();

/* Of the address: not settings, but the interface's own. All answers are whole before they are sent. */
const OWN = new Set(['query', 'database', 'wait_end_of_query', 'buffer_size', 'numbers_format', 'numbers_types']);

const STATUS = { 47: 404, 60: 404, 62: 400, 81: 404, 115: 404, 516: 403 }; // others are 500

const quote = (text) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function translate(sql) {
  return sql.replace(/^(\s*CREATE TABLE .*)ENGINE = Replicated(\w+)\('[^']*', '\{replica\}'(?:, )?([^)]*)\)(.*)$/s,
    '$1ENGINE = $2($3)$4, non_replicated_deduplication_window = 10000');
}

/* The one file of a form. */
function fileOf(body, type) {
  const end = `\r\n--${/boundary=(\S+)/.exec(type)[1]}--`;
  return body.subarray(body.indexOf('\r\n\r\n') + 4, body.lastIndexOf(end));
}

async function run(url, headers, body) {
  const session = new Session(data);
  const file = join(folder, randomUUID());
  const rows = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
  const list = url.searchParams.get('numbers_types');
  let inserts = false;
  let sql = url.searchParams.get('query') ?? rows.toString();

  try {
    if (list !== null) {
      writeFileSync(file, fileOf(rows, headers['content-type']));
      session.query(`CREATE TEMPORARY TABLE numbers (_1 ${list})`);
      session.query(`INSERT INTO numbers FROM INFILE '${file}' FORMAT ${url.searchParams.get('numbers_format')}`);
    } else if (url.searchParams.has('query')) {
      writeFileSync(file, rows);
      inserts = true;
      sql = sql.replace(/ FORMAT \w+$/, (format) => ` FROM INFILE '${file}'${format}`);
    }
    for (const [name, value] of url.searchParams)
      if (!OWN.has(name))
        session.query(`SET ${name} = ${quote(value)}`);
    if (url.searchParams.has('database'))
      session.query(`USE ${url.searchParams.get('database')}`);
    if (inserts && session.query("SELECT getSetting('async_insert')", 'TSV') === 'true\n')
      throw new Error('Code: 48. DB::Exception: async_insert, which would store these rows later, is on');
    return Buffer.from((await session.queryAsync(translate(sql), { format: 'TSV' })).bytes());
  } finally {
    session.close();
    rmSync(file, { force: true });
  }
}

async function answer(request, reply) {
  const pieces = [];
  for await (const piece of request)
    pieces.push(piece);
  const url = new URL(request.url, 'http://localhost');
  try {
    reply.end(url.pathname === '/ping' ? 'Ok.\n' : await run(url, request.headers, Buffer.concat(pieces)));
  } catch (error) {
    const code = Number(/Code: (\d+)/.exec(error.message)?.[1] ?? 0);
    reply.writeHead(STATUS[code] ?? 500, { 'X-ClickHouse-Exception-Code': code });
    reply.end(`${error.message.replace('Query failed: ', '')} (version ${version})\n`);
  }
}

createServer(answer).listen(Number(port), '127.0.0.1');
process.once('SIGTERM', () => process.exit());
