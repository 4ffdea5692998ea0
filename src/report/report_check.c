/* SPDX-License-Identifier: ISC */
/*
 * report_check.c: is it a report that can be asked for? See report_check.
 */
#include <stdio.h>
#include <string.h>

#include "callback/callback.h"
#include "destination/destination.h"
#include "report/report_private.h"

/* Further rules for a callback's URL. */
static void check_callback(struct str url, struct query_problems *problems)
{
	struct error err;
	const char *reason;

	if (!url.p || callback_url_check(url, &err) == 0)
		return;
	reason = strchr(err.message, ' '); /* the message starts with the parameter's name */
	query_problems_add_error(problems, STR_LITERAL("callback_url"), &err, reason ? reason + 1 : err.message);
}

static void check_destination(const struct reports *reports, const char *creator, struct str name,
                              struct query_problems *problems)
{
	struct destination destination = { 0 };
	struct error err = { .code = ERROR_NOT_FOUND };

	if (!name.p)
		return;
	if (!reports->destinations ||
	    destinations_find(reports->destinations, creator, name, &destination, &err) != 0) {
		char reason[DESTINATION_NAME_MAX + 64];

		snprintf(reason, sizeof(reason), "There is no destination '%.*s'",
		         (int)(name.len < DESTINATION_NAME_MAX ? name.len : DESTINATION_NAME_MAX), name.p);
		query_problems_add_error(problems, STR_LITERAL("destination"), &err, reason);
	}
	explicit_bzero(&destination, sizeof(destination));
}

bool report_check(const struct reports *reports, const char *creator, const struct query_params *params,
                  int64_t range_end_us, struct query_plan *plan, struct query_problems *problems)
{
	struct query_limits limits = {
		.window_max_us = reports->config->report_window_max,
		.any_values = strcmp(reports->config->filter_values, "any") == 0,
	};

	query_plan_make(plan, QUERY_ASYNC, params, &limits, range_end_us, problems);
	check_callback(plan->callback_url, problems);
	check_destination(reports, creator, plan->destination, problems);
	return problems->count == 0;
}
