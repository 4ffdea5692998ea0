/* SPDX-License-Identifier: ISC */
/*
 * summary.c: GET /v2/reports/summary, counts and sums of what a synchronous query would list, over months.
 *
 *	?account_id=&product=&date_start=&date_end=[&group_by=country,status][&interval=day[&time_zone=Europe/Berlin]]
 *
 * An account's days are read one after the other, in slices, as in records.c, and only the columns that are needed.
 * Sealed blocks know their own sums: where there is nothing to group by within a block, only its head is read. A product
 * with durations must be read, since blocks do not sum these up. Few summaries are made at once (summary_turns.h).
 */
#include "api/summary.h"

#include <stdlib.h>

#include "base/clock.h"
#include "api/plan.h"

#define RETRY_SECONDS "1"
#define NO_DAY INT32_MAX
#define CHANGED_MAX 3

static void summary_free(void *arg)
{
	struct http_summary *summary = arg;

	http_work_end(&summary->work);
	scan_cancel(summary->scan);
	http_summary_turn_leave(summary->app, &summary->turn);
	query_params_free(&summary->params);
	buf_free(&summary->accounts);
	zone_free(&summary->zone);
	summary_groups_free(&summary->groups);
	summary_groups_free(&summary->part);
	free(summary);
}

/* It has waited, and its turn has come: not from within the end of another. */
static void on_turn(void *arg)
{
	struct http_summary *summary = arg;

	http_work_resume(&summary->work);
}

/* --- adding --- */

static int64_t interval_of(struct http_summary *summary, int64_t time_us)
{
	if (time_us < summary->interval_from_us || time_us >= summary->interval_until_us) {
		summary->interval_us = zone_interval_start_us(&summary->zone, summary->plan.interval, time_us,
		                                              &summary->interval_until_us);
		summary->interval_from_us = time_us;
	}
	return summary->interval_us;
}

static bool add_record(void *arg, const struct scan_row *row)
{
	struct http_summary *summary = arg;

	return summary_add_record(summary->adding, interval_of(summary, row->time_us), row->record, &summary->failure) == 0;
}

static bool add_span(void *arg, const struct scan_span *span, const struct scan_position *after)
{
	struct http_summary *summary = arg;

	(void)after;
	return summary_add_span(summary->adding, interval_of(summary, span->last_us), span, &summary->failure) == 0;
}

/* Does the block lie in one interval? */
static bool wants_span(void *arg, int64_t first_us, int64_t last_us)
{
	struct http_summary *summary = arg;
	int64_t first = interval_of(summary, first_us);

	return first == interval_of(summary, last_us);
}

/* --- one account's records of one day at a time --- */

/* The part of the query that is at hand. */
static struct scan_query part_query(const struct http_summary *summary)
{
	struct scan_query query = summary->query;
	int64_t begin_us = clock_day_start_us(summary->day), end_us = clock_day_start_us(summary->day + 1);

	query.accounts += summary->account;
	query.accounts_count = 1;
	query.from_us = query.from_us > begin_us ? query.from_us : begin_us;
	query.to_us = query.to_us < end_us ? query.to_us : end_us;
	return query;
}

/* The next direction to read, where the product keeps them apart and the query has not named one. */
static bool next_direction(struct http_summary *summary)
{
	if (!summary->plan.product->partition_direction || summary->plan.direction != CATALOG_NO_DIRECTION)
		return false;
	summary->query.direction =
		summary->query.direction == CATALOG_INBOUND ? CATALOG_NO_DIRECTION : summary->query.direction + 1;
	return summary->query.direction != CATALOG_NO_DIRECTION;
}

/* The first day from `day` on that there is in the range. */
static bool find_day(struct http_summary *summary, int32_t day)
{
	size_t count;
	const int32_t *days = store_days(summary->app->store, &count);

	for (size_t i = 0; i < count; i++) {
		if (days[i] < day)
			continue;
		summary->day = days[i];
		return days[i] <= clock_day_of(summary->query.to_us - 1);
	}
	return false;
}

/* The part at hand is begun, for the first time or because it has changed. */
static void begin_part(struct http_summary *summary, int changed)
{
	summary->changed = changed;
	scan_cancel(summary->scan);
	summary->scan = NULL;
	summary->sums = (struct sums){ 0 };
	summary_groups_clear(&summary->part);
}

/* Moves to the next part; false if there is none. */
static bool next_part(struct http_summary *summary)
{
	begin_part(summary, 0);
	if (next_direction(summary))
		return true;
	if (++summary->account < summary->query.accounts_count)
		return true;
	summary->account = 0;
	return find_day(summary, summary->day + 1);
}

/* --- reading --- */

/* Adds up the blocks' sums. What comes of it waits in `part` until it is complete. */
static int sum_part(struct http_summary *summary, int64_t deadline_us, bool *done, struct error *err)
{
	const struct scan_query query = part_query(summary);
	struct scan_sink sink = {
		.on_record = add_record,
		.on_span = add_span,
		.wants_span = wants_span,
		.sums_only = true,
		.arg = summary,
	};
	enum sums_end end;

	summary->adding = &summary->part;
	if (sums_run(summary->app->store, &query, &summary->sums, deadline_us, &sink, &end, err) < 0)
		return -1;
	if (end == SUMS_STOPPED) {
		*err = summary->failure;
		return -1;
	}
	*done = end == SUMS_DONE;
	if (end == SUMS_CHANGED)
		begin_part(summary, summary->changed + 1);
	return *done ? summary_add_groups(&summary->groups, &summary->part, err) : 0;
}

static int scan_part(struct http_summary *summary, int64_t deadline_us, bool *done, struct error *err)
{
	const struct scan_query query = part_query(summary);
	const struct scan_sink sink = { .on_record = add_record, .arg = summary };
	enum scan_end end;

	summary->adding = &summary->groups;
	if (!summary->scan)
		summary->scan = scan_start(summary->app->store, &query, NULL, &sink, err);
	if (!summary->scan || scan_step(summary->scan, deadline_us, &end, err) < 0)
		return -1;
	*done = end == SCAN_DONE;
	if (end != SCAN_STOPPED)
		return 0;
	*err = summary->failure;
	return -1;
}

/* A part that changes again and again while it is summed up is scanned, which is slower but does not mind. */
static int read_part(struct http_summary *summary, int64_t deadline_us, bool *done, struct error *err)
{
	bool by_blocks = summary->plan.groups_count == 0 && summary->groups.duration == CATALOG_NONE;

	*done = false;
	if (by_blocks && summary->changed < CHANGED_MAX)
		return sum_part(summary, deadline_us, done, err);
	return scan_part(summary, deadline_us, done, err);
}

static int read_slice(struct http_summary *summary, int64_t deadline_us, bool *done, struct error *err)
{
	bool part_done = true;

	*done = summary->day == NO_DAY;
	while (!*done && part_done && clock_monotonic_us() < deadline_us) {
		if (read_part(summary, deadline_us, &part_done, err) < 0)
			return -1;
		*done = part_done && !next_part(summary);
	}
	return 0;
}

static void refuse_groups(struct http_summary *summary)
{
	struct query_problems problems = { 0 };

	query_problems_add(&problems, summary->plan.groups_count > 0 ? STR_LITERAL("group_by") : STR_LITERAL("interval"),
	                   "More than %zu groups", summary->groups.max);
	http_reply_invalid(summary->request, &problems);
}

/* Its turn has come: what there is now is what it tells of. */
static int begin(struct http_summary *summary, struct error *err)
{
	const struct query_plan *plan = &summary->plan;
	struct str zone = plan->time_zone.p ? plan->time_zone : STR_LITERAL("UTC");
	struct record_view view = query_plan_view(plan);

	summary_groups_init(&summary->groups, plan->product, plan->groups, plan->groups_count,
	                    (size_t)summary->app->config->summary_groups_max);
	summary_groups_init(&summary->part, plan->product, NULL, 0, summary->groups.max);
	if (zone_load(&summary->zone, zone, plan->from_us, plan->to_us, err) < 0 ||
	    report_find_accounts(summary->app->store, plan->account, plan->include_subaccounts, &summary->accounts, err) < 0)
		return -1;
	summary->query = (struct scan_query){
		.product = plan->product,
		.direction = view.direction,
		.accounts = (const char (*)[SCAN_ACCOUNT_LEN])(const void *)summary->accounts.data,
		.accounts_count = summary->accounts.len / SCAN_ACCOUNT_LEN,
		.from_us = plan->from_us,
		.to_us = plan->to_us,
		.snapshot = store_snapshot(summary->app->store),
		.filters = plan->filters,
		.filters_count = plan->filters_count,
		.columns = summary_groups_columns(&summary->groups, plan->product),
	};
	summary->interval_from_us = INT64_MAX;
	if (!find_day(summary, clock_day_of(plan->from_us)))
		summary->day = NO_DAY;
	summary->begun = true;
	return 0;
}

static enum http_work_state summary_step(void *arg, int64_t deadline_us, struct error *err)
{
	struct http_summary *summary = arg;
	bool done = false;
	int result = summary->begun ? 0 : begin(summary, err);

	if (result == 0 && read_slice(summary, deadline_us, &done, err) == 0) {
		if (!done)
			return HTTP_WORK_MORE;
		if (http_summary_answer(summary, err) == 0)
			return HTTP_WORK_ANSWERED;
	}
	if (err->code != ERROR_NOT_FOUND)
		return HTTP_WORK_FAILED;
	refuse_groups(summary);
	return HTTP_WORK_ANSWERED;
}

/* --- its beginning: each of these has answered the request where it returns false --- */

static bool make_plan(struct http_summary *summary)
{
	struct query_limits limits = { .window_max_us = summary->app->config->summary_window_max };

	return http_plan_make(summary->request, summary->app, QUERY_SUMMARY, &limits, summary->received_us,
	                      &summary->params, &summary->plan);
}

/* True when it is its turn. Otherwise it waits for that, or (*gone) has been refused. */
static bool take_turn(struct http_summary *summary, bool *gone)
{
	struct error err;

	*gone = false;
	summary->turn.account = http_request_account(summary->request)->id;
	summary->turn.start = on_turn;
	summary->turn.arg = summary;
	switch (http_summary_turn_enter(summary->app, &summary->turn)) {
	case SUMMARY_STARTS:
		return true;
	case SUMMARY_WAITS:
		if (http_work_wait(&summary->work, TASK_SUMMARIES, &err) == 0)
			return false;
		http_reply_error(summary->request, &err);
		*gone = true;
		return false;
	default:
		break;
	}
	*gone = true;
	http_reply_header(summary->request, "Retry-After", RETRY_SECONDS);
	http_reply_problem(summary->request, 429, "Too Many Requests",
	                   "As many of the account's summaries wait as may (summaries_waiting_max); try again later.");
	return false;
}

void http_summary_get(struct http_request *request, void *app)
{
	struct http_summary *summary = calloc(1, sizeof(*summary));
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
	http_work_init(&summary->work, request, app, summary_step, summary_free, summary);
	if (!http_work_admit(&summary->work) || !make_plan(summary))
		summary_free(summary);
	else if (take_turn(summary, &gone))
		http_work_begin(&summary->work, TASK_SUMMARIES);
	else if (gone)
		summary_free(summary);
}
