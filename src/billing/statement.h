/* SPDX-License-Identifier: ISC */
/*
 * statement.h: what accounts owe for a month: the sums of their usage records, and the fees of their plans.
 *
 *	statement_begin(&statement, store, plans, month, account_or_NULL, &err);
 *	while ((end = statement_step(statement, deadline_us, &err)) == STATEMENT_MORE) ...
 *	statement_lines(statement, &count)
 *
 * Only committed usage records are read (call billing_flush first); one committed meanwhile may be included or not. A
 * fee is owed once for each plan that an account had at any time in the month, at the plans' present prices; a
 * subaccount that has its parent's plan owes none.
 */
#ifndef CDRD_BILLING_STATEMENT_H
#define CDRD_BILLING_STATEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/decimal.h"
#include "base/error.h"
#include "billing/plans.h"
#include "meta/accounts.h"
#include "store/store.h"

#define STATEMENT_WHAT_MAX 40

struct statement_line {
	char account[ACCOUNT_ID_MAX + 1];
	char parent[ACCOUNT_ID_MAX + 1];
	bool is_fee;
	char what[STATEMENT_WHAT_MAX]; /* the product queried, or the plan whose fee it is */
	char currency[PLAN_CURRENCY_MAX + 1];
	uint64_t requests;
	uint64_t items;
	struct decimal total;
};

struct statement;

/* Reads "2026-11" (0000-00 is no month); NULL gives the month of `now_us`. Fills the first microsecond and the one
 * after the last. */
bool statement_month(const char *text, int64_t now_us, int64_t *from_us, int64_t *to_us);

/* The plans are copied. ERROR_NOT_FOUND if there is no such account. */
MUST_CHECK struct statement *statement_begin(struct meta *meta, struct store *store, const struct plans *plans,
                                             int64_t from_us, int64_t to_us, const char *account, int64_t now_us,
                                             struct error *err);

enum statement_end { STATEMENT_MORE, STATEMENT_DONE, STATEMENT_FAILED };
MUST_CHECK enum statement_end statement_step(struct statement *statement, int64_t deadline_us, struct error *err);

/* When it is done: by account, then products, then fees. They are valid until the statement is freed. */
const struct statement_line *statement_lines(const struct statement *statement, size_t *count);

void statement_free(struct statement *statement);

#endif
