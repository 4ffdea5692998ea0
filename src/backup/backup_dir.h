/* SPDX-License-Identifier: ISC */
/*
 * backup_dir.h: the directory of backups, written by cdrctl, which receives them (backup.h). All of it blocks.
 *
 *	DIR/2026-11-24T142011.123Z/     a backup, complete in itself; named after when it was begun, in UTC
 *	    days/2026-11-23/data.mdb    each day as of one transaction, without free pages
 *	    catalog/data.mdb            likewise
 *	    cursor.key ...
 *	    reports/...                 the files of ended reports
 *	    BACKUP                      what it was made from: the stamps of files
 *	    SHA256SUMS                  of every file, for sha256sum -c; written last
 *	DIR/2026-11-24T142011.123Z.part one in the making, or what is left of one that was cut short; it goes when the next
 *	                                one begins
 *	DIR/lock                        held while one is made
 *
 * A file whose stamp is the same as in the newest backup of DIR is not copied again but linked from there. So a backup
 * costs only the days that changed, and any backup can be removed with rm -r without harm to the others.
 */
#ifndef CDRD_BACKUP_BACKUP_DIR_H
#define CDRD_BACKUP_BACKUP_DIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define BACKUP_NAME "BACKUP"
#define BACKUP_FORMAT 1

struct backup_dir;

/*
 * Begins a backup. `dir` is made if needed (but not its parents); it must not lie in `data_dir`, the daemon's.
 * `version` is the daemon's, for BACKUP. ERROR_CONFLICT if one is being made there, ERROR_INVALID.
 */
MUST_CHECK struct backup_dir *backup_dir_new(const char *dir, const char *data_dir, const char *version,
                                             struct error *err);

/* Does nothing on NULL. An incomplete backup is removed. */
void backup_dir_free(struct backup_dir *backup);

/*
 * Links the file of this name from the previous backup if its stamp is the same: 1; 0 if it must be written; -1.
 * ERROR_INVALID for a name that leads out of the backup.
 */
MUST_CHECK int backup_dir_link(struct backup_dir *backup, struct str name, struct str stamp, struct error *err);

/* Writes it: begun with a mode, then piece by piece, then ended (it is on disk) or dropped as if never begun. */
MUST_CHECK int backup_dir_begin_file(struct backup_dir *backup, struct str name, struct str stamp, unsigned mode,
                                     struct error *err);
MUST_CHECK int backup_dir_write(struct backup_dir *backup, struct str data, struct error *err);
MUST_CHECK int backup_dir_end_file(struct backup_dir *backup, struct error *err);
MUST_CHECK int backup_dir_drop_file(struct backup_dir *backup, struct error *err);

/* All files are there: writes the list and gives the backup its name. Then removes the oldest ones, but for the newest
 * `keep` (0: all stay). */
MUST_CHECK int backup_dir_finish(struct backup_dir *backup, uint64_t keep, struct error *err);

struct backup_dir_counts {
	uint64_t days_copied;
	uint64_t days_linked;
	uint64_t report_files;
	uint64_t bytes;   /* of files that were written, links apart */
	uint64_t removed; /* older backups */
};
void backup_dir_counts(const struct backup_dir *backup, struct backup_dir_counts *counts);

/* Where it is, or will be: an absolute path. */
const char *backup_dir_path(const struct backup_dir *backup);

#endif
