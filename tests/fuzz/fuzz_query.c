/* SPDX-License-Identifier: ISC */
/*
 * fuzz_query.c: query strings to plans.
 *
 * An input is a query string; its length says whether it is read as a synchronous or an asynchronous one. Beside not
 * crashing, what must hold: a plan is made exactly when no problem is listed, a plan keeps within its limits, its
 * fingerprint does not depend on the order of parameters, and no text that a client thinks up opens as a cursor.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "query/cursor.h"
#include "query/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static const struct query_limits limits = { .window_max_us = 24 * CLOCK_US_PER_HOUR, .ids_max = 20, .page_max = 1000 };
static const int64_t now_us = INT64_C(1718625600000000);

static bool make(struct query_plan *plan, enum query_kind kind, const struct query_params *params)
{
	struct query_problems problems = { 0 };
	bool made = query_plan_make(plan, kind, params, &limits, now_us, &problems);

	must(made == (problems.count == 0 && !problems.invalid_filter));
	must(problems.count <= QUERY_PROBLEMS_MAX);
	return made;
}

static void check_plan(const struct query_plan *plan)
{
	must(plan->product != NULL && id_is_account(str_from(plan->account)));
	must(plan->filters_count <= SCAN_FILTERS_MAX && plan->groups_count <= QUERY_GROUPS_MAX);
	if (plan->kind == QUERY_CHANGES) {
		must(plan->filters_count == 0 && !plan->by_id && plan->wait_us <= QUERY_WAIT_MAX * CLOCK_US_PER_SECOND);
		return;
	}
	must(plan->by_id ? plan->ids_count >= 1 && plan->ids_count <= limits.ids_max : plan->from_us <= plan->to_us);
	/* the hour is that of a clock that is set back */
	must(plan->by_id || plan->to_us - plan->from_us <= limits.window_max_us + CLOCK_US_PER_HOUR);
	must(plan->limit <= limits.page_max);
}

static void check_fingerprint(const struct query_plan *plan, enum query_kind kind, const struct query_params *params)
{
	static struct query_plan other;
	struct query_params reversed = { 0 };
	struct error err;

	for (size_t i = params->count; i-- > 0;)
		must(query_params_add(&reversed, params->list[i].name, params->list[i].value, &err) == 0);
	must(make(&other, kind, &reversed));
	must(query_plan_fingerprint(plan, params) == query_plan_fingerprint(&other, &reversed));
	query_params_free(&reversed);
}

static void check_cursor(const struct query_plan *plan)
{
	static const struct cursor_key key = { { 1 } };
	struct account_key account = account_key_of(str_from(plan->account), 1);
	struct cursor cursor;
	struct error err;

	if (plan->cursor.p)
		must(cursor_open(&key, &account, plan->cursor, plan->iv, &cursor, &err) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct query_plan plan;
	static const enum query_kind kinds[] = { QUERY_SYNC, QUERY_ASYNC, QUERY_SUMMARY, QUERY_CHANGES };
	enum query_kind kind = kinds[size % 4];
	struct query_params params = { 0 };
	struct error err;

	if (query_params_decode(&params, (struct str){ (const char *)data, size }, &err) == 0 &&
	    make(&plan, kind, &params)) {
		check_plan(&plan);
		check_fingerprint(&plan, kind, &params);
		check_cursor(&plan);
	}
	query_params_free(&params);
	return 0;
}
