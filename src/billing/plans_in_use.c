/* SPDX-License-Identifier: ISC */
/*
 * plans_in_use.c: which accounts have a plan that a configuration lacks. See billing_check_plans.
 */
#include <string.h>

#include "base/buf.h"
#include "billing/billing_private.h"

#define NAMED_MAX 5 /* accounts in the message */

struct missing {
	const struct plans *plans;
	uint64_t count;
	struct buf named; /* "abcd1234 (gold), ..." */
};

static bool look_at(void *arg, const struct account *account)
{
	struct missing *missing = arg;

	if (!account->plan[0] || plans_find(missing->plans, str_from(account->plan)))
		return true;
	if (missing->count++ < NAMED_MAX)
		buf_addf(&missing->named, "%s%s (%s)", missing->count > 1 ? ", " : "", account->id, account->plan);
	return true;
}

static int tell(const struct missing *missing, struct error *err)
{
	if (missing->named.failed)
		return error_set(err, ERROR_NOMEM, "plans: out of memory");
	return error_set(err, ERROR_CONFLICT, "plans: a plan is missing that %llu accounts have: %.*s%s",
	                 (unsigned long long)missing->count, STR_ARGS(buf_str(&missing->named)),
	                 missing->count > NAMED_MAX ? ", ..." : "");
}

int plans_check_in_use(struct meta *meta, const struct plans *plans, struct error *err)
{
	struct missing missing = { .plans = plans };
	int result = accounts_each(meta, look_at, &missing, err);

	if (result == 0 && missing.count > 0)
		result = tell(&missing, err);
	buf_free(&missing.named);
	return result;
}
