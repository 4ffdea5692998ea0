/* SPDX-License-Identifier: ISC */
/*
 * backup_dir_private.h: what backup_dir.c and backup_dir_files.c share; private to backup/.
 */
#ifndef CDRD_BACKUP_BACKUP_DIR_PRIVATE_H
#define CDRD_BACKUP_BACKUP_DIR_PRIVATE_H

#include "base/buf.h"
#include "backup/backup_dir.h"
#include "backup/sums.h"

struct backup_dir {
	struct buf dir;
	int lock_fd;
	struct buf part;     /* DIR/NAME.part */
	struct buf path;     /* DIR/NAME */
	bool finished;       /* renamed to its final name */
	struct buf previous; /* DIR/NAME of the newest one, or empty */
	struct buf previous_sums;
	struct buf previous_about;
	size_t sums_at, about_at; /* where the last matches were */
	struct buf sums;
	struct buf about; /* BACKUP */
	struct buf name;  /* of the current file, below DIR/NAME */
	struct buf stamp;
	struct sums_file file;
	struct buf scratch;
	struct buf scratch_to;
	struct backup_dir_counts counts;
};

extern const char *const backup_dir_folders[]; /* of each backup; NULL ends them */

/* The path of something in the backup being made; valid until the next call. NULL with *err. */
MUST_CHECK const char *backup_dir_part_path(struct backup_dir *backup, const char *name, struct error *err);

/* Writes BACKUP, syncs the folders and writes SHA256SUMS. */
MUST_CHECK int backup_dir_write_list(struct backup_dir *backup, struct error *err);

#endif
