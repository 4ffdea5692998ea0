/* SPDX-License-Identifier: ISC */
/*
 * range.c: the range of a query by dates: the defaults for dates not given, and how long it may be.
 *
 * Without dates a synchronous query reads the longest window allowed, and the others seven days, ending now. With only
 * the end they read as much before it; with only the beginning they read up to now, or the longest window if that ends
 * sooner, so that a client which continues from the echoed end makes progress.
 */
#include "query/query_private.h"

#include "base/clock.h"

#define OTHER_WINDOW_US (7 * CLOCK_US_PER_DAY)
#define CLOCK_CHANGE_MAX_US CLOCK_US_PER_HOUR

/* What to do about a range that is too long. */
static const char *const instead[] = {
	[QUERY_SYNC] = "ask for a report instead (POST /v2/reports), or for the parts one after the other",
	[QUERY_ASYNC] = "ask for several reports instead",
	[QUERY_SUMMARY] = "ask for several summaries instead",
};

static int64_t earlier(int64_t a_us, int64_t b_us)
{
	return a_us < b_us ? a_us : b_us;
}

static int64_t later(int64_t a_us, int64_t b_us)
{
	return a_us > b_us ? a_us : b_us;
}

/* By how much local days may exceed the window: an hour, say, if summer time ends within the range, and the range
 * begins and ends at the same time of day in the offsets it is written with. */
static int64_t clock_change_us(const struct query_making *making)
{
	const struct query_plan *plan = making->plan;
	int64_t change_us = making->from_offset_us - making->to_offset_us;
	int64_t local_us = plan->to_us - plan->from_us - change_us;

	return change_us > 0 && change_us <= CLOCK_CHANGE_MAX_US && local_us % CLOCK_US_PER_DAY == 0 ? change_us : 0;
}

static void refuse_length(struct query_making *making, int64_t span_us, int64_t max_us)
{
	struct buf span = { 0 }, max = { 0 };

	clock_format_duration(&span, span_us);
	clock_format_duration(&max, max_us);
	query_problems_add(making->problems, STR_LITERAL("date_end"), "%.*s after date_start, at most %.*s allowed: %s",
	                   STR_ARGS(buf_str(&span)), STR_ARGS(buf_str(&max)), instead[making->kind]);
	buf_free(&span);
	buf_free(&max);
}

static void check_range(struct query_making *making)
{
	const struct query_plan *plan = making->plan;
	int64_t span_us = plan->to_us - plan->from_us;
	int64_t max_us = making->limits->window_max_us;

	if (span_us < 0)
		query_problems_add(making->problems, STR_LITERAL("date_end"), "Before date_start");
	else if (span_us - clock_change_us(making) > max_us)
		refuse_length(making, span_us, max_us);
}

void query_settle_range(struct query_making *making)
{
	struct query_plan *plan = making->plan;
	bool start = query_given(making->params, STR_LITERAL("date_start")).p != NULL;
	bool end = query_given(making->params, STR_LITERAL("date_end")).p != NULL;
	int64_t longest_us = making->limits->window_max_us;
	int64_t usual_us = making->kind == QUERY_SYNC ? longest_us : earlier(OTHER_WINDOW_US, longest_us);

	if (making->dates_wrong)
		return;
	if (!end) {
		plan->to_us = making->now_us;
		/* a client whose clock is ahead of ours finds nothing yet */
		if (start)
			plan->to_us = plan->from_us + earlier(later(0, plan->to_us - plan->from_us), longest_us);
	}
	if (!start)
		plan->from_us = later(0, plan->to_us - usual_us);
	check_range(making);
}
