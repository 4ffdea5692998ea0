/* SPDX-License-Identifier: ISC */
/*
 * hot.c: two open-addressing tables, of ids and of partitions. See hot.h.
 */
#include "store/days/hot.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"

#define CAP_MIN 16     /* of a part */
#define SHRINK_BELOW 8 /* of so many slots one is used */
#define SHRINK_SLOTS 16384
#define PREFETCH_AHEAD 8

/* Is a table to grow before one more is added? Three quarters of its slots are used. */
static bool is_crowded(size_t used, size_t cap)
{
	return 4 * (used + 1) > 3 * cap;
}

static bool is_empty(const struct hot_entry *entry)
{
	return (entry->seq[0] | entry->seq[1]) == 0;
}

static void part_insert(struct hot_part *part, const struct hot_entry *entry)
{
	size_t at = entry->hash & (part->cap - 1);

	while (!is_empty(&part->entries[at]))
		at = (at + 1) & (part->cap - 1);
	part->entries[at] = *entry;
	part->used++;
}

static int part_resize(struct hot_part *part, size_t cap, struct error *err)
{
	struct hot_part old = *part;
	struct hot_entry *entries = calloc(cap, sizeof(*entries));

	if (!entries)
		return error_set(err, ERROR_NOMEM, "table of %zu hot ids: out of memory", cap * HOT_PARTS);
	*part = (struct hot_part){ .entries = entries, .cap = cap };
	for (size_t i = 0; i < old.cap; i++)
		if (!is_empty(&old.entries[i]))
			part_insert(part, &old.entries[i]);
	free(old.entries);
	return 0;
}

/* A day that is written to without a pause always has hot rows: without this, its tables would stay as large as they ever
 * were. Some slots at a time, as all parts are about as full. Where there is no memory for smaller ones, they stay. */
static void parts_shrink(struct hot *hot)
{
	struct error err;
	size_t looked = 0;

	for (struct hot_part *part = hot->parts; part < hot->parts + HOT_PARTS && looked < SHRINK_SLOTS; part++) {
		if (part->cap == CAP_MIN || SHRINK_BELOW * part->used >= part->cap)
			continue;
		looked += part->cap;
		if (part_resize(part, part->cap / 2, &err) != 0)
			return;
	}
}

int hot_add_id(struct hot *hot, uint64_t hash, uint64_t seq, struct error *err)
{
	struct hot_part *part = &hot->parts[hot_part_number(hash)];

	if (is_crowded(part->used, part->cap) && part_resize(part, part->cap ? 2 * part->cap : CAP_MIN, err) != 0)
		return -1;
	struct hot_entry entry = { (uint32_t)(hash >> 32), { (uint32_t)(seq >> 32), (uint32_t)seq } };
	part_insert(part, &entry);
	hot->entries_used++;
	return 0;
}

bool hot_next(const struct hot *hot, uint64_t hash, size_t *iterator, uint64_t *seq)
{
	const struct hot_part *part = &hot->parts[hot_part_number(hash)];
	uint32_t upper = (uint32_t)(hash >> 32);

	for (size_t step = *iterator; step < part->cap; step++) {
		const struct hot_entry *entry = &part->entries[(upper + step) & (part->cap - 1)];

		if (is_empty(entry))
			return false;
		if (entry->hash != upper)
			continue;
		*iterator = step + 1;
		*seq = hot_entry_seq(entry);
		return true;
	}
	return false;
}

const struct hot_entry *hot_each(const struct hot *hot, size_t *iterator)
{
	size_t at = *iterator;

	for (size_t i = 0; i < HOT_PARTS; at -= hot->parts[i++].cap)
		for (; at < hot->parts[i].cap; at++) {
			++*iterator;
			if (!is_empty(&hot->parts[i].entries[at]))
				return &hot->parts[i].entries[at];
		}
	return NULL;
}

/* Where the search for a partition's slot begins. */
static size_t partition_home(const struct hot *hot, const struct partition *partition)
{
	uint8_t key[PARTITION_LEN];

	partition_write(key, partition);
	return id_hash64(key, sizeof(key), 0) & (hot->partitions_cap - 1);
}

void hot_partition_prefetch(const struct hot *hot, const struct partition *partition)
{
	if (hot->partitions_cap)
		prefetch_before(&hot->partitions[partition_home(hot, partition) + 1], sizeof(struct hot_partition));
}

/* The slot of a partition, or the empty one where it would be. */
static struct hot_partition *partition_slot(const struct hot *hot, const struct partition *partition)
{
	size_t at = partition_home(hot, partition);

	while (hot->partitions[at].partition.product && !partition_equal(&hot->partitions[at].partition, partition))
		at = (at + 1) & (hot->partitions_cap - 1);
	return &hot->partitions[at];
}

static int partitions_grow(struct hot *hot, struct error *err)
{
	size_t old_cap = hot->partitions_cap;
	struct hot_partition *old = hot->partitions;
	size_t cap = old_cap ? 2 * old_cap : 64;
	struct hot_partition *partitions = calloc(cap, sizeof(*partitions));

	if (!partitions)
		return error_set(err, ERROR_NOMEM, "table of %zu partitions: out of memory", cap);
	hot_forget_marks(hot);
	hot->partitions = partitions;
	hot->partitions_cap = cap;
	hot->grown |= hot->round.looked > 0; /* the slots have moved */
	hot->round = (struct hot_round){ 0 };
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].partition.product)
			*partition_slot(hot, &old[i].partition) = old[i];
	free(old);
	hot->changes++;
	return 0;
}

void hot_keep_marks(struct hot *hot)
{
	if (!hot->marks && hot->partitions_cap)
		hot->marks = calloc(hot->partitions_cap, sizeof(*hot->marks));
}

void hot_forget_marks(struct hot *hot)
{
	free(hot->marks);
	hot->marks = NULL;
}

struct hot_kept_mark *hot_kept_mark(const struct hot *hot, const struct partition *partition)
{
	const struct hot_partition *own = hot->marks ? hot_partition_find(hot, partition) : NULL;

	return own ? &hot->marks[own - hot->partitions] : NULL;
}

struct hot_partition *hot_partition_find(const struct hot *hot, const struct partition *partition)
{
	if (!hot->partitions_cap)
		return NULL;
	struct hot_partition *found = partition_slot(hot, partition);
	return found->partition.product ? found : NULL;
}

struct hot_partition *hot_partition(struct hot *hot, const struct partition *partition, struct error *err)
{
	if (is_crowded(hot->partitions_used, hot->partitions_cap) && partitions_grow(hot, err) != 0)
		return NULL;
	struct hot_partition *found = partition_slot(hot, partition);
	if (!found->partition.product) {
		found->partition = *partition;
		hot->partitions_used++;
	}
	if (found->rows == 0) {
		found->since_us = clock_monotonic_us();
		if (hot->oldest_us == 0)
			hot->oldest_us = found->since_us;
	}
	return found;
}

int hot_add_position(struct hot *hot, const struct partition *partition, const struct position *position,
                     struct error *err)
{
	struct hot_partition *own = hot_partition_find(hot, partition);

	if (!own)
		own = hot_partition(hot, partition, err);
	hot->changes++;
	return own ? hot_order_add(&own->order, position, err) : -1;
}

void hot_rows_gone(struct hot *hot, const struct partition *partition, uint32_t rows, size_t stale)
{
	struct hot_partition *found = hot_partition_find(hot, partition);

	if (found)
		found->rows -= rows < found->rows ? rows : found->rows;
	hot->rows -= rows < hot->rows ? rows : hot->rows;
	hot->stale += stale;
}

/* Empties a slot and closes the gap, so that every entry is still found from the slot of its hash on. */
static void entry_remove(struct hot_part *part, size_t at)
{
	size_t mask = part->cap - 1;

	for (size_t next = (at + 1) & mask; !is_empty(&part->entries[next]); next = (next + 1) & mask) {
		/* Its distance from the slot of its hash must not become negative. */
		size_t home = part->entries[next].hash & mask;

		if (((next - home) & mask) < ((next - at) & mask))
			continue;
		part->entries[at] = part->entries[next];
		at = next;
	}
	part->entries[at] = (struct hot_entry){ 0 };
	part->used--;
}

static void drop_one(struct hot *hot, const struct hot_gone *gone)
{
	struct hot_part *part = &hot->parts[hot_part_number(gone->hash)];
	uint32_t upper = (uint32_t)(gone->hash >> 32);
	size_t mask = part->cap - 1;

	if (part->cap == 0)
		return;
	for (size_t at = upper & mask; !is_empty(&part->entries[at]); at = (at + 1) & mask) {
		if (part->entries[at].hash != upper || hot_entry_seq(&part->entries[at]) != gone->seq)
			continue;
		entry_remove(part, at);
		hot->entries_used--;
		return;
	}
}

static int compare_seqs(const void *a, const void *b)
{
	uint64_t left, right;

	memcpy(&left, a, sizeof(left));
	memcpy(&right, b, sizeof(right));
	return (left > right) - (left < right);
}

static bool is_kept(const struct buf *kept, uint64_t seq)
{
	size_t count = kept->len / sizeof(seq);

	return count > 0 && bsearch(&seq, kept->data, count, sizeof(seq), compare_seqs);
}

/* Those of one partition that begin the list, and are in order; returns how many there were. Their positions are
 * gathered at the list's beginning, over what has been read. */
static size_t drop_positions(struct hot *hot, struct hot_removed *list, size_t count, const struct buf *kept)
{
	const struct partition partition = list->partition;
	struct hot_partition *own = hot_partition_find(hot, &partition);
	struct hot_at *gone = (struct hot_at *)(void *)list, before = { 0 };
	size_t gone_count = 0, at = 0;

	for (; at < count && partition_equal(&list[at].partition, &partition); at++) {
		const struct hot_at this = list[at].at;

		if (at > 0 && !hot_at_is_before(&before, &this))
			break;
		before = this;
		if (!is_kept(kept, this.seq))
			gone[gone_count++] = this;
	}
	if (own)
		hot_order_drop(&own->order, gone, gone_count);
	return at;
}

static void drop_removed(struct hot *hot, struct buf *removed, const struct buf *kept)
{
	struct hot_removed *list = (struct hot_removed *)(void *)removed->data;
	size_t count = removed->len / sizeof(*list);

	for (size_t i = 0; i < count;)
		i += drop_positions(hot, list + i, count - i, kept);
	buf_clear(removed);
	hot->changes++;
}

void hot_drop(struct hot *hot, struct str gone, struct buf *removed, struct buf *kept)
{
	const struct hot_gone *list = (const struct hot_gone *)(const void *)gone.p;
	size_t count = gone.len / sizeof(*list), kept_count = kept->len / sizeof(uint64_t);

	if (kept_count > 0)
		qsort(kept->data, kept_count, sizeof(uint64_t), compare_seqs);
	for (size_t i = 0; i < count; i++) {
		if (i + PREFETCH_AHEAD < count)
			hot_prefetch(hot, list[i + PREFETCH_AHEAD].hash);
		if (!is_kept(kept, list[i].seq))
			drop_one(hot, &list[i]);
	}
	if (count > 0)
		parts_shrink(hot);
	drop_removed(hot, removed, kept);
}

static bool has_positions(const struct hot *hot)
{
	for (size_t i = 0; i < hot->partitions_cap; i++)
		if (hot->partitions[i].order.count > 0)
			return true;
	return false;
}

bool hot_free_if_empty(struct hot *hot)
{
	struct hot_trim trim = hot->trim;

	if (!hot->loaded || hot->rows > 0 || hot->partitions_cap == 0 || has_positions(hot))
		return false;
	hot_free(hot);
	hot->loaded = true;
	hot->trim = trim;
	return true;
}

void hot_free(struct hot *hot)
{
	for (size_t i = 0; i < HOT_PARTS; i++)
		free(hot->parts[i].entries);
	for (size_t i = 0; i < hot->partitions_cap; i++)
		hot_order_free(&hot->partitions[i].order);
	free(hot->partitions);
	buf_free(&hot->due);
	hot_addresses_free(&hot->addresses);
	hot_forget_marks(hot);
	*hot = (struct hot){ .changes = hot->changes + 1, .addresses = hot->addresses };
}
