/* SPDX-License-Identifier: ISC */
/*
 * scan.h: reading records, in slices.
 *
 * A scan walks the days of a range in order and, within a day, accounts in the order given and each account's records
 * by (time, arrival). With one account that is time order. It can stop after any record and resume later, from a
 * position small enough for a cursor token or a job row.
 *
 *	scan = scan_start(store, &query, &position, &sink, &err);
 *	scan_step(scan, deadline_us, &end, &err)   in each slice that the scheduler gives to its owner, while end is
 *	                                           SCAN_PAUSED; the sink's functions are called from within
 *	scan_cancel(scan)                          at its end, or at any time before
 *
 * A scan has no task of its own: pages, reports and statements have more to do in a slice than to read, and an
 * account's share is counted by its requests. An engine that cannot answer at once (engine.h) says SCAN_WAITS, after
 * which the owner takes no slices until the sink's on_ready is called.
 *
 * The snapshot makes paging exact. A scan started at snapshot S shows each record that existed at S once, at the
 * position it had at S, with its newest values, however often it is replaced (even to another time of its day) before
 * the scan gets there; records that arrived after S are not shown.
 *
 * Records may be given one by one, or whole blocks of them (`on_span`), which a report copies into its file as they
 * are, or the lines of some tens of them that filters have chosen (`on_lines`), which it compresses.
 */
#ifndef CDRD_STORE_SCAN_H
#define CDRD_STORE_SCAN_H

#include "base/account_key.h"
#include "base/decimal.h"
#include "base/error.h"
#include "record/record.h"
#include "store/store.h"

#define SCAN_FILTERS_MAX 16
#define SCAN_COLUMNS_ALL UINT64_MAX
#define SCAN_CURRENCIES_MAX 4

/* How a value must equal that of a filter. */
enum scan_match {
	SCAN_EXACTLY,
	SCAN_NOCASE, /* ASCII letters without regard to case */
	SCAN_NUMBER, /* telephone numbers, which some write with a leading plus; the filter's value has none */
};

struct scan_filter {
	uint8_t column;
	enum scan_match match;
	struct str value; /* the column must equal it; absent values equal "" */
};

static inline bool scan_filter_passes(const struct scan_filter *filter, struct str value)
{
	if (filter->match == SCAN_NOCASE)
		return str_equal_nocase(value, filter->value);
	if (filter->match == SCAN_NUMBER && value.len > 0 && value.p[0] == '+')
		value = (struct str){ value.p + 1, value.len - 1 };
	return str_equal(value, filter->value);
}

struct scan_query {
	const struct catalog_product *product;
	enum catalog_direction direction;   /* CATALOG_NO_DIRECTION unless product->partition_direction */
	const struct account_key *accounts; /* sorted, without repeats */
	size_t accounts_count;
	int64_t from_us; /* inclusive */
	int64_t to_us;   /* exclusive */
	uint64_t snapshot;
	const struct scan_filter *filters;
	size_t filters_count;
	uint64_t columns; /* bit n: the sink reads column n; values of other columns may be absent. 0 means all */
};

/* Where a scan resumes, in words that only the store reads. All zero: at the beginning. Cursor tokens and job
 * rows keep them; scan_at.h has their meaning: days, accounts and times. */
#define SCAN_POSITION_WORDS 4
struct scan_position {
	uint64_t words[SCAN_POSITION_WORDS];
};

/* A record as it is given to a sink. All of it dies when the sink returns. */
struct scan_row {
	const struct record *record;
	struct str line; /* its CSV line in the view of the sink, with LF; p NULL unless the sink wants lines */
	int64_t time_us; /* its position in the snapshot: its time then, */
	uint64_t seq;    /* and the number of its arrival. They order an account's records and tell one from another */
	const struct scan_position *after; /* where the scan would resume after this record */
};

/* Called for each record that passes the filters. Return false to stop after it. */
typedef bool (*scan_record_fn)(void *arg, const struct scan_row *row);

/* A sealed block all of whose records, and no others, come next. Everything dies when the callback returns. */
struct scan_span {
	struct str deflate; /* raw deflate of the records' CSV lines, ends on a full flush, no final bit; the lines are
	                      * those of a view of the query's direction with neither message nor concatenated */
	uint32_t csv_bytes;
	uint32_t csv_crc32; /* of the lines, as in zip and gzip */
	uint32_t rows;
	int64_t first_us;
	int64_t last_us;
	bool counts_unpriced; /* older blocks do not */
	uint32_t unpriced;    /* rows without a price */
	size_t sums_count;
	struct scan_sum {
		char currency[8]; /* NUL terminated; "" where the records have none */
		struct decimal total_price;
		struct decimal price;
		uint64_t rows;
	} sums[SCAN_CURRENCIES_MAX];
};

/* As scan_record_fn, for a whole block. */
typedef bool (*scan_span_fn)(void *arg, const struct scan_span *span, const struct scan_position *after);

#define SCAN_PIECES_MAX 64

/* Records of a sealed block that come next, when filters are decided without their lines. Everything dies when the callback
 * returns. */
struct scan_lines {
	size_t pieces_count;
	struct str pieces[SCAN_PIECES_MAX]; /* their lines, one or more in each */
	struct str deflate; /* the same as in a span, if the sink takes that and there is any; else empty */
	uint32_t csv_bytes; /* of `deflate`, with the next one */
	uint32_t csv_crc32;
	uint32_t rows;
	uint32_t last_row; /* the scan's */
	int64_t first_us;
	int64_t last_us;
	size_t sums_count;
	struct scan_sum
		sums[SCAN_CURRENCIES_MAX]; /* of total_price alone, its rows are those that have one; in the order of
	                                            * their first rows */
};

/* As scan_record_fn, for many. */
typedef bool (*scan_lines_fn)(void *arg, const struct scan_lines *lines, const struct scan_position *after);

struct scan_sink {
	scan_record_fn on_record;
	scan_lines_fn on_lines; /* NULL: all records come one by one, or in blocks; may be set only with `lines` */
	bool deflated_lines;    /* on_lines takes `deflate` in place of pieces, where most of a block is chosen */
	scan_span_fn on_span;   /* NULL: all records come one by one */
	bool (*wants_span)(void *arg, int64_t first_us,
	                   int64_t last_us); /* one by one after all if it says no; NULL: never does */
	bool sums_only;                      /* on_span does not look at `deflate`, which then is not checked */
	const struct record_view *lines; /* on_record wants lines of this view, whatever `columns` says; NULL: none */
	void (*on_ready)(
		void *arg); /* after SCAN_WAITS, from the loop: scan_step has something to do; NULL: not told */
	void *arg;
};

enum scan_end {
	SCAN_DONE,    /* nothing is left in the range */
	SCAN_STOPPED, /* the sink said so; another step resumes after what it was given last */
	SCAN_PAUSED,  /* the deadline passed; another step resumes */
	SCAN_WAITS,   /* nothing to do before on_ready is called */
};

struct scan;

/* A scan from `from` on (NULL: from the beginning). `query` and `sink` are copied, what they point to must outlive the
 * scan. Does not read yet. NULL with ERROR_NOMEM. */
MUST_CHECK struct scan *scan_start(struct store *store, const struct scan_query *query,
                                   const struct scan_position *from, const struct scan_sink *sink, struct error *err);

/* False where it is within a day that is kept no longer (store_keep_from): the rest of the day is not given any more. */
bool scan_is_kept(const struct store *store, const struct scan_position *position);

/* Continues to read. `deadline_us` is on clock_monotonic_us; it is checked every few hundred records, and each call
 * that neither fails nor waits makes progress. Does not block for more than a slice. The sink must not cancel the scan.
 * 0 and *end, or -1 with ERROR_CORRUPT, ERROR_IO or ERROR_NOMEM, or ERROR_UNAVAILABLE, as where the day that it is at is no longer
 * kept, after which only scan_cancel may follow. */
MUST_CHECK int scan_step(struct scan *scan, int64_t deadline_us, enum scan_end *end, struct error *err);

/* Where it would resume. May be further than the last record given: records that the filters reject are passed, too. */
void scan_position(const struct scan *scan, struct scan_position *position);

/* How much of the range lies before a position, 0 to 1, as far as can be told without reading. */
double scan_share(const struct store *store, const struct scan_query *query, const struct scan_position *position);

/* Frees it; on_ready is not called any more. Does nothing on NULL. */
void scan_cancel(struct scan *scan);

/* Records of an account and product with an id in one of the product's lookup columns. */
struct scan_find {
	const struct catalog_product *product;
	const struct account_key *account;
	enum catalog_direction direction; /* CATALOG_NO_DIRECTION: any */
	struct str id;
	uint64_t columns;  /* as in scan_query */
	int32_t first_day; /* they may be in it and in later ones; INT32_MIN: in any */
	size_t max;        /* records */
};

/* A scan of what is found, newest day first and by time within a day, ignoring snapshots: SCAN_DONE when there are no
 * more or `max` were given, SCAN_STOPPED when the sink has stopped it; it is not to be stepped after either. It has no
 * position and its rows no `after`. `find` is copied, what it points to and the sink's memory must outlive the scan.
 * NULL with ERROR_NOMEM. */
MUST_CHECK struct scan *scan_start_find(struct store *store, const struct scan_find *find, const struct scan_sink *sink,
                                        struct error *err);

#endif
