/* SPDX-License-Identifier: ISC */
/*
 * hot_backup.h: a day or the catalog copied into a directory elsewhere, in slices; for backup/.
 *
 * The copy is an environment of its own that holds what was committed when hot_backup_step said *done, all as of one
 * transaction, without free pages (mirror.h). One at a time. A day that is removed meanwhile ends it.
 */
#ifndef CDRD_STORE_HOT_BACKUP_H
#define CDRD_STORE_HOT_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/store.h"

/* Begins: of a day, or (NULL) of the catalog. Makes the directory `path`. ERROR_NOT_FOUND if there is no such day,
 * ERROR_CONFLICT if another copy is being made. */
MUST_CHECK int hot_backup_begin(struct store *store, const int32_t *day, const char *path, struct error *err);

/* A slice. When *done, path/data.mdb is complete and on disk. ERROR_NOT_FOUND if the day is gone. After -1 it has
 * ended. */
MUST_CHECK int hot_backup_step(struct store *store, int64_t deadline_us, bool *done, struct error *err);

/*
 * Does a copy hold what it should? Opens path/data.mdb, of a day or of the catalog, for reading alone, and walks all of
 * its keys; *entries says how many. ERROR_CORRUPT. Blocks.
 */
MUST_CHECK int hot_backup_check(const char *path, bool catalog, uint64_t *entries, struct error *err);

/* Ends it; what is there of the copy stays. Does nothing when none is under way. */
void hot_backup_forget(struct store *store);

/* The same if it is this day's, which is about to go. */
struct day;
void hot_backup_forget_day(struct store *store, const struct day *day);

#endif
