/* SPDX-License-Identifier: ISC */
/*
 * cluster_scan.c: records of a range in order, from a cluster.
 *
 * A stream reads the records of one shard, and the streams are merged. What a stream has left is cut into chunks of about
 * as many rows: a plan, a query that reads no more than places, gives the places where chunks end. So each query for rows
 * is small, its answer is bounded, and the next one is on its way while a chunk is given; so is the next plan while the
 * chunks of the one before are read. Where rows are so long that an
 * answer is too large, chunks of half as many are planned. Plans are made for a window of days, which grows where there is
 * little in it.
 *
 * Of rows with one key only the newest counts. With filters, all rows are asked for of keys of which any row passes, each
 * with whether it passes itself.
 */
#include "store/cluster/cluster_sql.h"

#include <stdlib.h>

#include "base/clock.h"
#include "store/cluster/cluster_chunk.h"
#include "store/scans/scan_private.h"

#define FIRST_ROWS 1100   /* of a chunk: a page, mostly */
#define MORE_ROWS 16384   /* of those of a report */
#define PLANNED_CHUNKS 64 /* by one query */
#define WINDOW_DAYS_MAX 31
#define PATIENT_FROM 2 /* chunks: from then on it is a report, which waits */
#define PATIENCE_US (600 * CLOCK_US_PER_SECOND)

/* Where chunks end, from a place on: of what is left of a window, or of a part of it. */
struct plan {
	struct cluster_place from;
	int32_t window_last;
	size_t planned, step; /* so many chunks of so many rows, at most */
	struct cluster_place bounds[PLANNED_CHUNKS];
	size_t count;
	bool is_cut; /* there is more in the window */
};

struct stream {
	struct cluster_scan *scan;
	size_t shard;
	struct buf accounts;       /* numbers, with commas between */
	struct cluster_place from; /* of the next chunk */
	int32_t window_days;
	size_t step_max;             /* 0: none */
	struct plan plan, next_plan; /* whose chunks are read, and the one after it */
	size_t bounds_at;
	bool has_plan, has_next_plan;
	bool is_planned; /* to the end of the range, with the plans that there are or are asked for */
	bool is_over;
	struct clickhouse_query *plan_query; /* for next_plan */
	struct clickhouse_query *query;
	struct buf answer;
	bool has_answer;
	size_t chunks_read;
	struct cluster_chunk_rows rows; /* that are being given */
};

struct cluster_scan {
	struct scan base;
	struct cluster *cluster;
	struct scan_at at;
	struct scan_position after;
	struct stream *streams;
	size_t streams_count;
	bool waits;
	struct error failure;
	struct cluster_giving giving;
};

/* --- the queries --- */

static uint64_t number_of(const struct scan_query *query, uint32_t account)
{
	return account < query->accounts_count ? cluster_account(&query->accounts[account]) : UINT64_MAX;
}

/* From `from` on, and until `to`, with it; NULL: to the end of the window. */
static void write_range(struct buf *sql, const struct stream *stream, const struct cluster_place *from,
                        const struct cluster_place *to, int32_t window_last)
{
	const struct scan_query *query = &stream->scan->base.query;
	int32_t last = to ? to->day : window_last;

	sql->failed |= stream->accounts.failed;
	buf_addf(sql, "account IN (%.*s) AND direction = %d", STR_ARGS(buf_str(&stream->accounts)),
	         (int)query->direction);
	buf_addf(sql, " AND day >= toDate(%d) AND day <= toDate(%d) AND time >= %lld AND time < %lld", from->day, last,
	         (long long)query->from_us, (long long)query->to_us);
	buf_addf(sql, " AND (day > toDate(%d) OR account > %llu OR (account = %llu AND time >= %lld))", from->day,
	         (unsigned long long)from->account, (unsigned long long)from->account, (long long)from->time_us);
	if (to)
		buf_addf(sql, " AND (day < toDate(%d) OR account < %llu OR (account = %llu AND time <= %lld))", to->day,
		         (unsigned long long)to->account, (unsigned long long)to->account, (long long)to->time_us);
}

static void on_plan(void *arg, struct buf *answer, const struct error *err);
static void on_rows(void *arg, struct buf *answer, const struct error *err);

static struct clickhouse_query *ask(struct stream *stream, struct buf *sql, clickhouse_fn ended, struct error *err)
{
	struct cluster *cluster = stream->scan->cluster;
	struct clickhouse_query *query;
	const struct clickhouse_request request = {
		.shard = stream->shard,
		.sql = buf_str(sql),
		.settings = cluster_read_settings(cluster),
		.room = ended == on_rows ? &stream->answer : NULL,
		.patience_us = stream->chunks_read < PATIENT_FROM ? cluster->patience_us : PATIENCE_US,
		.ended = ended,
		.arg = stream,
	};

	query = clickhouse_start(cluster->clickhouse, &request, err);
	buf_free(sql);
	return query;
}

static int ask_plan(struct stream *stream, struct error *err)
{
	const struct scan_query *query = &stream->scan->base.query;
	int32_t last = clock_day_of(query->to_us - 1);
	bool is_first = stream->chunks_read == 0 && !stream->has_plan;
	struct plan *plan = &stream->next_plan;
	struct buf sql = { 0 };

	plan->step = is_first ? FIRST_ROWS : MORE_ROWS;
	if (stream->step_max > 0 && plan->step > stream->step_max)
		plan->step = stream->step_max;
	plan->planned = is_first ? 2 : PLANNED_CHUNKS;
	plan->window_last =
		last - plan->from.day < stream->window_days ? last : plan->from.day + stream->window_days - 1;
	buf_add_text(&sql, "SELECT day, account, time FROM (SELECT day, account, time FROM ");
	cluster_write_table(&sql, stream->scan->cluster, query->product);
	buf_add_text(&sql, " WHERE ");
	write_range(&sql, stream, &plan->from, NULL, plan->window_last);
	buf_add_text(&sql, " AND ");
	cluster_write_filters(&sql, query);
	buf_addf(&sql,
	         " ORDER BY day, account, time LIMIT %zu) WHERE rowNumberInAllBlocks() %% %zu = %zu FORMAT RowBinary",
	         plan->planned * plan->step, plan->step, plan->step - 1);
	stream->plan_query = ask(stream, &sql, on_plan, err);
	return stream->plan_query ? 0 : -1;
}

/* Before what else is asked of a row is read. */
static void write_keys_that_pass(struct buf *sql, const struct stream *stream, const struct cluster_place *to)
{
	const struct scan_query *query = &stream->scan->base.query;

	buf_add_text(sql, " PREWHERE (account, time, id) IN (SELECT account, time, id FROM ");
	cluster_write_table(sql, stream->scan->cluster, query->product);
	buf_add_text(sql, " WHERE ");
	write_range(sql, stream, &stream->from, to, stream->plan.window_last);
	buf_add_text(sql, " AND ");
	cluster_write_filters(sql, query);
	buf_add_char(sql, ')');
}

static int ask_rows(struct stream *stream, struct error *err)
{
	const struct scan_query *query = &stream->scan->base.query;
	const struct plan *plan = &stream->plan;
	const struct cluster_place *to = stream->bounds_at < plan->count ? &plan->bounds[stream->bounds_at] : NULL;
	struct buf sql = { 0 };

	buf_add_text(&sql, "SELECT " CLUSTER_KEY_COLUMNS ", version, dead, first, past, line");
	buf_addf(&sql, ", %s, %s, toUInt8(", stream->scan->giving.reads_rest ? "rest" : "''",
	         stream->scan->giving.reads_body ? "body" : "''");
	cluster_write_filters(&sql, query);
	buf_add_text(&sql, ") FROM ");
	cluster_write_table(&sql, stream->scan->cluster, query->product);
	if (query->filters_count > 0)
		write_keys_that_pass(&sql, stream, to);
	buf_add_text(&sql, " WHERE ");
	write_range(&sql, stream, &stream->from, to, plan->window_last);
	buf_addf(&sql, " ORDER BY day, %stime, id, version DESC FORMAT RowBinary",
	         query->accounts_count > 1 ? "account, " : "");
	stream->query = ask(stream, &sql, on_rows, err);
	return stream->query ? 0 : -1;
}

/* The next plan begins where the one ends whose chunks are read from now on. */
static void begin_plan(struct stream *stream)
{
	struct plan *plan = &stream->plan, *next = &stream->next_plan;

	*plan = *next;
	stream->bounds_at = 0;
	stream->from = plan->from;
	stream->has_plan = true;
	stream->has_next_plan = false;
	if (plan->is_cut) {
		next->from = plan->bounds[plan->count - 1];
		next->from.time_us++;
		return;
	}
	next->from = (struct cluster_place){ .day = plan->window_last + 1, .account = 0, .time_us = 0 };
	stream->is_planned = plan->window_last >= clock_day_of(stream->scan->base.query.to_us - 1);
	/* Of a window that had fewer rows than a plan takes, the next one may be larger. */
	if (plan->count < plan->planned / 2 || plan->count == 0)
		stream->window_days =
			stream->window_days * 4 < WINDOW_DAYS_MAX ? stream->window_days * 4 : WINDOW_DAYS_MAX;
}

/* Has queries on their way, unless there are answers, or nothing is left. */
static int pump(struct stream *stream, struct error *err)
{
	if (stream->is_over)
		return 0;
	if (!stream->has_plan && stream->has_next_plan)
		begin_plan(stream);
	if (!stream->has_plan && stream->is_planned && !stream->plan_query) {
		stream->is_over = true;
		return 0;
	}
	if (!stream->has_next_plan && !stream->plan_query && !stream->is_planned &&
	    (!stream->has_plan || stream->chunks_read >= PATIENT_FROM) && ask_plan(stream, err) != 0)
		return -1;
	return stream->has_plan && !stream->query && !stream->has_answer ? ask_rows(stream, err) : 0;
}

/* --- the answers --- */

static void wake(struct cluster_scan *scan)
{
	if (!scan->waits)
		return;
	scan->waits = false;
	scan_ready(&scan->base); /* it may be gone after this */
}

static void on_plan(void *arg, struct buf *answer, const struct error *err)
{
	struct stream *stream = arg;
	struct cluster_scan *scan = stream->scan;
	struct plan *plan = &stream->next_plan;
	struct str text = buf_str(answer);

	stream->plan_query = NULL;
	plan->count = 0;
	while (!err && plan->count < plan->planned && text.len > 0 &&
	       cluster_place_read(&text, &plan->bounds[plan->count]))
		plan->count++;
	stream->has_next_plan = true;
	plan->is_cut = plan->count == plan->planned;
	if (err)
		scan->failure = *err;
	else if (text.len > 0)
		error_set(&scan->failure, ERROR_CORRUPT, "ClickHouse: places cannot be read");
	else if (pump(stream, &scan->failure) == 0)
		return;
	wake(scan);
}

/* An answer was too large: what is not read yet is planned anew, in smaller chunks. */
static void plan_anew(struct stream *stream)
{
	clickhouse_cancel(stream->plan_query);
	stream->plan_query = NULL;
	stream->step_max = stream->plan.step / 2;
	stream->next_plan.from = stream->from;
	stream->has_plan = stream->has_next_plan = stream->is_planned = false;
}

static void on_rows(void *arg, struct buf *answer, const struct error *err)
{
	struct stream *stream = arg;
	struct cluster_scan *scan = stream->scan;

	stream->query = NULL;
	if (err && err->code == ERROR_LIMIT && stream->plan.step > 1) {
		plan_anew(stream);
		if (pump(stream, &scan->failure) != 0)
			wake(scan);
		return;
	}
	if (err) {
		scan->failure = *err;
		wake(scan);
		return;
	}
	buf_move(&stream->answer, answer);
	stream->has_answer = true;
	stream->chunks_read++;
	if (stream->bounds_at < stream->plan.count) {
		stream->from = stream->plan.bounds[stream->bounds_at++];
		stream->from.time_us++;
		if (stream->bounds_at == stream->plan.count && stream->plan.is_cut)
			stream->has_plan = false;
	} else {
		stream->has_plan = false;
	}
	wake(scan);
}

/* --- giving --- */

/* The index of an account in the query. */
static uint32_t index_of(const struct scan_query *query, uint64_t account)
{
	size_t low = 0, high = query->accounts_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (cluster_account(&query->accounts[middle]) < account)
			low = middle + 1;
		else
			high = middle;
	}
	return (uint32_t)low;
}

static struct scan_at at_of(const struct cluster_scan *scan, const struct cluster_row *row)
{
	return (struct scan_at){ row->day, index_of(&scan->base.query, row->account), row->time_us, row->first };
}

static int compare_at(const struct scan_at *a, const struct scan_at *b)
{
	if (a->day != b->day)
		return a->day < b->day ? -1 : 1;
	if (a->account != b->account)
		return a->account < b->account ? -1 : 1;
	if (a->time_us != b->time_us)
		return a->time_us < b->time_us ? -1 : 1;
	return (a->seq > b->seq) - (a->seq < b->seq);
}

/* Makes sure that the stream shows its next row: 1; 0: it has none left; -1: it has to wait, or (with *err) failed. */
static int fill(struct stream *stream, struct error *err)
{
	while (stream->rows.at == stream->rows.count) {
		if (stream->has_answer) {
			stream->has_answer = false;
			if (cluster_chunk_take(&stream->rows, &stream->answer, stream->scan->base.query.snapshot, err))
				return -1;
			if (pump(stream, err) != 0)
				return -1;
			continue;
		}
		if (stream->is_over)
			return 0;
		err->code = ERROR_NONE;
		if (pump(stream, err) != 0 || !stream->is_over)
			return -1;
	}
	return 1;
}

/* The stream with the next row; NULL: none has any, or *end or *err say why. */
static struct stream *choose(struct cluster_scan *scan, enum scan_end *end, struct error *err)
{
	struct stream *best = NULL;
	struct scan_at best_at = { 0 };
	bool waits = false;

	err->code = ERROR_NONE;
	for (size_t i = 0; i < scan->streams_count; i++) {
		struct stream *stream = &scan->streams[i];
		int filled = fill(stream, err);

		if (filled < 0 && err->code != ERROR_NONE)
			return NULL;
		waits |= filled < 0;
		if (filled <= 0)
			continue;
		struct scan_at at = at_of(scan, &stream->rows.list[stream->rows.at]);

		if (!best || compare_at(&at, &best_at) < 0) {
			best = stream;
			best_at = at;
		}
	}
	*end = waits ? SCAN_WAITS : SCAN_DONE;
	return waits ? NULL : best;
}

static int step(struct scan *base, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	struct cluster_scan *scan = (struct cluster_scan *)base;
	struct stream *stream;

	if (!scan->cluster->is_ready)
		return cluster_refuse(scan->cluster, err);
	for (unsigned seen = 1;; seen++) {
		if (scan->failure.code != ERROR_NONE) {
			*err = scan->failure;
			return -1;
		}
		stream = choose(scan, end, err);
		if (!stream)
			break;
		const struct cluster_row *row = &stream->rows.list[stream->rows.at++];
		struct scan_at at = at_of(scan, row);

		if (compare_at(&at, &scan->at) <= 0)
			continue; /* given before the scan was resumed */
		scan->at = at;
		scan_at_write(&at, &scan->after);
		int result = cluster_give(&scan->giving, base, base->query.product, row, &scan->after, err);

		if (result < 0)
			return -1;
		if (result == 0) {
			*end = SCAN_STOPPED;
			return 0;
		}
		if (seen % 64 == 0 && clock_monotonic_us() >= deadline_us) {
			*end = SCAN_PAUSED;
			return 0;
		}
	}
	scan->waits = *end == SCAN_WAITS;
	return err->code == ERROR_NONE ? 0 : -1;
}

/* --- its life --- */

static void position(const struct scan *base, struct scan_position *position)
{
	const struct cluster_scan *scan = (const struct cluster_scan *)base;

	scan_at_write(&scan->at, position);
}

static void cancel(struct scan *base)
{
	struct cluster_scan *scan = (struct cluster_scan *)base;

	for (size_t i = 0; i < scan->streams_count; i++) {
		struct stream *stream = &scan->streams[i];

		clickhouse_cancel(stream->query);
		clickhouse_cancel(stream->plan_query);
		buf_free(&stream->answer);
		buf_free(&stream->accounts);
		cluster_chunk_rows_free(&stream->rows);
	}
	cluster_giving_free(&scan->giving);
	free(scan->streams);
	free(scan);
}

static void begin_streams(struct cluster_scan *scan)
{
	const struct scan_query *query = &scan->base.query;
	bool resumes = scan->at.day != 0 || scan->at.time_us != 0;
	struct cluster_place from = { clock_day_of(query->from_us), 0, query->from_us };

	if (resumes)
		from = (struct cluster_place){ scan->at.day, number_of(query, scan->at.account), scan->at.time_us };
	for (size_t shard = 0; shard < clickhouse_shards(scan->cluster->clickhouse); shard++) {
		struct stream *stream = &scan->streams[scan->streams_count];

		*stream = (struct stream){ .scan = scan, .shard = shard, .window_days = 1 };
		stream->next_plan.from = from;
		stream->is_over = query->from_us >= query->to_us;
		cluster_write_accounts(&stream->accounts, scan->cluster, query, shard);
		scan->streams_count += stream->accounts.len > 0 || stream->accounts.failed;
	}
}

struct scan *cluster_scan(struct store *store, const struct scan_query *query, const struct scan_position *from,
                          const struct scan_sink *sink, struct error *err)
{
	static const struct scan_ops ops = { step, position, cancel };
	struct cluster_scan *scan = calloc(1, sizeof(*scan));
	size_t shards = clickhouse_shards(store->cluster->clickhouse);

	if (scan)
		scan->streams = calloc(shards, sizeof(*scan->streams));
	if (!scan || !scan->streams) {
		free(scan);
		error_set(err, ERROR_NOMEM, "Out of memory for a scan");
		return NULL;
	}
	scan->base = (struct scan){ .ops = &ops, .query = *query, .sink = *sink };
	scan->cluster = store->cluster;
	cluster_limit_days(&scan->base.query);
	if (from)
		scan->at = scan_at_read(from);
	cluster_giving_init(&scan->giving, &scan->base);
	begin_streams(scan);
	return &scan->base;
}
