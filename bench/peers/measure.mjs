/* SPDX-License-Identifier: ISC */
/*
 * measure.mjs: what the peers that run in this process share: arguments, the clock, the figures.
 *
 *	node PEER.mjs CSV FOLDER RECORDS REPEATS
 */
import { closeSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

const [csv, folder, records, repeats] = process.argv.slice(2);

export { csv, folder };
export const notShown = 'concatenated'; // a column that the records have and a report without options does not

/* The names of a CSV's columns. */
export function columnsOf(path) {
  const file = openSync(path);
  const beginning = Buffer.alloc(65536);
  const length = readSync(file, beginning);
  closeSync(file);
  return beginning.toString('utf8', 0, length).split('\n', 1)[0].replaceAll('"', '').split(',');
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/* Calls write(path) as often as asked for and prints, under `name`, what an export took. */
export async function measureExport(name, extension, write) {
  const path = join(folder, `report.csv.${extension}`);
  const seconds = [];
  const cpu = [];
  let bytes = 0;
  for (let n = 0; n < Number(repeats); n++) {
    rmSync(path, { force: true });
    const before = process.cpuUsage();
    const begun = process.hrtime.bigint();
    await write(path);
    seconds.push(Number(process.hrtime.bigint() - begun) / 1e9);
    const used = process.cpuUsage(before);
    cpu.push((used.user + used.system) / 1e6);
    bytes = statSync(path).size;
  }
  rmSync(path, { force: true });
  console.log(`${name}.cpu_s_per_million ${(median(cpu) / Number(records) * 1e6).toFixed(4)}`);
  console.log(`${name}.rows_per_s ${Math.round(Number(records) / median(seconds))}`);
  console.log(`${name}.mib ${(bytes / 1048576).toFixed(1)}`);
}

/* Calls query() as often as asked for and prints, under `name`, what it took. Returns what it returned. */
export function measureQuery(name, ofRecords, query) {
  const ms = [];
  const cpu = [];
  let answer;
  for (let n = 0; n < Number(repeats); n++) {
    const before = process.cpuUsage();
    const begun = process.hrtime.bigint();
    answer = query();
    ms.push(Number(process.hrtime.bigint() - begun) / 1e6);
    const used = process.cpuUsage(before);
    cpu.push((used.user + used.system) / 1e3);
  }
  console.log(`${name}.ms ${median(ms).toFixed(3)}`);
  console.log(`${name}.cpu_ms_per_million ${(median(cpu) / ofRecords * 1e6).toFixed(4)}`);
  return answer;
}

/* A peer that did not load all records would be measured with less work. */
export function checkRows(rows, wanted = records) {
  if (Number(rows) !== Number(wanted)) {
    console.error(`bench: ${rows} rows were loaded instead of ${wanted}`);
    process.exit(1);
  }
}
