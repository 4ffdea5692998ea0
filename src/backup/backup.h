/* SPDX-License-Identifier: ISC */
/*
 * backup.h: sends everything the daemon keeps, file by file in slices while it runs. The receiver (backup_dir.h, in
 * cdrctl) writes it, as its own user to its own directory: the daemon need not reach beyond its data directory.
 *
 *	for (;;) {
 *		switch (backup_step(backup, deadline_us, &item, &err)) {
 *		case BACKUP_OFFER:     a file, and what tells whether it is still the same; nothing goes on before
 *		                       backup_answer says whether it is wanted
 *		case BACKUP_DATA:      the next piece of the file that was wanted
 *		case BACKUP_FILE_END:  there are no more pieces of it
 *		case BACKUP_FILE_GONE: it was removed meanwhile: discard its pieces
 *		case BACKUP_BUSY:      the slice is over
 *		case BACKUP_END:       that was the last file
 *		case BACKUP_FAILED:
 *		}
 *	}
 *
 * Files come in the order of backup_dir.h's drawing: days, each as of one transaction and without free pages, the
 * catalog after them, so that its reserve of sequence numbers is above theirs, keys, and files of ended reports. An
 * environment is copied into data_dir/backup.part before it is sent, one at a time, which takes that much room; a day
 * that is not wanted is not copied.
 */
#ifndef CDRD_BACKUP_BACKUP_H
#define CDRD_BACKUP_BACKUP_H

#include "base/disk.h"
#include "report/report.h"
#include "store/store.h"

#define BACKUP_PIECE_BYTES ((size_t)64 << 10)

struct backup;
struct meta;

/* `disk` may be NULL: then room for copies is not checked. ERROR_CONFLICT if another one is in progress. */
MUST_CHECK struct backup *backup_new(struct store *store, struct reports *reports, struct disk *disk,
                                     const char *data_dir, struct error *err);

/* Does nothing on NULL. The current copy is removed. */
void backup_free(struct backup *backup);

enum backup_event {
	BACKUP_BUSY,
	BACKUP_OFFER,
	BACKUP_DATA,
	BACKUP_FILE_END,
	BACKUP_FILE_GONE,
	BACKUP_END,
	BACKUP_FAILED,
};

struct backup_item {
	const char *name; /* BACKUP_OFFER: below the backup's directory */
	unsigned mode;    /* its permissions there */
	struct str stamp; /* empty, or unchanged as long as the file is */
	struct str data;  /* BACKUP_DATA */
};

/* Works until about `deadline_us`; *item is valid until the next call. After BACKUP_END or BACKUP_FAILED nothing
 * follows. */
MUST_CHECK enum backup_event backup_step(struct backup *backup, int64_t deadline_us, struct backup_item *item,
                                         struct error *err);

void backup_answer(struct backup *backup, bool wanted);

struct backup_counts {
	uint64_t days_done;
	uint64_t days_total;
	uint64_t days_sent;
	uint64_t days_kept; /* days that were not wanted */
	uint64_t report_files;
	uint64_t bytes; /* sent */
};
void backup_counts(const struct backup *backup, struct backup_counts *counts);

/* When the last backup was made that its receiver had all of on its disk; 0 for never. Noting it is durable, and blocks
 * for the fsync. */
MUST_CHECK int backup_last_us(struct meta *meta, int64_t *time_us, struct error *err);
MUST_CHECK int backup_note_last(struct meta *meta, int64_t time_us, struct error *err);

#endif
