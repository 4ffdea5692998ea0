/* SPDX-License-Identifier: ISC */
/*
 * maker.h: makes one report file, in slices.
 *
 * A maker scans the store and writes what it finds as CSV or NDJSON into a zip, gzip or zstd file, or as a Parquet
 * file. Sealed blocks go into zip and gzip as they are. It knows nothing of jobs: the caller keeps the checkpoint in the job's row.
 *
 *	maker = maker_new(store, &spec, path, checkpoint_of_the_row_or_empty, &err);
 *	while ((end = maker_step(maker, deadline_us, &err)) == MAKER_MORE)
 *		...the loop's other work; now and then: maker_checkpoint(maker, &buf, &err), and buf into the row...
 *	maker_result(maker, &result);
 *	maker_free(maker);
 *
 * The bytes of the file depend neither on where slices end nor on when checkpoints are taken. With a checkpoint, a new
 * maker truncates the file to where it was then and writes what the old one would have written. (The content is always
 * the same; so are its compressed bytes unless records of the range were sealed or replaced in between.)
 */
#ifndef CDRD_REPORT_MAKER_H
#define CDRD_REPORT_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/decimal.h"
#include "base/error.h"
#include "base/str.h"
#include "base/zone.h"
#include "record/record.h"
#include "store/scan.h"
#include "store/store.h"

#define MAKER_SHA256_LEN 64
#define MAKER_CURRENCIES_MAX 64 /* prices in further currencies are not summed */

enum report_format { REPORT_CSV, REPORT_NDJSON, REPORT_PARQUET };
enum report_dialect {
	REPORT_PLAIN, /* every value as it is stored, lines end with LF */
	REPORT_EXCEL, /* for opening CSV in a spreadsheet (maker_dress.c): CSV only */
};
enum report_compression { REPORT_ZIP, REPORT_GZIP, REPORT_ZSTD }; /* of CSV and NDJSON; Parquet has its own */

/* What a report holds and how it is written. The maker borrows it with all that it points to until maker_free. */
struct report_spec {
	struct scan_query query; /* all but `columns`, which the maker sets for itself */
	struct record_view view; /* query_plan_view of the plan */

	enum report_format format;
	enum report_dialect dialect;
	enum report_compression compression;
	struct zone *zone;      /* of times in it; NULL: as they are stored, in UTC. Parquet's are instants anyway */
	const uint8_t *columns; /* the columns wanted, in this order, without repeats; NULL: those of the view */
	size_t columns_count;

	struct str inner_name; /* of the file inside a zip or gzip: report_SMS_abcd1234_20241126.csv; plain ASCII */
	int64_t time_us;       /* its time there: the job's receipt, so that the bytes can be reproduced */

	bool passes; /* the file is only handed on: it need not be on disk at the end */

	uint64_t group_rows; /* of a Parquet file's row groups at most; 0: as many as parquet/ takes */

	uint64_t max_rows;  /* of the report; 0: no limit */
	uint64_t max_bytes; /* of the finished file, compressed; 0: no limit. A file without rows may be longer */
};

struct maker;

/*
 * With an empty `checkpoint` makes (or empties) the file at `path`; with one that maker_checkpoint wrote for the same
 * spec, opens that file and resumes. Blocks only to open the file. NULL with ERROR_CORRUPT if the checkpoint is invalid
 * or the file is missing or too short for it (then start over without it), ERROR_FULL, ERROR_IO or ERROR_NOMEM. A
 * failure, here and later, removes nothing: the file is the caller's.
 */
MUST_CHECK struct maker *maker_new(struct store *store, const struct report_spec *spec, const char *path,
                                   struct str checkpoint, struct error *err);

/* Is the file of a checkpoint still being read back? One that is not what was written before that fails with ERROR_CORRUPT. */
bool maker_reads_back(const struct maker *maker);

/* After MAKER_WAITS, on_ready(arg) is called from the loop when the next step has something to do. Set it before the
 * first step. */
void maker_on_ready(struct maker *maker, void (*on_ready)(void *arg), void *arg);

enum maker_end {
	MAKER_MORE,      /* call again */
	MAKER_WAITS,     /* call again after on_ready: the store has nothing yet */
	MAKER_DONE,      /* the file is complete and on disk */
	MAKER_TRUNCATED, /* likewise, but a limit of the spec left rows out */
	MAKER_FAILED,    /* *err says why; nothing but maker_free may follow */
};

/*
 * Works until about `deadline_us` of clock_monotonic_us; a chunk of rows (1 or 2 ms) may go beyond it, and so may the
 * fdatasync that ends the last step. ERROR_FULL when the disk is full, ERROR_CORRUPT when a record or the file's
 * part before the checkpoint is damaged, ERROR_IO, ERROR_NOMEM. After DONE or TRUNCATED it must not be called again.
 */
MUST_CHECK enum maker_end maker_step(struct maker *maker, int64_t deadline_us, struct error *err);

/*
 * Appends a checkpoint (under 4 KiB, opaque, versioned) of the rows that are in the file, after an fdatasync of it:
 * most of the file is being written by then, but it may block for some milliseconds. Rows collected since the last
 * whole chunk are not in it and are scanned again. Allowed between steps, at any time before DONE.
 */
MUST_CHECK int maker_checkpoint(struct maker *maker, struct buf *out, struct error *err);

struct maker_progress {
	uint64_t rows;  /* so far; after a resumption counted from the checkpoint's */
	uint64_t bytes; /* of the file, compressed */
	double share;   /* of the range that is done, 0 to 1; decreases only at a resumption or near a limit */
};

/* Allowed at any time. `share` grows even while a filter matches no rows; a job whose rows and share do not change is
 * stuck. */
void maker_progress(const struct maker *maker, struct maker_progress *progress);

struct maker_sum {
	char currency[8]; /* NUL terminated; "" where the records have none */
	struct decimal total_price;
	uint64_t rows;
};

struct maker_result {
	uint64_t rows;
	int64_t first_us; /* earliest and latest time of the rows; 0 without rows */
	int64_t last_us;
	uint64_t bytes;                    /* of the file */
	char sha256[MAKER_SHA256_LEN + 1]; /* of the file, lower case hexadecimal */
	uint64_t
		unsummed; /* rows whose price is in no sum: not a number, one currency too many, or the sum too large */
	size_t sums_count;                           /* rows without a price are in no sum */
	struct maker_sum sums[MAKER_CURRENCIES_MAX]; /* by currency, ascending */
};

/* The manifest's facts about the finished file; only after MAKER_DONE or MAKER_TRUNCATED. */
void maker_result(const struct maker *maker, struct maker_result *result);

/* Closes the file and leaves it where it is. Does nothing on NULL. */
void maker_free(struct maker *maker);

#endif
