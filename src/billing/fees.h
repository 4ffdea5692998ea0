/* SPDX-License-Identifier: ISC */
/*
 * fees.h: which plans' monthly fees an account owes.
 *
 * A fee is owed once for each plan that an account had at any time in a month, at the plans' present prices; a subaccount
 * that has its parent's plan owes none, and nothing is owed for the future.
 */
#ifndef CDRD_BILLING_FEES_H
#define CDRD_BILLING_FEES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "billing/plans.h"
#include "meta/accounts.h"

/* The plans that an account has had, oldest first, as of accounts_plans. */
struct fees_history {
	struct account_plan plans[ACCOUNT_PLANS_MAX];
	int count;
};

/* `plan` has a fee. Return false to stop. */
typedef bool (*fees_fn)(void *arg, const struct plan *plan);

/* Calls fn for each plan whose fee is owed for the month [from_us, to_us), as of `now_us`; more than once for a plan that was
 * given more than once in it. False if fn has stopped it. */
bool fees_each(const struct plans *plans, const struct account *account, const struct fees_history *history,
               int64_t from_us, int64_t to_us, int64_t now_us, fees_fn fn, void *arg);

#endif
