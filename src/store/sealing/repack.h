/* SPDX-License-Identifier: ISC */
/*
 * repack.h: repacking: a day's file rewritten without its free pages; private to store/.
 *
 * LMDB never makes a file smaller: the room that hot rows took stays in it when they are sealed. Once a day has come to
 * rest and much of its file is free, it is copied, key by key in slices, into an environment beside it, and that
 * file takes the old one's name. A crash before the rename leaves the old one, which is as good; the next start
 * removes the rest of the copy. A day that is written to meanwhile is started again later.
 *
 * Erasing demands it of a day (erase.h), whether it is worth it or not: what was erased still stands in free pages.
 * Such a day is also packed while it is written to, by rounds (mirror.h). The demand is on disk, "repack:2026-11-24" in
 * the catalog's meta, until it is met. That of the catalog itself is "repack:catalog".
 */
#ifndef CDRD_STORE_SEALING_REPACK_H
#define CDRD_STORE_SEALING_REPACK_H

#include "store/days_store.h"

/* Is it worth it? Looks at a day that is open. */
bool repack_is_due(struct day *day, bool at_once);

/* Has nothing been committed to it for a while? */
bool repack_has_rested(const struct day *day);

/* A slice of removing what need not be copied: dead rows, dead bytes of bundles. 1 when there is nothing, 0 when it is to
 * be committed and called again, -1 after which the transaction is to be aborted, and no demand is met for a while. */
MUST_CHECK int repack_trim_step(struct store *store, struct day *day, struct error *err);

/* Begins with a day that is not pinned; one at a time. */
MUST_CHECK int repack_begin(struct store *store, struct day *day, struct error *err);

/* Demands it of a day, or (NULL) of the catalog; durable when it returns. To be called before each change after which
 * bytes must be gone from the file: a day's repack that is under way is dropped, and begins again. */
MUST_CHECK int repack_demand(struct store *store, struct day *day, struct error *err);

/* May maintenance meet a demand now? Not while erasing is under way, nor soon after repacking failed. */
bool repack_may_begin(const struct store *store);

/* Reads what was demanded before. */
MUST_CHECK int repack_load_demands(struct store *store, struct error *err);

bool repack_is_running(const struct store *store);

/* Is it this day's? */
bool repack_is_of(const struct store *store, const struct day *day);

/* Begins with the catalog. */
MUST_CHECK int repack_begin_catalog(struct store *store, struct error *err);

/* A slice of it. One that was demanded ends only when nothing waits for a commit. */
MUST_CHECK int repack_step(struct store *store, int64_t deadline_us, struct error *err);

/* Drops what is under way. */
void repack_forget(struct store *store);

#endif
