/*
 * backup_private.h: what backup.c and backup_files.c share; private to keep/.
 */
#ifndef CDRD_KEEP_BACKUP_PRIVATE_H
#define CDRD_KEEP_BACKUP_PRIVATE_H

#include "keep/backup.h"
#include "keep/sums.h"

enum backup_stage { BACKUP_DAYS, BACKUP_CATALOG, BACKUP_KEY, BACKUP_REPORTS, BACKUP_FINISH, BACKUP_PRUNE, BACKUP_DONE };

struct backup {
	struct store *store;
	struct reports *reports;
	struct buf data_dir;
	struct buf dir;
	uint64_t keep;
	int lock_fd;
	struct buf part;     /* DIR/NAME.part */
	struct buf path;     /* DIR/NAME */
	struct buf previous; /* DIR/NAME of the newest one, or empty */
	struct buf previous_sums;
	struct buf previous_about;
	struct buf sums;
	struct buf about;    /* BACKUP */

	enum backup_stage stage;
	int32_t day;         /* at hand, or the next to look for */
	struct buf stamp;    /* of the day's file */
	bool copying;        /* copying.h is at it */
	struct buf name;     /* of the file at hand, below DIR/NAME */
	struct sums_file file;
	bool reading;        /* `file` is open */
	struct buf report_ids; /* ID_UUID_LEN + 1 bytes each */
	size_t report;
	struct buf scratch;
	struct buf scratch_to;
	struct backup_counts counts;
};

/* Begins to read backup->name: in the backup, or from `from` with a copy there. */
int backup_read_own(struct backup *backup, struct error *err);
int backup_copy_file(struct backup *backup, const char *from, unsigned mode, struct error *err);

/* A slice of that; when *done, its line is in the list. */
int backup_step_file(struct backup *backup, int64_t deadline_us, bool *done, struct error *err);

/* Links backup->name from the previous backup and takes its sum from there: 1; 0 if that is not possible; -1. */
int backup_link(struct backup *backup, struct error *err);

/* Fills *stamp with what tells whether a day's file is still the same. ERROR_NOT_FOUND if there is none. */
int backup_stamp(const struct backup *backup, int32_t day, struct buf *stamp, struct error *err);

/* Has the previous backup a copy of the file with backup->stamp? */
bool backup_has_stamp(const struct backup *backup);

/* Lists the files of ended reports. */
int backup_list_reports(struct backup *backup, struct error *err);

/* Writes BACKUP and SHA256SUMS, and gives the backup its name. */
int backup_finish(struct backup *backup, struct error *err);

/* Removes the oldest one if there are too many. *more: perhaps another. */
int backup_prune(struct backup *backup, bool *more, struct error *err);

/* The path of something in the backup that is being made; dies with the next call. NULL with *err. */
const char *backup_part_path(struct backup *backup, const char *name, struct error *err);

#endif
