/* SPDX-License-Identifier: ISC */
/*
 * recent.c: a hash table whose entries are also in a queue in order of use. See recent.h.
 */
#include "base/recent.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/invariant.h"

static size_t slot_of(const char *id)
{
	return id_hash64(id, strlen(id), 0) % RECENT_SLOTS;
}

void recent_init(struct recent *recent, size_t bytes, bool (*is_busy)(const struct recent_entry *entry))
{
	INVARIANT(bytes >= sizeof(struct recent_entry));
	*recent = (struct recent){ .bytes = bytes, .is_busy = is_busy };
	TAILQ_INIT(&recent->used);
}

static void forget(struct recent *recent, struct recent_entry *entry)
{
	struct recent_entry **at = &recent->slots[slot_of(entry->id)];

	while (*at && *at != entry)
		at = &(*at)->next;
	INVARIANT(*at);
	*at = entry->next;
	TAILQ_REMOVE(&recent->used, entry, used);
	recent->count--;
	free(entry);
}

void recent_free(struct recent *recent)
{
	if (recent->bytes == 0)
		return;
	for (struct recent_entry *entry; (entry = TAILQ_FIRST(&recent->used));)
		forget(recent, entry);
}

static void make_room(struct recent *recent)
{
	struct recent_entry *entry;

	if (recent->count < RECENT_MAX)
		return;
	TAILQ_FOREACH(entry, &recent->used, used) {
		if (recent->is_busy(entry))
			continue;
		forget(recent, entry);
		return;
	}
}

static struct recent_entry *make(struct recent *recent, const char *id)
{
	struct recent_entry **slot = &recent->slots[slot_of(id)];
	struct recent_entry *entry;

	INVARIANT(strlen(id) <= RECENT_ID_LEN);
	make_room(recent);
	entry = calloc(1, recent->bytes);
	if (!entry)
		return NULL;
	memcpy(entry->id, id, strlen(id));
	entry->next = *slot;
	*slot = entry;
	TAILQ_INSERT_TAIL(&recent->used, entry, used);
	recent->count++;
	return entry;
}

void *recent_find(const struct recent *recent, const char *id)
{
	struct recent_entry *entry = recent->slots[slot_of(id)];

	while (entry && strcmp(entry->id, id) != 0)
		entry = entry->next;
	return entry;
}

void *recent_get(struct recent *recent, const char *id, bool *is_new)
{
	struct recent_entry *entry = recent_find(recent, id);

	*is_new = !entry;
	if (!entry)
		return make(recent, id);
	if (TAILQ_NEXT(entry, used)) {
		TAILQ_REMOVE(&recent->used, entry, used);
		TAILQ_INSERT_TAIL(&recent->used, entry, used);
	}
	return entry;
}
