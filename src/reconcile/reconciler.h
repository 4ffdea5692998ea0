/* SPDX-License-Identifier: ISC */
/*
 * reconciler.h: one reconciliation, in slices: the carrier's file and the records of a month become files of rows that match,
 * differ, or are on one side alone; private to reconcile/.
 *
 *	read    the carrier's file, by its mapping, into a sorter         rejected rows into a file
 *	scan    the records of the month, with a margin, into another one
 *	join    both in order of the key: pairs among rows of one key     each row into the file of its class
 *	finish  one file after the other, on disk
 *
 * It knows nothing of jobs. After a crash all is done again: everything but the carrier's file is made anew.
 */
#ifndef CDRD_RECONCILE_RECONCILER_H
#define CDRD_RECONCILE_RECONCILER_H

#include "ingest/ingest.h"
#include "reconcile/class_file.h"
#include "reconcile/reconcile_request.h"
#include "store/store.h"

enum reconciler_class {
	RECONCILER_MATCHED,
	RECONCILER_DIFFERENT,
	RECONCILER_ONLY_OURS,
	RECONCILER_ONLY_THEIRS,
	RECONCILER_REJECTED, /* rows of the carrier's that could not be read */
	RECONCILER_CLASSES,
};

/* "only_ours": of the file in the directory, too. */
const char *reconciler_class_name(enum reconciler_class class);

/* All is borrowed until reconciler_free. */
struct reconciler_spec {
	struct store *store;
	struct ingest *ingest;
	const struct reconcile_request *request;
	const struct account_key *accounts; /* sorted */
	size_t accounts_count;
	const char *some_account; /* one of them: the checks of records want one, whatever the carrier's file names */
	const char *dir;          /* with the carrier's file, RECONCILER_UPLOAD */
	uint64_t upload_bytes;
	int64_t time_us; /* of the files in the archives */
};

#define RECONCILER_UPLOAD "upload"
/* The sorters' files, which a crash leaves. */
#define RECONCILER_OURS_RUNS "ours.rows"
#define RECONCILER_THEIRS_RUNS "theirs.rows"

struct reconciler;

/* Blocks only to make files. NULL with ERROR_NOT_FOUND (no such mapping), ERROR_IO, ERROR_FULL or ERROR_NOMEM. */
MUST_CHECK struct reconciler *reconciler_new(const struct reconciler_spec *spec, struct error *err);

enum reconciler_end { RECONCILER_MORE, RECONCILER_WAITS, RECONCILER_DONE, RECONCILER_FAILED };

/* Called from the loop after RECONCILER_WAITS. */
void reconciler_on_ready(struct reconciler *reconciler, void (*on_ready)(void *arg), void *arg);

/* Works until about `deadline_us` of clock_monotonic_us. ERROR_INVALID: the carrier's file cannot be read. */
MUST_CHECK enum reconciler_end reconciler_step(struct reconciler *reconciler, int64_t deadline_us, struct error *err);

struct reconciler_progress {
	uint64_t rows_theirs, rows_ours; /* read so far */
	double share;                    /* 0 to 1 */
};
void reconciler_progress(const struct reconciler *reconciler, struct reconciler_progress *progress);

/* After RECONCILER_DONE: what became of it all, as JSON, and the files. */
MUST_CHECK int reconciler_write_result(const struct reconciler *reconciler, struct buf *out, struct error *err);
const struct class_file_result *reconciler_file(const struct reconciler *reconciler, enum reconciler_class class);

/* Removes the sorters' files. Does nothing on NULL. */
void reconciler_free(struct reconciler *reconciler);

#endif
