/* SPDX-License-Identifier: ISC */
/*
 * upgrade.c: which days have blocks of the format before. See upgrade.h.
 */
#include "store/sealing/upgrade.h"

#include "base/clock.h"
#include "base/log.h"
#include "meta/change.h"
#include "meta/rows.h"

#define NOTE "upgrade:"

static int note_key(struct buf *out, const struct day *day, struct error *err)
{
	buf_add_text(out, NOTE);
	clock_format_day(out, day->number);
	return out->failed ? error_set(err, ERROR_NOMEM, "upgrading: out of memory") : 0;
}

static int note_days(struct store *store, struct change *change, struct error *err)
{
	struct buf key = { 0 };
	int result = 0;

	for (size_t i = 0; i < store->days_count && result == 0; i++) {
		buf_clear(&key);
		result = note_key(&key, store->days[i], err);
		if (result == 0)
			result = change_put(change, META_DB_VALUES, buf_str(&key), STR_LITERAL("1"), err);
	}
	buf_free(&key);
	return result;
}

int upgrade_begin(struct store *store, uint64_t format, struct error *err)
{
	struct buf number = { 0 };
	struct change change;

	buf_add_uint(&number, format);
	int result = number.failed ? error_set(err, ERROR_NOMEM, "upgrading: out of memory") :
	                             change_begin_local(&change, store->meta, err);
	if (result == 0) {
		result = note_days(store, &change, err);
		if (result == 0)
			result = change_put(&change, META_DB_VALUES, STR_LITERAL("format"), buf_str(&number), err);
		result = change_end(&change, result, err);
	}
	buf_free(&number);
	if (result == 0 && store->days_count > 0)
		log_info("store", "data_dir %s: %zu days of the format before are upgraded from now on",
		         store->options.data_dir, store->days_count);
	return result;
}

static enum meta_next load_note(void *arg, struct str key, struct str value, struct error *err)
{
	struct store *store = arg;
	const size_t prefix = sizeof(NOTE) - 1;
	int32_t number;

	(void)value;
	(void)err;
	if (key.len < prefix || memcmp(key.p, NOTE, prefix) != 0)
		return META_STOP;
	if (!clock_parse_day((struct str){ key.p + prefix, key.len - prefix }, &number))
		return META_GO_ON;
	size_t at = store_day_index(store, number);
	if (at < store->days_count && store->day_numbers[at] == number)
		store->days[at]->is_old = true;
	return META_GO_ON;
}

int upgrade_load(struct store *store, struct error *err)
{
	return meta_each(store->meta, META_DB_VALUES, STR_LITERAL(NOTE), load_note, store, err);
}

int upgrade_is_old(struct day *day, MDB_txn *txn, MDB_val key, struct error *err)
{
	uint32_t magic;
	MDB_val val;

	int rc = mdb_get(txn, day->env.dbi[DAY_BLOCK_DATA], &key, &val);
	if (rc && rc != MDB_NOTFOUND)
		return env_fail(&day->env, rc, "get block", err);
	if (rc || val.mv_size < sizeof(magic))
		return 0;
	memcpy(&magic, val.mv_data, sizeof(magic));
	return magic == BLOCK_MAGIC_1;
}

int upgrade_end(struct store *store, struct day *day, struct error *err)
{
	struct buf key = { 0 };
	struct change change;
	int result = note_key(&key, day, err);

	if (result == 0)
		result = change_begin_local(&change, store->meta, err);
	if (result == 0)
		result = change_end(&change, change_remove(&change, META_DB_VALUES, buf_str(&key), err) < 0 ? -1 : 0,
		                    err);
	buf_free(&key);
	if (result == 0) {
		day->is_old = false;
		log_debug("store", "%s: upgraded", day->env.path);
	}
	return result;
}
