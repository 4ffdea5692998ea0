/* SPDX-License-Identifier: ISC */
/*
 * maker.c: from the store into the archive, a slice at a time.
 *
 * Single rows are collected in a chunk, which becomes a part of the archive when it has chunk_bytes or when a whole
 * block follows, which is a part already. `mark` is the state at the end of the last part, `now` includes the open
 * chunk; checkpoints save the mark, so that neither they nor the slices influence the parts.
 *
 * A Parquet file's chunks are its row groups. One is written in steps, and so is the footer; until it is written, and
 * marked, checkpoints are as if it were not begun.
 *
 * Limits: a block that exceeds one is refused, and from there on rows are read one by one. Whether a chunk fits into
 * max_bytes is known only when it is compressed. If it does not, the maker goes back to the mark and tries chunks of
 * half as many rows, and again, until not even a row fits.
 */
#include "report/maker_private.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/invariant.h"

/* Deflate looks back 32 KiB, so more gains it little; zstd at this level looks back as far as this. */
#define CHUNK_BYTES ((size_t)256 << 10)
#define CHUNK_BYTES_ZSTD ((size_t)512 << 10)

#define LOOK_BYTES ((size_t)16 << 10) /* of blocks between looks at the clock */

/* Why a callback stopped the scan. */
enum stop { STOP_SLICE, STOP_RETRY, STOP_LIMIT, STOP_FAILED };

struct maker {
	struct store *store;
	const struct report_spec *spec;
	struct scan *scan;           /* it is at now.position; NULL: to be started there */
	void (*on_ready)(void *arg); /* NULL: not told */
	void *ready_arg;
	struct scan_query query;
	struct maker_lines lines;
	struct maker_dress dress;
	struct maker_parquet *parquet; /* NULL unless that is the format: the rows of the chunk are there */
	struct archive *archive;
	struct maker_state now;
	struct maker_state mark;
	struct buf chunk;
	size_t chunk_bytes;
	uint64_t chunk_rows_now; /* rows in the chunk */
	bool opened;             /* the existing file must be read before work resumes */
	bool span_waits;         /* the archive has a block that is not in the file yet; `now` is after it */
	bool begun;              /* the header line, if any, is written */
	bool closing;            /* a row group that is complete is being written: the file is past the mark */
	bool ending;             /* so is the footer */
	size_t copied;           /* bytes of blocks since the last look at the clock */
	bool limited;            /* and it is because of a limit */
	bool complete;
	uint8_t sha256[ARCHIVE_SHA256_BYTES]; /* of the file at the last checkpoint, or at the mark while `closing` or
	                                       * `ending`, or of the complete one */

	/* of the current step */
	int64_t deadline_us;
	enum stop stop;
	struct error *err;
};

static enum archive_kind kind_of(const struct report_spec *spec)
{
	if (spec->format == REPORT_PARQUET)
		return ARCHIVE_PARQUET;
	switch (spec->compression) {
	case REPORT_GZIP:
		return ARCHIVE_GZIP;
	case REPORT_ZSTD:
		return ARCHIVE_ZSTD;
	default:
		return ARCHIVE_ZIP;
	}
}

static int begin_archive(struct maker *maker, const char *path, struct str checkpoint, struct error *err)
{
	struct archive_options options = {
		.kind = kind_of(maker->spec),
		.name = maker->spec->inner_name,
		.time_us = maker->spec->time_us,
		.passes = maker->spec->passes,
	};

	if (checkpoint.len == 0) {
		maker->archive = archive_new(path, &options, err);
	} else {
		if (maker_checkpoint_read(checkpoint, &maker->now, maker->sha256, err) < 0)
			return -1;
		maker->archive = archive_open(path, &options, &maker->now.archive, maker->sha256, err);
		maker->opened = true;
	}
	if (!maker->archive)
		return -1;
	maker->now.archive = *archive_state(maker->archive);
	maker->mark = maker->now;
	return 0;
}

struct maker *maker_new(struct store *store, const struct report_spec *spec, const char *path, struct str checkpoint,
                        struct error *err)
{
	struct maker *maker = calloc(1, sizeof(*maker));

	if (!maker) {
		error_set(err, ERROR_NOMEM, "Out of memory for a report");
		return NULL;
	}
	maker->store = store;
	maker->spec = spec;
	maker->chunk_bytes = spec->compression == REPORT_ZSTD ? CHUNK_BYTES_ZSTD : CHUNK_BYTES;
	maker->query = spec->query;
	maker_lines_init(&maker->lines, spec);
	maker->query.columns = maker->lines.columns;
	if (spec->format == REPORT_PARQUET && !(maker->parquet = maker_parquet_new(spec, &maker->lines)))
		error_set(err, ERROR_NOMEM, "Out of memory for a report");
	else if (begin_archive(maker, path, checkpoint, err) == 0)
		return maker;
	maker_free(maker);
	return NULL;
}

void maker_on_ready(struct maker *maker, void (*on_ready)(void *arg), void *arg)
{
	maker->on_ready = on_ready;
	maker->ready_arg = arg;
}

static bool is_late(const struct maker *maker)
{
	return clock_monotonic_us() >= maker->deadline_us;
}

/* After so many bytes of blocks, which may be small: looks at the clock once in a while. */
static bool is_late_after(struct maker *maker, size_t bytes)
{
	maker->copied += bytes;
	if (maker->copied < LOOK_BYTES)
		return false;
	maker->copied = 0;
	return is_late(maker);
}

static bool stop(struct maker *maker, enum stop why)
{
	maker->stop = why;
	return false;
}

static void clear_chunk(struct maker *maker)
{
	buf_clear(&maker->chunk);
	if (maker->parquet)
		maker_parquet_drop(maker->parquet);
	maker->chunk_rows_now = 0;
}

/* Without the room for further currencies: a report over small accounts sets its mark every few rows. */
static void copy_state(struct maker_state *to, const struct maker_state *from)
{
	memcpy(to, from,
	       offsetof(struct maker_state, totals.sums) + from->totals.sums_count * sizeof(from->totals.sums[0]));
}

static void set_mark(struct maker *maker)
{
	maker->now.archive = *archive_state(maker->archive);
	INVARIANT(maker->now.totals.rows >= maker->mark.totals.rows);
	INVARIANT(maker->now.archive.bytes >= maker->mark.archive.bytes);
	copy_state(&maker->mark, &maker->now);
	clear_chunk(maker);
}

/* The chunk does not fit: returns to the mark, to try half as many rows. False when that would be none. */
static bool halve_chunk(struct maker *maker)
{
	uint64_t rows = maker->chunk_rows_now / 2;

	maker->now = maker->mark;
	clear_chunk(maker);
	maker->now.rows_only = true;
	if (rows == 0)
		return false;
	maker->now.chunk_rows = rows;
	maker->mark = maker->now;
	return true;
}

/* Writes the row group, or resumes writing it. False as close_chunk; after STOP_SLICE `closing` says that there is more
 * to write. */
static bool close_group(struct maker *maker)
{
	const struct maker_limits limits = { maker->spec->max_bytes, maker->deadline_us };

	if (maker->chunk_rows_now == 0)
		return true;
	if (!maker->closing && archive_sha256(maker->archive, maker->sha256, maker->err) < 0)
		return stop(maker, STOP_FAILED);
	maker->closing = true;
	enum archive_put put = maker_parquet_put(maker->parquet, maker->archive, &maker->now, &limits, maker->err);
	if (put == ARCHIVE_MORE)
		return stop(maker, STOP_SLICE);
	maker->closing = false;
	if (put == ARCHIVE_PUT) {
		set_mark(maker);
		return true;
	}
	if (put == ARCHIVE_NO_ROOM)
		return stop(maker, halve_chunk(maker) ? STOP_RETRY : STOP_LIMIT);
	return stop(maker, STOP_FAILED);
}

/* Makes the chunk a part. False with maker->stop set when the scan must resume elsewhere or later, or not at all. */
static bool close_chunk(struct maker *maker)
{
	if (maker->parquet)
		return close_group(maker);
	if (maker->chunk.failed) {
		error_set(maker->err, ERROR_NOMEM, "Out of memory for a report's rows");
		return stop(maker, STOP_FAILED);
	}
	if (maker->chunk.len == 0)
		return true;
	switch (archive_put(maker->archive, buf_str(&maker->chunk), maker->spec->max_bytes, maker->err)) {
	case ARCHIVE_PUT:
		set_mark(maker);
		return true;
	case ARCHIVE_NO_ROOM:
		return stop(maker, halve_chunk(maker) ? STOP_RETRY : STOP_LIMIT);
	default:
		return stop(maker, STOP_FAILED);
	}
}

static bool is_chunk_full(const struct maker *maker)
{
	return maker->chunk.len >= maker->chunk_bytes || maker->chunk.failed ||
	       (maker->parquet && maker_parquet_is_full(maker->parquet)) ||
	       (maker->spec->group_rows > 0 && maker->chunk_rows_now >= maker->spec->group_rows) ||
	       (maker->now.chunk_rows > 0 && maker->chunk_rows_now >= maker->now.chunk_rows);
}

static uint64_t rows_left(const struct maker *maker)
{
	uint64_t max = maker->spec->max_rows;

	return max == 0 ? UINT64_MAX : max - maker->now.totals.rows;
}

/* False if it cannot be. */
static bool add_row(struct maker *maker, const struct record *record, struct str line)
{
	if (maker->parquet)
		return maker_parquet_add(maker->parquet, record, maker->err) == 0 || stop(maker, STOP_FAILED);
	if (maker->lines.dressed)
		record = maker_dress(&maker->dress, maker->spec, &maker->lines, record);
	if (record)
		maker_add_line(&maker->chunk, maker->spec, &maker->lines, record, line);
	else
		maker->chunk.failed = true;
	return true;
}

/* `next` comes after what was added to the chunk. */
static bool go_on(struct maker *maker, const struct scan_position *next)
{
	maker->now.position = *next;
	if (!is_chunk_full(maker))
		return true;
	if (!close_chunk(maker))
		return false;
	return !is_late(maker) || stop(maker, STOP_SLICE);
}

static bool on_record(void *arg, const struct scan_row *row)
{
	struct maker *maker = arg;

	if (rows_left(maker) == 0)
		return stop(maker, STOP_LIMIT);
	if (!add_row(maker, row->record, row->line))
		return false;
	maker_count_record(&maker->now.totals, &maker->lines, row->record, row->time_us);
	maker->chunk_rows_now++;
	return go_on(maker, row->after);
}

/* Makes the scan return the rows of this block, or of these lines, one by one. */
static bool refuse_span(struct maker *maker)
{
	maker->now.rows_only = true;
	return stop(maker, STOP_RETRY);
}

static void count_span(struct maker *maker, const struct scan_span *span, const struct scan_position *after)
{
	maker_count_span(&maker->now.totals, span);
	maker->now.position = *after;
}

/* Whether a part that is compressed already is in the file, now or in the slices to come, and so counts. */
static bool is_taken(enum archive_put put)
{
	return put == ARCHIVE_PUT || put == ARCHIVE_MORE;
}

/* After a part that is compressed already, and counted if it is taken. */
static bool go_on_after(struct maker *maker, enum archive_put put, size_t bytes)
{
	switch (put) {
	case ARCHIVE_PUT:
		set_mark(maker);
		return !is_late_after(maker, bytes) || stop(maker, STOP_SLICE);
	case ARCHIVE_MORE:
		maker->span_waits = true;
		return stop(maker, STOP_SLICE);
	case ARCHIVE_NO_ROOM:
		return refuse_span(maker);
	default:
		return stop(maker, STOP_FAILED);
	}
}

/* Lines that are compressed already are a part. */
static bool put_lines(struct maker *maker, const struct scan_lines *lines, const struct scan_position *after)
{
	const struct archive_part part = { lines->deflate, lines->csv_bytes, lines->csv_crc32 };

	if (!close_chunk(maker))
		return false;
	enum archive_put put =
		archive_put_part(maker->archive, &part, maker->spec->max_bytes, maker->deadline_us, maker->err);
	if (is_taken(put)) {
		maker_count_lines(&maker->now.totals, lines);
		maker->now.position = *after;
	}
	return go_on_after(maker, put, part.deflate.len);
}

static bool on_lines(void *arg, const struct scan_lines *lines, const struct scan_position *after)
{
	struct maker *maker = arg;

	if (lines->rows > rows_left(maker))
		return rows_left(maker) == 0 ? stop(maker, STOP_LIMIT) : refuse_span(maker);
	if (lines->deflate.len > 0)
		return put_lines(maker, lines, after);
	for (size_t i = 0; i < lines->pieces_count; i++)
		buf_add_str(&maker->chunk, lines->pieces[i]);
	maker_count_lines(&maker->now.totals, lines);
	maker->chunk_rows_now += lines->rows;
	return go_on(maker, after);
}

static bool on_span(void *arg, const struct scan_span *span, const struct scan_position *after)
{
	struct maker *maker = arg;
	const struct archive_part part = { span->deflate, span->csv_bytes, span->csv_crc32 };

	if (span->rows > rows_left(maker))
		return rows_left(maker) == 0 ? stop(maker, STOP_LIMIT) : refuse_span(maker);
	if (!close_chunk(maker))
		return false;
	enum archive_put put =
		archive_put_part(maker->archive, &part, maker->spec->max_bytes, maker->deadline_us, maker->err);
	if (is_taken(put))
		count_span(maker, span, after);
	return go_on_after(maker, put, part.deflate.len);
}

/* The next row to read is not the scan's next one. */
static void drop_scan(struct maker *maker)
{
	scan_cancel(maker->scan);
	maker->scan = NULL;
}

/* Resumes a block that an earlier slice could not write completely. 1 when none is pending, 0 when there is more to do,
 * -1. */
static int end_span(struct maker *maker)
{
	if (!maker->span_waits)
		return 1;
	switch (archive_resume(maker->archive, maker->spec->max_bytes, maker->deadline_us, maker->err)) {
	case ARCHIVE_PUT:
		set_mark(maker);
		break;
	case ARCHIVE_MORE:
		return 0;
	case ARCHIVE_NO_ROOM:
		maker->now = maker->mark;
		maker->now.rows_only = true;
		drop_scan(maker);
		break;
	default:
		return -1;
	}
	maker->span_waits = false;
	return 1;
}

/* Writes the footer, or resumes that: MAKER_DONE when it is written, MAKER_MORE, MAKER_FAILED. */
static enum maker_end end_parquet(struct maker *maker, bool limited)
{
	if (!maker->ending && archive_sha256(maker->archive, maker->sha256, maker->err) < 0)
		return MAKER_FAILED;
	maker->ending = true;
	maker->limited = limited;
	switch (maker_parquet_end(maker->parquet, maker->archive, &maker->now, maker->deadline_us, maker->err)) {
	case ARCHIVE_PUT:
		return MAKER_DONE;
	case ARCHIVE_MORE:
		return MAKER_MORE;
	default:
		return MAKER_FAILED;
	}
}

/* Completes the file and writes it to disk. */
static enum maker_end end_file(struct maker *maker, bool limited)
{
	if (maker->parquet) {
		enum maker_end end = end_parquet(maker, limited);

		if (end != MAKER_DONE)
			return end;
	}
	if (archive_finish(maker->archive, maker->err) < 0 || archive_sync(maker->archive, maker->err) < 0 ||
	    archive_sha256(maker->archive, maker->sha256, maker->err) < 0)
		return MAKER_FAILED;
	maker->complete = true;
	return limited ? MAKER_TRUNCATED : MAKER_DONE;
}

/* The scan has reached its end or a limit. The last chunk may still turn out too large. */
static enum maker_end end_rows(struct maker *maker, bool limited)
{
	if (close_chunk(maker))
		return end_file(maker, limited);
	if (maker->stop != STOP_RETRY && maker->stop != STOP_SLICE)
		return maker->stop == STOP_LIMIT ? end_file(maker, true) : MAKER_FAILED;
	drop_scan(maker);
	return MAKER_MORE;
}

static void on_pause(struct maker *maker)
{
	scan_position(maker->scan, &maker->now.position);
	if (maker->chunk_rows_now == 0)
		maker->mark = maker->now;
}

static void on_ready(void *arg)
{
	const struct maker *maker = arg;

	if (maker->on_ready)
		maker->on_ready(maker->ready_arg);
}

static int begin_scan(struct maker *maker)
{
	const struct scan_sink sink = {
		.on_record = on_record,
		.on_span = maker->lines.blocks && !maker->now.rows_only ? on_span : NULL,
		.on_lines = maker->lines.blocks && !maker->now.rows_only ? on_lines : NULL,
		.deflated_lines = archive_takes_deflate(kind_of(maker->spec)),
		.lines = maker->lines.ready ? &maker->spec->view : NULL,
		.on_ready = on_ready,
		.arg = maker,
	};

	if (!maker->scan)
		maker->scan = scan_start(maker->store, &maker->query, &maker->now.position, &sink, maker->err);
	return maker->scan ? 0 : -1;
}

/* A callback has stopped the scan. */
static enum maker_end on_stop(struct maker *maker)
{
	switch (maker->stop) {
	case STOP_LIMIT:
		return end_rows(maker, true);
	case STOP_FAILED:
		return MAKER_FAILED;
	case STOP_RETRY:
		drop_scan(maker);
		return MAKER_MORE;
	default:
		return MAKER_MORE;
	}
}

/* Scans until the slice is over or the scan must be restarted differently. */
static enum maker_end run_scan(struct maker *maker)
{
	enum scan_end end;

	if (begin_scan(maker) < 0 || scan_step(maker->scan, maker->deadline_us, &end, maker->err) < 0)
		return MAKER_FAILED;
	if (end == SCAN_DONE) {
		scan_position(maker->scan, &maker->now.position);
		return end_rows(maker, false);
	}
	if (end == SCAN_STOPPED)
		return on_stop(maker);
	on_pause(maker);
	return end == SCAN_WAITS ? MAKER_WAITS : MAKER_MORE;
}

/* The header line is a part of its own, to which no limit applies. */
static int begin_content(struct maker *maker)
{
	struct buf header = { 0 };
	int result = 0;

	maker_add_header(&header, maker->spec);
	if (header.failed)
		result = error_set(maker->err, ERROR_NOMEM, "Out of memory for a report's header");
	else if (header.len > 0 && archive_put(maker->archive, buf_str(&header), 0, maker->err) != ARCHIVE_PUT)
		result = -1;
	buf_free(&header);
	if (result == 0)
		set_mark(maker);
	return result;
}

/* 1 when rows may be written, 0 when that needs another slice, -1. */
static int prepare(struct maker *maker)
{
	if (maker->opened) {
		int ready = archive_catch_up(maker->archive, maker->deadline_us, maker->err);

		if (ready <= 0)
			return ready;
		maker->opened = false;
	}
	if (!maker->begun && archive_state(maker->archive)->content_bytes == 0 && begin_content(maker) < 0)
		return -1;
	maker->begun = true;
	return end_span(maker);
}

bool maker_reads_back(const struct maker *maker)
{
	return maker->opened;
}

enum maker_end maker_step(struct maker *maker, int64_t deadline_us, struct error *err)
{
	enum maker_end end;
	int ready;

	maker->deadline_us = deadline_us;
	maker->err = err;
	ready = prepare(maker);
	if (ready <= 0)
		return ready < 0 ? MAKER_FAILED : MAKER_MORE;
	if (maker->ending)
		return end_file(maker, maker->limited);
	do
		end = maker->closing && !close_group(maker) ? on_stop(maker) : run_scan(maker);
	while (end == MAKER_MORE && !is_late(maker));
	return end;
}

int maker_checkpoint(struct maker *maker, struct buf *out, struct error *err)
{
	/* While an opened file is being read back, its sum is still the one of its checkpoint. */
	if (!maker->opened && archive_sync(maker->archive, err) < 0)
		return -1;
	/* Nor does it change while what is after the mark is written. */
	if (!maker->opened && !maker->closing && !maker->ending &&
	    archive_sha256(maker->archive, maker->sha256, err) < 0)
		return -1;
	maker_checkpoint_write(out, &maker->mark, maker->sha256);
	if (out->failed)
		return error_set(err, ERROR_NOMEM, "Out of memory for a report's checkpoint");
	return 0;
}

void maker_progress(const struct maker *maker, struct maker_progress *progress)
{
	progress->rows = maker->now.totals.rows;
	progress->bytes = archive_state(maker->archive)->bytes;
	progress->share = maker->complete ? 1 : scan_share(maker->store, &maker->query, &maker->now.position);
}

static int compare_sums(const void *a, const void *b)
{
	return strcmp(((const struct maker_sum *)a)->currency, ((const struct maker_sum *)b)->currency);
}

void maker_result(const struct maker *maker, struct maker_result *result)
{
	const struct maker_totals *totals = &maker->now.totals;

	*result = (struct maker_result){
		.rows = totals->rows,
		.first_us = totals->first_us,
		.last_us = totals->last_us,
		.bytes = archive_state(maker->archive)->bytes,
		.unsummed = totals->unsummed,
		.sums_count = totals->sums_count,
	};
	memcpy(result->sums, totals->sums, totals->sums_count * sizeof(totals->sums[0]));
	qsort(result->sums, result->sums_count, sizeof(result->sums[0]), compare_sums);
	str_write_hex(result->sha256, maker->sha256, sizeof(maker->sha256));
}

void maker_free(struct maker *maker)
{
	if (!maker)
		return;
	drop_scan(maker);
	archive_free(maker->archive);
	maker_parquet_free(maker->parquet);
	buf_free(&maker->dress.text);
	buf_free(&maker->chunk);
	free(maker);
}
