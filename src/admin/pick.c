/* SPDX-License-Identifier: ISC */
/*
 * pick.c: see pick.h.
 */
#include "admin/pick.h"

#include <stdlib.h>

#include "base/clock.h"

#define LOOKS_A_CHECK 16 /* entries between two checks of the clock */

/* --- arguments --- */

static bool read_number(const char **at, uint64_t *number)
{
	const char *p = *at;

	*number = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, (uint64_t)(*p - '0'), number))
			return false;
	bool some = p > *at;
	*at = p;
	return some && *number > 0;
}

static bool read_range(const char *text, struct pick_range *range)
{
	if (strcmp(text, "all") == 0) {
		*range = (struct pick_range){ 1, UINT64_MAX };
		return true;
	}
	if (!read_number(&text, &range->from))
		return false;
	range->to = range->from;
	if (*text == '-') {
		text++;
		if (!read_number(&text, &range->to))
			return false;
	}
	return *text == '\0' && range->from <= range->to;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct pick_range *left = a, *right = b;

	return left->from < right->from ? -1 : left->from > right->from;
}

static int read_ranges(struct pick *pick, const struct args *args, struct error *err)
{
	size_t count = args_count(args, "number");

	if (count > PICK_RANGES_MAX)
		return error_set(err, ERROR_LIMIT, "number: %zu numbers and ranges, at most %d allowed", count,
		                 PICK_RANGES_MAX);
	for (size_t i = 0; i < count; i++) {
		const char *text = args_get_at(args, "number", i);

		if (!read_range(text, &pick->ranges[i]))
			return error_set(err, ERROR_INVALID,
			                 "number: \"%.32s\": must be a number from 1 on, a range such as 12-40, or all",
			                 text);
	}
	if (count == 0)
		pick->ranges[count++] = (struct pick_range){ 1, UINT64_MAX };
	pick->ranges_count = count;
	qsort(pick->ranges, count, sizeof(pick->ranges[0]), compare_ranges);
	if (count == 1 && pick->ranges[0].from == pick->ranges[0].to)
		pick->only = pick->ranges[0].from;
	return 0;
}

static int read_time(const struct args *args, const char *name, int64_t *time_us, struct error *err)
{
	const char *text = args_get(args, name);
	int32_t day;

	if (!text || clock_parse_iso8601(str_from(text), time_us))
		return 0;
	if (!clock_parse_day(str_from(text), &day))
		return error_set(err, ERROR_INVALID,
		                 "--%s: \"%.64s\": must be a time such as 2026-11-24T14:20:11Z, or a day", name, text);
	*time_us = (int64_t)day * CLOCK_US_PER_DAY;
	return 0;
}

static int read_filters(struct pick *pick, const struct args *args, struct error *err)
{
	const struct {
		const char *name;
		struct str *value;
	} filters[] = {
		{ "producer", &pick->producer }, { "account", &pick->account },
		{ "product", &pick->product },   { "id", &pick->id },
		{ "reason", &pick->reason },
	};

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		*filters[i].value = str_from(args_get(args, filters[i].name));
		if (filters[i].value->p)
			pick->only = 0;
	}
	pick->since_us = INT64_MIN;
	pick->until_us = INT64_MAX;
	if (read_time(args, "since", &pick->since_us, err) != 0 || read_time(args, "until", &pick->until_us, err) != 0)
		return -1;
	if (pick->since_us != INT64_MIN || pick->until_us != INT64_MAX)
		pick->only = 0;
	return 0;
}

/* Clips the ranges to the existing entries, and sums them up. */
static int find_total(struct pick *pick, struct error *err)
{
	struct quarantine_ends ends;
	struct quarantine_stats stats;
	uint64_t seen = 0, numbers = 0;

	if (quarantine_ends(pick->meta, &ends, err) != 0 || quarantine_stats(pick->meta, &stats, err) != 0)
		return -1;
	for (size_t i = 0; i < pick->ranges_count; i++) {
		struct pick_range *range = &pick->ranges[i];

		range->from = range->from > seen ? range->from : seen + 1;
		range->to = range->to < ends.newest ? range->to : ends.newest;
		if (range->from > range->to)
			continue;
		numbers += range->to - range->from + 1;
		seen = range->to;
	}
	pick->total = numbers < stats.entries ? numbers : stats.entries;
	return 0;
}

int pick_begin(struct pick *pick, struct meta *meta, const struct args *args, struct error *err)
{
	*pick = (struct pick){ .meta = meta };
	if (read_ranges(pick, args, err) != 0 || read_filters(pick, args, err) != 0)
		return -1;
	return find_total(pick, err);
}

/* --- the walk --- */

static bool is_or_any(struct str wanted, struct str value)
{
	return !wanted.p || str_equal(wanted, value);
}

static bool has_text(struct str text, struct str sought)
{
	return sought.len == 0 || (text.len >= sought.len && memmem(text.p, text.len, sought.p, sought.len) != NULL);
}

static bool is_picked(const struct pick *pick, const struct quarantine_entry *entry)
{
	return is_or_any(pick->producer, entry->producer) && is_or_any(pick->account, entry->account) &&
	       is_or_any(pick->product, entry->product) && is_or_any(pick->id, entry->id) &&
	       (has_text(entry->reason, pick->reason) || is_or_any(pick->reason, entry->field)) &&
	       entry->time_us >= pick->since_us && entry->time_us < pick->until_us;
}

struct slice {
	struct pick *pick;
	int64_t deadline_us;
	pick_fn fn;
	void *arg;
	bool ended; /* although there is more */
};

static bool look(void *arg, const struct quarantine_entry *entry)
{
	struct slice *slice = arg;
	struct pick *pick = slice->pick;

	if (entry->number > pick->ranges[pick->range].to)
		return false;
	pick->next = entry->number + 1;
	pick->looked++;
	if (is_picked(pick, entry)) {
		pick->found++;
		slice->ended = !slice->fn(slice->arg, entry);
	}
	if (pick->looked % LOOKS_A_CHECK == 0 && clock_monotonic_us() >= slice->deadline_us)
		slice->ended = true;
	return !slice->ended;
}

int pick_slice(struct pick *pick, int64_t deadline_us, pick_fn fn, void *arg, bool *done, struct error *err)
{
	struct slice slice = { pick, deadline_us, fn, arg, false };

	for (; pick->range < pick->ranges_count; pick->range++) {
		const struct pick_range *range = &pick->ranges[pick->range];
		uint64_t from = pick->next > range->from ? pick->next : range->from;

		*done = false;
		if (from > range->to)
			continue;
		if (quarantine_each(pick->meta, from, look, &slice, err) != 0)
			return -1;
		if (slice.ended)
			return 0;
	}
	*done = true;
	if (pick->only == 0 || pick->found > 0)
		return 0;
	return error_set(err, ERROR_NOT_FOUND, "quarantine %llu: no such entry", (unsigned long long)pick->only);
}

void pick_write_progress(const struct pick *pick, struct json *j)
{
	json_member_uint(j, "done", pick->looked);
	json_member_uint(j, "total", pick->total);
}
