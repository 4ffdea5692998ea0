/* SPDX-License-Identifier: ISC */
/*
 * schedule_check.c: from a schedule's parameters to the request of one of its runs.
 */
#include <stdlib.h>
#include <string.h>

#include "schedule/schedule_private.h"

#define NAME_NAME STR_LITERAL("name")
#define CRON_NAME STR_LITERAL("cron")
#define RANGE_NAME STR_LITERAL("range")

struct schedule_asked *schedule_asked_new(void)
{
	return calloc(1, sizeof(struct schedule_asked));
}

void schedule_asked_free(struct schedule_asked *asked)
{
	if (!asked)
		return;
	query_params_free(&asked->params);
	free(asked);
}

static struct str zone_of(const struct query_params *params)
{
	struct str zone = query_params_get(params, "time_zone");

	return zone.len > 0 ? zone : STR_LITERAL("UTC");
}

int schedule_read_cron(const struct query_params *params, struct cron *cron, struct str *zone, struct error *err)
{
	struct error why;

	*zone = zone_of(params);
	if (cron_parse(cron, query_params_get(params, "cron"), &why) != 0)
		return error_set(err, why.code, "cron: %s", why.message);
	return 0;
}

/* --- the schedule's own parameters --- */

static void require(struct str value, struct str name, struct query_problems *problems)
{
	if (value.len == 0)
		query_problems_add(problems, name, "Missing required parameter");
}

static void check_cron(const struct query_params *params, struct schedule_asked *asked, struct query_problems *problems)
{
	struct str text = query_params_get(params, "cron");
	struct error why;

	require(text, CRON_NAME, problems);
	if (text.len > 0 && cron_parse(&asked->cron, text, &why) != 0)
		query_problems_add(problems, CRON_NAME, "%s", why.message);
}

static void check_name(const struct query_params *params, struct query_problems *problems)
{
	struct str name = query_params_get(params, "name");

	if (name.len > SCHEDULE_NAME_MAX)
		query_problems_add(problems, NAME_NAME, "%zu bytes, at most %d allowed", name.len, SCHEDULE_NAME_MAX);
}

/* A parameter of the schedule, or one that it may not have; what else there is, is the report's. */
static bool is_own(struct str name, struct query_problems *problems)
{
	if (str_is(name, "date_start") || str_is(name, "date_end")) {
		query_problems_add(problems, name, "Not taken by a schedule: its range says which dates");
		return true;
	}
	return str_equal(name, NAME_NAME) || str_equal(name, CRON_NAME) || str_equal(name, RANGE_NAME);
}

static bool was_given(const struct query_params *params, size_t before)
{
	for (size_t i = 0; i < before; i++)
		if (str_equal(params->list[i].name, params->list[before].name))
			return true;
	return false;
}

static int copy_params(const struct query_params *params, struct schedule_asked *asked, struct query_problems *problems,
                       struct error *err)
{
	for (size_t i = 0; i < params->count; i++) {
		const struct query_param *param = &params->list[i];

		if (!is_own(param->name, problems)) {
			if (query_params_add(&asked->params, param->name, param->value, err) < 0)
				return -1;
		} else if (was_given(params, i)) {
			query_problems_add(problems, param->name, "Given more than once");
		}
	}
	return 0;
}

/* --- the dates of a run --- */

static int add_date(struct query_params *params, struct zone *zone, struct str name, int64_t time_us, struct error *err)
{
	struct buf text = { 0 };
	int result;

	zone_format(zone, &text, time_us);
	result = text.failed ? error_set(err, ERROR_NOMEM, "Out of memory for a schedule") :
	                       query_params_add(params, name, buf_str(&text), err);
	buf_free(&text);
	return result;
}

/* A time zone that there is not is the report's problem. */
static int add_dates(const struct query_params *params, int64_t run_us, struct schedule_asked *asked,
                     struct query_problems *problems, struct error *err)
{
	struct str range = query_params_get(params, "range");
	struct period period;
	struct zone zone = { 0 };
	int64_t from_us, to_us;
	int result;

	require(range, RANGE_NAME, problems);
	if (range.len == 0)
		return 0;
	if (!period_parse(&period, range)) {
		query_problems_add(problems, RANGE_NAME, "Not one of " PERIOD_NAMES);
		return 0;
	}
	result = period_range(&period, zone_of(params), run_us, &zone, &from_us, &to_us, err);
	if (result == 0)
		result = add_date(&asked->params, &zone, STR_LITERAL("date_start"), from_us, err);
	if (result == 0)
		result = add_date(&asked->params, &zone, STR_LITERAL("date_end"), to_us, err);
	zone_free(&zone);
	return result < 0 && err->code == ERROR_INVALID ? 0 : result;
}

int schedule_ask(const struct reports *reports, const char *account, const struct query_params *params, int64_t run_us,
                 struct schedule_asked *asked, struct query_problems *problems, struct error *err)
{
	query_problems_clear(problems);
	query_params_free(&asked->params);
	asked->zone = zone_of(params);
	check_name(params, problems);
	check_cron(params, asked, problems);
	if (copy_params(params, asked, problems, err) < 0 || add_dates(params, run_us, asked, problems, err) < 0)
		return -1;
	(void)report_check(reports, account, &asked->params, run_us, &asked->plan, problems);
	return 0;
}
