/* SPDX-License-Identifier: ISC */
/*
 * groups.c: groups of records, their counts and exact sums. See aggregate.h.
 *
 * A group is found by the hash of its interval and values, in open addressing. Records often come with the values of
 * the one before, so that one's group is tried first. All texts lie in one buffer, so memory is bounded by the number
 * of groups and the values' sizes.
 */
#include "store/aggregate.h"

#include <stdlib.h>

#include "base/id.h"

#define SLOTS_MIN 64
#define TEXT_PER_GROUP 1024 /* bytes of values, on average, that groups may have */

void aggregate_groups_init(struct aggregate_groups *groups, const struct catalog_product *product,
                           const uint8_t *columns, size_t columns_count, size_t max)
{
	*groups = (struct aggregate_groups){ .columns = columns, .columns_count = columns_count, .max = max };
	groups->currency = catalog_column_find(product, STR_LITERAL("currency"));
	groups->total_price = catalog_column_find(product, STR_LITERAL("total_price"));
	groups->price = catalog_column_find(product, STR_LITERAL("price"));
	groups->paid = groups->total_price != CATALOG_NONE ? groups->total_price : groups->price;
	groups->duration = catalog_column_find(product, STR_LITERAL("duration"));
}

void aggregate_groups_free(struct aggregate_groups *groups)
{
	buf_free(&groups->groups);
	buf_free(&groups->amounts);
	buf_free(&groups->texts);
	buf_free(&groups->key);
	free(groups->slots);
	groups->slots = NULL;
}

void aggregate_groups_clear(struct aggregate_groups *groups)
{
	buf_clear(&groups->groups);
	buf_clear(&groups->amounts);
	buf_clear(&groups->texts);
	if (groups->slots)
		memset(groups->slots, 0, groups->slots_count * sizeof(*groups->slots));
	groups->count = groups->last = 0;
}

static uint64_t bit_of(uint8_t column)
{
	return column == CATALOG_NONE ? 0 : UINT64_C(1) << column;
}

uint64_t aggregate_groups_columns(const struct aggregate_groups *groups, const struct catalog_product *product)
{
	uint64_t columns = bit_of(groups->currency) | bit_of(groups->total_price) | bit_of(groups->price) |
	                   bit_of(groups->duration);

	for (size_t i = 0; i < groups->columns_count; i++)
		columns |= bit_of(groups->columns[i]);
	return columns ? columns : bit_of(product->time_column);
}

/* --- finding a group --- */

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "Out of memory for a summary");
}

uint64_t aggregate_value_hash(struct str value)
{
	return id_hash64(value.p, value.len, 0);
}

/* A group's hash is made of those of its values, which may be known already. */
static uint64_t hash_more(uint64_t hash, uint64_t value_hash)
{
	hash = (hash ^ value_hash) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

/* The beginnings of hours and days differ in their upper bits alone. */
static uint64_t hash_start(int64_t start_us)
{
	return id_hash64("", 0, (uint64_t)start_us);
}

static uint64_t hash_key(const struct aggregate_groups *groups, int64_t start_us)
{
	struct str key = buf_str(&groups->key);
	uint64_t hash = hash_start(start_us);

	while (key.len > 0)
		hash = hash_more(hash, aggregate_value_hash(aggregate_key_next(&key)));
	return hash;
}

static bool has_key(const struct aggregate_groups *groups, const struct aggregate_group *group, uint64_t hash,
                    int64_t start_us)
{
	return group->hash == hash && group->start_us == start_us && group->key_len == groups->key.len &&
	       (group->key_len == 0 ||
	        memcmp(groups->texts.data + group->key_at, groups->key.data, group->key_len) == 0);
}

/* The slot of the key, or the empty one where it would be. */
static uint32_t *find_slot(const struct aggregate_groups *groups, uint64_t hash, int64_t start_us)
{
	size_t at = hash & (groups->slots_count - 1);

	while (groups->slots[at] && !has_key(groups, aggregate_group_at(groups, groups->slots[at] - 1), hash, start_us))
		at = (at + 1) & (groups->slots_count - 1);
	return &groups->slots[at];
}

static int grow_slots(struct aggregate_groups *groups, struct error *err)
{
	size_t slots_count = groups->slots_count ? 2 * groups->slots_count : SLOTS_MIN;
	uint32_t *slots = calloc(slots_count, sizeof(*slots));

	if (!slots)
		return no_memory(err);
	free(groups->slots);
	groups->slots = slots;
	groups->slots_count = slots_count;
	for (size_t i = 0; i < groups->count; i++) {
		size_t at = aggregate_group_at(groups, i)->hash & (slots_count - 1);

		while (slots[at])
			at = (at + 1) & (slots_count - 1);
		slots[at] = (uint32_t)i + 1;
	}
	return 0;
}

static int add_group(struct aggregate_groups *groups, uint64_t hash, int64_t start_us, struct error *err)
{
	struct aggregate_group group = { .hash = hash, .start_us = start_us, .key_at = groups->texts.len };

	if (groups->count == groups->max || groups->texts.len > groups->max * TEXT_PER_GROUP)
		return error_set(err, ERROR_NOT_FOUND, "More than %zu groups", groups->max);
	if (2 * (groups->count + 1) > groups->slots_count && grow_slots(groups, err) < 0)
		return -1;
	group.key_len = (uint32_t)groups->key.len;
	buf_add_str(&groups->texts, buf_str(&groups->key));
	buf_add(&groups->groups, &group, sizeof(group));
	if (groups->texts.failed || groups->groups.failed)
		return no_memory(err);
	*find_slot(groups, hash, start_us) = (uint32_t)++groups->count;
	return 0;
}

/* The group of the current key, made if need be. */
static struct aggregate_group *get_group(struct aggregate_groups *groups, int64_t start_us, struct error *err)
{
	uint64_t hash = hash_key(groups, start_us);

	if (groups->last && has_key(groups, aggregate_group_at(groups, groups->last - 1), hash, start_us))
		return aggregate_group_at(groups, groups->last - 1);
	uint32_t found = groups->slots_count ? *find_slot(groups, hash, start_us) : 0;

	if (!found) {
		if (add_group(groups, hash, start_us, err) < 0)
			return NULL;
		found = (uint32_t)groups->count;
	}
	groups->last = found;
	return aggregate_group_at(groups, found - 1);
}

static void add_to_key(struct aggregate_groups *groups, struct str value)
{
	uint32_t len = (uint32_t)value.len;

	buf_add(&groups->key, &len, sizeof(len));
	buf_add_str(&groups->key, value);
}

static int make_key(struct aggregate_groups *groups, const struct record *record, struct error *err)
{
	buf_clear(&groups->key);
	for (size_t i = 0; i < groups->columns_count; i++)
		add_to_key(groups, record->values[groups->columns[i]]);
	return groups->key.failed ? no_memory(err) : 0;
}

struct str aggregate_key_next(struct str *key)
{
	uint32_t len;

	memcpy(&len, key->p, sizeof(len));
	struct str value = { key->p + sizeof(len), len };

	key->p += sizeof(len) + len;
	key->len -= sizeof(len) + len;
	return value;
}

/* --- sums --- */

/* The group's amount of a currency, made if need be. */
static struct aggregate_amount *get_amount(struct aggregate_groups *groups, struct aggregate_group *group,
                                           struct str currency, struct error *err)
{
	struct aggregate_amount amount = { .next = group->amounts,
		                           .currency_len = (uint32_t)currency.len,
		                           .currency_at = groups->texts.len };

	for (uint32_t at = group->amounts; at;) {
		struct aggregate_amount *known = aggregate_amount_at(groups, at - 1);

		if (str_equal(aggregate_currency(groups, known), currency))
			return known;
		at = known->next;
	}
	/* amounts count as groups: a currency could be anything */
	if (groups->amounts.len / sizeof(amount) >= 2 * groups->max) {
		error_set(err, ERROR_NOT_FOUND, "More than %zu currencies in groups", 2 * groups->max);
		return NULL;
	}
	buf_add_str(&groups->texts, currency);
	buf_add(&groups->amounts, &amount, sizeof(amount));
	if (groups->texts.failed || groups->amounts.failed) {
		no_memory(err);
		return NULL;
	}
	group->amounts = (uint32_t)(groups->amounts.len / sizeof(amount));
	return aggregate_amount_at(groups, group->amounts - 1);
}

/* What is not there adds nothing. What is no number, as ingest once took any text, makes *unreadable true. */
static bool add_text(struct decimal *sum, const struct record *record, uint8_t column, bool *unreadable)
{
	struct decimal value;
	struct str text = record_value(record, column);

	if (text.len == 0)
		return true;
	if (decimal_read_stored(text, &value))
		return decimal_add(sum, value);
	*unreadable = true;
	return true;
}

static int too_large(struct error *err)
{
	return error_set(err, ERROR_LIMIT, "A sum is too large");
}

static bool has_money(const struct aggregate_groups *groups)
{
	return groups->total_price != CATALOG_NONE || groups->price != CATALOG_NONE;
}

int aggregate_add_record(struct aggregate_groups *groups, int64_t start_us, const struct record *record,
                         struct error *err)
{
	struct aggregate_group *group = make_key(groups, record, err) == 0 ? get_group(groups, start_us, err) : NULL;
	struct aggregate_amount *amount;
	bool unreadable = false;

	if (!group)
		return -1;
	group->count++;
	if (!add_text(&group->duration, record, groups->duration, &unreadable))
		return too_large(err);
	if (has_money(groups)) {
		amount = get_amount(groups, group, record_value(record, groups->currency), err);
		if (!amount)
			return -1;
		amount->count++;
		group->unpriced += record_value(record, groups->paid).len == 0;
		if (!add_text(&amount->total_price, record, groups->total_price, &unreadable) ||
		    !add_text(&amount->price, record, groups->price, &unreadable))
			return too_large(err);
	}
	group->unreadable += unreadable;
	return 0;
}

static int add_money(struct aggregate_groups *groups, struct aggregate_group *group, struct str currency,
                     const struct aggregate_amount *more, struct error *err)
{
	struct aggregate_amount *amount = get_amount(groups, group, currency, err);

	if (!amount)
		return -1;
	amount->count += more->count;
	if (!decimal_add(&amount->total_price, more->total_price) || !decimal_add(&amount->price, more->price))
		return too_large(err);
	return 0;
}

int aggregate_add_span(struct aggregate_groups *groups, int64_t start_us, const struct scan_span *span,
                       struct error *err)
{
	buf_clear(&groups->key);
	struct aggregate_group *group = get_group(groups, start_us, err);

	if (!group)
		return -1;
	group->count += span->rows;
	group->unpriced += has_money(groups) ? span->unpriced : 0;
	for (size_t i = 0; has_money(groups) && i < span->sums_count; i++) {
		const struct scan_sum *sum = &span->sums[i];
		const struct aggregate_amount amount = { .count = sum->rows,
			                                 .total_price = sum->total_price,
			                                 .price = sum->price };

		if (add_money(groups, group, str_from(sum->currency), &amount, err) < 0)
			return -1;
	}
	return 0;
}

static bool has_values(const struct aggregate_groups *groups, const struct aggregate_group *group,
                       const struct str *values)
{
	const char *key = groups->texts.data + group->key_at;

	for (size_t i = 0; i < groups->columns_count; i++) {
		uint32_t len;

		memcpy(&len, key, sizeof(len));
		if (len != values[i].len || memcmp(key + sizeof(len), values[i].p, len) != 0)
			return false;
		key += sizeof(len) + len;
	}
	return true;
}

/* The group of a batch, which there is in most cases; NULL if there is none. */
static struct aggregate_group *find_batch(const struct aggregate_groups *groups, uint64_t hash, int64_t start_us,
                                          const struct aggregate_batch *batch)
{
	if (!groups->slots_count)
		return NULL;
	for (size_t at = hash & (groups->slots_count - 1); groups->slots[at];
	     at = (at + 1) & (groups->slots_count - 1)) {
		struct aggregate_group *group = aggregate_group_at(groups, groups->slots[at] - 1);

		if (group->hash == hash && group->start_us == start_us && has_values(groups, group, batch->values))
			return group;
	}
	return NULL;
}

static struct aggregate_group *get_batch(struct aggregate_groups *groups, int64_t start_us,
                                         const struct aggregate_batch *batch, struct error *err)
{
	uint64_t hash = hash_start(start_us);

	for (size_t i = 0; i < groups->columns_count; i++)
		hash = hash_more(hash, batch->hashes[i]);
	struct aggregate_group *group = find_batch(groups, hash, start_us, batch);
	if (group)
		return group;
	buf_clear(&groups->key);
	for (size_t i = 0; i < groups->columns_count; i++)
		add_to_key(groups, batch->values[i]);
	if (groups->key.failed) {
		no_memory(err);
		return NULL;
	}
	return get_group(groups, start_us, err);
}

int aggregate_add_batch(struct aggregate_groups *groups, int64_t start_us, const struct aggregate_batch *batch,
                        struct error *err)
{
	const struct aggregate_amount amount = { .count = batch->count,
		                                 .total_price = batch->total_price,
		                                 .price = batch->price };
	struct aggregate_group *group = get_batch(groups, start_us, batch, err);

	if (!group)
		return -1;
	group->count += batch->count;
	group->unreadable += batch->unreadable;
	group->unpriced += batch->unpriced;
	if (!decimal_add(&group->duration, batch->duration))
		return too_large(err);
	return has_money(groups) ? add_money(groups, group, batch->currency, &amount, err) : 0;
}

/* Adds a group of others to the one of the current key. */
static int add_to_group(struct aggregate_groups *sum, int64_t start_us, const struct aggregate_groups *more,
                        const struct aggregate_group *group, struct error *err)
{
	struct aggregate_group *own = get_group(sum, start_us, err);

	if (!own)
		return -1;
	own->count += group->count;
	own->unreadable += group->unreadable;
	own->unpriced += group->unpriced;
	if (!decimal_add(&own->duration, group->duration))
		return too_large(err);
	for (uint32_t at = group->amounts; at;) {
		const struct aggregate_amount *added = aggregate_amount_at(more, at - 1);

		if (add_money(sum, own, aggregate_currency(more, added), added, err) < 0)
			return -1;
		at = added->next;
	}
	return 0;
}

int aggregate_add_group(struct aggregate_groups *sum, int64_t start_us, const struct aggregate_groups *more,
                        const struct aggregate_group *group, struct error *err)
{
	buf_clear(&sum->key);
	return add_to_group(sum, start_us, more, group, err);
}

int aggregate_add_groups(struct aggregate_groups *sum, const struct aggregate_groups *more, struct error *err)
{
	for (size_t i = 0; i < more->count; i++) {
		const struct aggregate_group *group = aggregate_group_at(more, i);

		buf_clear(&sum->key);
		buf_add(&sum->key, more->texts.data + group->key_at, group->key_len);
		if (sum->key.failed)
			return no_memory(err);
		if (add_to_group(sum, group->start_us, more, group, err) < 0)
			return -1;
	}
	return 0;
}

/* --- order --- */

static int compare_texts(struct str a, struct str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len > 0 ? memcmp(a.p, b.p, len) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_groups(const void *a, const void *b, void *arg)
{
	const struct aggregate_groups *groups = arg;
	const struct aggregate_group *left = a, *right = b;
	struct str left_key = { groups->texts.data + left->key_at, left->key_len };
	struct str right_key = { groups->texts.data + right->key_at, right->key_len };
	int order = (left->start_us > right->start_us) - (left->start_us < right->start_us);

	for (size_t i = 0; !order && i < groups->columns_count; i++)
		order = compare_texts(aggregate_key_next(&left_key), aggregate_key_next(&right_key));
	return order;
}

/* Few: by insertion into a new list. */
static void sort_amounts(const struct aggregate_groups *groups, struct aggregate_group *group)
{
	uint32_t sorted = 0;

	for (uint32_t at = group->amounts; at;) {
		struct aggregate_amount *amount = aggregate_amount_at(groups, at - 1);
		uint32_t next = amount->next, *position = &sorted;

		while (*position &&
		       compare_texts(aggregate_currency(groups, aggregate_amount_at(groups, *position - 1)),
		                     aggregate_currency(groups, amount)) < 0)
			position = &aggregate_amount_at(groups, *position - 1)->next;
		amount->next = *position;
		*position = at;
		at = next;
	}
	group->amounts = sorted;
}

void aggregate_groups_sort(struct aggregate_groups *groups)
{
	if (groups->count > 1)
		qsort_r(groups->groups.data, groups->count, sizeof(struct aggregate_group), compare_groups, groups);
	for (size_t i = 0; i < groups->count; i++)
		sort_amounts(groups, aggregate_group_at(groups, i));
}
