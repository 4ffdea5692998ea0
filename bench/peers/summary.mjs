/* SPDX-License-Identifier: ISC */
/*
 * summary.mjs: ClickHouse (chdb) counts and adds up. A MergeTree in the order of the daemon's store, in one part, one
 * thread, columns of few values as LowCardinality, money as Decimal.
 *
 *	node summary.mjs CSV-FOLDER FOLDER RECORDS REPEATS ANSWERS ACCOUNT TABLE FROM TO PRODUCT=RECORDS...
 *
 * CSV-FOLDER has a PRODUCT.csv each. TABLE and ANSWERS are as in summary.py. The samples have one currency, so nothing
 * is grouped by it.
 */
import { join } from 'node:path';
import { readFileSync, writeFileSync } from 'node:fs';
import { Session } from 'chdb';
import { checkRows, columnsOf, csv as csvFolder, folder, measureQuery } from './measure.mjs';

const [answersPath, account, tablePath, from, to, ...products] = process.argv.slice(6);
const ONE_CORE = 'max_threads = 1, max_insert_threads = 1';
const FEW_VALUES = ['account_id', 'direction', 'status', 'country', 'network', 'error_code', 'currency'];
const TIME = { SMS: 'date_received', 'VOICE-CALL': 'date_start' };
const SUMS = { SMS: ['total_price'], 'VOICE-CALL': ['duration', 'total_price', 'price'] };
const session = new Session(join(folder, 'peer'));

function load(product, records) {
  const path = join(csvFolder, `${product}.csv`);
  const there = columnsOf(path);
  const few = FEW_VALUES.filter((name) => there.includes(name));
  const columns = [...few, TIME[product], ...SUMS[product]];
  const types = [...few.map((name) => `${name} LowCardinality(String)`), `${TIME[product]} DateTime('UTC')`,
    ...SUMS[product].map((name) => `${name} ${name === 'duration' ? 'UInt32' : 'Decimal(18, 5)'}`)].join(', ');
  session.query(`INSERT INTO bench.cdr (product, ${columns.join(', ').replace(TIME[product], 'time')})
    SELECT '${product}', ${columns.join(', ')} FROM file('${path}', 'CSVWithNames', '${types.replaceAll("'", "''")}')
    SETTINGS ${ONE_CORE}, date_time_input_format = 'best_effort', input_format_skip_unknown_fields = 1`);
  checkRows(session.query(`SELECT count() FROM bench.cdr WHERE product = '${product}'`, 'TSV'), records);
}

function sqlOf([what, product, groupBy, interval, condition]) {
  const keys = [...(interval === '-' ? [] : ['toDate(time)']), ...(groupBy === '-' ? [] : groupBy.split(','))];
  const sums = what === 'estimate' ? [] : SUMS[product].map((name) => `sum(${name})`);
  const where = [`account_id = '${account}'`, `product = '${product}'`, `time >= '${from} 00:00:00'`,
    `time < '${to} 00:00:00'`, ...(condition === '-' ? [] : [condition.replace(/=(.*)/, " = '$1'")])];
  return [keys.length, `SELECT ${[...keys, 'count()', ...sums].join(', ')} FROM bench.cdr WHERE ${where.join(' AND ')}
    ${keys.length ? `GROUP BY ${keys.join(', ')}` : ''} SETTINGS ${ONE_CORE}`];
}

/* As summary.py has them: [[key, ...], count, sum, ...], sums without zeros at their ends. */
function groupsOf(text, keysCount) {
  const plain = (number) => (number.includes('.') ? number.replace(/0+$/, '').replace(/\.$/, '') : number);
  return text.trimEnd().split('\n').map((line) => line.split('\t')).map((values) => [
    values.slice(0, keysCount), Number(values[keysCount]), ...values.slice(keysCount + 1).map(plain)]);
}

const counts = Object.fromEntries(products.map((word) => word.split('=')));
session.query('CREATE DATABASE bench');
session.query(`CREATE TABLE bench.cdr (product LowCardinality(String),
  ${FEW_VALUES.map((name) => `${name} LowCardinality(String)`).join(', ')}, time DateTime('UTC'), duration UInt32,
  total_price Decimal(18, 5), price Decimal(18, 5)) ENGINE = MergeTree ORDER BY (account_id, product, direction, time)`);
Object.entries(counts).forEach(([product, records]) => load(product, records));
session.query('OPTIMIZE TABLE bench.cdr FINAL');
session.query('SYSTEM STOP MERGES bench.cdr'); // their time would be added to a query's

const answers = [];
for (const line of readFileSync(tablePath, 'utf8').trim().split('\n')) {
  const [name, ...question] = line.split(/\s+/);
  const [keysCount, sql] = sqlOf(question);
  const text = measureQuery(name, Number(counts[question[1]]), () => session.query(sql, 'TSV'));
  answers.push(JSON.stringify([name, ...groupsOf(text, keysCount)]));
}
writeFileSync(answersPath, answers.map((line) => `${line}\n`).join(''));
session.cleanup();
