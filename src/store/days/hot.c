/* SPDX-License-Identifier: ISC */
/*
 * hot.c: two open-addressing tables, of ids and of partitions. See hot.h.
 */
#include "store/days/hot.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"

#define CAP_MIN 16 /* of a part */
#define SEQ_SET_BITS_MAX (UINT64_C(1) << 26) /* 8 MiB, for a moment */

static void part_insert(struct hot_part *part, const struct hot_entry *entry)
{
	size_t at = entry->hash & (part->cap - 1);
	while (part->entries[at].seq_direction)
		at = (at + 1) & (part->cap - 1);
	part->entries[at] = *entry;
	part->used++;
}

static int part_grow(struct hot_part *part, struct error *err)
{
	struct hot_part old = *part;
	size_t cap = old.cap ? 2 * old.cap : CAP_MIN;
	struct hot_entry *entries = calloc(cap, sizeof(*entries));
	if (!entries)
		return error_set(err, ERROR_NOMEM, "table of %zu hot ids: out of memory", cap * HOT_PARTS);
	*part = (struct hot_part){ .entries = entries, .cap = cap };
	for (size_t i = 0; i < old.cap; i++)
		if (old.entries[i].seq_direction)
			part_insert(part, &old.entries[i]);
	free(old.entries);
	return 0;
}

int hot_add_id(struct hot *hot, uint64_t hash, const struct place *place, struct error *err)
{
	struct hot_part *part = &hot->parts[hot_part_number(hash)];
	if (2 * (part->used + 1) > part->cap && part_grow(part, err) != 0)
		return -1;
	struct hot_entry entry = { hash, place->time_us, place->seq << 2 | place->direction };
	part_insert(part, &entry);
	hot->entries_used++;
	return 0;
}

bool hot_next(const struct hot *hot, uint64_t hash, size_t *iterator, struct place *place)
{
	const struct hot_part *part = &hot->parts[hot_part_number(hash)];
	for (size_t step = *iterator; step < part->cap; step++) {
		const struct hot_entry *entry = &part->entries[(hash + step) & (part->cap - 1)];
		if (!entry->seq_direction)
			return false;
		if (entry->hash != hash)
			continue;
		*iterator = step + 1;
		*place = (struct place){ .time_us = entry->time_us,
			                 .seq = entry->seq_direction >> 2,
			                 .direction = (uint8_t)(entry->seq_direction & 3) };
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
			if (hot->parts[i].entries[at].seq_direction)
				return &hot->parts[i].entries[at];
		}
	return NULL;
}

/* The slot of a partition, or the empty one where it would be. */
static struct hot_partition *partition_slot(const struct hot *hot, const struct partition *partition)
{
	uint8_t key[PARTITION_LEN];
	partition_write(key, partition);
	size_t at = id_hash64(key, sizeof(key), 0) & (hot->partitions_cap - 1);
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
	hot->partitions = partitions;
	hot->partitions_cap = cap;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].partition.product)
			*partition_slot(hot, &old[i].partition) = old[i];
	free(old);
	return 0;
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
	if (2 * (hot->partitions_used + 1) > hot->partitions_cap && partitions_grow(hot, err) != 0)
		return NULL;
	struct hot_partition *found = partition_slot(hot, partition);
	if (!found->partition.product) {
		found->partition = *partition;
		hot->partitions_used++;
	}
	if (found->rows == 0)
		found->since_us = clock_monotonic_us();
	return found;
}

void hot_rows_gone(struct hot *hot, const struct partition *partition, uint32_t rows, size_t stale)
{
	struct hot_partition *found = hot_partition_find(hot, partition);
	if (found)
		found->rows -= rows < found->rows ? rows : found->rows;
	hot->rows -= rows < hot->rows ? rows : hot->rows;
	hot->stale += stale;
}

/* A set of seqs as bits: rows that are sealed together came at about the same time, so the range is not much wider. */
struct seq_set {
	uint64_t min;
	uint64_t count; /* of bits */
	uint8_t *bits;
};

static uint64_t seq_at(struct str seqs, size_t number)
{
	uint64_t seq;
	memcpy(&seq, seqs.p + number * sizeof(seq), sizeof(seq));
	return seq;
}

static bool seq_set_make(struct seq_set *set, struct str seqs)
{
	size_t count = seqs.len / sizeof(uint64_t);
	uint64_t max = 0;
	set->min = UINT64_MAX;
	for (size_t i = 0; i < count; i++) {
		uint64_t seq = seq_at(seqs, i);
		set->min = seq < set->min ? seq : set->min;
		max = seq > max ? seq : max;
	}
	set->count = max - set->min + 1;
	set->bits = set->count <= SEQ_SET_BITS_MAX ? calloc(1, (size_t)(set->count / 8 + 1)) : NULL;
	for (size_t i = 0; set->bits && i < count; i++)
		set->bits[(seq_at(seqs, i) - set->min) / 8] |= (uint8_t)(1 << (seq_at(seqs, i) - set->min) % 8);
	return set->bits;
}

static void seq_set_remove(struct seq_set *set, struct str seqs)
{
	for (size_t i = 0; i < seqs.len / sizeof(uint64_t); i++) {
		uint64_t at = seq_at(seqs, i) - set->min;
		if (at < set->count)
			set->bits[at / 8] &= (uint8_t)~(1 << at % 8);
	}
}

static bool seq_set_has(const struct seq_set *set, uint64_t seq)
{
	uint64_t at = seq - set->min;
	return at < set->count && set->bits[at / 8] & 1 << at % 8;
}

/* Empties a slot and closes the gap, so that every entry is still found from the place of its hash on. */
static void entry_remove(struct hot_part *part, size_t at)
{
	size_t mask = part->cap - 1;
	for (size_t next = (at + 1) & mask; part->entries[next].seq_direction; next = (next + 1) & mask) {
		/* How far it is from home must not become less than nothing. */
		size_t home = part->entries[next].hash & mask;
		if (((next - home) & mask) < ((next - at) & mask))
			continue;
		part->entries[at] = part->entries[next];
		at = next;
	}
	part->entries[at].seq_direction = 0;
	part->used--;
}

static void part_drop(struct hot_part *part, const struct seq_set *set)
{
	for (size_t at = 0; at < part->cap; at++)
		while (part->entries[at].seq_direction && seq_set_has(set, part->entries[at].seq_direction >> 2))
			entry_remove(part, at);
}

int hot_drop(struct hot *hot, struct str dropped, struct str kept, struct error *err)
{
	struct seq_set set;
	if (dropped.len == 0)
		return 0;
	if (!seq_set_make(&set, dropped))
		return error_set(err, ERROR_NOMEM, "hot ids: out of memory, or too far apart");
	seq_set_remove(&set, kept);
	hot->entries_used = 0;
	for (size_t i = 0; i < HOT_PARTS; i++) {
		part_drop(&hot->parts[i], &set);
		hot->entries_used += hot->parts[i].used;
	}
	free(set.bits);
	return 0;
}

void hot_free(struct hot *hot)
{
	for (size_t i = 0; i < HOT_PARTS; i++)
		free(hot->parts[i].entries);
	free(hot->partitions);
	*hot = (struct hot){ 0 };
}
