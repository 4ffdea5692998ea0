/* SPDX-License-Identifier: ISC */
/*
 * lookup.c: see lookup.h.
 */
#include "mapping/lookup.h"

#include "base/id.h"

static uint32_t *slot_of(const struct lookup *table, struct str key)
{
	return &table->slots[(uint32_t)id_hash64(key.p, key.len, 0) & table->slots_mask];
}

void lookup_begin(struct lookup *table, struct pool *pool, struct str name, uint32_t room)
{
	uint32_t slots = 8;

	while (slots < room * 2)
		slots *= 2;
	*table = (struct lookup){ .name = name, .room = room };
	table->entries = pool_alloc(pool, (size_t)room * sizeof(table->entries[0]));
	table->slots = pool_alloc(pool, (size_t)slots * sizeof(table->slots[0]));
	table->slots_mask = slots - 1;
	if (!table->entries || !table->slots)
		table->room = 0;
}

struct lookup_entry *lookup_add(struct lookup *table, struct str key)
{
	if (table->count == table->room || lookup_find(table, key))
		return NULL;
	uint32_t *slot = slot_of(table, key);
	struct lookup_entry *entry = &table->entries[table->count++];
	*entry = (struct lookup_entry){ .key = key, .next = *slot };
	*slot = table->count;
	if (key.len <= LOOKUP_KEY_MAX)
		table->lengths |= UINT64_C(1) << key.len;
	return entry;
}

struct lookup_entry *lookup_find(const struct lookup *table, struct str key)
{
	if (table->count == 0)
		return NULL;
	for (uint32_t at = *slot_of(table, key); at; at = table->entries[at - 1].next)
		if (str_equal(table->entries[at - 1].key, key))
			return &table->entries[at - 1];
	return NULL;
}

struct lookup_entry *lookup_find_prefix(const struct lookup *table, struct str text)
{
	struct lookup_entry *found = NULL;

	if (text.len > 0 && text.p[0] == '+')
		text = (struct str){ text.p + 1, text.len - 1 };
	uint64_t lengths = table->lengths;
	if (text.len < LOOKUP_KEY_MAX)
		lengths &= (UINT64_C(1) << (text.len + 1)) - 1;
	while (lengths && !found) {
		unsigned len = 63 - (unsigned)__builtin_clzll(lengths);

		found = lookup_find(table, (struct str){ text.p ? text.p : "", len });
		lengths ^= UINT64_C(1) << len;
	}
	return found;
}
