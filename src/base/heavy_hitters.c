/* SPDX-License-Identifier: ISC */
/*
 * heavy_hitters.c: a hash table with linear probing that is made anew when it is cut. See heavy_hitters.h.
 */
#include "base/heavy_hitters.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"

#define SAMPLE 64

static int compare_sums(const void *a, const void *b)
{
	const decimal_units *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* About the median of a full table's sums, from a sample of them, as to sort all of them would take too long. So at least
 * half of the sample is not above it. */
static decimal_units median_sum(const struct heavy_hitters *table)
{
	decimal_units sums[SAMPLE];

	for (size_t i = 0; i < SAMPLE; i++)
		sums[i] = table->list[i * (HEAVY_HITTERS_MAX / SAMPLE)].sum;
	qsort(sums, SAMPLE, sizeof(sums[0]), compare_sums);
	return sums[SAMPLE / 2];
}

static bool is_of(const struct heavy_hitter *entry, struct str id, const char *kind)
{
	return entry->id_len == id.len && memcmp(entry->id, id.p, id.len) == 0 && strcmp(entry->kind, kind) == 0;
}

/* The slot of the account, or the free one where it belongs. There is always one: the table has more than it holds. */
static uint16_t *slot_of(struct heavy_hitters *table, struct str id, const char *kind)
{
	size_t at = id_hash64(id.p, id.len, 0) % HEAVY_HITTERS_SLOTS;

	while (table->slots[at] > 0 && !is_of(&table->list[table->slots[at] - 1], id, kind))
		at = (at + 1) % HEAVY_HITTERS_SLOTS;
	return &table->slots[at];
}

/* Makes room for about half as many accounts as the table holds. */
static void cut(struct heavy_hitters *table)
{
	decimal_units median = median_sum(table);
	size_t kept = 0;

	table->reduced += median;
	memset(table->slots, 0, sizeof(table->slots));
	for (size_t i = 0; i < table->count; i++) {
		struct heavy_hitter *entry = &table->list[i];

		entry->sum -= median;
		if (entry->sum <= 0)
			continue;
		table->list[kept++] = *entry;
		entry = &table->list[kept - 1];
		*slot_of(table, (struct str){ entry->id, entry->id_len }, entry->kind) = (uint16_t)kept;
	}
	table->count = kept;
	table->last = NULL;
}

/* `slot` is the account's free one, until the table is cut. */
static struct heavy_hitter *make(struct heavy_hitters *table, uint16_t *slot, struct str id, const char *kind)
{
	if (table->count == HEAVY_HITTERS_MAX) {
		cut(table);
		slot = slot_of(table, id, kind);
	}
	struct heavy_hitter *entry = &table->list[table->count++];

	*entry = (struct heavy_hitter){ .id_len = (uint8_t)id.len };
	memcpy(entry->id, id.p, id.len);
	strncpy(entry->kind, kind, HEAVY_HITTERS_KIND_MAX);
	*slot = (uint16_t)table->count;
	return entry;
}

void heavy_hitters_begin_day(struct heavy_hitters *table, int64_t now_us)
{
	int32_t day = clock_day_of(now_us);

	if (table->since_us > 0 && day == table->day)
		return;
	table->count = 0;
	table->last = NULL;
	table->reduced = 0;
	memset(table->slots, 0, sizeof(table->slots));
	table->since_us = table->since_us == 0 || day < table->day ? now_us : (int64_t)day * CLOCK_US_PER_DAY;
	table->day = day;
}

void heavy_hitters_add(struct heavy_hitters *table, struct str id, const char *kind, decimal_units more)
{
	struct heavy_hitter *entry = table->last;

	if (id.len == 0 || id.len > HEAVY_HITTERS_ID_MAX || strlen(kind) > HEAVY_HITTERS_KIND_MAX)
		return;
	if (!entry || !is_of(entry, id, kind)) {
		uint16_t *slot = slot_of(table, id, kind);

		entry = *slot > 0 ? &table->list[*slot - 1] : make(table, slot, id, kind);
	}
	table->last = entry;
	entry->sum += more;
	entry->count++;
}

static int compare_hitters(const void *a, const void *b)
{
	const struct heavy_hitter *const *x = a, *const *y = b;
	int by_sum = compare_sums(&(*y)->sum, &(*x)->sum);

	return by_sum ? by_sum : strcmp((*x)->id, (*y)->id);
}

size_t heavy_hitters_top(const struct heavy_hitters *table, const struct heavy_hitter **top, size_t max)
{
	const struct heavy_hitter *all[HEAVY_HITTERS_MAX];
	size_t count = table->count < max ? table->count : max;

	for (size_t i = 0; i < table->count; i++)
		all[i] = &table->list[i];
	/* NOLINTNEXTLINE(uninitvar): as many as the table has were set. */
	qsort(all, table->count, sizeof(all[0]), compare_hitters);
	memcpy(top, all, count * sizeof(all[0]));
	return count;
}
