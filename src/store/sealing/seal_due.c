/* SPDX-License-Identifier: ISC */
/*
 * seal_due.c: which partitions of a day are to be sealed next.
 *
 * A day may have a hundred thousand partitions, so its table is walked in rounds, some slots at a time, and only when
 * some may be due. Those that are due are gathered, up to DUE_MAX, and sealed in order of their keys: what is written of
 * neighbours is on the same pages, so a commit that has many of them writes few.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/days/hot_rows.h"
#include "store/sealing/seal_private.h"

#define HOT_SEALS_MAX 32 /* rows of as many full seals may be hot, however few each partition has: they take memory */
#define BEHIND_SEALS 3   /* rows of as many wait where they are due */
#define SHED_SHARE 8     /* when there are more, one in so many is sealed */
#define LARGE_SHARE 4    /* of a day, those partitions that together have one in so many */
#define LOOK_MAX 8192    /* slots of a day's table of partitions, at once */
#define DUE_MAX 16384    /* gathered at once: sorting them takes some milliseconds */

#define SHED_REST_US CLOCK_US_PER_SECOND /* nothing was put into a day for so long, but into others */

/* By itself, whatever memory is for. */
static bool is_full_or_old(const struct store *store, const struct hot_partition *own, int64_t now_us)
{
	return own->rows >= store->options.seal_rows || now_us - own->since_us >= store->options.seal_age_us;
}

static bool is_due(const struct store *store, const struct seal *seal, const struct hot_partition *own, int64_t now_us)
{
	return is_full_or_old(store, own, now_us) || own->rows >= seal->rows_enough || seal->all;
}

/* --- more rows than memory is for --- */

static bool has_rested(const struct store *store, const struct day *day)
{
	return !day->has_puts && day->put_us <= store->put_us - SHED_REST_US;
}

/* Has the day rows that nothing is put to, and that can be sealed? Not where it is damaged: those stay. */
static bool has_rows_at_rest(const struct store *store, const struct day *day)
{
	return day->hot.rows > 0 && has_rested(store, day) && !day->swept && !day->hot.all_wait;
}

/* The rows that are hot; and whether a day has some at rest. */
static uint64_t count_hot(const struct store *store, bool *rests)
{
	uint64_t rows = 0;

	*rests = false;
	for (size_t i = 0; i < store->days_count; i++) {
		const struct day *day = store->days[i];

		rows += day->hot.rows;
		*rests |= has_rows_at_rest(store, day);
	}
	return rows;
}

void seal_look_at_memory(struct store *store)
{
	uint64_t max = HOT_SEALS_MAX * (uint64_t)store->options.seal_rows;
	bool rests;
	uint64_t rows = count_hot(store, &rests);

	store->sheds = rows > (store->sheds ? max - max / SHED_SHARE : max);
	store->sheds_rested = rests && rows <= 2 * max;
}

bool store_is_behind(const struct store *store)
{
	uint64_t seal_rows = store->options.seal_rows, hot = 0, due = 0;

	for (size_t i = 0; i < store->days_count; i++) {
		hot += store->days[i]->hot.rows;
		due += store->days[i]->hot.rows_due;
	}
	return due > BEHIND_SEALS * seal_rows || hot > HOT_SEALS_MAX * seal_rows;
}

/* A day that nothing is put into is sealed whole, as its tables take their memory until its last row is, and its
 * partitions will not grow. Of others, the largest partitions are sealed: the fewer blocks there are of a partition, the
 * less each row costs. */
uint32_t seal_rows_enough(const struct store *store, struct day *day)
{
	const struct hot *hot = &day->hot;
	bool rests = has_rested(store, day);

	day->sheds = rests && hot->rows > 0 && (store->sheds || day->sheds);
	if (day->sheds)
		return 1;
	if (!store->sheds || store->sheds_rested || hot->rows == 0)
		return UINT32_MAX;
	return hot->rows_large ? hot->rows_large : (uint32_t)(hot->rows / hot->partitions_used);
}

/* Of the partitions that a round has left: how many rows those have that are the largest, and together have a quarter of
 * the rows. */
static uint32_t find_large(const struct hot_round *round)
{
	uint64_t rows = 0, larger = 0;
	int size = HOT_SIZES - 1;

	for (int i = 0; i < HOT_SIZES; i++)
		rows += round->rows_of_size[i];
	for (; size > 0; size--) {
		larger += round->rows_of_size[size];
		if (larger * LARGE_SHARE >= rows)
			break;
	}
	return rows > 0 ? UINT32_C(1) << size : 0;
}

/* --- looking --- */

/* May the day have a partition that is due? Does not look at each: there may be a hundred thousand. */
static bool may_have_due(const struct store *store, const struct seal *seal, const struct hot *hot, int64_t now_us)
{
	return seal->all || seal->rows_enough < UINT32_MAX || hot->grown || hot->round.looked > 0 ||
	       (hot->oldest_us != 0 && now_us - hot->oldest_us >= store->options.seal_age_us);
}

/* True when another round is to follow at once: the store still sheds, and will not find the same again. */
static bool end_round(const struct store *store, struct day *day)
{
	struct hot *hot = &day->hot;
	uint32_t large_before = hot->rows_large;

	hot->rows_large = find_large(&hot->round);
	hot->all_wait = day->sheds && !hot->round.gave && !hot->round.look_again;
	bool sheds_more = store->sheds && (hot->round.gave || hot->rows_large < large_before);
	hot->oldest_us = hot->rows > 0 ? hot->round.oldest_us : 0;
	hot->grown |= hot->round.look_again;
	if (!hot->round.look_again)
		hot->rows_due = 0;
	hot->round = (struct hot_round){ .at = hot->round.at };
	return sheds_more;
}

/* A partition not to be sealed before `wait_us` counts as old enough from then on. */
static void note_wait(const struct store *store, struct hot_round *round, int64_t wait_us)
{
	int64_t since_us = wait_us - store->options.seal_age_us;

	if (since_us < round->oldest_us)
		round->oldest_us = since_us;
}

/* Could a job begin with it? Not while it has blocks that only the next commit makes visible: what would be gathered may
 * be in these already. */
static bool is_ready(const struct day *day, const struct hot_partition *own, int64_t now_us)
{
	return own->rows > 0 && now_us >= own->wait_us && own->sealed_in != day->seals + 1;
}

static size_t due_count(const struct hot *hot)
{
	return hot->due.len / sizeof(struct partition);
}

/* What the next ones need is prefetched while the one before them is sealed. */
PREFETCH_INLINE void prefetch_next(const struct day *day)
{
	const struct hot *hot = &day->hot;
	const struct partition *next = (const struct partition *)(void *)hot->due.data + hot->due_at;
	size_t left = due_count(hot) - hot->due_at;

	for (size_t i = 0; i < left && i <= HOT_AHEAD_ROWS; i++)
		hot_rows_prefetch(day, &next[i], (enum hot_ahead)(HOT_AHEAD_ROWS - i));
}

/* The first of those gathered that is still due, or NULL. */
static const struct hot_partition *take_due(const struct store *store, const struct seal *seal, struct day *day,
                                            int64_t now_us)
{
	struct hot *hot = &day->hot;
	const struct partition *due = (const struct partition *)(void *)hot->due.data;

	while (hot->due_all && hot->due_at < due_count(hot)) {
		const struct hot_partition *own = hot_partition_find(hot, &due[hot->due_at++]);

		if (own && is_ready(day, own, now_us) && is_due(store, seal, own, now_us)) {
			prefetch_next(day);
			hot->round.gave = true;
			return own;
		}
	}
	if (hot->due_all)
		buf_clear(&hot->due);
	hot->due_all = false;
	hot->due_at = 0;
	return NULL;
}

/* Looks at a slot of the table, and gathers its partition if that is due. False when out of memory. */
static bool look_at(const struct store *store, const struct seal *seal, struct day *day,
                    const struct hot_partition *own, int64_t now_us)
{
	struct hot_round *round = &day->hot.round;

	if (own->rows == 0)
		return true;
	if (now_us < own->wait_us) {
		note_wait(store, round, own->wait_us);
		return true;
	}
	if (is_full_or_old(store, own, now_us))
		round->rows_due += own->rows;
	/* Of more rows than a job takes, the rest is left for the next round. */
	if (own->sealed_in == day->seals + 1 || own->rows >= seal_job_rows(store))
		round->look_again = true;
	/* Noted even where a job will begin: it may be dropped, or find nothing that is committed. */
	if (own->since_us < round->oldest_us)
		round->oldest_us = own->since_us;
	if (is_ready(day, own, now_us) && is_due(store, seal, own, now_us))
		buf_add(&day->hot.due, &own->partition, sizeof(own->partition));
	else
		round->rows_of_size[HOT_SIZES - 1 - __builtin_clz(own->rows)] += own->rows;
	return !day->hot.due.failed;
}

static int compare(const void *a, const void *b)
{
	return partition_compare(a, b);
}

/* Walks a part of the table. True when what was gathered is to be sealed: it is enough, or the round has ended. */
static bool gather_due(const struct store *store, const struct seal *seal, struct day *day, int64_t now_us)
{
	struct hot *hot = &day->hot;
	struct hot_round *round = &hot->round;

	if (round->looked == 0) {
		hot->grown = false;
		round->oldest_us = now_us;
		round->look_again = false;
		round->rows_due = 0;
	}
	for (size_t i = 0; i < LOOK_MAX && round->looked < hot->partitions_cap && due_count(hot) < DUE_MAX; i++) {
		round->looked++;
		if (!look_at(store, seal, day, &hot->partitions[round->at++ & (hot->partitions_cap - 1)], now_us))
			break;
	}
	if (round->looked >= hot->partitions_cap)
		hot->rows_due = round->rows_due;
	else if (due_count(hot) < DUE_MAX && !hot->due.failed)
		return false;
	if (due_count(hot) > 1)
		qsort(hot->due.data, due_count(hot), sizeof(struct partition), compare);
	hot->due_all = true;
	return true;
}

static void forget_round(struct hot *hot)
{
	hot->round = (struct hot_round){ .at = hot->round.at };
	buf_clear(&hot->due);
	hot->due_all = false;
	hot->due_at = 0;
}

void seal_due_restart(struct day *day)
{
	day->hot.grown |= day->hot.round.looked > 0;
	forget_round(&day->hot);
}

const struct hot_partition *seal_due_partition(const struct store *store, const struct seal *seal, struct day *day,
                                               bool *again)
{
	struct hot *hot = &day->hot;
	struct hot_round *round = &hot->round;
	int64_t now_us = clock_monotonic_us();

	*again = false;
	/* While a large day's blocks are searched for runs to merge, a round of its table for each part would take longer. */
	if (hot->rows == 0) {
		hot->oldest_us = 0;
		hot->rows_due = 0;
		forget_round(hot);
		return NULL;
	}
	const struct hot_partition *due = take_due(store, seal, day, now_us);
	bool ends = !due && round->looked > 0 && round->looked >= hot->partitions_cap;

	if (due || (!ends && !may_have_due(store, seal, hot, now_us)))
		return due;
	if (!ends && gather_due(store, seal, day, now_us))
		due = take_due(store, seal, day, now_us);
	if (due)
		return due;
	/* The round ends when all that it has found has been given, and says so: other days have their turn. */
	*again = round->looked < hot->partitions_cap || round->look_again;
	if (round->looked >= hot->partitions_cap)
		*again |= end_round(store, day);
	return NULL;
}
