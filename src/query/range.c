/*
 * range.c: the range of a query by dates: what stands in for dates that were not given, and how long it may be.
 *
 * A synchronous query gives both dates or neither; without them it reads the longest window there may be, ending now.
 * An asynchronous one and a summary may give either; the other one is now, or seven days ago.
 */
#include "query/query_private.h"

#include "base/clock.h"

#define OTHER_WINDOW_US (7 * CLOCK_US_PER_DAY)

struct unit {
	int64_t us;
	const char *name;
};

/* The largest unit in which both spans are whole numbers. */
static const struct unit *common_unit(int64_t a_us, int64_t b_us)
{
	static const struct unit units[] = {
		{ CLOCK_US_PER_HOUR, "hours" },
		{ 60 * CLOCK_US_PER_SECOND, "minutes" },
		{ CLOCK_US_PER_SECOND, "seconds" },
		{ 1000, "milliseconds" },
		{ 1, "microseconds" },
	};
	const struct unit *unit = units;

	while (a_us % unit->us != 0 || b_us % unit->us != 0)
		unit++;
	return unit;
}

static void check_range(struct query_making *making)
{
	const struct query_plan *plan = making->plan;
	int64_t span_us = plan->to_us - plan->from_us;
	int64_t max_us = making->limits->window_max_us;
	struct str name = STR_LITERAL("date_end");

	if (span_us <= 0) {
		query_problems_add(making->problems, name, "Not after date_start");
	} else if (span_us > max_us) {
		const struct unit *unit = common_unit(span_us, max_us);

		query_problems_add(making->problems, name, "%lld %s after date_start, at most %lld allowed",
		                   (long long)(span_us / unit->us), unit->name, (long long)(max_us / unit->us));
	}
}

void query_settle_range(struct query_making *making)
{
	struct query_plan *plan = making->plan;
	struct str start_name = STR_LITERAL("date_start"), end_name = STR_LITERAL("date_end");
	bool start = query_given(making->params, start_name).p != NULL;
	bool end = query_given(making->params, end_name).p != NULL;

	if (making->kind != QUERY_SYNC) {
		if (!start)
			plan->from_us = making->now_us - OTHER_WINDOW_US;
		if (!end)
			plan->to_us = making->now_us;
	} else if (!start && !end) {
		plan->from_us = making->now_us - making->limits->window_max_us;
		plan->to_us = making->now_us;
	} else if (!start || !end) {
		query_problems_add(making->problems, start ? end_name : start_name, QUERY_MISSING);
		return;
	}
	if (!making->dates_wrong)
		check_range(making);
}
