/* SPDX-License-Identifier: ISC */
/*
 * parquet.mjs: ClickHouse (chdb) writes the report as Parquet. A MergeTree in the order of reports, one thread, columns
 * of few values as LowCardinality, times as DateTime64(6), money and durations as Decimal. Pages are in zstd at level 1,
 * which costs it less than its default.
 *
 *	node parquet.mjs CSV FOLDER RECORDS REPEATS
 */
import { join } from 'node:path';
import { Session } from 'chdb';
import { checkRows, columnsOf, csv, folder, measureExport, notShown } from './measure.mjs';

const ONE_CORE = 'max_threads = 1, max_insert_threads = 1';
const FEW_VALUES = new Set(['account_id', 'direction', 'from', 'network', 'network_name', 'country', 'country_name', 'status',
  'error_code', 'error_code_description', 'currency', 'dcs', 'validity_period', 'workflow_id', 'tier_volume']);
const TIMES = new Set(['date_received', 'date_finalized']);
const DECIMALS = new Set(['total_price', 'latency']);
const session = new Session(join(folder, 'peer'));

function typeOf(name) {
  if (TIMES.has(name)) {
    return "DateTime64(6, 'UTC')";
  }
  return DECIMALS.has(name) ? 'Decimal(18, 5)' : FEW_VALUES.has(name) ? 'LowCardinality(String)' : 'String';
}

const columns = columnsOf(csv).map((name) => `\`${name}\` ${typeOf(name)}`).join(', ');

session.query('CREATE DATABASE bench');
session.query(`CREATE TABLE bench.cdr (${columns}) ENGINE = MergeTree ORDER BY (account_id, direction, date_received)`);
session.query(`INSERT INTO bench.cdr SELECT * FROM file('${csv}', 'CSVWithNames', '${columns.replaceAll("'", "''")}')
  SETTINGS ${ONE_CORE}, date_time_input_format = 'best_effort', input_format_csv_empty_as_default = 1`);
session.query('SYSTEM STOP MERGES bench.cdr'); // their time would be added to an export's
checkRows(session.query('SELECT count() FROM bench.cdr', 'TSV'));

await measureExport('zstd', 'parquet', async (path) => session.query(
  `INSERT INTO FUNCTION file('${path}', 'Parquet') SELECT * EXCEPT (${notShown}) FROM bench.cdr
   SETTINGS ${ONE_CORE}, output_format_parquet_compression_method = 'zstd', output_format_compression_level = 1`));
session.cleanup();
