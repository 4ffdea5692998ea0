/* SPDX-License-Identifier: ISC */
/*
 * days.c: which days there are, and their environments: opened on demand, the ones used longest ago closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/log.h"
#include "base/shrinking.h"
#include "store/blocks/bundle.h"
#include "store/hot_backup.h"
#include "store/days/day_list.h"
#include "store/ids/ids.h"
#include "store/sealing/repack.h"
#include "store/sealing/seal.h"
#include "store/takeover.h"
#include "store/days_store.h"

size_t store_day_index(const struct store *store, int32_t number)
{
	size_t low = 0, high = store->days_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (store->day_numbers[mid] < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int days_grow(struct store *store, struct error *err)
{
	if (store->days_count < store->days_cap)
		return 0;
	size_t cap = store->days_cap ? 2 * store->days_cap : 64;
	struct day **days = realloc(store->days, cap * sizeof(*days));
	if (days)
		store->days = days;
	int32_t *numbers = realloc(store->day_numbers, cap * sizeof(*numbers));
	if (numbers)
		store->day_numbers = numbers;
	if (!days || !numbers)
		return error_set(err, ERROR_NOMEM, "table of %zu days: out of memory", cap);
	store->days_cap = cap;
	return 0;
}

static struct day *days_insert(struct store *store, size_t at, int32_t number, struct error *err)
{
	struct day *day = calloc(1, sizeof(*day));

	if (!day) {
		error_set(err, ERROR_NOMEM, "day %d: out of memory", number);
		return NULL;
	}
	if (days_grow(store, err) != 0) {
		free(day);
		return NULL;
	}
	size_t after = store->days_count - at;
	memmove(&store->days[at + 1], &store->days[at], after * sizeof(*store->days));
	memmove(&store->day_numbers[at + 1], &store->day_numbers[at], after * sizeof(*store->day_numbers));
	day->number = number;
	day->meta = store->meta;
	store->days[at] = day;
	store->day_numbers[at] = number;
	store->days_count++;
	return day;
}

void days_close(struct store *store, struct day *day)
{
	if (!day->is_open)
		return;
	hot_free(&day->hot);
	day->hot.addresses = (struct hot_addresses){ 0 };
	bundle_forget(day);
	for (int i = 0; i < BLOCK_INDEX_SLOTS; i++)
		block_index_free(&day->block_indexes[i]);
	store->reopened += day->env.reopened;
	day->is_new = day->env.is_new;
	env_close(&day->env);
	day->is_open = false;
	store->days_open--;
}

void days_remove(struct store *store, size_t at)
{
	struct day *day = store->days[at];

	memset(store->put_days, 0, sizeof(store->put_days));
	seal_forget(store);
	repack_forget(store);
	hot_backup_forget_day(store, day);
	days_close(store, day);
	bloom_filter_fit_cancel(&day->fit.filter);
	bloom_filter_close(day->filter);
	buf_free(&day->touched);
	buf_free(&day->removed);
	buf_free(&day->sealed_ids);
	buf_free(&day->unsealed_seqs);
	free(day);
	size_t after = store->days_count - at - 1;
	memmove(&store->days[at], &store->days[at + 1], after * sizeof(*store->days));
	memmove(&store->day_numbers[at], &store->day_numbers[at + 1], after * sizeof(*store->day_numbers));
	store->days_count--;
}

static int days_path(const struct store *store, struct buf *out, struct error *err)
{
	buf_addf(out, "%s/days", store->options.data_dir);
	return buf_cstr(out) ? 0 : error_set(err, ERROR_NOMEM, "days: out of memory");
}

static int day_path(const struct store *store, int32_t number, struct buf *out, struct error *err)
{
	buf_addf(out, "%s/days/", store->options.data_dir);
	clock_format_day(out, number);
	return buf_cstr(out) ? 0 : error_set(err, ERROR_NOMEM, "day %d: out of memory", number);
}

struct day *days_known(struct store *store, int32_t number, struct error *err)
{
	size_t at = store_day_index(store, number);
	bool known = at < store->days_count && store->day_numbers[at] == number;

	return known ? store->days[at] : days_insert(store, at, number, err);
}

int days_has_data(const struct store *store, const struct day *day, struct error *err)
{
	struct buf path = { 0 };
	int is_there = day_path(store, day->number, &path, err) == 0 ? env_has_data(path.data, err) : -1;

	buf_free(&path);
	return is_there;
}

/* What repacking has left behind in a crash. */
static void clean_up_copy(const char *days, const char *name)
{
	struct buf path = { 0 };

	buf_addf(&path, "%s/%s", days, name);
	if (strstr(name, ".repack") && buf_cstr(&path))
		env_remove(path.data);
	buf_free(&path);
}

int days_list(struct store *store, struct error *err)
{
	struct buf path = { 0 };

	if (days_path(store, &path, err) != 0)
		return -1;
	DIR *dir = opendir(path.data);
	int more = dir ? 1 : error_set_errno(err, errno, "%s: open", path.data);
	const char *name;
	while (more > 0 && (more = directory_next(dir, path.data, &name, err)) > 0) {
		int32_t number;

		if (!clock_parse_day(str_from(name), &number))
			clean_up_copy(path.data, name);
		else if (!days_insert(store, store_day_index(store, number), number, err))
			more = -1;
	}
	if (dir)
		closedir(dir);
	buf_free(&path);
	return more;
}

/* False when all that are open are in use. */
static bool close_longest_unused(struct store *store)
{
	struct day *oldest = NULL;

	for (size_t i = 0; i < store->days_count; i++) {
		struct day *day = store->days[i];

		if (day->is_open && !day->env.write && !day->pins && (!oldest || day->used < oldest->used))
			oldest = day;
	}
	if (oldest)
		days_close(store, oldest);
	return oldest != NULL;
}

void days_close_down_to(struct store *store, size_t count)
{
	while (store->days_open > count && close_longest_unused(store))
		;
}

/* Names the day in the error, not the path. */
static void fail_damaged(struct day *day, const char *path, struct error *err)
{
	struct buf text = { 0 };
	size_t prefix = path[0] ? strlen(path) + 2 : 0;
	const char *cause = strncmp(err->message, path, strlen(path)) == 0 && strlen(err->message) > prefix ?
	                            err->message + prefix :
	                            err->message;

	clock_format_day(&text, day->number);
	error_set(err, ERROR_DAMAGED, "day %s is damaged: %s", buf_cstr(&text) ? text.data : "?", cause);
	buf_free(&text);
	if (!day->is_faulty)
		log_error("store", "%s", err->message);
	day->is_faulty = true;
}

int days_give_up_lost(struct store *store, struct day *day, struct error *err)
{
	if (!day->is_open || !env_is_lost(&day->env))
		return 0;
	seal_forget(store);
	if (repack_is_of(store, day))
		repack_forget(store);
	hot_backup_forget_day(store, day);
	if (day->env.reading || day->env.write || day->pins) {
		struct error lost;

		error_set(&lost, ERROR_CORRUPT, "pages of it cannot be read");
		fail_damaged(day, "", &lost);
		*err = lost;
		return -1;
	}
	days_close(store, day);
	return 0;
}

static int day_open(struct store *store, struct day *day, struct error *err)
{
	days_close_down_to(store, (size_t)store->options.days_open_max - 1);
	struct buf path = { 0 };
	int result = day_path(store, day->number, &path, err);
	/* A new environment in place of a lost one would hide the loss. */
	if (result == 0 && day->is_listed)
		result = env_check_there(path.data, err);
	if (result == 0)
		result = env_open(&day->env, path.data, store->options.day_map_bytes, day_dbs, err);
	if (result != 0 && err->code == ERROR_CORRUPT)
		fail_damaged(day, path.data, err);
	if (result == 0) {
		day->is_open = day->env.kept = true;
		day->env.is_new |= day->is_new;
		day->is_faulty = false;
		day->seals++; /* block indexes read before are not valid any more */
		store->days_open++;
		log_debug("store", "opened %s", path.data);
	}
	buf_free(&path);
	return result;
}

struct day *store_day(struct store *store, int32_t number, bool make, struct error *err)
{
	size_t at = store_day_index(store, number);
	struct day *day = at < store->days_count && store->day_numbers[at] == number ? store->days[at] : NULL;

	if (!day && !make) {
		err->code = ERROR_NONE;
		return NULL;
	}
	bool is_new = !day;
	if (is_new && !(day = days_insert(store, at, number, err)))
		return NULL;
	if (days_give_up_lost(store, day, err) != 0)
		return NULL;
	if (!day->is_open && day_open(store, day, err) != 0) {
		if (is_new)
			days_remove(store, at);
		return NULL;
	}
	day->used = ++store->uses;
	return day;
}

int store_day_filter(struct store *store, struct day *day, struct error *err)
{
	struct buf path = { 0 };

	if (day->filter)
		return 0;
	int result = day_path(store, day->number, &path, err);
	/* None is made where the day is lost. */
	/* A new environment in place of a lost one would hide the loss. */
	if (result == 0 && day->is_listed)
		result = env_check_there(path.data, err);
	if (result != 0 && err->code == ERROR_CORRUPT)
		fail_damaged(day, path.data, err);
	if (result == 0)
		result = bloom_filter_open(&day->filter, path.data, store->boot_id, err);
	buf_free(&path);
	return result;
}

int store_day_ready(struct store *store, struct day *day, MDB_txn *txn, struct error *err)
{
	bool is_known = day->hot.loaded && !day->hot.is_damaged;

	if (is_known && day->filter && bloom_filter_ready(day->filter) && !day_hot_needs_rebuild(day))
		return 0;
	if (day_hot_load(day, txn, err) != 0 || store_day_filter(store, day, err) != 0)
		return -1;
	if (day->hot.is_damaged) {
		*err = day->hot.damage;
		return -1;
	}
	return bloom_filter_ready(day->filter) ? 0 : ids_filter_build(day, txn, err);
}

const int32_t *days_listed(const struct store *store, size_t *count)
{
	*count = store->days_count;
	return store->day_numbers;
}

/* Removes a directory that holds files only. */
static int remove_directory(const struct store *store, const char *path)
{
	DIR *dir = opendir(path);
	const char *name;
	struct error err;

	if (!dir)
		return -1;
	while (directory_next(dir, path, &name, &err) > 0) /* where it fails, the directory is not empty */
		if (shrinking_unlink(store->options.shrinking, dirfd(dir), name) != 0)
			log_error("store", "%s/%s: remove: %s", path, name, strerror(errno));
	closedir(dir);
	return rmdir(path);
}

int days_remove_before(struct store *store, int32_t day, int max)
{
	int removed = 0;

	takeover_drop_days_before(store, day);
	while (removed < max && store->days_count && store->day_numbers[0] < day && !store->days[0]->env.write) {
		struct buf path = { 0 };
		struct error err;

		if (day_path(store, store->day_numbers[0], &path, &err) != 0)
			break;
		if (day_list_remove(store, store->days[0], &err) != 0) {
			log_error("store", "%s: remove: %s", path.data, err.message);
			buf_free(&path);
			break;
		}
		days_remove(store, 0);
		if (remove_directory(store, path.data) != 0 && errno != ENOENT)
			log_error("store", "%s: remove: %s", path.data, strerror(errno));
		else
			log_info("store", "removed %s, past retention", path.data);
		buf_free(&path);
		removed++;
	}
	return removed;
}
