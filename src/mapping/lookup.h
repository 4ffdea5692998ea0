/* SPDX-License-Identifier: ISC */
/*
 * lookup.h: what a text stands for: by the whole of it, or by the longest of the table's keys that it begins with.
 *
 * A hash table, made once. A search for the longest prefix tries the lengths that keys have, the longest first.
 */
#ifndef CDRD_MAPPING_LOOKUP_H
#define CDRD_MAPPING_LOOKUP_H

#include <stdint.h>

#include "mapping/pool.h"

#define LOOKUP_KEY_MAX 63 /* bytes of a key that is a prefix */

struct lookup_entry {
	struct str key;
	struct str value;
	struct rate *rates; /* of a table of rates */
	uint32_t next;      /* the next entry of the slot, counted from 1 */
};

struct lookup {
	struct str name;
	struct lookup_entry *entries;
	uint32_t count, room;
	uint32_t *slots; /* entries, counted from 1; a power of two of them */
	uint32_t slots_mask;
	uint64_t lengths; /* that keys have, by bit; longer ones are not searched as prefixes */
	bool has_other;   /* the key * is there: */
	struct str other; /* what all other texts stand for */
};

/* Makes room for `room` entries at most. */
void lookup_begin(struct lookup *table, struct pool *pool, struct str name, uint32_t room);

/* NULL if the key is there already, or memory has run out. */
struct lookup_entry *lookup_add(struct lookup *table, struct str key);

struct lookup_entry *lookup_find(const struct lookup *table, struct str key);

/* The entry of the longest key that `text` begins with; a plus at its beginning is passed over. */
struct lookup_entry *lookup_find_prefix(const struct lookup *table, struct str text);

#endif
