/* SPDX-License-Identifier: ISC */
/*
 * day_list.c: see day_list.h.
 */
#include "store/days/day_list.h"

#include "base/clock.h"
#include "base/log.h"
#include "meta/change.h"
#include "meta/rows.h"

#define DAY_TEXT_LEN 10

static int day_key(struct buf *out, int32_t number, struct error *err)
{
	buf_clear(out);
	clock_format_day(out, number);
	return buf_cstr(out) ? 0 : error_set(err, ERROR_NOMEM, "day %d: out of memory", number);
}

static enum meta_next take_row(void *arg, struct str key, struct str value, struct error *err)
{
	struct store *store = arg;
	int32_t number;

	(void)value;
	if (!clock_parse_day(key, &number)) {
		error_set(err, ERROR_CORRUPT, "catalog: a listed day of %zu bytes, must be %d", key.len, DAY_TEXT_LEN);
		return META_FAILED;
	}
	struct day *day = days_known(store, number, err);
	if (!day)
		return META_FAILED;
	day->is_listed = true;
	return META_GO_ON;
}

/* What an older version has left, or a crash. */
static int find_others(struct store *store, struct error *err)
{
	for (size_t i = 0; i < store->days_count; i++) {
		struct day *day = store->days[i];
		int has_data = day->is_listed ? 0 : days_has_data(store, day, err);

		if (has_data < 0)
			return -1;
		day->is_listed |= has_data > 0;
		store->lists_days |= has_data > 0;
	}
	return 0;
}

int day_list_load(struct store *store, struct error *err)
{
	struct buf text = { 0 };
	int result = 0;

	if (meta_each(store->meta, META_DB_DAYS, STR_LITERAL(""), take_row, store, err) != 0 ||
	    find_others(store, err) != 0 || day_list_write(store, err) != 0)
		return -1;
	for (size_t i = 0; i < store->days_count && result == 0; i++) {
		struct day *day = store->days[i];
		int has_data = day->is_listed ? days_has_data(store, day, err) : 1;

		if (has_data < 0 || day_key(&text, day->number, err) != 0)
			result = -1;
		if (has_data != 0 || result != 0)
			continue;
		day->is_faulty = true;
		log_error(
			"store",
			"day %s: its records are missing, days/%s/data.mdb is not there: put it back from a backup, or say that it is "
			"lost with `cdrctl forget-day %s`; until then requests that need the day fail",
			text.data, text.data, text.data);
	}
	buf_free(&text);
	return result;
}

int day_list_write(struct store *store, struct error *err)
{
	struct buf key = { 0 };
	struct change change;
	int result = 0;

	if (!store->lists_days)
		return 0;
	if (change_begin_local(&change, store->meta, err) != 0)
		return -1;
	/* Those that are there already as well, which changes nothing. */
	for (size_t i = 0; i < store->days_count && result == 0; i++) {
		if (!store->days[i]->is_listed)
			continue;
		result = day_key(&key, store->days[i]->number, err);
		if (result == 0)
			result = change_put(&change, META_DB_DAYS, buf_str(&key), STR_LITERAL(""), err);
	}
	buf_free(&key);
	result = change_end(&change, result, err);
	store->lists_days = result != 0;
	return result;
}

int day_list_remove(struct store *store, const struct day *day, struct error *err)
{
	struct change change;
	struct buf key = { 0 };

	if (!day->is_listed)
		return 0;
	int result = day_key(&key, day->number, err);
	if (result == 0)
		result = change_begin_local(&change, store->meta, err);
	if (result == 0)
		result =
			change_end(&change, change_remove(&change, META_DB_DAYS, buf_str(&key), err) < 0 ? -1 : 0, err);
	buf_free(&key);
	return result;
}

int store_forget_day(struct store *store, int32_t number, struct error *err)
{
	size_t at = store_day_index(store, number);

	if (at == store->days_count || store->day_numbers[at] != number)
		return error_set(err, ERROR_NOT_FOUND, "there are no records of that day, and none are missed");
	int has_data = days_has_data(store, store->days[at], err);
	if (has_data != 0)
		return has_data < 0 ?
		               -1 :
		               error_set(err, ERROR_CONFLICT,
		                         "its data.mdb is there; only a day whose file is gone can be forgotten");
	if (store->days[at]->env.write)
		return error_set(err, ERROR_CONFLICT, "it is being written to");
	if (day_list_remove(store, store->days[at], err) != 0)
		return -1;
	days_remove(store, at);
	return 0;
}
