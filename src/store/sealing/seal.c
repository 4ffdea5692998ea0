/* SPDX-License-Identifier: ISC */
/*
 * seal.c: what to seal next, and the slices of it. See seal.h.
 *
 * Days are looked at in turn. One whose rows are all sealed and whose runs need no merging is `swept`: it is passed
 * over until something is put into it. A day that is not open is opened for this once after the start, a day a call.
 */
#include "store/sealing/seal_private.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/cluster/cluster_mend.h"
#include "store/days/hot_sealed.h"
#include "store/ids/ids.h"
#include "store/putting/moves.h"
#include "store/sealing/repack.h"

#define STORE_US 10000  /* what storing a full part may take */
#define SMALL_ROWS 1024 /* a job that takes no time to speak of */

struct seal *seal_of(struct store *store, struct error *err)
{
	if (store->seal)
		return store->seal;
	store->seal = calloc(1, sizeof(*store->seal));
	if (!store->seal)
		error_set(err, ERROR_NOMEM, "sealing: out of memory");
	return store->seal;
}

/* What a job has gathered. */
static void free_gathered(struct seal *seal)
{
	block_index_free(&seal->entries);
	buf_free(&seal->positions);
	buf_free(&seal->ids);
	buf_free(&seal->gone);
	buf_free(&seal->values);
	buf_free(&seal->blocks);
	buf_free(&seal->touched);
	buf_free(&seal->scratch);
}

/* What jobs leave to the next one. */
static void free_tools(struct seal *seal)
{
	block_builder_free(seal->builder);
	seal->builder = NULL;
	free_gathered(seal);
}

/* A merge gathers several runs' worth, and is rare beside seals: its room does not stay with these. */
void seal_forget(struct store *store)
{
	struct seal *seal = store->seal;

	if (!seal || seal->state == SEAL_IDLE)
		return;
	INVARIANT(seal->day->pins > 0);
	seal->day->pins--;
	seal_set_state(seal, SEAL_IDLE);
	if (seal->runs_count) {
		free_gathered(seal);
		store->has_freed = true;
	}
}

void seal_forget_account(struct store *store, const struct account_key *account)
{
	const struct seal *seal = store->seal;

	if (seal && seal->state != SEAL_IDLE && account_key_equal(&seal->partition.account, account))
		seal_forget(store);
}

bool seal_rest(struct store *store, int64_t before_us)
{
	struct seal *seal = store->seal;

	if (!seal || seal->state != SEAL_IDLE || !seal->builder || seal->ended_us >= before_us)
		return false;
	free_tools(seal);
	return true;
}

void seal_free(struct store *store)
{
	struct seal *seal = store->seal;

	if (!seal)
		return;
	free_tools(seal);
	free(seal);
	store->seal = NULL;
}

void seal_touch(struct store *store, struct day *day, const struct partition *partition,
                const struct position *position)
{
	struct seal *seal = store->seal;
	struct day_touch touch = { *partition, *position };

	buf_add(&day->touched, &touch, sizeof(touch));
	if (seal && seal->state != SEAL_IDLE && seal->day == day && partition_equal(&seal->partition, partition))
		buf_add(&seal->touched, position, sizeof(*position));
}

/* What was replaced before the job began, but is not committed: gathering still sees the older versions. */
static int take_touched(struct seal *seal, const struct day *day, struct error *err)
{
	const struct day_touch *touches = (const struct day_touch *)(void *)day->touched.data;

	buf_clear(&seal->touched);
	if (day->touched.failed)
		return error_set(err, ERROR_NOMEM, "sealing: out of memory");
	for (size_t i = 0; i < day->touched.len / sizeof(*touches); i++)
		if (partition_equal(&touches[i].partition, &seal->partition))
			buf_add(&seal->touched, &touches[i].position, sizeof(touches[i].position));
	return 0;
}

int store_seal_all(struct store *store, struct error *err)
{
	struct seal *seal = seal_of(store, err);

	if (!seal)
		return -1;
	seal->all = true;
	seal->looked_at = 0; /* a round that is under way has passed days which had nothing to do until now */
	for (size_t i = 0; i < store->days_count; i++) {
		seal_due_restart(store->days[i]);
		store->days[i]->swept = false;
	}
	return 0;
}

/* --- choosing --- */

/* As far as is known. */
static uint32_t rows_at_most(const struct seal *seal)
{
	const struct hot_partition *own =
		seal->runs_count ? NULL : hot_partition_find(&seal->day->hot, &seal->partition);

	return own ? own->order.count : UINT32_MAX;
}

/* Half of a full part where that leaves the next one more than a small run. */
static uint32_t rows_of_part(const struct store *store, const struct seal *seal)
{
	const struct hot_partition *own = hot_partition_find(&seal->day->hot, &seal->partition);
	uint32_t left = own && own->rows < seal->rows_left ? own->rows : seal->rows_left;
	uint32_t full = seal_part_rows(store), few = seal_few_rows(store);

	if (left > full && left - full < few)
		return few;
	return full < seal->rows_left ? full : seal->rows_left;
}

void seal_begin_part(const struct store *store, struct seal *seal)
{
	seal->part_begun_us = clock_monotonic_us();
	seal->rows_max = rows_of_part(store, seal);
	buf_clear(&seal->positions);
	buf_clear(&seal->ids);
	buf_clear(&seal->gone);
	buf_clear(&seal->values);
	buf_clear(&seal->blocks);
	seal->trim_rows = 0;
	block_builder_begin(seal->builder, seal->product, seal->partition.direction, rows_at_most(seal));
	seal_set_state(seal, SEAL_GATHER);
}

/* Begins with seal->runs, or with hot rows; the state becomes SEAL_GATHER. */
MUST_CHECK static int begin_job(const struct store *store, struct seal *seal, struct day *day,
                                const struct partition *partition, struct error *err)
{
	seal->product = catalog_product_numbered(partition->product);
	if (!seal->product)
		return error_set(err, ERROR_CORRUPT, "%s: product number %u is unknown", day->env.path,
		                 partition->product);
	seal->partition = *partition;
	if (!seal->builder && !(seal->builder = block_builder_new()))
		return error_set(err, ERROR_NOMEM, "sealing: out of memory");
	if (take_touched(seal, day, err) != 0)
		return -1;
	seal->misread = false;
	seal->begun_us = clock_monotonic_us();
	seal->day = day;
	seal->change = NULL;
	seal->changes = 0;
	seal->after = (struct position){ INT64_MIN / 2, 0, partition->direction };
	seal_begin_part(store, seal);
	day->pins++;
	return 0;
}

int seal_begin_change(struct store *store, struct day *day, const struct partition *partition, uint32_t run,
                      seal_change_fn fn, void *arg, struct error *err)
{
	struct seal *seal = seal_of(store, err);
	MDB_txn *txn = seal ? env_read(&day->env, err) : NULL;

	if (!txn)
		return -1;
	seal->partition = *partition;
	seal->runs[0] = run;
	seal->runs_count = 1;
	int result = store_day_ready(store, day, txn, err);
	if (result == 0)
		result = seal_take_runs(seal, day, txn, err);
	result = env_read_end(&day->env, txn, result, err);
	if (result != 0 || seal->entries.count == 0)
		return result;
	if (begin_job(store, seal, day, partition, err) != 0)
		return -1;
	seal->change = fn;
	seal->change_arg = arg;
	return 1;
}

bool seal_is_under_way(const struct store *store, int64_t until_us)
{
	return store->seal && store->seal->state != SEAL_IDLE && store->seal->begun_us <= until_us;
}

/* Opens and loads a day, once. Another process's mistake or a damaged day must not stop the others: it is left
 * alone. */
static bool open_for_sweep(struct store *store, struct day *day)
{
	struct error err;
	struct day *opened = store_day(store, day->number, false, &err);
	MDB_txn *txn = opened ? env_read(&opened->env, &err) : NULL;
	int result = txn ? store_day_ready(store, opened, txn, &err) : -1;

	if (txn)
		result = env_read_end(&opened->env, txn, result, &err);
	if (result != 0)
		log_error("store", "%s; it is not sealed until the next start", err.message);
	return result == 0;
}

/* Removes dead rows of a day, a slice at a time: packing would copy them. `none_dead` is what came of the slice: 1 when
 * there are none, 0, -1. */
static int trim(struct store *store, struct seal *seal, const struct day *day, int none_dead)
{
	seal->trimmed = none_dead == 0;
	if (none_dead < 0 && day->env.write)
		store_abort(store);
	return none_dead;
}

/* As above, of blocks, too: a file is packed so that what was erased is gone. */
static int begin_repack(struct store *store, struct seal *seal, struct day *day, struct error *err)
{
	int none_dead = trim(store, seal, day, repack_trim_step(store, day, err));

	if (none_dead > 0 && repack_begin(store, day, err) != 0)
		return -1;
	return none_dead < 0 ? -1 : 1;
}

/* A slice of making the day's filter as large as it needs to be. Has it more to do? One that stays as it is does no harm. */
static bool fit_filter(struct day *day)
{
	struct error err;
	int result = day->hot.entries_used == 0 ? ids_filter_fit_step(day, &err) : 1;

	if (result < 0)
		log_warn("store", "%s; the filter of ids stays as it is", err.message);
	return result == 0;
}

/* Looks for a job in one day. 1 if there is one, 0, -1. */
static int choose_in_day(struct store *store, struct seal *seal, struct day *day, struct error *err)
{
	enum seal_search search;
	bool again;

	if (!(day->is_open && day->hot.loaded) && !open_for_sweep(store, day)) {
		day->swept = true;
		return 0;
	}
	if (day->repack_demanded && repack_may_begin(store) && !day->pins && !day->blocks_changed)
		return begin_repack(store, seal, day, err);
	seal->rows_enough = seal_rows_enough(store, day);
	const struct hot_partition *due = seal_due_partition(store, seal, day, &again);
	if (due) {
		seal->runs_count = 0;
		seal->snapshot = store->snapshot;
		seal->rows_left = seal_job_rows(store);
		return begin_job(store, seal, day, &due->partition, err) == 0 ? 1 : -1;
	}
	/* What is to be merged or packed is to be seen in its blocks, which the commit makes visible. */
	if (again || day->blocks_changed) {
		seal->passed_over = true;
		seal->looks_on |= again;
		return 0;
	}
	if (seal_find_runs(store, seal, day, &search, err) != 0)
		return -1;
	if (search == SEAL_SEARCH_FOUND)
		return begin_job(store, seal, day, &seal->partition, err) == 0 ? 1 : -1;
	if (search == SEAL_SEARCH_MORE) {
		seal->passed_over = seal->looks_on = true;
		return 0;
	}
	int none_dead = day->hot.rows == 0 ? trim(store, seal, day, hot_trim_step(day, err)) : 1;
	if (none_dead <= 0)
		return none_dead < 0 ? -1 : 1;
	if (day->hot.rows == 0 && repack_is_due(day, seal->all))
		return repack_begin(store, day, err) == 0 ? 1 : -1;
	store->has_freed |= hot_free_if_empty(&day->hot);
	/* Rows that are not due yet keep it in view, and so does a file that may have to be packed when it rests: nobody
	 * knows while it is written to, or read. */
	bool is_in_use = day->env.write || day->pins;
	seal->passed_over |= day->env.write && day->hot.rows == 0;
	bool is_at_rest = day->hot.rows == 0 && !is_in_use && (seal->all || repack_has_rested(day));
	if (is_at_rest && fit_filter(day)) {
		seal->passed_over = seal->looks_on = true;
		return 0;
	}
	day->swept = is_at_rest;
	return 0;
}

/* A closed day whose hot rows were not due when it was last looked at need not be opened to see that they are not. */
static bool is_waiting(const struct store *store, const struct seal *seal, const struct day *day)
{
	return !day->is_open && !seal->all && day->hot_since_us &&
	       clock_monotonic_us() - day->hot_since_us < store->options.seal_age_us;
}

/* Marks are kept in memory of the day that has jobs alone. */
static void keep_marks_of(struct store *store, struct seal *seal, const struct day *day)
{
	size_t before = store_day_index(store, seal->marks_day);

	if (seal->marks_day == day->number)
		return;
	if (before < store->days_count && store->day_numbers[before] == seal->marks_day)
		hot_forget_marks(&store->days[before]->hot);
	seal->marks_day = day->number;
}

/* Looks for a job, a round of days at most and one that must be opened. *more: not all days of the round were looked
 * at, or one waits for a commit. A round ends even where more days than may be open at once keep being closed. */
static int choose(struct store *store, struct seal *seal, bool *more, struct error *err)
{
	bool opened = false;

	seal_look_at_memory(store);
	for (; seal->looked_at < store->days_count; seal->looked_at++, store->sweep_at++) {
		if (store->sweep_at >= store->days_count)
			store->sweep_at = 0;
		struct day *day = store->days[store->sweep_at];
		bool demanded = day->repack_demanded && repack_may_begin(store);
		if (!demanded && (day->swept || is_waiting(store, seal, day)))
			continue;
		bool must_open = !(day->is_open && day->hot.loaded);
		if (must_open && opened) {
			*more = true;
			return 0;
		}
		opened |= must_open;
		int result = choose_in_day(store, seal, day, err);
		if (result) {
			keep_marks_of(store, seal, day);
			seal->looked_at = 0;
			seal->passed_over = seal->looks_on = false;
			day->swept = result < 0; /* or its damage would keep the others from having their turn */
			return result < 0 ? -1 : 0;
		}
	}
	*more = seal->looks_on;
	if (!seal->passed_over)
		seal->all = false;
	seal->looked_at = 0;
	seal->passed_over = seal->looks_on = false;
	return 0;
}

/* Gathers, stores what is there, trims. *stored: what it has put is to be committed. */
static int work_on(struct store *store, struct seal *seal, int64_t deadline_us, bool *stored, struct error *err)
{
	bool gathers = seal->state == SEAL_GATHER;
	int64_t left_us;

	*stored = false;
	if (seal->state == SEAL_TRIM) {
		int result = seal_trim(store, seal, deadline_us, err);

		*stored = seal->state != SEAL_TRIM;
		return result;
	}
	if (gathers && seal_gather(store, seal, deadline_us, err) != 0)
		return -1;
	/* Storing much is one piece of work that may take longer than a slice: it does not come on top of a part of
	 * another. */
	left_us = deadline_us - clock_monotonic_us();
	if (seal->state != SEAL_STORE || (seal_rows(seal) > SMALL_ROWS && left_us <= (gathers ? STORE_US : 0)))
		return 0;
	*stored = true;
	return seal_store(store, seal, err);
}

/* Jobs until the time is up, or one has more to do: small ones are many. */
static int work_until(struct store *store, struct seal *seal, int64_t deadline_us, bool *more, bool *dirty,
                      struct error *err)
{
	bool stored;

	do {
		if (seal->state == SEAL_IDLE && choose(store, seal, more, err) != 0)
			return -1;
		if (work_on(store, seal, deadline_us, &stored, err) != 0) {
			*dirty |= stored;
			return -1;
		}
		*dirty |= stored || seal->trimmed;
		seal->trimmed = false;
	} while (stored && !repack_is_running(store) && clock_monotonic_us() < deadline_us);
	*more |= seal->state != SEAL_IDLE || *dirty || repack_is_running(store);
	return 0;
}

/* The job has failed. Where runs were to be merged, others of the day come first. So they do where a block could not be
 * read back: to try again at once, or with every put, would take all of maintenance. Otherwise the day is left until
 * something is put into it: damage stays as it is. */
static void fail_job(struct store *store, struct seal *seal)
{
	struct day *day = seal->day;
	int64_t retry_us = clock_monotonic_us() + SEAL_MISREAD_RETRY_US;
	struct hot_partition *own = hot_partition_find(&day->hot, &seal->partition);

	bool merges = seal->runs_count > 0 && !seal->change;

	day->swept = !seal->misread && !merges;
	store->sealing.misread += seal->misread;
	if (merges)
		seal_pass_over(seal);
	else if (seal->misread && own)
		own->wait_us = retry_us;
	seal_forget(store);
}

int store_maintain(struct store *store, int64_t deadline_us, bool *more, bool *dirty, struct error *err)
{
	struct seal *seal = seal_of(store, err);
	int result;

	*more = *dirty = false;
	if (!seal)
		return -1;
	moves_finish_if_idle(store);
	days_rest(store);
	if (repack_is_running(store)) {
		*more = true;
		return repack_step(store, deadline_us, err);
	}
	if (seal->state == SEAL_IDLE && store->repack_demanded && repack_may_begin(store)) {
		*more = true;
		return repack_begin_catalog(store, err);
	}
	result = work_until(store, seal, deadline_us, more, dirty, err);
	if (store->cluster && cluster_mend(store->cluster))
		*dirty = true;
	if (result != 0 && seal->state != SEAL_IDLE)
		fail_job(store, seal);
	return result;
}
