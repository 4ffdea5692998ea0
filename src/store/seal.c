/*
 * seal.c: what to seal next, and the slices of it. See seal.h.
 *
 * Days are looked at in turn. One whose rows are all sealed and whose runs need no merging is `swept`: it is passed over
 * until something is put into it. A day that is not open is opened for this once after the start, a day a call.
 */
#include "store/seal_private.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

struct seal *seal_of(struct store *store, struct error *err)
{
	if (store->seal)
		return store->seal;
	struct seal *seal = calloc(1, sizeof(*seal));
	if (seal)
		seal->builder = block_builder_new();
	if (!seal || !seal->builder) {
		free(seal);
		error_set(err, ERROR_NOMEM, "sealing: out of memory");
		return NULL;
	}
	store->seal = seal;
	return seal;
}

void seal_forget(struct store *store)
{
	struct seal *seal = store->seal;
	if (!seal || seal->state == SEAL_IDLE)
		return;
	seal->day->pins--;
	seal->state = SEAL_IDLE;
}

void seal_free(struct store *store)
{
	struct seal *seal = store->seal;
	if (!seal)
		return;
	block_builder_free(seal->builder);
	directory_free(&seal->entries);
	buf_free(&seal->places);
	buf_free(&seal->ids);
	buf_free(&seal->values);
	buf_free(&seal->blocks);
	buf_free(&seal->touched);
	buf_free(&seal->scratch);
	free(seal);
	store->seal = NULL;
}

void seal_touch(struct store *store, struct day *day, const struct partition *partition, const struct place *place)
{
	struct seal *seal = store->seal;
	struct day_touch touch = { *partition, *place };
	buf_add(&day->touched, &touch, sizeof(touch));
	if (seal && seal->state != SEAL_IDLE && seal->day == day && partition_equal(&seal->partition, partition))
		buf_add(&seal->touched, place, sizeof(*place));
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
			buf_add(&seal->touched, &touches[i].place, sizeof(touches[i].place));
	return 0;
}

void store_seal_all(struct store *store)
{
	struct error err;
	struct seal *seal = seal_of(store, &err);
	if (seal)
		seal->all = true;
	for (size_t i = 0; i < store->days_count; i++)
		store->days[i]->swept = false;
}

/* --- choosing --- */

static int begin_job(struct seal *seal, struct day *day, const struct partition *partition, struct error *err)
{
	seal->product = catalog_product_numbered(partition->product);
	if (!seal->product)
		return error_set(err, ERROR_CORRUPT, "%s: product number %u is unknown", day->env.path, partition->product);
	seal->partition = *partition;
	if (take_touched(seal, day, err) != 0)
		return -1;
	seal->state = SEAL_GATHER;
	seal->day = day;
	seal->behind = (struct place){ INT64_MIN / 2, 0, partition->direction };
	buf_clear(&seal->places);
	buf_clear(&seal->ids);
	buf_clear(&seal->values);
	buf_clear(&seal->blocks);
	block_builder_begin(seal->builder, seal->product, partition->direction);
	day->pins++;
	return 0;
}

/* The partition of a day that is most in need of sealing, or NULL. */
static const struct hot_partition *due_partition(const struct store *store, const struct seal *seal,
                                                 const struct day *day, int64_t now_us)
{
	const struct hot_partition *best = NULL;
	for (size_t i = 0; i < day->hot.partitions_cap; i++) {
		const struct hot_partition *own = &day->hot.partitions[i];
		bool due = own->rows >= store->options.seal_rows || seal->all ||
		           now_us - own->since_us >= store->options.seal_age_us;
		if (own->rows > 0 && due && (!best || own->rows > best->rows))
			best = own;
	}
	return best;
}

/* Opens and loads a day, once. Another process's mistake or a damaged day must not stop the others: it is left alone. */
static bool open_for_sweep(struct store *store, struct day *day)
{
	struct error err;
	struct day *opened = store_day(store, day->number, false, &err);
	MDB_txn *txn = opened ? env_read(&opened->env, &err) : NULL;
	int result = txn ? store_day_ready(store, opened, txn, &err) : -1;
	if (txn)
		mdb_txn_abort(txn);
	if (result != 0)
		log_error("store", "%s; it is not sealed until the next start", err.message);
	return result == 0;
}

/* Looks for a job in one day. 1 if there is one, 0, -1. */
static int choose_in_day(struct store *store, struct seal *seal, struct day *day, struct error *err)
{
	bool found = false;
	if (!(day->is_open && day->hot.loaded) && !open_for_sweep(store, day)) {
		day->swept = true;
		return 0;
	}
	const struct hot_partition *due = due_partition(store, seal, day, clock_monotonic_us());
	if (due) {
		seal->runs_count = 0;
		seal->snapshot = store->snapshot;
		seal->rows_max = store->options.seal_rows < STORE_SEAL_ROWS_MAX ? store->options.seal_rows :
		                                                                  STORE_SEAL_ROWS_MAX;
		return begin_job(seal, day, &due->partition, err) == 0 ? 1 : -1;
	}
	if (seal_find_runs(store, seal, day, &found, err) != 0)
		return -1;
	if (found)
		return begin_job(seal, day, &seal->partition, err) == 0 ? 1 : -1;
	/* Rows that are not due yet keep it in view. */
	day->swept = day->hot.rows == 0;
	return 0;
}

/* Looks for a job, a round of days at most and one that must be opened. *more: not all were looked at. */
static int choose(struct store *store, struct seal *seal, bool *more, struct error *err)
{
	bool opened = false;
	for (size_t left = store->days_count; left > 0; left--) {
		if (store->sweep_at >= store->days_count)
			store->sweep_at = 0;
		struct day *day = store->days[store->sweep_at];
		/* What it would gather may be in blocks already, which only the commit makes visible. */
		if (day->blocks_changed) {
			*more = true;
			store->sweep_at++;
			continue;
		}
		bool must_open = !day->swept && !(day->is_open && day->hot.loaded);
		if (must_open && opened) {
			*more = true;
			return 0;
		}
		opened |= must_open;
		int result = day->swept ? 0 : choose_in_day(store, seal, day, err);
		if (result)
			return result < 0 ? -1 : 0;
		store->sweep_at++;
	}
	seal->all = false;
	return 0;
}

int store_upkeep(struct store *store, int64_t deadline_us, bool *more, bool *dirty, struct error *err)
{
	struct seal *seal = seal_of(store, err);
	*more = *dirty = false;
	if (!seal)
		return -1;
	int result = 0;
	if (seal->state == SEAL_IDLE)
		result = choose(store, seal, more, err);
	if (result == 0 && seal->state == SEAL_GATHER)
		result = seal_gather(store, seal, deadline_us, err);
	if (result == 0 && seal->state == SEAL_STORE && clock_monotonic_us() < deadline_us) {
		result = seal_store(store, seal, err);
		*dirty = true;
	}
	*more |= seal->state != SEAL_IDLE || *dirty;
	if (result != 0)
		seal_forget(store);
	return result;
}
