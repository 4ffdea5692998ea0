/* SPDX-License-Identifier: ISC */
/*
 * maker_private.h: what the maker's parts share; private to report/.
 *
 *	maker.c             the steps, from the store into the archive
 *	maker_lines.c       a record as a line of the file
 *	maker_parquet.c     records as a Parquet file's row groups
 *	maker_dress.c       its values in another time zone, or for a spreadsheet
 *	maker_totals.c      the manifest's facts about the rows
 *	maker_checkpoint.c  a state as bytes and back
 */
#ifndef CDRD_REPORT_MAKER_PRIVATE_H
#define CDRD_REPORT_MAKER_PRIVATE_H

#include "report/archive.h"
#include "report/maker.h"

struct maker_totals {
	uint64_t rows;
	int64_t first_us;
	int64_t last_us;
	uint64_t unsummed;
	size_t sums_count;
	size_t sum_last; /* the sum last added to: the next price likely belongs to it, too */
	struct maker_sum sums[MAKER_CURRENCIES_MAX];
};

/* The row groups of a Parquet file. */
struct maker_groups {
	uint64_t count;
	uint64_t directory_bytes; /* of all of them together, which go into the footer */
};

/* All that determines the next bytes. */
struct maker_state {
	struct scan_position position;
	struct archive_state archive;
	struct maker_groups groups;
	bool rows_only;             /* no more whole blocks: one exceeded a limit */
	uint64_t chunk_rows;        /* a chunk ends after so many rows, or by its bytes; 0: by its bytes only */
	struct maker_totals totals; /* last: most of it is room for currencies (maker.c, copy_state) */
};

/* How lines are made for a spec. */
struct maker_lines {
	bool ready;       /* the scan returns the lines of the file */
	bool blocks;      /* and so do the store's blocks */
	bool dressed;     /* values are converted before writing */
	uint64_t shown;   /* columns of the lines, unless ready */
	uint64_t columns; /* that lines and totals need, as in scan_query */
	uint8_t time_column;
	uint8_t price_column; /* or CATALOG_NONE, as the next */
	uint8_t currency_column;
};

/* A converted record, and the texts that differ from the stored one. */
struct maker_dress {
	struct record record;
	struct buf text;
};

/* The record converted for the spec, valid until the next call; NULL when out of memory. */
const struct record *maker_dress(struct maker_dress *dress, const struct report_spec *spec,
                                 const struct maker_lines *lines, const struct record *record);

void maker_lines_init(struct maker_lines *lines, const struct report_spec *spec);

/* Appends what the file begins with: the header line, or Parquet's magic bytes. */
void maker_add_header(struct buf *out, const struct report_spec *spec);

/* Appends a record's line; `ready` is the scan's line where lines->ready. */
void maker_add_line(struct buf *out, const struct report_spec *spec, const struct maker_lines *lines,
                    const struct record *record, struct str ready);

/* --- Parquet --- */

struct maker_parquet;

/* What holds for a step. */
struct maker_limits {
	uint64_t max_bytes; /* of the finished file; 0: no limit */
	int64_t deadline_us;
};

/* NULL when out of memory. */
MUST_CHECK struct maker_parquet *maker_parquet_new(const struct report_spec *spec, const struct maker_lines *lines);
void maker_parquet_free(struct maker_parquet *parquet);

/* Adds a row to the group. ERROR_INVALID if a value cannot be of its column's type. */
MUST_CHECK int maker_parquet_add(struct maker_parquet *parquet, const struct record *record, struct error *err);

bool maker_parquet_is_full(const struct maker_parquet *parquet);

/* Forgets the rows of the group. */
void maker_parquet_drop(struct maker_parquet *parquet);

/* Writes the group, which has rows, and counts it in *state. ARCHIVE_MORE: to be called again, before anything else is
 * added. ARCHIVE_NO_ROOM: nothing was written. */
MUST_CHECK enum archive_put maker_parquet_put(struct maker_parquet *parquet, struct archive *archive,
                                              struct maker_state *state, const struct maker_limits *limits,
                                              struct error *err);

/* Writes the footer, likewise. */
MUST_CHECK enum archive_put maker_parquet_end(struct maker_parquet *parquet, struct archive *archive,
                                              const struct maker_state *state, int64_t deadline_us, struct error *err);

/* --- totals --- */

void maker_count_record(struct maker_totals *totals, const struct maker_lines *lines, const struct record *record,
                        int64_t time_us);
void maker_count_span(struct maker_totals *totals, const struct scan_span *span);
void maker_count_lines(struct maker_totals *totals, const struct scan_lines *lines);

/* Appends a state and the SHA-256 of the file that it belongs to. Check out->failed. */
void maker_checkpoint_write(struct buf *out, const struct maker_state *state,
                            const uint8_t sha256[ARCHIVE_SHA256_BYTES]);

/* ERROR_CORRUPT if it is not one. */
MUST_CHECK int maker_checkpoint_read(struct str checkpoint, struct maker_state *state,
                                     uint8_t sha256[ARCHIVE_SHA256_BYTES], struct error *err);

#endif
