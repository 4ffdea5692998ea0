/* SPDX-License-Identifier: ISC */
/*
 * class_sums.c: see class_sums.h. A hash table of a fixed size, never full.
 */
#include "reconcile/class_sums.h"

#include <stdlib.h>

#include "base/id.h"

static bool slot_is_of(const struct class_sum *slot, struct str currency, struct str country)
{
	return str_is(currency, slot->currency) && str_is(country, slot->country);
}

/* NULL: there are too many. */
static struct class_sum *find(struct class_sums *sums, struct str currency, struct str country)
{
	uint64_t hash = id_hash64(currency.p, currency.len, id_hash64(country.p, country.len, 0));

	for (size_t at = hash % CLASS_SUMS_SLOTS;; at = (at + 1) % CLASS_SUMS_SLOTS) {
		struct class_sum *slot = &sums->slots[at];

		if (slot->used && slot_is_of(slot, currency, country))
			return slot;
		if (slot->used)
			continue;
		if (sums->used == CLASS_SUMS_MAX)
			return NULL;
		sums->used++;
		slot->used = true;
		memcpy(slot->currency, currency.p, currency.len);
		memcpy(slot->country, country.p, country.len);
		return slot;
	}
}

static struct str present(struct str text)
{
	return text.p ? text : STR_LITERAL("");
}

void class_sums_add(struct class_sums *sums, enum class_side side, struct str currency, struct str country,
                    struct str price)
{
	struct class_sum *slot = NULL;
	struct decimal amount = { 0 };

	if (currency.len <= CLASS_SUMS_CURRENCY_MAX && country.len <= CLASS_SUMS_COUNTRY_MAX)
		slot = find(sums, present(currency), present(country));
	if (!slot) {
		sums->unsummed++;
		return;
	}
	slot->rows[side]++;
	if (price.len > 0 && (!decimal_read_stored(price, &amount) || !decimal_add(&slot->price[side], amount)))
		sums->unsummed++;
}

static int compare_sums(const void *left, const void *right)
{
	const struct class_sum *a = *(const struct class_sum *const *)left,
			       *b = *(const struct class_sum *const *)right;
	int order = strcmp(a->currency, b->currency);

	return order != 0 ? order : strcmp(a->country, b->country);
}

static void write_amount(struct json *json, const char *key, struct decimal amount)
{
	struct buf text = { 0 };

	decimal_format(&text, amount);
	json_member_str(json, key, buf_str(&text));
	json->out->failed |= text.failed;
	buf_free(&text);
}

static void write_sum(struct json *json, const struct class_sum *sum)
{
	struct decimal difference = { sum->price[CLASS_OURS].units - sum->price[CLASS_THEIRS].units };

	json_object_begin(json);
	json_member_text(json, "currency", sum->currency);
	json_member_text(json, "country", sum->country);
	json_member_uint(json, "rows_ours", sum->rows[CLASS_OURS]);
	json_member_uint(json, "rows_theirs", sum->rows[CLASS_THEIRS]);
	write_amount(json, "sum_ours", sum->price[CLASS_OURS]);
	write_amount(json, "sum_theirs", sum->price[CLASS_THEIRS]);
	write_amount(json, "difference", difference);
	json_object_end(json);
}

void class_sums_write(const struct class_sums *sums, struct json *json)
{
	const struct class_sum *sorted[CLASS_SUMS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < CLASS_SUMS_SLOTS; i++)
		if (sums->slots[i].used)
			sorted[count++] = &sums->slots[i];
	/* NOLINTNEXTLINE(uninitvar): as many as `count` were set. */
	qsort(sorted, count, sizeof(sorted[0]), compare_sums);
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		write_sum(json, sorted[i]);
	json_array_end(json);
}
