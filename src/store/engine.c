/* SPDX-License-Identifier: ISC */
/*
 * engine.c: the store's interface, to its engine. See engine.h.
 */
#include "store/engine.h"

#include "base/clock.h"
#include "store/scan_at.h"

int store_open(struct store **out, const struct store_options *options, struct error *err)
{
	const struct store_ops *engine = options->engine ? options->engine : &store_days_engine;

	return engine->open(out, options, err);
}

void store_close(struct store *store)
{
	if (store)
		store_ops(store)->close(store);
}

/* --- records in --- */

void store_put_begin(struct store *store, const struct record *record, int64_t time_us,
                     const struct store_versions *versions, store_put_fn done, void *arg)
{
	store_ops(store)->put(store, record, time_us, versions, done, arg);
}

/* How an operation ended whose caller cannot wait. */
struct ending {
	int result;
	enum store_put_result put;
	struct error *err;
};

static void take_put(void *arg, enum store_put_result result, const struct error *err)
{
	struct ending *ending = arg;

	ending->put = result;
	ending->result = err ? -1 : 0;
	if (err)
		*ending->err = *err;
}

static void take_commit(void *arg, const struct error *err)
{
	take_put(arg, STORE_ACCEPTED, err);
}

static int refuse_later(const struct store *store, const char *what, struct error *err)
{
	return error_set(err, ERROR_IO, "%s: the storage engine \"%s\" ends it later, and this cannot wait", what,
	                 store_ops(store)->name);
}

int store_put_version(struct store *store, const struct record *record, int64_t time_us,
                      const struct store_versions *versions, enum store_put_result *result, struct error *err)
{
	struct ending ending = { .err = err };

	if (store_ops(store)->ends_later && !record->product->own)
		return refuse_later(store, "put", err);
	store_put_begin(store, record, time_us, versions, take_put, &ending);
	*result = ending.put;
	return ending.result;
}

int store_put(struct store *store, const struct record *record, int64_t time_us, enum store_put_result *result,
              struct error *err)
{
	return store_put_version(store, record, time_us, NULL, result, err);
}

void store_expect(const struct store *store, const struct record *record, const struct account_key *account)
{
	if (store_ops(store)->expect)
		store_ops(store)->expect(store, record, account);
}

void store_commit_begin(struct store *store, store_commit_fn done, void *arg)
{
	store_ops(store)->commit(store, done, arg);
}

int store_commit(struct store *store, struct error *err)
{
	struct ending ending = { .err = err };

	if (store_ops(store)->ends_later)
		return refuse_later(store, "commit", err);
	store_commit_begin(store, take_commit, &ending);
	return ending.result;
}

bool store_ends_later(const struct store *store)
{
	return store_ops(store)->ends_later;
}

int store_commit_own(struct store *store, struct error *err)
{
	return store_ops(store)->commit_own ? store_ops(store)->commit_own(store, err) : store_commit(store, err);
}

size_t store_uncommitted(const struct store *store)
{
	return store_ops(store)->uncommitted(store);
}

uint64_t store_aborts(const struct store *store)
{
	return store_ops(store)->aborts(store);
}

uint64_t store_snapshot(const struct store *store)
{
	return store_ops(store)->snapshot(store);
}

/* --- days --- */

const int32_t *store_days(const struct store *store, size_t *count)
{
	return store_ops(store)->days(store, count);
}

int store_remove_days_before(struct store *store, int32_t day, int max)
{
	return store_ops(store)->remove_days_before(store, day, max);
}

/* --- days that are kept no longer --- */

static struct store_head *head_of(struct store *store)
{
	return (struct store_head *)(void *)store;
}

void store_keep_from(struct store *store, int32_t day)
{
	int32_t removing = store_ops(store)->removing_before ? store_ops(store)->removing_before(store) : 0;

	head_of(store)->kept_from_day = day > removing ? day : removing;
}

static int32_t kept_from(const struct store *store)
{
	return ((const struct store_head *)(const void *)store)->kept_from_day;
}

int64_t store_kept_from_us(const struct store *store)
{
	return clock_day_start_us(kept_from(store));
}

/* Does the query reach back to what is not kept? */
static bool has_removed(const struct store *store, const struct scan_query *query)
{
	int64_t from_us = store_kept_from_us(store);

	return from_us > 0 && query->from_us < (from_us < query->to_us ? from_us : query->to_us);
}

bool store_leave_out_removed(const struct store *store, struct scan_query *query)
{
	int64_t from_us = store_kept_from_us(store);

	if (!has_removed(store, query))
		return false;
	query->from_us = from_us < query->to_us ? from_us : query->to_us;
	return true;
}

bool scan_is_kept(const struct store *store, const struct scan_position *position)
{
	struct scan_at at = scan_at_read(position);

	return (at.day == 0 && at.time_us == 0) || at.day >= kept_from(store);
}

/* Some of a day may have been given that the rest of is there no more. */
static bool has_lost_days(const struct scan *scan)
{
	struct scan_position position;

	if (!scan->store || !has_removed(scan->store, &scan->query))
		return false;
	scan_position(scan, &position);
	return scan_at_read(&position).day < kept_from(scan->store);
}

/* --- scans --- */

struct scan *scan_start(struct store *store, const struct scan_query *query, const struct scan_position *from,
                        const struct scan_sink *sink, struct error *err)
{
	struct scan_query kept = *query;
	struct scan *scan;

	/* one that would resume within such a day fails at its first step */
	if (!from || scan_is_kept(store, from))
		MAY_FAIL(store_leave_out_removed(store, &kept)); /* most have no such day */
	scan = store_ops(store)->scan(store, &kept, from, sink, err);
	if (scan)
		scan->store = store;
	return scan;
}

struct scan *scan_start_find(struct store *store, const struct scan_find *find, const struct scan_sink *sink,
                             struct error *err)
{
	return store_ops(store)->find(store, find, sink, err);
}

double scan_share(const struct store *store, const struct scan_query *query, const struct scan_position *position)
{
	return store_ops(store)->share(store, query, position);
}

int scan_step(struct scan *scan, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	if (has_lost_days(scan))
		return error_set(err, ERROR_UNAVAILABLE,
		                 "Days of the range are being removed, as they are older than retention_months");
	return scan->ops->step(scan, deadline_us, end, err);
}

void scan_position(const struct scan *scan, struct scan_position *position)
{
	scan->ops->position(scan, position);
}

void scan_ready(struct scan *scan)
{
	if (scan->sink.on_ready)
		scan->sink.on_ready(scan->sink.arg);
}

void scan_cancel(struct scan *scan)
{
	if (scan)
		scan->ops->cancel(scan);
}

/* --- aggregates --- */

struct aggregate *aggregate_start(struct store *store, const struct aggregate_query *query, struct error *err)
{
	const struct store_ops *ops = store_ops(store);
	struct aggregate_query kept = *query;

	MAY_FAIL(store_leave_out_removed(store, &kept.scan)); /* most have no such day */
	return ops->aggregate ? ops->aggregate(store, &kept, err) : aggregate_start_scanned(store, &kept, err);
}

int aggregate_step(struct aggregate *aggregate, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	return aggregate->ops->step(aggregate, deadline_us, end, err);
}

void aggregate_hurry(struct aggregate *aggregate)
{
	if (aggregate->ops->hurry)
		aggregate->ops->hurry(aggregate);
}

void aggregate_counts(const struct aggregate *aggregate, struct aggregate_counts *counts)
{
	*counts = (struct aggregate_counts){
		.rows = aggregate->rows,
		.seen = aggregate->seen,
		.rough = aggregate->rough,
		.share = aggregate->ops->share(aggregate),
	};
}

struct aggregate_groups *aggregate_groups(struct aggregate *aggregate)
{
	return &aggregate->groups;
}

void aggregate_cancel(struct aggregate *aggregate)
{
	if (aggregate)
		aggregate->ops->cancel(aggregate);
}

/* --- changes --- */

struct changes *changes_new(struct store *store, const struct changes_query *query, struct error *err)
{
	return store_ops(store)->changes(store, query, err);
}

int changes_run(struct changes *changes, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	return changes->ops->run(changes, deadline_us, end, err);
}

struct changes_page changes_page(const struct changes *changes)
{
	return changes->ops->page(changes);
}

struct str changes_text(const struct changes *changes, size_t index)
{
	return changes->ops->text(changes, index);
}

bool changes_may_have(const struct store *store, const struct catalog_product *product,
                      const struct account_key *account, uint64_t since)
{
	return store_ops(store)->may_have_changes(store, product, account, since);
}

void changes_free(struct changes *changes)
{
	if (changes)
		changes->ops->cancel(changes);
}

/* --- erasing --- */

struct erase *erase_new(struct store *store, const struct erase_scope *scope, struct error *err)
{
	const struct store_ops *ops = store_ops(store);

	if (ops->erase)
		return ops->erase(store, scope, err);
	error_set(err, ERROR_INVALID, "erasing: the storage engine \"%s\" cannot", ops->name);
	return NULL;
}
