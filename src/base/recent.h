/* SPDX-License-Identifier: ISC */
/*
 * recent.h: a table in memory of the accounts that were active most recently, by id.
 *
 * The table holds RECENT_MAX entries; then the one unused for longest is evicted, unless its owner still needs it. An
 * entry begins with a struct recent_entry and is otherwise the caller's:
 *
 *	struct visitor { struct recent_entry entry; uint64_t visits; };
 *
 *	recent_init(&table, sizeof(struct visitor), is_busy);
 *	struct visitor *visitor = recent_get(&table, "abcd1234", &is_new);
 */
#ifndef CDRD_BASE_RECENT_H
#define CDRD_BASE_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define RECENT_ID_LEN 64 /* bytes of an id, at most */
#define RECENT_MAX 16384
#define RECENT_SLOTS 4096

struct recent_entry {
	TAILQ_ENTRY(recent_entry) used;
	struct recent_entry *next; /* of the same hash */
	char id[RECENT_ID_LEN + 1];
};

struct recent {
	size_t bytes; /* of an entry */
	bool (*is_busy)(const struct recent_entry *entry);
	size_t count;
	struct recent_entry *slots[RECENT_SLOTS];
	TAILQ_HEAD(recent_used, recent_entry) used; /* the most recently used at the end */
};

/* `bytes`: of an entry, its struct recent_entry included. Entries for which is_busy returns true are never evicted. */
void recent_init(struct recent *recent, size_t bytes, bool (*is_busy)(const struct recent_entry *entry));

/* Frees all entries. Safe on a zeroed table. */
void recent_free(struct recent *recent);

/* The entry of `id`, which counts as used; made, with zeros, if there is none: then *is_new is true. NULL when out of
 * memory. Valid until another entry is made, longer while it is busy. */
void *recent_get(struct recent *recent, const char *id, bool *is_new);

/* The entry of `id`, or NULL. It does not count as used. */
void *recent_find(const struct recent *recent, const char *id);

#endif
