/* SPDX-License-Identifier: ISC */
/*
 * queries.js: what the SDK's tests ask for, yesterday's records, and how they look at answers.
 */
import assert from 'node:assert/strict';

import { Direction, Product } from '@vonage/reports';

export const HOUR_MS = 3600 * 1000;

export const yesterday = new Date(Date.now() - 24 * HOUR_MS);
yesterday.setUTCHours(0, 0, 0, 0);

export const DAY = {
  dateStart: yesterday.toISOString(),
  dateEnd: new Date(yesterday.getTime() + 24 * HOUR_MS).toISOString(),
};

/* Queries for these must name one. */
export const WITH_DIRECTION = new Set([Product.SMS, Product.MESSAGES]);

export function queryOf(product, { apiKey }) {
  return {
    product,
    accountId: apiKey,
    ...DAY,
    ...(WITH_DIRECTION.has(product) ? { direction: Direction.OUTBOUND } : {}),
  };
}

/* What the SDK makes of a column's name. */
export const camelCase = (name) => name.replace(/_+(\w)/g, (_, letter) => letter.toUpperCase());

/* CSV as lines of quoted values, a quote doubled: lists of them. */
export function readCsv(text) {
  const lines = [];
  let line = [];
  for (const [, value, end] of text.matchAll(/"((?:[^"]|"")*)"(,|\n)/g)) {
    line.push(value.replaceAll('""', '"'));
    if (end === '\n') {
      lines.push(line);
      line = [];
    }
  }
  return lines;
}

/* The promise's HTTP error: its status and its problem document. */
export async function problemOf(promise) {
  const error = await promise.then(() => assert.fail('the request succeeded'), (reason) => reason);
  assert.ok(error.response, `not an HTTP error: ${error.stack}`);
  return { status: error.response.status, ...(await error.response.json()) };
}
