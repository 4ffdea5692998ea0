/* SPDX-License-Identifier: ISC */
/*
 * duckdb.mjs: DuckDB writes the report. A database file, one thread, text columns but for the time.
 */
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { checkRows, csv, folder, measureExport, notShown } from './measure.mjs';

const instance = await DuckDBInstance.create(join(folder, 'peer.duckdb'), { threads: '1' });
const connection = await instance.connect();

await connection.run(`CREATE TABLE cdr AS SELECT * FROM read_csv('${csv}', header = true, all_varchar = true)`);
await connection.run('ALTER TABLE cdr ALTER date_received TYPE TIMESTAMPTZ');
await connection.run('CHECKPOINT');
checkRows((await connection.runAndReadAll('SELECT count(*) FROM cdr')).getRows()[0][0]);

for (const [name, extension] of [['gzip', 'gz'], ['zstd', 'zst']]) {
  await measureExport(name, extension, (path) => connection.run(
    `COPY (SELECT * EXCLUDE (${notShown}) FROM cdr) TO '${path}' (FORMAT csv, HEADER, FORCE_QUOTE *, COMPRESSION ${name})`));
}
