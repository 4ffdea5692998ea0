/* SPDX-License-Identifier: ISC */
/*
 * scan_private.h: what the files of scans/ share.
 */
#ifndef CDRD_STORE_SCANS_SCAN_PRIVATE_H
#define CDRD_STORE_SCANS_SCAN_PRIVATE_H

#include "store/engine.h"
#include "store/scan_at.h"
#include "store/blocks/bundle.h"
#include "store/days/day_blocks.h"
#include "store/days/hot_rows.h"
#include "store/sealing/sealed.h"

/* What a block's codes say of prices. */
enum line_price { LINE_UNPRICED, LINE_PRICED, LINE_DAMAGED };
struct line_prices {
	const char *block; /* whose they are; NULL: none's */
	bool usable;
	bool is_dense;    /* most of its rows are chosen */
	uint32_t refused; /* the first row of the last segment of which this says nothing; UINT32_MAX: none */
	const struct block_column *price;          /* NULL: the product has none */
	const struct block_column *price_codes;    /* that has the codes; NULL: prices are numbers */
	const struct block_column *currency_codes; /* likewise */
	decimal_units unit;                        /* of numbers */
	uint8_t of_code[BLOCK_CODES_MAX];          /* enum line_price */
	decimal_units units[BLOCK_CODES_MAX];
	uint8_t currency_of[BLOCK_CODES_MAX]; /* the number of its currency */
	char currencies[SCAN_CURRENCIES_MAX][sizeof(((struct scan_sum *)0)->currency)];
};

/* The hot row of an account that comes next. */
struct hot_source {
	struct hot_cursor cursor;
	bool there;
	struct position position; /* its record is the scan's hot_record */
};

/* A scan of days. No LMDB read transaction outlives a step. */
struct day_scan {
	struct scan base;
	struct store *store;
	struct scan_at at;
	struct scan_position after; /* `at`, for the sink */
	uint64_t columns;           /* that must be filled: those of the sink, of the filters and of `woven` */
	uint64_t columns_decided;   /* the same where the filters need not be asked */
	uint64_t woven;             /* columns of the sink's lines that the lines of blocks do not show */
	bool weaves;                /* all others are as there */
	struct block_walk walk;     /* of the day that is being read, where there are many accounts */
	struct block_index index;   /* the same */
	struct bundle_walk bundles; /* of the day, for blocks given whole */
	struct hot_source hot;      /* of the account whose records are read, if it has hot rows */
	struct record hot_record;   /* the next one among these */
	struct line_prices prices;  /* of the block that is being read */
	struct buf sifted;          /* what is left of a segment */
	struct buf line;            /* that the store does not have in the form wanted */

	/* of the step that runs */
	struct error *err;
	int64_t deadline_us;
	enum scan_end end;
	unsigned seen;              /* records, to look at the clock once in a while */
	size_t work;                /* bytes of blocks since the last look, or as much work */
	struct block_reader *moved; /* for a tombstone whose record was sealed; NULL until needed */
	struct day *moved_day;      /* pinned, with `moved_txn`: the other day that a tombstone led to last; or NULL */
	MDB_txn *moved_txn;
};

/* Has the deadline passed, after so much work? Looks at the clock once in a while. */
bool scan_is_late(struct day_scan *scan, size_t bytes);

/* Reads one account's records of a day, from scan->at on. 1 when it is done with them, 0 when the step ends here
 * (scan->end says why), -1. */
int scan_partition(struct day_scan *scan, struct day *day, MDB_txn *txn, const struct account_key *account);

/* Releases the day that the last tombstone led to, if it was another one. `result`, or -1 as of env_read_end. */
int scan_end_moved(struct day_scan *scan, int result);

/* Fills what the sink is given of the rest of the segment that has the head's row, and the position of its last record. 1, 0
 * if its records are to be read one by one, -1. Where the block must be the only one that has records between these two. */
int scan_lines_read(struct day_scan *scan, const struct sealed_head *head, struct scan_lines *lines,
                    struct position *last);

/* What a span says of the block that the reader has; false if it cannot be one. */
bool scan_span_fill(struct scan_span *span, const struct block_reader *reader, const struct day_block *block);

#endif
