/* SPDX-License-Identifier: ISC */
/*
 * row.c: a job as it is stored. Layout version 1, a flat array:
 *
 *	[1, state, account, creator, received, started, ended, from, to, snapshot, max_rows, max_bytes,
 *	 file_id, has_file, rows, bytes, share (millionths), first, last, sha256, reason, base_url, key, checkpoint,
 *	 params, name, value, ...  sums, currency, total, rows, ...
 *	 callback: attempts, last, next, status, delivered, error,     left out by builds that did not keep these
 *	 remade, unsummed,                                             likewise
 *	 account, creator: the numbers of their keys]                  left out where both are 0
 */
#include "report/table.h"

#include <string.h>

#include "base/invariant.h"
#include "lmdb/value.h"
#include "query/params_value.h"

#define ROW_VERSION 1
#define ROW_COUNT 24 /* elements without params and those of the sums, and without the version */
#define SUM_COUNT 3
#define CALLBACK_COUNT 6
#define REMADE_COUNT 1
#define UNSUMMED_COUNT 1
#define NUMBERS_COUNT 2
#define DELIVERY_COUNT 6
#define MILLION 1000000

static void write_sums(struct value_writer *w, const struct report *report)
{
	value_put_int(w, (int64_t)report->sums_count);
	for (size_t i = 0; i < report->sums_count; i++) {
		const struct maker_sum *sum = &report->sums[i];
		struct buf total = { 0 };

		decimal_format(&total, sum->total_price);
		value_put_bytes(w, str_from(sum->currency));
		value_put_str(w, buf_str(&total));
		value_put_int(w, (int64_t)sum->rows);
		buf_free(&total);
	}
}

static void write_callback(struct value_writer *w, const struct report_callback *callback)
{
	value_put_int(w, callback->attempts);
	value_put_int(w, callback->last_us);
	value_put_int(w, callback->next_us);
	value_put_int(w, callback->status);
	value_put_int(w, callback->delivered);
	value_put_bytes(w, buf_str(&callback->error));
}

void report_row_write(struct buf *out, const struct report *report)
{
	struct value_writer w;
	uint64_t account = account_key_number(&report->account_key), creator = account_key_number(&report->creator_key);
	bool has_delivery = query_params_get(&report->params, "destination").len > 0;
	bool has_numbers = has_delivery || account != 0 || creator != 0;

	INVARIANT(report_state_ended(report->state) == (report->ended_us != 0));
	INVARIANT(!report->has_file || report->state == REPORT_SUCCESS || report->state == REPORT_TRUNCATED);
	value_begin(&w, out, ROW_VERSION,
	            ROW_COUNT + query_params_elements(&report->params) + report->sums_count * SUM_COUNT +
	                    CALLBACK_COUNT + REMADE_COUNT + UNSUMMED_COUNT + (has_numbers ? NUMBERS_COUNT : 0) +
	                    (has_delivery ? DELIVERY_COUNT : 0));
	value_put_int(&w, report->state);
	value_put_str(&w, str_from(report->account));
	value_put_str(&w, str_from(report->creator));
	value_put_int(&w, report->received_us);
	value_put_int(&w, report->started_us);
	value_put_int(&w, report->ended_us);
	value_put_int(&w, report->from_us);
	value_put_int(&w, report->to_us);
	value_put_int(&w, (int64_t)report->snapshot);
	value_put_int(&w, (int64_t)report->max_rows);
	value_put_int(&w, (int64_t)report->max_bytes);
	value_put_str(&w, str_from(report->file_id));
	value_put_int(&w, report->has_file);
	value_put_int(&w, (int64_t)report->rows);
	value_put_int(&w, (int64_t)report->bytes);
	value_put_int(&w, (int64_t)(report->share * MILLION));
	value_put_int(&w, report->first_us);
	value_put_int(&w, report->last_us);
	value_put_str(&w, str_from(report->sha256));
	value_put_bytes(&w, buf_str(&report->reason));
	value_put_bytes(&w, buf_str(&report->base_url));
	value_put_bytes(&w, buf_str(&report->key));
	value_put_bytes(&w, buf_str(&report->checkpoint));
	query_params_put(&w, &report->params);
	write_sums(&w, report);
	write_callback(&w, &report->callback);
	value_put_int(&w, report->remade);
	value_put_int(&w, (int64_t)report->unsummed);
	if (has_numbers) {
		value_put_int(&w, (int64_t)account);
		value_put_int(&w, (int64_t)creator);
	}
	if (has_delivery)
		write_callback(&w, &report->delivery);
}

static void read_buf(struct value_reader *r, struct buf *out)
{
	buf_add_str(out, value_str(r, 0, SIZE_MAX));
}

static void read_sums(struct value_reader *r, struct report *report)
{
	int64_t count = value_int(r, 0, MAKER_CURRENCIES_MAX);

	for (int64_t i = 0; i < count && !r->bad; i++) {
		struct maker_sum *sum = &report->sums[i];

		value_text(r, sum->currency, 0, sizeof(sum->currency) - 1);
		if (!decimal_parse_sum(value_str(r, 1, SIZE_MAX), &sum->total_price))
			r->bad = true;
		sum->rows = (uint64_t)value_int(r, 0, INT64_MAX);
		report->sums_count++;
	}
}

static void read_callback(struct value_reader *r, struct report_callback *callback)
{
	callback->attempts = value_int(r, 0, INT64_MAX);
	callback->last_us = value_int(r, INT64_MIN, INT64_MAX);
	callback->next_us = value_int(r, INT64_MIN, INT64_MAX);
	callback->status = value_int(r, 0, INT32_MAX);
	callback->delivered = value_int(r, 0, 1) != 0;
	read_buf(r, &callback->error);
}

static void read_fixed(struct value_reader *r, struct report *report)
{
	report->state = (enum report_state)value_int(r, 0, REPORT_STATES - 1);
	value_text(r, report->account, 1, ACCOUNT_ID_MAX);
	value_text(r, report->creator, 1, ACCOUNT_ID_MAX);
	report->received_us = value_int(r, INT64_MIN, INT64_MAX);
	report->started_us = value_int(r, INT64_MIN, INT64_MAX);
	report->ended_us = value_int(r, INT64_MIN, INT64_MAX);
	report->from_us = value_int(r, INT64_MIN, INT64_MAX);
	report->to_us = value_int(r, INT64_MIN, INT64_MAX);
	report->snapshot = (uint64_t)value_int(r, 0, INT64_MAX);
	report->max_rows = (uint64_t)value_int(r, 0, INT64_MAX);
	report->max_bytes = (uint64_t)value_int(r, 0, INT64_MAX);
	value_text(r, report->file_id, ID_UUID_LEN, ID_UUID_LEN);
	report->has_file = value_int(r, 0, 1) != 0;
	report->rows = (uint64_t)value_int(r, 0, INT64_MAX);
	report->bytes = (uint64_t)value_int(r, 0, INT64_MAX);
	report->share = (double)value_int(r, 0, MILLION) / MILLION;
	report->first_us = value_int(r, INT64_MIN, INT64_MAX);
	report->last_us = value_int(r, INT64_MIN, INT64_MAX);
	value_text(r, report->sha256, 0, MAKER_SHA256_LEN);
	read_buf(r, &report->reason);
	read_buf(r, &report->base_url);
	read_buf(r, &report->key);
	read_buf(r, &report->checkpoint);
}

static void read_keys(struct value_reader *r, struct report *report)
{
	uint64_t account = 0, creator = 0;

	if (r->left > 0) {
		account = (uint64_t)value_int(r, 0, (int64_t)ACCOUNT_KEY_NUMBER_MAX);
		creator = (uint64_t)value_int(r, 0, (int64_t)ACCOUNT_KEY_NUMBER_MAX);
	}
	report->account_key = account_key_of(str_from(report->account), account);
	report->creator_key = account_key_of(str_from(report->creator), creator);
}

static bool out_of_memory(const struct report *report)
{
	return report->callback.error.failed || report->delivery.error.failed || report->reason.failed ||
	       report->base_url.failed || report->key.failed || report->checkpoint.failed;
}

int report_row_read(struct report *report, struct str id, struct str bytes, struct error *err)
{
	struct value_reader r;
	int result = 0;

	memset(report, 0, sizeof(*report));
	if (id.len != ID_UUID_LEN)
		return error_set(err, ERROR_CORRUPT, "a report's key: %zu bytes, must be %d", id.len, ID_UUID_LEN);
	memcpy(report->id, id.p, id.len);
	value_open(&r, bytes, ROW_VERSION);
	read_fixed(&r, report);
	result = query_params_read(&r, &report->params, err);
	read_sums(&r, report);
	if (r.left > 0)
		read_callback(&r, &report->callback);
	if (r.left > 0)
		report->remade = value_int(&r, 0, 1) != 0;
	if (r.left > 0)
		report->unsummed = (uint64_t)value_int(&r, 0, INT64_MAX);
	read_keys(&r, report);
	if (r.left > 0)
		read_callback(&r, &report->delivery);
	bool is_whole = value_close(&r);
	if (out_of_memory(report) || (result < 0 && err->code == ERROR_NOMEM))
		result = error_set(err, ERROR_NOMEM, "report %s: out of memory", report->id);
	else if (!is_whole || result < 0) /* what follows a parameter that there was no memory for says nothing */
		result = error_set(err, value_error(&r), "report %s: its stored value cannot be read", report->id);
	if (result < 0)
		report_free(report);
	return result;
}

void report_free(struct report *report)
{
	buf_free(&report->callback.error);
	buf_free(&report->delivery.error);
	buf_free(&report->reason);
	buf_free(&report->base_url);
	buf_free(&report->key);
	buf_free(&report->checkpoint);
	query_params_free(&report->params);
}
