/* SPDX-License-Identifier: ISC */
/*
 * account_fees.c: the monthly fees of an account's plans, for GET /v2/account.
 */
#include <time.h>

#include "api/account_limits.h"
#include "base/clock.h"
#include "base/json.h"
#include "billing/fees.h"
#include "billing/statement.h"

#define MONTHS 13

/* Those of a month that are written; a plan may come twice. */
struct month {
	struct json *json;
	char name[16];
	const struct plan *plans[ACCOUNT_PLANS_MAX + 1];
	size_t count;
	bool *any; /* whether the array was begun */
};

static bool write_fee(void *arg, const struct plan *plan)
{
	struct month *month = arg;
	struct buf amount = { 0 };

	for (size_t i = 0; i < month->count; i++)
		if (month->plans[i] == plan)
			return true;
	month->plans[month->count++] = plan;
	if (!*month->any) {
		json_key(month->json, "fees");
		json_array_begin(month->json);
		*month->any = true;
	}
	decimal_format(&amount, plan->month);
	json_object_begin(month->json);
	json_member_text(month->json, "month", month->name);
	json_member_text(month->json, "plan", plan->name);
	json_member_str(month->json, "amount", buf_str(&amount));
	json_member_text(month->json, "currency", plan->currency);
	json_object_end(month->json);
	if (amount.failed)
		month->json->out->failed = true;
	buf_free(&amount);
	return true;
}

static void name_month(struct month *month, int64_t from_us)
{
	time_t seconds = (time_t)(from_us / CLOCK_US_PER_SECOND);
	struct tm utc;

	gmtime_r(&seconds, &utc);
	if (strftime(month->name, sizeof(month->name), "%Y-%m", &utc) == 0)
		month->name[0] = '\0';
}

int api_account_write_fees(const struct api *app, const struct account *account, bool if_any, struct json *json,
                           struct error *err)
{
	int64_t now_us = clock_now_us(), from_us, to_us, time_us = now_us;
	struct fees_history history;
	bool any = false;

	if (accounts_plans(app->meta, account->id, history.plans, &history.count, err) != 0)
		return -1;
	for (int i = 0; i < MONTHS && statement_month(NULL, time_us, &from_us, &to_us); i++, time_us = from_us - 1) {
		struct month month = { .json = json, .any = &any };

		name_month(&month, from_us);
		(void)fees_each(billing_plans(app->billing), account, &history, from_us, to_us, now_us, write_fee,
		                &month);
	}
	if (!any && !if_any) {
		json_key(json, "fees");
		json_array_begin(json);
		any = true;
	}
	if (any)
		json_array_end(json);
	return 0;
}
