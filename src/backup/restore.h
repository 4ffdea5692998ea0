/* SPDX-License-Identifier: ISC */
/*
 * restore.h: checks and lays out backups (backup.h), without a daemon.
 *
 * `from` is a backup, or the directory that holds some: then it is the newest one. All of it blocks, in proportion to
 * the backup's size; `fn` gets the progress.
 */
#ifndef CDRD_BACKUP_RESTORE_H
#define CDRD_BACKUP_RESTORE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct restore_counts {
	uint64_t files;
	uint64_t files_total;
	uint64_t bytes;
	uint64_t days;
	uint64_t report_files;
	uint64_t entries; /* in all environments */
};

typedef void (*restore_fn)(void *arg, const struct restore_counts *counts);

/* Fills *path with the backup that `from` means. ERROR_NOT_FOUND. */
MUST_CHECK int restore_find(const char *from, struct buf *path, struct error *err);

/* Are all listed files there and unchanged, are there no others, and can all environments be opened and read?
 * ERROR_CORRUPT names the fault. */
MUST_CHECK int restore_check(const char *backup, struct restore_counts *counts, restore_fn fn, void *arg,
                             struct error *err);

/*
 * Lays it out into `data_dir`, which is empty or not there, checking each file on the way; its catalog comes last. What
 * it makes belongs to the owner of `data_dir` if that was there. Callbacks are held in it (callback_hold_mark).
 * ERROR_CONFLICT if it is not empty.
 */
MUST_CHECK int restore_lay_out(const char *backup, const char *data_dir, struct restore_counts *counts, restore_fn fn,
                               void *arg, struct error *err);

#endif
