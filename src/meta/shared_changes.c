/* SPDX-License-Identifier: ISC */
/*
 * shared_changes.c: changes in memory, and as parameters of a statement. See shared_catalog_private.h.
 */
#include <stdlib.h>
#include <string.h>

#include "meta/shared_catalog_private.h"

void shared_changes_add(struct buf *changes, enum meta_db db, struct str key, struct str value)
{
	const struct shared_change change = { .db = (uint8_t)db,
		                              .has_key = key.p != NULL,
		                              .has_value = value.p != NULL,
		                              .key_len = (uint32_t)key.len,
		                              .value_len = (uint32_t)value.len };

	buf_add(changes, &change, sizeof(change));
	buf_add_str(changes, key);
	buf_add_str(changes, value);
}

bool shared_changes_next(const struct buf *changes, size_t *at, struct shared_change *change, struct str *key,
                         struct str *value)
{
	if (*at >= changes->len)
		return false;
	memcpy(change, changes->data + *at, sizeof(*change));
	const char *bytes = changes->data + *at + sizeof(*change);
	*key = (struct str){ change->has_key ? bytes : NULL, change->key_len };
	*value = (struct str){ change->has_value ? bytes + change->key_len : NULL, change->value_len };
	*at += sizeof(*change) + change->key_len + change->value_len;
	return true;
}

/* --- the last change of each key --- */

struct item {
	struct shared_change change;
	struct str key, value;
};

static int compare(const void *left, const void *right)
{
	const struct item *a = left, *b = right;
	size_t len = a->key.len < b->key.len ? a->key.len : b->key.len;
	int order = (a->change.db > b->change.db) - (a->change.db < b->change.db);

	if (order == 0)
		order = memcmp(a->key.p, b->key.p, len);
	if (order == 0)
		order = (a->key.len > b->key.len) - (a->key.len < b->key.len);
	return order ? order : (a->key.p > b->key.p) - (a->key.p < b->key.p); /* the later one stands further on */
}

static bool is_same_key(const struct item *a, const struct item *b)
{
	return a->change.db == b->change.db && str_equal(a->key, b->key);
}

static size_t list_items(struct buf *items, const struct buf *changes)
{
	struct item item;
	size_t count = 0;

	for (size_t at = 0; shared_changes_next(changes, &at, &item.change, &item.key, &item.value); count++)
		buf_add(items, &item, sizeof(item));
	return count;
}

int shared_arrays_fill(struct shared_arrays *arrays, const struct buf *changes, struct error *err)
{
	struct buf list = { 0 };
	size_t count = changes->failed ? 0 : list_items(&list, changes);
	bool failed = changes->failed || list.failed;
	struct item *items = (struct item *)(void *)list.data;

	if (!failed && count > 0)
		qsort(items, count, sizeof(*items), compare);
	postgresql_array_begin(&arrays->dbs, POSTGRESQL_TEXT);
	postgresql_array_begin(&arrays->keys, POSTGRESQL_BYTEA);
	postgresql_array_begin(&arrays->values, POSTGRESQL_BYTEA);
	for (size_t i = 0; !failed && i < count; i++) {
		if (i + 1 < count && is_same_key(&items[i], &items[i + 1]))
			continue;
		postgresql_array_add(&arrays->dbs, str_from(meta_dbs[items[i].change.db].name));
		postgresql_array_add(&arrays->keys, items[i].key);
		postgresql_array_add(&arrays->values, items[i].value);
	}
	buf_free(&list);
	arrays->parameters[0] = postgresql_array_end(&arrays->dbs);
	arrays->parameters[1] = postgresql_array_end(&arrays->keys);
	arrays->parameters[2] = postgresql_array_end(&arrays->values);
	if (failed || arrays->dbs.bytes.failed || arrays->keys.bytes.failed || arrays->values.bytes.failed)
		return error_set(err, ERROR_NOMEM, "catalog: out of memory for the changes of a transaction");
	return 0;
}

void shared_arrays_free(struct shared_arrays *arrays)
{
	buf_free(&arrays->dbs.bytes);
	buf_free(&arrays->keys.bytes);
	buf_free(&arrays->values.bytes);
}

int shared_check_columns(int count, int expected, struct error *err)
{
	return count == expected ? 0 :
	                           error_set(err, ERROR_CORRUPT, "PostgreSQL: %d columns of the catalog, %d expected",
	                                     count, expected);
}

enum meta_db shared_db_of_name(struct str name)
{
	size_t db = 0;

	while (db < META_DBS && !str_is(name, meta_dbs[db].name))
		db++;
	return (enum meta_db)db;
}

/* --- what is shared --- */

/* Values of the databases' first one that are not of one host; a name that ends with / stands for all that begin so. */
static const char *const shared_values[] = { "account_number", "callback_next",   "cluster_doubts", "cluster_dropping",
	                                     "cluster_failed", "cluster_numbers", "key/",           "quarantine_next",
	                                     "seq_reserved",   "session/" };

static bool is_shared_value(struct str key)
{
	for (size_t i = 0; i < sizeof(shared_values) / sizeof(shared_values[0]); i++) {
		struct str name = str_from(shared_values[i]);
		bool is_prefix = name.p[name.len - 1] == '/' && key.len >= name.len;

		if (str_equal(is_prefix ? (struct str){ key.p, name.len } : key, name))
			return true;
	}
	return false;
}

bool shared_has(enum meta_db db, struct str key)
{
	if (db == META_DB_VALUES)
		return is_shared_value(key);
	return db != META_DB_DAYS && db != META_DB_FEEDS;
}
