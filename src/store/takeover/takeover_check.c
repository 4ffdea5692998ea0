/* SPDX-License-Identifier: ISC */
/*
 * takeover_check.c: compares days with the cluster, those of either side. See takeover_private.h.
 */
#include <stdio.h>

#include "base/clock.h"
#include "store/takeover/takeover_private.h"

static int add_day(struct takeover *takeover, int32_t day)
{
	const int32_t *list = (const int32_t *)(const void *)takeover->list.data;
	size_t count = takeover->list.len / sizeof(day);

	for (size_t i = 0; i < count; i++)
		if (list[i] == day)
			return 0;
	buf_add(&takeover->list, &day, sizeof(day));
	return takeover->list.failed ? -1 : 0;
}

/* The days that a shard has partitions of: yyyymmdd, as the names of parts begin. */
static void on_parts(void *arg, struct buf *answer, const struct error *err)
{
	struct takeover *takeover = arg;
	struct str left = buf_str(answer), line;

	takeover->parts = NULL;
	if (err)
		takeover_note_failure(takeover, err);
	while (!err && str_next(&left, '\n', &line) && line.len == 8) {
		char text[11];
		int32_t day;

		snprintf(text, sizeof(text), "%.4s-%.2s-%.2s", line.p, line.p + 4, line.p + 6);
		if (clock_parse_day(str_from(text), &day) && add_day(takeover, day) != 0)
			break;
	}
	takeover->parts_shard += !err;
	if (err)
		takeover->retry_us = clock_monotonic_us() + TAKEOVER_RETRY_US;
	takeover_wake(takeover);
}

static int ask_parts(struct takeover *takeover, struct error *err)
{
	struct cluster *cluster = takeover->cluster;
	struct buf sql = { 0 };

	buf_addf(&sql,
	         "SELECT DISTINCT substring(name, 1, 8) FROM system.parts WHERE active AND database = '%s' FORMAT TSV",
	         cluster->database);
	const struct clickhouse_request request = { .shard = takeover->parts_shard,
		                                    .sql = buf_str(&sql),
		                                    .patience_us = cluster->patience_us,
		                                    .ended = on_parts,
		                                    .arg = takeover };

	if (sql.failed)
		error_set(err, ERROR_NOMEM, "comparing with the cluster: out of memory");
	else
		takeover->parts = clickhouse_start(cluster->clickhouse, &request, err);
	buf_free(&sql);
	return takeover->parts ? 0 : -1;
}

int takeover_begin_check(struct takeover *takeover, struct error *err)
{
	struct store *store = takeover->store;

	buf_clear(&takeover->list);
	for (size_t i = 0; i < store->days_count; i++)
		if (add_day(takeover, store->day_numbers[i]) != 0)
			return error_set(err, ERROR_NOMEM, "comparing with the cluster: out of memory");
	takeover->list_at = takeover->parts_shard = 0;
	takeover->is_summed = false;
	takeover->compare.day = INT32_MIN;
	takeover->work = TAKEOVER_WORK_COMPARE;
	return 0;
}

/* Up to which change was the day found not to differ? 0: never. */
static uint64_t compared_since(const struct takeover *takeover, int32_t number)
{
	const struct takeover_compared *compared =
		(const struct takeover_compared *)(const void *)takeover->compared.data;

	for (size_t i = 0; i < takeover->compared.len / sizeof(*compared); i++)
		if (compared[i].day == number)
			return compared[i].since;
	return 0;
}

static void note_compared(struct takeover *takeover, int32_t number)
{
	struct takeover_compared *compared = (struct takeover_compared *)(void *)takeover->compared.data;
	const struct takeover_compared now = { number, takeover->place.since };

	for (size_t i = 0; i < takeover->compared.len / sizeof(now); i++)
		if (compared[i].day == number) {
			compared[i] = now;
			return;
		}
	buf_add(&takeover->compared, &now, sizeof(now)); /* else it is compared again */
}

static struct day *day_of(const struct takeover *takeover, int32_t number)
{
	struct store *store = takeover->store;
	size_t at = store_day_index(store, number);

	return at < store->days_count && store->day_numbers[at] == number ? store->days[at] : NULL;
}

/* Is the day to be compared now? 1, 0, -1. What changes is left for when nothing is let in. */
static int is_due(const struct takeover *takeover, int32_t number, struct error *err)
{
	struct day *day = day_of(takeover, number);
	uint64_t since = compared_since(takeover, number);

	if (!day)
		return 1;
	int changed = since > 0 ? takeover_has_changed(takeover, day, since, err) : 1;

	if (changed <= 0 || takeover_is_final(takeover))
		return changed;
	changed = takeover_has_changed(takeover, day, takeover->place.since, err);
	return changed < 0 ? -1 : !changed;
}

static void add_difference(void *arg, const struct takeover_difference *difference)
{
	struct takeover *takeover = arg;

	if (takeover->differences_count++ < TAKEOVER_DIFFERENCES_MAX)
		buf_add(&takeover->differences, difference, sizeof(*difference));
}

/* The day was added up on both sides. 0, -1. */
static int end_day(struct takeover *takeover, struct error *err)
{
	int32_t number = takeover->compare.day;
	struct day *day = day_of(takeover, number);
	int changed = takeover_is_final(takeover) || !day ?
	                      0 :
	                      takeover_has_changed(takeover, day, takeover->place.since, err);
	uint64_t before = takeover->differences_count;

	if (changed < 0)
		return -1;
	if (changed == 0) {
		takeover_compare_tell(&takeover->compare, add_difference, takeover);
		if (takeover->differences_count == before)
			note_compared(takeover, number);
	}
	takeover_clear_failure(takeover);
	takeover->compare.day = INT32_MIN;
	takeover->list_at++;
	return 0;
}

static int begin_day(struct takeover *takeover, struct error *err)
{
	int32_t number;

	memcpy(&number, takeover->list.data + takeover->list_at * sizeof(number), sizeof(number));
	int due = number < takeover->first_day ? 0 : is_due(takeover, number, err);

	if (due < 0)
		return -1;
	if (due == 0) {
		takeover->list_at++;
		return 0;
	}
	takeover_compare_begin(&takeover->compare, number);
	takeover_summing_begin(&takeover->summing, number);
	takeover->is_summed = false;
	return 0;
}

/* 1 when all days are done, 0, -1. */
static int step_day(struct takeover *takeover, int64_t deadline_us, int64_t *pause_us, struct error *err)
{
	struct takeover_compare *compare = &takeover->compare;

	if (compare->day == INT32_MIN) {
		if (takeover->list_at == takeover->list.len / sizeof(int32_t))
			return 1;
		return begin_day(takeover, err);
	}
	if (!takeover->is_summed) {
		int result = takeover_summing_step(&takeover->summing, deadline_us, err);

		takeover->is_summed = result > 0;
		if (result < 0) { /* some of the day is added up: it begins anew */
			takeover_summing_free(&takeover->summing);
			compare->day = INT32_MIN;
		}
		return result < 0 ? -1 : 0;
	}
	if (compare->failure.code != ERROR_NONE) {
		takeover_note_failure(takeover, &compare->failure);
		takeover->retry_us = clock_monotonic_us() + TAKEOVER_RETRY_US;
		if (compare->failure.code == ERROR_CORRUPT || compare->failure.code == ERROR_NOMEM)
			compare->day = INT32_MIN; /* from the day's beginning: some of the answer has been added */
		compare->failure.code = ERROR_NONE;
		return 0;
	}
	int result = takeover_compare_ask(compare, err);

	if (result < 0)
		return -1;
	if (result > 0)
		return end_day(takeover, err);
	*pause_us = TAKEOVER_FOREVER_US;
	return 0;
}

/* 1 when it is done, 0, -1. */
int takeover_step_check(struct takeover *takeover, int64_t deadline_us, int64_t *pause_us, struct error *err)
{
	*pause_us = takeover->retry_us - clock_monotonic_us();
	if (*pause_us > 0)
		return 0;
	*pause_us = 0;
	if (takeover->list.failed)
		return error_set(err, ERROR_NOMEM, "comparing with the cluster: out of memory");
	if (takeover->parts_shard < clickhouse_shards(takeover->cluster->clickhouse)) {
		*pause_us = TAKEOVER_FOREVER_US;
		return takeover->parts || ask_parts(takeover, err) == 0 ? 0 : -1;
	}
	return step_day(takeover, deadline_us, pause_us, err);
}

void takeover_free_check(struct takeover *takeover)
{
	takeover_summing_free(&takeover->summing);
	takeover_compare_free(&takeover->compare);
	clickhouse_cancel(takeover->parts);
	takeover->parts = NULL;
}
