/* SPDX-License-Identifier: ISC */
/*
 * maker_private.h: what the maker's parts share; private to report/.
 *
 *	maker.c             the steps, from the store into the archive
 *	maker_lines.c       a record as a line of the file
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

/* All that determines the next bytes. */
struct maker_state {
	struct scan_position position;
	struct archive_state archive;
	struct maker_totals totals;
	bool rows_only;      /* no more whole blocks: one exceeded a limit */
	uint64_t chunk_rows; /* a chunk ends after so many rows, or by its bytes; 0: by its bytes only */
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

/* Appends the header line, if the format has one. */
void maker_add_header(struct buf *out, const struct report_spec *spec);

/* Appends a record's line; `ready` is the scan's line where lines->ready. */
void maker_add_line(struct buf *out, const struct report_spec *spec, const struct maker_lines *lines,
                    const struct record *record, struct str ready);

void maker_count_record(struct maker_totals *totals, const struct maker_lines *lines, const struct record *record,
                        int64_t time_us);
void maker_count_span(struct maker_totals *totals, const struct scan_span *span);

/* Appends a state and the SHA-256 of the file that it belongs to. Check out->failed. */
void maker_checkpoint_write(struct buf *out, const struct maker_state *state,
                            const uint8_t sha256[ARCHIVE_SHA256_BYTES]);

/* ERROR_CORRUPT if it is not one. */
MUST_CHECK int maker_checkpoint_read(struct str checkpoint, struct maker_state *state,
                                     uint8_t sha256[ARCHIVE_SHA256_BYTES], struct error *err);

#endif
