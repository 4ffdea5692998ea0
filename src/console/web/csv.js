/* SPDX-License-Identifier: ISC */
/*
 * csv.js: a table of the page as a file.
 *
 * A text that a spreadsheet would run as a formula gets an apostrophe in front; what is a number stays as it is.
 */
function fieldOf(value) {
  const text = String(value ?? '');
  const harmless = /^[=+\-@\t\r]/.test(text) && !/^-?[0-9.]+$/.test(text) ? `'${text}` : text;

  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/* header: texts; rows: arrays of texts and numbers */
export function csvOf(header, rows) {
  return [header, ...rows].map((row) => `${row.map(fieldOf).join(',')}\r\n`).join('');
}

export function saveFile(name, text, type = 'text/csv;charset=utf-8') {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');

  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
