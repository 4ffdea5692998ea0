/* SPDX-License-Identifier: ISC */
/*
 * scan_private.h: what scan.c and scan_partition.c share; private to store/.
 */
#ifndef CDRD_STORE_SCANS_SCAN_PRIVATE_H
#define CDRD_STORE_SCANS_SCAN_PRIVATE_H

#include "store/sealing/sealed.h"

struct scan {
	struct store *store;
	const struct scan_query *query;
	const struct scan_sink *sink;
	struct scan_position *position;
	struct error *err;
	int64_t deadline_us;
	unsigned seen;        /* records and blocks, to look at the clock once in a while */
	enum scan_end end;
	uint64_t columns;     /* that must be filled: those of the sink, of the filters and of `woven` */
	uint64_t woven;       /* columns of the sink's lines that the lines of blocks do not show */
	bool weaves;          /* all others are as there */
	struct buf line;      /* that the store does not have as it is wanted */
	struct block_reader *moved; /* for a ghost whose record was sealed; NULL until needed */
	struct day *moved_day;      /* pinned, with `moved_txn`: the other day that a ghost led to last; or NULL */
	MDB_txn *moved_txn;
};

/* Reads one account's records of a day, from scan->position on. 1 when it is done with them, 0 when the scan ends here
 * (scan->end says why), -1. */
int scan_partition(struct scan *scan, struct day *day, MDB_txn *txn, const char *account);

/* Gives back the day that the last ghost led to, if it was another one. `result`, or -1 as of env_read_end. */
int scan_end_moved(struct scan *scan, int result);

/* Does a record, of which the filters' columns are filled, pass them? */
bool scan_passes(const struct scan_query *query, const struct record *record);

/* What a span says of the block that the reader has; false if it cannot be one. */
bool scan_span_fill(struct scan_span *span, const struct block_reader *reader, const struct day_block *block);

#endif
