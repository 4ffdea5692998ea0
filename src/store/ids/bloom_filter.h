/* SPDX-License-Identifier: ISC */
/*
 * bloom_filter.h: may a day hold this id? Answered for 400 days without opening one of them; private to store/.
 *
 * days/DAY/ids.filter is mapped: a page of header, then up to ID_FILTER_PARTS Bloom filters, each four times the one
 * before, so that it grows with its day. Every id of the day is in it, hot or sealed. A look-up touches one cache line
 * a part (Putze, Sanders and Singler: Cache-, Hash- and Space-Efficient Bloom Filters, 2007).
 *
 *	header  magic, version, state, boot id, then for each part: offset, lines, keys; then the day's changes
 *	        (seq_ranges.h), to find the days that changed
 *	part    `lines` of 64 bytes
 *
 * Once a day is at rest, its filter may be made anew, of one part that is as large as its keys need (ids.h), and replaces
 * the old one: parts that grow by themselves have room for up to four times as many.
 *
 * It is derived data and written without fsync. After kill -9 the kernel still has its pages, so the file is whole;
 * after a crash of the machine it may not be. So the header names the boot in which it was last written to, or says
 * that it was closed and synced; otherwise it is not trusted, and is rebuilt from the day (ids.h).
 */
#ifndef CDRD_STORE_IDS_BLOOM_FILTER_H
#define CDRD_STORE_IDS_BLOOM_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define ID_FILTER_PARTS 12
#define ID_FILTER_LINE_WORDS 8

struct bloom_filter;

/* What is looked for or added, worked out once for all that is done with it. */
struct bloom_filter_key {
	uint64_t mixed;                      /* says which line */
	uint64_t bits[ID_FILTER_LINE_WORDS]; /* of that line */
};

/* Maps the filter of a day's directory, made if need be. `boot_id` has 16 bytes. */
MUST_CHECK int bloom_filter_open(struct bloom_filter **out, const char *day_path, const uint8_t *boot_id,
                                 struct error *err);

/* Is it complete? If not, it must be rebuilt before its answers mean anything. */
bool bloom_filter_ready(const struct bloom_filter *filter);

/* Keys that are in it, and parts that each look-up touches. */
uint64_t bloom_filter_keys(const struct bloom_filter *filter);
int bloom_filter_parts(const struct bloom_filter *filter);

/* Empties it: not ready, with room for `keys`. */
MUST_CHECK int bloom_filter_reset(struct bloom_filter *filter, uint64_t keys, struct error *err);
void bloom_filter_set_ready(struct bloom_filter *filter);

/* `hash` is the upper half of an id's hash. */
void bloom_filter_key_make(struct bloom_filter_key *key, uint32_t hash);

/* ERROR_FULL when the disk has no room to grow. */
MUST_CHECK int bloom_filter_add(struct bloom_filter *filter, const struct bloom_filter_key *key, struct error *err);

/* False: it is not there. True: it may be. Not ready: true. */
bool bloom_filter_may_have(const struct bloom_filter *filter, const struct bloom_filter_key *key);

/* Changes from number `first` to `last` may have been made in the day; before they are committed. */
void bloom_filter_note_changes(struct bloom_filter *filter, uint64_t first, uint64_t last);

/* The smallest number of a change, greater than `after`, that the day may have, or UINT64_MAX. Not ready: after + 1. */
uint64_t bloom_filter_next_change(const struct bloom_filter *filter, uint64_t after);

/* Prefetches the lines that id_filter_may_have will read. */
void bloom_filter_prefetch(const struct bloom_filter *filter, const struct bloom_filter_key *key);

/* The same, before the key is known. */
void bloom_filter_prefetch_hash(const struct bloom_filter *filter, uint32_t hash);

/* Has it much more room than its keys need? Then it may be made anew: what is added to `fitted` in place of it, all keys
 * of the day again, replaces it in the end. Keys that were added to it meanwhile must be among them. */
bool bloom_filter_is_roomy(const struct bloom_filter *filter);
MUST_CHECK int bloom_filter_fit_begin(const struct bloom_filter *filter, struct bloom_filter **fitted,
                                      struct error *err);
MUST_CHECK int bloom_filter_fit_end(struct bloom_filter **filter, struct bloom_filter **fitted, struct error *err);

/* Drops what was begun, as after an error; does nothing on NULL. */
void bloom_filter_fit_cancel(struct bloom_filter **fitted);

/* Syncs it, so that it is trusted after a restart of the machine, and unmaps it. Does nothing on NULL. */
void bloom_filter_close(struct bloom_filter *filter);

#endif
