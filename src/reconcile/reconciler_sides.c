/* SPDX-License-Identifier: ISC */
/*
 * reconciler_sides.c: the rows of both sides, into their sorters. See reconciler_private.h.
 */
#include "reconcile/reconciler_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"

#define PIECE_BYTES ((size_t)32 << 10) /* of the carrier's file: half a millisecond, or so */
#define ID_MARGIN_US CLOCK_US_PER_DAY /* how far the times of rows with the same id may lie apart at the month's ends */

/* --- a row --- */

/* Digits, however the number was written: "+49...", "0049...". */
static struct str plain_number(struct str number)
{
	size_t drop = number.len > 0 && number.p[0] == '+'                       ? 1 :
	              number.len > 1 && number.p[0] == '0' && number.p[1] == '0' ? 2 :
	                                                                           0;

	return (struct str){ number.p + drop, number.len - drop };
}

/* Rows without a key have one of their own. */
static void set_key(const struct reconciler *reconciler, uint64_t side, struct match_row *row)
{
	enum request_match match = reconciler->spec.request->match;
	struct str to = plain_number(row->texts[MATCH_TO]), from = plain_number(row->texts[MATCH_FROM]);
	struct str key = match == REQUEST_MATCH_ID ? row->texts[MATCH_ID] : to;

	if (key.len == 0) {
		row->hash = id_hash64(&row->serial, sizeof(row->serial), side);
		row->check = side;
		return;
	}
	for (uint64_t seed = 0; seed < 2; seed++) {
		uint64_t hash =
			match == REQUEST_MATCH_ID ? id_hash64_of_id(key, seed) : id_hash64(key.p, key.len, seed);

		if (match == REQUEST_MATCH_NUMBERS)
			hash = id_hash64(from.p, from.len, hash);
		*(seed == 0 ? &row->hash : &row->check) = hash;
	}
}

static struct str value_of(const struct record *record, uint8_t column)
{
	struct str value = record_value(record, column);

	return value.p ? value : STR_LITERAL("");
}

static int add_row(struct reconciler *reconciler, struct reconciler_side *side, const struct record *record,
                   uint64_t serial, int64_t time_us, struct error *err)
{
	const struct request_columns *columns = &reconciler->columns;
	struct match_row row = {
		.serial = serial,
		.time_us = time_us,
		.texts = {
			[MATCH_ID] = value_of(record, columns->id),
			[MATCH_ACCOUNT] = value_of(record, columns->account),
			[MATCH_FROM] = value_of(record, columns->from),
			[MATCH_TO] = value_of(record, columns->to),
			[MATCH_COUNTRY] = value_of(record, columns->country),
			[MATCH_DURATION] = value_of(record, columns->duration),
			[MATCH_STATUS] = value_of(record, columns->status),
			[MATCH_PRICE] = value_of(record, columns->price),
			[MATCH_CURRENCY] = value_of(record, columns->currency),
		},
	};

	set_key(reconciler, side == &reconciler->ours ? 1 : 2, &row);
	buf_clear(&reconciler->row);
	match_row_pack(&reconciler->row, &row);
	if (reconciler->row.failed)
		return error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation");
	side->rows++;
	return sorter_add(side->sorter, buf_str(&reconciler->row), err);
}

/* --- theirs --- */

static int reject(struct reconciler *reconciler, const struct ingest_trial_row *row, struct error *err)
{
	char line[24];

	reconciler->rejected++;
	(void)snprintf(line, sizeof(line), "%llu", (unsigned long long)row->line);
	for (size_t i = 0; i < row->faults_count; i++) {
		const struct str values[] = { str_from(line), str_from(row->faults[i].field),
			                      str_from(row->faults[i].reason) };

		if (class_file_add(&reconciler->files[RECONCILER_REJECTED], values, 3, err) != 0)
			return -1;
	}
	return 0;
}

static bool is_asked_for(const struct reconciler *reconciler, const struct record *record)
{
	const struct reconcile_request *request = reconciler->spec.request;
	struct str direction = record_value(record, request->product->direction_column);

	return record->product == request->product &&
	       (request->direction == CATALOG_NO_DIRECTION || direction.len == 0 ||
	        catalog_direction_parse(direction) == request->direction);
}

static void on_row(void *arg, const struct ingest_trial_row *row)
{
	struct reconciler *reconciler = arg;
	int64_t time_us = 0;
	int result = 0;

	if (reconciler->failed)
		return;
	if (!row->record)
		result = reject(reconciler, row, &reconciler->failure);
	else if (row->updates || !is_asked_for(reconciler, row->record))
		reconciler->others++;
	else if (!clock_parse_iso8601(row->record->values[row->record->product->time_column], &time_us))
		result = error_set(&reconciler->failure, ERROR_CORRUPT, "line %llu: its time cannot be read",
		                   (unsigned long long)row->line);
	else
		result =
			add_row(reconciler, &reconciler->theirs, row->record, row->line, time_us, &reconciler->failure);
	reconciler->failed = result != 0;
}

int reconciler_read_begin(struct reconciler *reconciler, struct error *err)
{
	struct ingest_settings settings = reconciler->spec.request->settings;
	struct buf path = { 0 };
	int result = -1;

	if (snprintf(settings.account_id, sizeof(settings.account_id), "%s", reconciler->spec.some_account) < 0)
		return error_set(err, ERROR_INVALID, "%s: no account", reconciler->spec.some_account);
	reconciler->trial = ingest_trial_new(reconciler->spec.ingest, &settings, on_row, reconciler, err);
	if (!reconciler->trial)
		return -1;
	buf_addf(&path, "%s/" RECONCILER_UPLOAD, reconciler->spec.dir);
	if (!buf_cstr(&path))
		error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation");
	else if ((reconciler->upload = open(path.data, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		error_set_errno(err, errno, "%s: open", path.data);
	else
		result = 0;
	buf_free(&path);
	return result;
}

static int pass_failure(struct reconciler *reconciler, int result, struct error *err)
{
	if (!reconciler->failed)
		return result;
	*err = reconciler->failure;
	return -1;
}

/* 1 at the end, 0, -1. */
static int read_piece(struct reconciler *reconciler, struct error *err)
{
	char piece[PIECE_BYTES];
	ssize_t got = read(reconciler->upload, piece, sizeof(piece));

	if (got < 0 && errno == EINTR)
		return 0;
	if (got < 0)
		return error_set_errno(err, errno, "%s/" RECONCILER_UPLOAD ": read", reconciler->spec.dir);
	reconciler->read_bytes += (uint64_t)got;
	if (got > 0)
		return pass_failure(reconciler,
		                    ingest_trial_feed(reconciler->trial, (struct str){ piece, (size_t)got }, err), err);
	if (reconciler->spec.upload_bytes == 0) /* no header line, either */
		return 1;
	int result = ingest_trial_finish(reconciler->trial, &reconciler->skipped, err);
	return pass_failure(reconciler, result == 0 ? 1 : -1, err);
}

int reconciler_read(struct reconciler *reconciler, int64_t deadline_us, struct error *err)
{
	int result;

	do
		result = read_piece(reconciler, err);
	while (result == 0 && clock_monotonic_us() < deadline_us);
	if (result != 1)
		return result;
	ingest_trial_free(reconciler->trial);
	reconciler->trial = NULL;
	return sorter_end(reconciler->theirs.sorter, err) == 0 ? 1 : -1;
}

/* --- ours --- */

static bool on_record(void *arg, const struct scan_row *row)
{
	struct reconciler *reconciler = arg;

	reconciler->failed |= add_row(reconciler, &reconciler->ours, row->record, reconciler->ours.rows + 1,
	                              row->time_us, &reconciler->failure) != 0;
	return !reconciler->failed;
}

static void on_ready(void *arg)
{
	struct reconciler *reconciler = arg;

	if (reconciler->on_ready)
		reconciler->on_ready(reconciler->on_ready_arg);
}

static uint64_t bit_of(uint8_t column)
{
	return column == CATALOG_NONE ? 0 : UINT64_C(1) << column;
}

static void make_query(struct reconciler *reconciler)
{
	const struct reconcile_request *request = reconciler->spec.request;
	const struct request_columns *columns = &reconciler->columns;
	bool by_id = request->match == REQUEST_MATCH_ID;
	int64_t margin_us = by_id ? ID_MARGIN_US : request->rules.time_tolerance_us;

	reconciler->query = (struct scan_query){
		.product = request->product,
		.accounts = reconciler->spec.accounts,
		.accounts_count = reconciler->spec.accounts_count,
		.from_us = request->from_us - margin_us,
		.to_us = request->to_us + margin_us,
		.snapshot = store_snapshot(reconciler->spec.store),
		.columns = bit_of(request->product->time_column) | bit_of(columns->id) | bit_of(columns->account) |
		           bit_of(columns->from) | bit_of(columns->to) | bit_of(columns->country) |
		           bit_of(columns->duration) | bit_of(columns->status) | bit_of(columns->price) |
		           bit_of(columns->currency),
	};
	if (request->direction == CATALOG_NO_DIRECTION)
		return;
	if (request->product->partition_direction) {
		reconciler->query.direction = request->direction;
		return;
	}
	reconciler->filter = (struct scan_filter){
		.column = request->product->direction_column,
		.match = SCAN_NOCASE,
		.value = request->direction == CATALOG_OUTBOUND ? STR_LITERAL("outbound") : STR_LITERAL("inbound"),
	};
	reconciler->query.filters = &reconciler->filter;
	reconciler->query.filters_count = 1;
	reconciler->query.columns |= bit_of(reconciler->filter.column);
}

int reconciler_scan_begin(struct reconciler *reconciler, struct error *err)
{
	struct scan_sink sink = { .on_record = on_record, .on_ready = on_ready, .arg = reconciler };

	make_query(reconciler);
	reconciler->scan = scan_start(reconciler->spec.store, &reconciler->query, NULL, &sink, err);
	return reconciler->scan ? 0 : -1;
}

int reconciler_scan(struct reconciler *reconciler, int64_t deadline_us, bool *waits, struct error *err)
{
	struct scan_position position;
	enum scan_end end;

	*waits = false;
	if (scan_step(reconciler->scan, deadline_us, &end, err) != 0)
		return -1;
	if (reconciler->failed)
		return pass_failure(reconciler, -1, err);
	*waits = end == SCAN_WAITS;
	if (end != SCAN_DONE) {
		scan_position(reconciler->scan, &position);
		reconciler->scanned = scan_share(reconciler->spec.store, &reconciler->query, &position);
		return 0;
	}
	scan_cancel(reconciler->scan);
	reconciler->scan = NULL;
	reconciler->scanned = 1;
	return sorter_end(reconciler->ours.sorter, err) == 0 ? 1 : -1;
}
