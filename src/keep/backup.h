/*
 * backup.h: a copy of everything the daemon keeps, made in slices while it runs.
 *
 *	DIR/2026-11-24T142011.123Z/     a backup, complete in itself; named after when it was begun, in UTC
 *	    days/2026-11-23/data.mdb    each day as of one transaction, without free pages
 *	    catalog/data.mdb            likewise, copied after the days: its reserve of sequence numbers is behind theirs
 *	    cursor.key
 *	    reports/...                 the files of ended reports
 *	    BACKUP                      what it was made from: which file each day had then
 *	    SHA256SUMS                  of every file, for sha256sum -c; written last
 *	DIR/2026-11-24T142011.123Z.part one in the making, or what a crash left of it; it goes when the next one begins
 *	DIR/lock                        held by the daemon that makes one
 *
 * A day whose file is the one it was when the newest backup in DIR was made is not read again: its copy is linked from
 * there. So a backup costs the days that changed, and any of them can be removed with rm -r without harm to the others.
 * Report files never change; they are linked, too.
 */
#ifndef CDRD_KEEP_BACKUP_H
#define CDRD_KEEP_BACKUP_H

#include "report/report.h"
#include "store/store.h"

#define BACKUP_NAME "BACKUP"
#define BACKUP_FORMAT 1

struct backup;

/*
 * Begins. `dir` is an absolute path outside of `data_dir`, made if need be (but not its parents). `keep`: complete
 * backups to leave in it, the oldest go at the end; 0: all. ERROR_CONFLICT if one is being made there, ERROR_INVALID.
 */
struct backup *backup_new(struct store *store, struct reports *reports, const char *data_dir, const char *dir,
                          uint64_t keep, struct error *err);

/* Does nothing on NULL. One that is not complete is removed. */
void backup_free(struct backup *backup);

/* Works until about `deadline_us`. *done: it is complete and on disk. */
int backup_step(struct backup *backup, int64_t deadline_us, bool *done, struct error *err);

struct backup_counts {
	uint64_t days_done;
	uint64_t days_total;
	uint64_t days_copied;
	uint64_t days_linked;
	uint64_t report_files;
	uint64_t bytes;   /* of files that were written, links apart */
	uint64_t removed; /* older backups */
};
void backup_counts(const struct backup *backup, struct backup_counts *counts);

/* Where it is, or will be. */
const char *backup_path(const struct backup *backup);

#endif
