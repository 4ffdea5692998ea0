/* SPDX-License-Identifier: ISC */
/*
 * changes_note.h: what the feed of changes is told of a put; private to store/.
 */
#ifndef CDRD_STORE_CHANGES_CHANGES_NOTE_H
#define CDRD_STORE_CHANGES_CHANGES_NOTE_H

#include <stdint.h>

struct account_key;
struct catalog_product;
struct partition;
struct store;
struct store_changed;

/* A record of the partition will soon be put, or changed: prefetches where that is noted. */
void changes_expect(const struct store *store, const struct partition *partition);

/* A record of the partition has been put, or changed, by the change of this number. */
void changes_note(struct store *store, const struct partition *partition, uint64_t seq);

/* The change of this number moves a record of the partition to another day or direction. */
void changes_note_move(struct store *store, const struct partition *partition, uint64_t seq);

/* The newest change that has, be it uncommitted or dropped; of other accounts, too, which share a place. 0: none since the
 * start. */
uint64_t changes_moved(const struct store *store, const struct catalog_product *product,
                       const struct account_key *account);

/* changes_note for another front end, which is told later what was marked. */
void changes_mark(struct store_changed *changed, const struct partition *partition);
void changes_note_marked(struct store *store, const struct store_changed *changed, uint64_t seq);

#endif
