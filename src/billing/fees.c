/* SPDX-License-Identifier: ISC */
/*
 * fees.c: see fees.h.
 */
#include "billing/fees.h"

struct month {
	const struct plans *plans;
	const struct account *account;
	int64_t from_us, to_us;
	fees_fn fn;
	void *arg;
};

/* Gives the plan that the account had from `from_us` until before `to_us`, if some of that is in the month. */
static bool give_period(const struct month *month, const char *name, int64_t from_us, int64_t to_us)
{
	const struct account *account = month->account;
	const struct plan *plan;

	if (from_us < account->created_us)
		from_us = account->created_us;
	if (from_us < month->from_us)
		from_us = month->from_us;
	if (to_us > month->to_us)
		to_us = month->to_us;
	if (from_us >= to_us || (!name[0] && account->parent[0]))
		return true;
	plan = plans_find(month->plans, str_from(name));
	if (!plan)
		plan = &month->plans->list[month->plans->fallback];
	return plan->month.units == 0 || month->fn(month->arg, plan);
}

bool fees_each(const struct plans *plans, const struct account *account, const struct fees_history *history,
               int64_t from_us, int64_t to_us, int64_t now_us, fees_fn fn, void *arg)
{
	const struct month month = { plans, account, from_us, to_us, fn, arg };
	const char *name = "";
	int64_t since_us = INT64_MIN;

	for (int i = 0; i < history->count; i++) {
		if (!give_period(&month, name, since_us, history->plans[i].since_us))
			return false;
		name = history->plans[i].name;
		since_us = history->plans[i].since_us;
	}
	return give_period(&month, name, since_us, now_us + 1);
}
