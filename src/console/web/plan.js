/* SPDX-License-Identifier: ISC */
/*
 * plan.js: what so many records of a month cost under a plan, as GET /v2/account describes it: the first `free` ones cost
 * nothing and count towards the tiers, each of which ends with its `to`-th record.
 */
import { add, multiply } from './decimal.js';

/* { from, to: null in the last one, price, free } */
export function tiersOf(plan) {
  const tiers = [];
  let from = 1;

  if (plan.free > 0) {
    tiers.push({ from, to: plan.free, price: '0', free: true });
    from = plan.free + 1;
  }
  for (const { to, price } of plan.tiers) {
    if (to === null || to >= from) {
      tiers.push({ from, to, price, free: false });
      from = (to ?? 0) + 1;
    }
  }
  return tiers;
}

/* A decimal, without the fee. */
export function costOf(plan, volume) {
  return tiersOf(plan).reduce((sum, { from, to, price }) => {
    const count = Math.max(0, Math.min(volume, to ?? volume) - from + 1);
    return add(sum, multiply(price, count));
  }, '0');
}

/* Fees of the account and its subaccounts that are owed for a month: { account, plan, amount, currency } */
export function feesOf(own, month) {
  return [own, ...own.subaccounts].flatMap(({ account_id: account, fees = [] }) => fees.filter((one) => one.month === month).map((one) => ({ account, ...one })));
}

/* The volume at the end of the month if it goes on as until now; null on the first day, when nothing can be said. */
export function forecastOf(volume, now) {
  const date = new Date(now);
  const start = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
  const end = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);

  return now - start < 86400000 ? null : Math.round(volume * (end - start) / (now - start));
}
