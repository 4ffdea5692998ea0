/* SPDX-License-Identifier: ISC */
/*
 * erase.c: see erase.h.
 *
 * A day's blocks are walked in the order of their keys. A run that is rewritten or merged gets blocks with higher
 * numbers, so the walk meets it again later; nothing moves to before the walk.
 */
#include "store/erase.h"

#include <stdlib.h>

#include "base/clock.h"
#include "store/cluster/cluster_erase.h"
#include "store/days/hot_rows.h"
#include "store/erasing/erase_private.h"
#include "store/sealing/repack.h"
#include "store/sealing/seal.h"
#include "store/takeover.h"

#define PUTS_MAX 256 /* of hot rows between commits */
#define LOOK_EVERY 64

/* --- its life --- */

static int take_number(struct erase *erase, struct str number, struct error *err)
{
	if (number.len > 0 && number.p[0] == '+')
		number = (struct str){ number.p + 1, number.len - 1 };
	bool bad = number.len < ERASE_NUMBER_MIN || number.len > ERASE_NUMBER_MAX;
	for (size_t i = 0; i < number.len && !bad; i++)
		bad = (unsigned char)number.p[i] < ' ' || number.p[i] == '"' || number.p[i] == '\\' ||
		      number.p[i] == 0x7f;
	if (bad || (number.len == sizeof(ERASE_TEXT) - 1 && memcmp(number.p, ERASE_TEXT, number.len) == 0))
		return error_set(err, ERROR_INVALID,
		                 "number \"%.*s\": must have %d to %d characters, no quote among them",
		                 (int)(number.len < 80 ? number.len : 80), number.p, ERASE_NUMBER_MIN,
		                 ERASE_NUMBER_MAX);
	erase->number[0] = '+';
	memcpy(erase->number + 1, number.p, number.len);
	erase->number_len = number.len;
	return 0;
}

struct erase *erase_new_matcher(struct str number, struct error *err)
{
	struct erase *erase = calloc(1, sizeof(*erase));

	if (!erase) {
		error_set(err, ERROR_NOMEM, "erasing: out of memory");
		return NULL;
	}
	if (take_number(erase, number, err) == 0) {
		erase->accounts_count =
			1; /* the current one, whichever that is: the columns are those of an account's own */
		return erase;
	}
	free(erase);
	return NULL;
}

void erase_free(struct erase *erase)
{
	if (!erase)
		return;
	/* The job under way calls back into what is freed here. */
	if (erase->store && seal_is_under_way(erase->store, INT64_MAX))
		seal_forget(erase->store);
	if (erase->store) {
		erase->store->erasing = false;
		store_forget_rows(erase->store);
	}
	cluster_erase_free(erase->cluster);
	buf_free(&erase->accounts);
	buf_free(&erase->runs);
	buf_free(&erase->json);
	block_reader_free(&erase->reader);
	free(erase);
}

void erase_counts(const struct erase *erase, struct erase_counts *counts)
{
	*counts = erase->counts;
	counts->left += erase->cluster_left;
	if (erase->cluster_pass > counts->pass)
		counts->pass = erase->cluster_pass;
}

/* --- hot rows --- */

static const struct account_key *account_at_hand(const struct erase *erase)
{
	return (const struct account_key *)(const void *)erase->accounts.data + erase->account;
}

int erase_seek(const struct erase *erase, MDB_cursor *cursor, MDB_val *key, MDB_val *val)
{
	if (erase->has_key)
		return env_seek_after(cursor, env_val(erase->key, NUMBER_KEY_LEN), key, val);
	*key = env_val(account_at_hand(erase)->bytes, ACCOUNT_KEY_LEN);
	return mdb_cursor_get(cursor, key, val, MDB_SET_RANGE);
}

bool erase_is_of_account(const struct erase *erase, MDB_val key)
{
	return key.mv_size >= ACCOUNT_KEY_LEN &&
	       memcmp(key.mv_data, account_at_hand(erase)->bytes, ACCOUNT_KEY_LEN) == 0;
}

static void restart_account(struct erase *erase)
{
	erase->has_key = false;
	erase->hot_place = (struct hot_place){ 0 };
}

void erase_next_account(struct erase *erase)
{
	erase->account++;
	restart_account(erase);
}

struct hot_walk {
	struct erase *erase;
	struct day *day;
	int64_t deadline_us;
	unsigned puts;
	unsigned looks;
};

/* Puts a hot row again, without the number, if it holds it. 1 if it did, 0, -1. */
static int erase_hot(struct erase *erase, struct day *day, const struct hot_place *place, MDB_val val,
                     struct error *err)
{
	struct record record;
	enum store_put_result put;

	if (!erase_may_be_in(erase, val.mv_data, val.mv_size))
		return 0;
	int found = day_row_read(day, &place->partition, val, &record, err);
	if (found <= 0)
		return found;
	if (!erase_change(erase, &record))
		return 0;
	erase->found++;
	if (repack_demand(erase->store, day, err) != 0)
		return -1;
	return days_put(erase->store, &record, place->position.time_us, NULL, &put, err) == 0 ? 1 : -1;
}

/* A hot_row_fn. */
static int take_hot(void *arg, const struct hot_place *place, MDB_val val, struct error *err)
{
	struct hot_walk *walk = arg;
	int found = erase_hot(walk->erase, walk->day, place, val, err);

	if (found < 0)
		return -1;
	walk->erase->counts.rows++;
	walk->puts += found > 0;
	return walk->puts == PUTS_MAX || (++walk->looks % LOOK_EVERY == 0 && clock_monotonic_us() >= walk->deadline_us);
}

/* Hot rows of the current account. What is put and not committed must not be overwritten by what was before it: nothing
 * may wait for a commit. */
static int step_hot(struct erase *erase, struct day *day, int64_t deadline_us, bool *dirty, struct error *err)
{
	struct hot_walk walk = { .erase = erase, .day = day, .deadline_us = deadline_us };

	if (day->env.write || day->blocks_changed) {
		*dirty = true;
		return 0;
	}
	MDB_txn *txn = env_read(&day->env, err);
	if (!txn)
		return -1;
	int result = hot_rows_each_of(day, txn, account_at_hand(erase), &erase->hot_place, take_hot, &walk, err);
	*dirty |= walk.puts > 0;
	result = env_read_end(&day->env, txn, result, err);
	if (result > 0)
		erase_next_account(erase);
	if (erase->account == erase->all_count) {
		erase->stage = ERASE_STAGE_DRAIN;
		erase->drain_us = clock_monotonic_us();
	}
	return result < 0 ? -1 : 0;
}

/* --- files --- */

/* Packs a day, or (NULL) the catalog. 1 when that is done or need not be, 0, -1. */
static int pack(struct erase *erase, struct day *day, int64_t deadline_us, bool *dirty, struct error *err)
{
	struct store *store = erase->store;
	const struct env *env = day ? &day->env : meta_env(store->meta);

	if (!(day ? day->repack_demanded : store->repack_demanded)) {
		erase->counts.days_packed += erase->packing && day;
		erase->packing = false;
		return 1;
	}
	if (env->write) {
		*dirty = true;
		return 0;
	}
	if (repack_is_running(store) || (day && day->pins && seal_is_under_way(store, INT64_MAX)))
		return erase_drive(erase, deadline_us, dirty, err);
	if (day && day->pins)
		return 0; /* a backup is copying it */
	int none_dead = day ? repack_trim_step(store, day, err) : 1;
	*dirty |= none_dead == 0;
	if (none_dead < 0 && day->env.write)
		store_abort(store);
	if (none_dead <= 0)
		return none_dead;
	if ((day ? repack_begin(store, day, err) : repack_begin_catalog(store, err)) != 0)
		return -1;
	erase->packing = true;
	return 0;
}

int erase_demand_catalog(struct erase *erase, struct error *err)
{
	return repack_demand(erase->store, NULL, err);
}

int erase_pack_catalog(struct erase *erase, int64_t deadline_us, bool *dirty, bool *done, struct error *err)
{
	int result = 0;

	*dirty = *done = false;
	while (result == 0 && !*dirty && clock_monotonic_us() < deadline_us)
		result = pack(erase, NULL, deadline_us, dirty, err);
	*done = result > 0;
	return result < 0 ? -1 : 0;
}

/* --- days and passes --- */

static void begin_day(struct erase *erase, int32_t day)
{
	erase->day = day;
	erase->has_day = true;
	erase->found_before = erase->found;
	erase->stage = ERASE_STAGE_HOT;
	erase->account = 0;
	restart_account(erase);
	buf_clear(&erase->runs);
}

/* A record that is in this day now may have been in the one before or after, where its row may be gone from all but free
 * pages. Those of the day before are packed in the next pass. */
static int demand_beside(struct erase *erase, int32_t number, struct error *err)
{
	struct store *store = erase->store;
	size_t at = store_day_index(store, number);

	if (at == store->days_count || store->day_numbers[at] != number)
		return 0;
	return repack_demand(store, store->days[at], err);
}

static int next_day(struct erase *erase, struct error *err)
{
	if (erase->found > erase->found_before &&
	    (demand_beside(erase, erase->day - 1, err) != 0 || demand_beside(erase, erase->day + 1, err) != 0))
		return -1;
	erase->day++;
	erase->has_day = false;
	erase->counts.days_done++;
	return 0;
}

static int step_day(struct erase *erase, struct day *day, int64_t deadline_us, bool *dirty, struct error *err)
{
	int result;

	switch (erase->stage) {
	case ERASE_STAGE_HOT:
		return step_hot(erase, day, deadline_us, dirty, err);
	case ERASE_STAGE_DRAIN:
		if (seal_is_under_way(erase->store, erase->drain_us))
			return erase_drive(erase, deadline_us, dirty, err);
		if (day->env.write || day->blocks_changed) {
			*dirty = true;
			return 0;
		}
		erase->stage = ERASE_STAGE_FIND;
		erase->account = 0;
		restart_account(erase);
		return 0;
	case ERASE_STAGE_FIND:
		return erase_find_step(erase, day, err);
	case ERASE_STAGE_REWRITE:
		return erase_rewrite_step(erase, day, deadline_us, dirty, err);
	case ERASE_STAGE_PACK:
		result = pack(erase, day, deadline_us, dirty, err);
		return result > 0 ? next_day(erase, err) : result;
	}
	return 0;
}

/* All days are done. True if that was the last pass. */
static bool end_pass(struct erase *erase)
{
	struct erase_counts *counts = &erase->counts;

	counts->left = erase->found;
	if (erase->found == 0 || counts->pass == ERASE_PASSES_MAX)
		return true;
	counts->pass++;
	counts->rows = counts->days_done = 0;
	counts->days_total = erase->store->days_count;
	erase->found = 0;
	erase->day = INT32_MIN;
	return false;
}

/* A server's message may repeat a statement, and goes into the log. */
static void hide_number(const struct erase *erase, struct error *err)
{
	struct buf text = { 0 };

	if (erase_from_text(erase, str_from(err->message), &text) > 0)
		str_copy(err->message, sizeof(err->message), buf_cstr(&text) ? text.data : "erasing: out of memory");
	buf_free(&text);
}

/* 1: no version in the cluster holds it any more; 0; -1. */
static int step_cluster(struct erase *erase, int64_t deadline_us, bool *dirty, struct error *err)
{
	struct cluster_erase_state state;

	if (cluster_erase_step(erase->cluster, deadline_us, &state, err) != 0) {
		hide_number(erase, err);
		return -1;
	}
	*dirty = state.dirty;
	erase->waits = state.waits;
	erase->cluster_pass = state.pass;
	if (!state.done)
		return 0;
	erase->cluster_left = state.found;
	cluster_erase_free(erase->cluster);
	erase->cluster = NULL;
	return 1;
}

static int step(struct erase *erase, int64_t deadline_us, bool *dirty, bool *done, struct error *err)
{
	struct store *store = erase->store;

	*dirty = *done = false;
	if (erase->cluster) {
		int stepped = step_cluster(erase, deadline_us, dirty, err);

		if (stepped <= 0)
			return stepped;
	}
	do {
		size_t at = store_day_index(store, erase->day);

		if (at == store->days_count) {
			*done = end_pass(erase);
			continue;
		}
		if (!erase->has_day || store->day_numbers[at] != erase->day)
			begin_day(erase, store->day_numbers[at]);
		struct day *day = store_day(store, erase->day, false, err);
		if (!day || step_day(erase, day, deadline_us, dirty, err) != 0)
			return -1;
	} while (!*dirty && !*done && clock_monotonic_us() < deadline_us);
	return 0;
}

static bool holds(void *arg, const struct record *record)
{
	const struct erase *erase = arg;

	return erase_record_has_it(erase, record, erase_columns_of(erase, record->product));
}

static bool change(void *arg, struct record *record, bool is_counted)
{
	struct erase *erase = arg;
	uint64_t records = erase->counts.records;
	bool changed = erase_change(erase, record);

	if (!is_counted)
		erase->counts.records = records;
	return changed;
}

struct erase *days_erase(struct store *store, const struct erase_scope *scope, struct error *err)
{
	struct erase *erase;

	/* Versions that hold the number would stay in the cluster. */
	if (takeover_refuse(store, "erasing", err) != 0)
		return NULL;
	erase = calloc(1, sizeof(*erase));
	if (!erase) {
		error_set(err, ERROR_NOMEM, "erasing: out of memory");
		return NULL;
	}
	if (take_number(erase, scope->number, err) != 0) {
		free(erase);
		return NULL;
	}
	if (scope->accounts_count)
		buf_add(&erase->accounts, scope->accounts, scope->accounts_count * sizeof(*scope->accounts));
	if (scope->owners_count)
		buf_add(&erase->accounts, scope->owners, scope->owners_count * sizeof(*scope->accounts));
	if (store->erasing || erase->accounts.failed) {
		if (store->erasing)
			error_set(err, ERROR_CONFLICT, "erasing: another number is being erased");
		else
			error_set(err, ERROR_NOMEM, "erasing: out of memory");
		buf_free(&erase->accounts);
		free(erase);
		return NULL;
	}
	erase->accounts_count = scope->accounts_count;
	erase->all_count = scope->accounts_count + scope->owners_count;
	erase->step = step;
	erase->store = store;
	erase->day = INT32_MIN;
	erase->counts.pass = 1;
	erase->counts.days_total = store->days_count;
	if (store->cluster) {
		const struct cluster_eraser eraser = { erase_bare_number(erase), holds, change, erase };

		erase->cluster = cluster_erase_new(store->cluster, &eraser, account_at_hand(erase),
		                                   erase->accounts_count, scope->on_ready, scope->arg);
		if (!erase->cluster) {
			error_set(err, ERROR_NOMEM, "erasing: out of memory");
			buf_free(&erase->accounts);
			free(erase);
			return NULL;
		}
	}
	store->erasing = true;
	return erase;
}

bool erase_waits(const struct erase *erase)
{
	return erase->waits;
}

int erase_step(struct erase *erase, int64_t deadline_us, bool *dirty, bool *done, struct error *err)
{
	return erase->step(erase, deadline_us, dirty, done, err);
}
