/* SPDX-License-Identifier: ISC */
/*
 * repack.c: see repack.h.
 */
#include "store/sealing/repack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/log.h"
#include "base/shrinking.h"
#include "meta/rows.h"
#include "meta/change.h"
#include "store/blocks/bundle.h"
#include "store/copying/mirror.h"
#include "store/days/hot_sealed.h"

#define RETRY_US (INT64_C(300) * CLOCK_US_PER_SECOND)
#define REST_US (INT64_C(60) * CLOCK_US_PER_SECOND) /* without a change */
#define FREE_SHARE 6                                /* one page in so many */
#define FREE_PAGES_MIN 64
#define DEMAND "repack:"
#define DEMAND_CATALOG "catalog"

struct repack {
	struct day *day; /* NULL: the catalog */
	bool demanded;
	struct env copy;
	struct mirror mirror;
	struct buf path;
	struct buf target; /* the environment's own path */
	struct shrinking_file replaced;
};

/* --- is it worth it? --- */

static size_t pages_of(MDB_txn *txn, MDB_dbi dbi)
{
	MDB_stat stat;

	if (mdb_stat(txn, dbi, &stat) != 0)
		return 0;
	return stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
}

bool repack_has_rested(const struct day *day)
{
	return clock_monotonic_us() - day->changed_us >= REST_US;
}

bool repack_is_due(struct day *day, bool at_once)
{
	struct error err;
	MDB_envinfo info;

	if (day->env.write || day->pins || (!at_once && !repack_has_rested(day)))
		return false;
	MDB_txn *txn = env_read(&day->env, &err);
	if (!txn)
		return false;
	size_t used = 2; /* the meta pages */
	for (int i = 0; day_dbs[i].name; i++)
		used += pages_of(txn, day->env.dbi[i]);
	if (env_read_end(&day->env, txn, 0, &err) != 0 || mdb_env_info(day->env.mdb, &info) != 0 ||
	    info.me_last_pgno + 1 < used)
		return false;
	size_t all = info.me_last_pgno + 1;
	return all - used >= FREE_PAGES_MIN && (all - used) * FREE_SHARE >= all;
}

/* --- demands --- */

static void demand_key(struct buf *out, const struct day *day)
{
	buf_add_text(out, DEMAND);
	if (day)
		clock_format_day(out, day->number);
	else
		buf_add_text(out, DEMAND_CATALOG);
}

static bool *demand_of(struct store *store, struct day *day)
{
	return day ? &day->repack_demanded : &store->repack_demanded;
}

/* Notes the demand, or takes it back. */
static int write_demand(struct store *store, struct day *day, bool wanted, struct error *err)
{
	struct buf key = { 0 };
	struct change change;
	int result;

	demand_key(&key, day);
	if (key.failed)
		return error_set(err, ERROR_NOMEM, "repacking: out of memory");
	result = change_begin_local(&change, store->meta, err);
	if (result == 0 && wanted)
		result = change_end(&change, change_put(&change, META_DB_VALUES, buf_str(&key), STR_LITERAL("1"), err),
		                    err);
	else if (result == 0)
		result = change_end(&change, change_remove(&change, META_DB_VALUES, buf_str(&key), err) < 0 ? -1 : 0,
		                    err);
	buf_free(&key);
	if (result == 0)
		*demand_of(store, day) = wanted;
	return result;
}

int repack_demand(struct store *store, struct day *day, struct error *err)
{
	/* What is removed from now on may be in the copy that is being made, in bundles. */
	if (day && repack_is_of(store, day))
		repack_forget(store);
	return *demand_of(store, day) ? 0 : write_demand(store, day, true, err);
}

bool repack_may_begin(const struct store *store)
{
	return !store->erasing && clock_monotonic_us() >= store->repack_wait_us;
}

static enum meta_next load_demand(void *arg, struct str key, struct str value, struct error *err)
{
	struct store *store = arg;
	int32_t number;

	(void)value;
	(void)err;
	if (key.len < sizeof(DEMAND) - 1 || memcmp(key.p, DEMAND, sizeof(DEMAND) - 1) != 0)
		return META_STOP;
	struct str what = { key.p + sizeof(DEMAND) - 1, key.len - sizeof(DEMAND) + 1 };
	if (str_is(what, DEMAND_CATALOG))
		store->repack_demanded = true;
	if (!clock_parse_day(what, &number))
		return META_GO_ON;
	size_t at = store_day_index(store, number);
	if (at < store->days_count && store->day_numbers[at] == number)
		store->days[at]->repack_demanded = true;
	return META_GO_ON;
}

int repack_load_demands(struct store *store, struct error *err)
{
	return meta_each(store->meta, META_DB_VALUES, STR_LITERAL(DEMAND), load_demand, store, err);
}

int repack_trim_step(struct store *store, struct day *day, struct error *err)
{
	int none_dead = hot_trim_step(day, err);

	if (none_dead > 0)
		none_dead = bundle_trim_step(day, err);
	if (none_dead < 0)
		store->repack_wait_us = clock_monotonic_us() + RETRY_US;
	return none_dead;
}

/* --- beginning and ending --- */

bool repack_is_running(const struct store *store)
{
	return store->repack != NULL;
}

bool repack_is_of(const struct store *store, const struct day *day)
{
	return store->repack && store->repack->day == day;
}

void repack_forget(struct store *store)
{
	struct repack *repack = store->repack;

	if (!repack)
		return;
	shrinking_close(&repack->replaced);
	mirror_free(&repack->mirror);
	env_close(&repack->copy);
	if (repack->path.len)
		env_remove(buf_cstr(&repack->path));
	if (repack->day)
		repack->day->pins--;
	buf_free(&repack->path);
	buf_free(&repack->target);
	free(repack);
	store->repack = NULL;
}

static int begin(struct store *store, struct day *day, struct env *env, const struct env_db *dbs, size_t map_bytes,
                 struct error *err)
{
	struct repack *repack = calloc(1, sizeof(*repack));

	if (!repack)
		return error_set(err, ERROR_NOMEM, "repacking: out of memory");
	store->repack = repack;
	repack->demanded = *demand_of(store, day);
	repack->replaced.fd = -1;
	repack->mirror = (struct mirror){ .from = env, .to = &repack->copy, .dbs = dbs, .all = true };
	buf_addf(&repack->path, "%s.repack", env->path);
	buf_add_text(&repack->target, env->path);
	if (!buf_cstr(&repack->path) || !buf_cstr(&repack->target)) {
		repack_forget(store);
		return error_set(err, ERROR_NOMEM, "repacking: out of memory");
	}
	env_remove(repack->path.data);
	if (env_open(&repack->copy, repack->path.data, map_bytes, dbs, err) != 0) {
		store->repack_wait_us = clock_monotonic_us() + RETRY_US;
		repack_forget(store);
		return -1;
	}
	repack->day = day;
	if (day)
		day->pins++;
	return 0;
}

int repack_begin(struct store *store, struct day *day, struct error *err)
{
	return begin(store, day, &day->env, day_dbs, store->options.day_map_bytes, err);
}

int repack_begin_catalog(struct store *store, struct error *err)
{
	return begin(store, NULL, meta_env(store->meta), meta_dbs, meta_map_bytes(store->meta), err);
}

/* Renames a file of the copy to its final name, where `replaced`, unless NULL, is opened. */
static int move(const struct store *store, const char *name, struct shrinking_file *replaced, struct error *err)
{
	const struct repack *repack = store->repack;
	struct buf from = { 0 }, to = { 0 };
	int result = 0;

	buf_addf(&from, "%s/%s", repack->path.data, name);
	buf_addf(&to, "%s/%s", repack->target.data, name);
	if (!buf_cstr(&from) || !buf_cstr(&to))
		result = error_set(err, ERROR_NOMEM, "repacking: out of memory");
	if (result == 0 && replaced)
		shrinking_open(store->options.shrinking, AT_FDCWD, to.data, replaced);
	if (result == 0 && rename(from.data, to.data) != 0)
		result = error_set_errno(err, errno, "%s: rename", from.data);
	if (result == 0)
		log_debug("store", "%s: rewritten", to.data);
	buf_free(&from);
	buf_free(&to);
	return result;
}

/* The copy replaces the day. */
static int swap_day(struct store *store, struct day *day, struct error *err)
{
	struct repack *repack = store->repack;

	env_close(&repack->copy);
	days_close(store, day);
	return move(store, "data.mdb", &repack->replaced, err);
}

/*
 * The copy replaces the catalog while it is open: nothing can fail once its file has moved. Its lock file must come
 * along for other processes that open the catalog; the next start makes a new one in any case.
 */
static int swap_catalog(struct store *store, struct error *err)
{
	struct repack *repack = store->repack;
	struct error ignored;

	if (move(store, "data.mdb", &repack->replaced, err) != 0)
		return -1;
	move(store, "lock.mdb", NULL, &ignored);
	char *path = repack->copy.path;
	struct env *catalog = meta_env(store->meta);
	repack->copy.path = catalog->path;
	catalog->path = path;
	struct env old = *catalog;
	*catalog = repack->copy;
	catalog->dropped += old.dropped;
	catalog->is_new |= old.is_new;
	repack->copy = (struct env){ 0 };
	env_close(&old);
	return 0;
}

/* The new file's name must last before anything is committed to it or the old one is cut, as a power cut would bring that
 * back: where it cannot be synced now, the next commit does that first; or, if none comes before the end, the next start. */
static int swap(struct store *store, struct error *err)
{
	struct repack *repack = store->repack;
	struct day *day = repack->day;
	bool demanded = repack->demanded;
	int result = day ? swap_day(store, day, err) : swap_catalog(store, err);

	if (result == 0) {
		result = directory_sync(repack->target.data, err);
		*(day ? &day->is_new : &meta_env(store->meta)->is_new) |= result != 0;
		if (result != 0)
			meta_sync_at_start(store->meta);
		else
			shrinking_begin(store->options.shrinking, &repack->replaced);
	}
	repack_forget(store);
	if (result == 0 && demanded)
		result = write_demand(store, day, false, err);
	return result;
}

int repack_step(struct store *store, int64_t deadline_us, struct error *err)
{
	struct repack *repack = store->repack;
	const struct env *from = repack->mirror.from;
	bool done;

	if (!repack->demanded &&
	    (from->write || (repack->mirror.round > 0 && mirror_txn_id(from) != repack->mirror.txn_id))) {
		repack_forget(store);
		return 0;
	}
	if (mirror_step(&repack->mirror, deadline_us, &done, err) == 0 && (!done || swap(store, err) == 0))
		return 0;
	store->repack_wait_us = clock_monotonic_us() + RETRY_US;
	repack_forget(store);
	return -1;
}
