/* SPDX-License-Identifier: ISC */
/*
 * summary.c: GET /v2/reports/summary, counts and sums of what a synchronous query would list, over months.
 *
 *	?account_id=&product=&date_start=&date_end=[&group_by=country,status][&interval=day[&time_zone=Europe/Berlin]]
 *
 * The store counts and adds up (store/aggregate.h), in slices, as in records.c. Few summaries are made at once
 * (summary_turns.h).
 */
#include "api/summary.h"

#include <stdlib.h>

#include "api/invalid.h"
#include "api/later.h"
#include "base/clock.h"
#include "api/plan.h"

#define RETRY_SECONDS "1"

static void summary_free(void *arg)
{
	struct api_summary *summary = arg;

	api_work_end(&summary->work);
	aggregate_cancel(summary->aggregate);
	api_summary_turn_leave(summary->app, &summary->turn);
	query_params_free(&summary->params);
	buf_free(&summary->accounts);
	zone_free(&summary->zone);
	free(summary);
}

/* After waiting, its turn has come: starts it, but not from within the end of another. */
static void on_turn(void *arg)
{
	struct api_summary *summary = arg;

	api_work_resume(&summary->work);
}

static void refuse_groups(struct api_summary *summary)
{
	struct query_problems problems = { 0 };

	query_problems_add(&problems,
	                   summary->plan.groups_count > 0 ? STR_LITERAL("group_by") : STR_LITERAL("interval"),
	                   "More than %lld groups", (long long)summary->app->config->summary_groups_max);
	api_reply_invalid(summary->request, &problems);
}

static void on_ready(void *arg)
{
	struct api_summary *summary = arg;

	api_work_run(&summary->work);
}

/* Its turn has come: it covers what is stored by now. */
static int begin(struct api_summary *summary, struct error *err)
{
	const struct query_plan *plan = &summary->plan;
	struct str zone = plan->time_zone.p ? plan->time_zone : STR_LITERAL("UTC");
	struct store *store = summary->app->store;
	struct record_view view = query_plan_view(plan);

	if (zone_load(&summary->zone, zone, plan->from_us, plan->to_us, err) < 0 ||
	    accounts_keys_of_family(summary->app->meta, &plan->account_key, plan->include_subaccounts,
	                            &summary->accounts, err) < 0)
		return -1;
	const struct aggregate_query query = {
		.scan = {
			.product = plan->product,
			.direction = view.direction,
			.accounts = (const struct account_key *)(const void *)summary->accounts.data,
			.accounts_count = summary->accounts.len / sizeof(struct account_key),
			.from_us = plan->from_us,
			.to_us = plan->to_us,
			.snapshot = store_snapshot(store),
			.filters = plan->filters,
			.filters_count = plan->filters_count,
		},
		.group_by = plan->groups,
		.group_by_count = plan->groups_count,
		.interval = plan->interval,
		.zone = &summary->zone,
		.groups_max = (size_t)summary->app->config->summary_groups_max,
		.on_ready = on_ready,
		.arg = summary,
	};

	summary->aggregate = aggregate_start(store, &query, err);
	return summary->aggregate ? 0 : -1;
}

static enum api_work_state read_slice(struct api_summary *summary, int64_t deadline_us, struct error *err)
{
	enum scan_end end;

	if ((!summary->aggregate && begin(summary, err) < 0) ||
	    aggregate_step(summary->aggregate, deadline_us, &end, err) < 0)
		return API_WORK_FAILED;
	if (end == SCAN_WAITS)
		return API_WORK_WAITS;
	if (end != SCAN_DONE)
		return API_WORK_MORE;
	return api_summary_answer(summary, err) == 0 ? API_WORK_ANSWERED : API_WORK_FAILED;
}

static enum api_work_state summary_step(void *arg, int64_t deadline_us, struct error *err)
{
	struct api_summary *summary = arg;
	enum api_work_state state = read_slice(summary, deadline_us, err);

	if (state != API_WORK_FAILED || err->code != ERROR_NOT_FOUND)
		return state;
	refuse_groups(summary);
	return API_WORK_ANSWERED;
}

/* --- its beginning: each function answers the request if it returns false --- */

static bool make_plan(struct api_summary *summary)
{
	struct query_limits limits = { .window_max_us = summary->app->config->summary_window_max };

	return api_plan_make(summary->request, summary->app, QUERY_SUMMARY, &limits, summary->received_us,
	                     &summary->params, &summary->plan);
}

/* True when it is its turn. Otherwise it waits, or has been refused (*gone). */
static bool take_turn(struct api_summary *summary, bool *gone)
{
	struct error err;

	*gone = false;
	summary->turn.account = api_account(summary->request)->id;
	summary->turn.start = on_turn;
	summary->turn.arg = summary;
	switch (api_summary_turn_enter(summary->app, &summary->turn)) {
	case SUMMARY_STARTS:
		return true;
	case SUMMARY_WAITS:
		if (api_work_wait(&summary->work, TASK_SUMMARIES, &err) == 0)
			return false;
		http_reply_error(summary->request, &err);
		*gone = true;
		return false;
	default:
		break;
	}
	*gone = true;
	api_reply_too_many(summary->request, RETRY_SECONDS,
	                   "As many of the account's summaries wait as may (summaries_waiting_max); try again later.");
	return false;
}

void api_summary_get(struct http_request *request, void *app)
{
	struct api_summary *summary = calloc(1, sizeof(*summary));
	struct error err;
	bool gone;

	if (!summary) {
		error_set(&err, ERROR_NOMEM, "Out of memory for a summary");
		http_reply_error(request, &err);
		return;
	}
	summary->request = request;
	summary->app = app;
	summary->received_us = clock_now_us();
	id_uuid_from(&summary->app->random, summary->request_id);
	api_work_init(&summary->work, request, app, summary_step, summary_free, summary);
	if (!api_work_admit(&summary->work) || !make_plan(summary))
		summary_free(summary);
	else if (take_turn(summary, &gone))
		api_work_begin(&summary->work, TASK_SUMMARIES);
	else if (gone)
		summary_free(summary);
}
