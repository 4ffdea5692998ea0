/* SPDX-License-Identifier: ISC */
/*
 * clickhouse.mjs: ClickHouse (chdb) writes the report. A MergeTree in the order of reports, one thread, text columns but
 * for the time. Its CSV has every text in quotes by itself. It compresses at level 1, which costs it two thirds of what
 * its default does.
 */
import { join } from 'node:path';
import { Session } from 'chdb';
import { checkRows, columnsOf, csv, folder, measureExport, notShown } from './measure.mjs';

const ONE_CORE = 'max_threads = 1, max_insert_threads = 1';
const session = new Session(join(folder, 'peer'));

const columns = columnsOf(csv).map(
  (name) => `\`${name}\` ${name === 'date_received' ? "DateTime('UTC')" : 'String'}`).join(', ');

session.query('CREATE DATABASE bench');
session.query(`CREATE TABLE bench.cdr (${columns}) ENGINE = MergeTree ORDER BY (account_id, direction, date_received)`);
session.query(`INSERT INTO bench.cdr SELECT * FROM file('${csv}', 'CSVWithNames', '${columns.replaceAll("'", "''")}')
  SETTINGS ${ONE_CORE}, date_time_input_format = 'best_effort'`);
session.query('SYSTEM STOP MERGES bench.cdr'); // their time would be added to an export's
checkRows(session.query('SELECT count() FROM bench.cdr', 'TSV'));

for (const [name, extension, condition] of [['gzip', 'gz', ''], ['zstd', 'zst', ''], ['delivered', 'gz', "WHERE status = 'delivered'"]]) {
  await measureExport(name, extension, async (path) => session.query(
    `INSERT INTO FUNCTION file('${path}', 'CSVWithNames') SELECT * EXCEPT (${notShown}) FROM bench.cdr ${condition}
     SETTINGS ${ONE_CORE}, output_format_compression_level = 1`));
}
session.cleanup();
