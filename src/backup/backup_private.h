/* SPDX-License-Identifier: ISC */
/*
 * backup_private.h: what backup.c and backup_files.c share; private to backup/.
 */
#ifndef CDRD_BACKUP_BACKUP_PRIVATE_H
#define CDRD_BACKUP_BACKUP_PRIVATE_H

#include "backup/backup.h"

enum backup_stage {
	BACKUP_STAGE_DAYS,
	BACKUP_STAGE_CATALOG,
	BACKUP_STAGE_KEYS,
	BACKUP_STAGE_REPORTS,
	BACKUP_STAGE_END
};

/* Of the current file. */
enum backup_phase {
	BACKUP_PHASE_NONE, /* the next one must be found */
	BACKUP_PHASE_OFFERED,
	BACKUP_PHASE_WANTED,
	BACKUP_PHASE_COPYING, /* hot_backup.h is copying */
	BACKUP_PHASE_READING,
	BACKUP_PHASE_TRIMMING, /* the copy is truncated piece by piece: removing a large one takes longer than a slice */
};

struct backup {
	struct store *store;
	struct reports *reports;
	struct disk *disk;
	struct buf data_dir;
	struct buf spool; /* data_dir/backup.part */
	int lock_fd;      /* of the spool */
	bool keeps_moves; /* the store was told to */

	enum backup_stage stage;
	enum backup_phase phase;
	int32_t day;           /* the current one, or the next to look for */
	size_t key;            /* likewise, of the table of keys */
	struct buf report_ids; /* ID_UUID_LEN + 1 bytes each */
	bool reports_listed;
	size_t report;
	struct buf name; /* of the current file, below the backup */
	unsigned mode;
	struct buf stamp;
	int fd;
	struct buf scratch;
	char piece[BACKUP_PIECE_BYTES];
	struct backup_counts counts;
};

/* Makes or empties the spool, and locks it. */
MUST_CHECK int backup_spool_take(struct backup *backup, struct error *err);

/* Removes what is in it. */
MUST_CHECK int backup_spool_clear(struct backup *backup, struct error *err);

/* The path of the copy made there; valid until the next use of scratch. NULL with *err. */
MUST_CHECK const char *backup_spool_copy(struct backup *backup, struct error *err);

/* Is there room for a copy of what is at `path`? ERROR_FULL if not. */
MUST_CHECK int backup_check_room(struct backup *backup, const char *path, struct error *err);

/* Fills the stamp, which tells whether the current file has changed; empty if it may change without notice.
 * ERROR_NOT_FOUND if there is none. */
MUST_CHECK int backup_stamp(struct backup *backup, struct error *err);

/* Opens the current file in data_dir: 1, 0 if it does not exist, -1. */
MUST_CHECK int backup_open_own(struct backup *backup, struct error *err);

/* Opens the copy in the spool and unlinks it, so that it vanishes with the descriptor. */
MUST_CHECK int backup_open_copy(struct backup *backup, struct error *err);

/* The next piece: 1 with *data, 0 at the end, -1. */
MUST_CHECK int backup_read_piece(struct backup *backup, struct str *data, struct error *err);

/* Shortens the open copy: 1, 0 when nothing is left of it, -1. */
MUST_CHECK int backup_trim_copy(struct backup *backup, struct error *err);

/* Lists the files of ended reports. */
MUST_CHECK int backup_list_reports(struct backup *backup, struct error *err);

#endif
