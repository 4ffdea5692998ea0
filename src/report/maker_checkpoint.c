/* SPDX-License-Identifier: ISC */
/*
 * maker_checkpoint.c: a maker's state as bytes for the job's row.
 *
 *	[version, 4 words of a position, rows only, chunk rows, file bytes, content bytes, content crc, file sha256,
 *	 rows, first, last, sums count, (currency, total_price, rows)..., rows in no sum,
 *	 groups, bytes of their directories]                            of Parquet alone
 */
#include "report/maker_private.h"

#include "lmdb/value.h"

#define VERSION 1
#define FIXED_ELEMENTS 15
#define SUM_ELEMENTS 3
#define GROUPS_ELEMENTS 2

static void put_decimal(struct value_writer *w, struct decimal number)
{
	struct buf text = { 0 };

	decimal_format(&text, number);
	value_put_str(w, buf_str(&text));
	buf_free(&text);
}

static void put_position(struct value_writer *w, const struct scan_position *position)
{
	for (size_t i = 0; i < SCAN_POSITION_WORDS; i++)
		value_put_int(w, (int64_t)position->words[i]);
}

static void put_totals(struct value_writer *w, const struct maker_totals *totals)
{
	value_put_int(w, (int64_t)totals->rows);
	value_put_int(w, totals->first_us);
	value_put_int(w, totals->last_us);
	value_put_int(w, (int64_t)totals->sums_count);
	for (size_t i = 0; i < totals->sums_count; i++) {
		value_put_bytes(w, str_from(totals->sums[i].currency));
		put_decimal(w, totals->sums[i].total_price);
		value_put_int(w, (int64_t)totals->sums[i].rows);
	}
	value_put_int(w, (int64_t)totals->unsummed);
}

void maker_checkpoint_write(struct buf *out, const struct maker_state *state,
                            const uint8_t sha256[ARCHIVE_SHA256_BYTES])
{
	struct value_writer w;

	value_begin(&w, out, VERSION,
	            FIXED_ELEMENTS + SUM_ELEMENTS * state->totals.sums_count +
	                    (state->groups.count > 0 ? GROUPS_ELEMENTS : 0));
	put_position(&w, &state->position);
	value_put_int(&w, state->rows_only);
	value_put_int(&w, (int64_t)state->chunk_rows);
	value_put_int(&w, (int64_t)state->archive.bytes);
	value_put_int(&w, (int64_t)state->archive.content_bytes);
	value_put_int(&w, state->archive.content_crc32);
	value_put_bytes(&w, (struct str){ (const char *)sha256, ARCHIVE_SHA256_BYTES });
	put_totals(&w, &state->totals);
	if (state->groups.count > 0) {
		value_put_int(&w, (int64_t)state->groups.count);
		value_put_int(&w, (int64_t)state->groups.directory_bytes);
	}
}

static uint64_t read_count(struct value_reader *r)
{
	return (uint64_t)value_int(r, 0, INT64_MAX);
}

static void read_position(struct value_reader *r, struct scan_position *position)
{
	for (size_t i = 0; i < SCAN_POSITION_WORDS; i++)
		position->words[i] = (uint64_t)value_int(r, INT64_MIN, INT64_MAX);
}

static void read_sum(struct value_reader *r, struct maker_sum *sum)
{
	struct str currency = value_str(r, 0, sizeof(sum->currency) - 1);

	memcpy(sum->currency, currency.p, currency.len);
	if (!decimal_parse_sum(value_str(r, 1, 64), &sum->total_price))
		r->bad = true;
	sum->rows = read_count(r);
}

static void read_totals(struct value_reader *r, struct maker_totals *totals)
{
	totals->rows = read_count(r);
	totals->first_us = value_int(r, INT64_MIN, INT64_MAX);
	totals->last_us = value_int(r, INT64_MIN, INT64_MAX);
	totals->sums_count = (size_t)value_int(r, 0, MAKER_CURRENCIES_MAX);
	for (size_t i = 0; i < totals->sums_count; i++)
		read_sum(r, &totals->sums[i]);
	if (r->left > 0) /* older ones end here */
		totals->unsummed = read_count(r);
}

int maker_checkpoint_read(struct str checkpoint, struct maker_state *state, uint8_t sha256[ARCHIVE_SHA256_BYTES],
                          struct error *err)
{
	struct value_reader r;
	struct str hash;

	*state = (struct maker_state){ .rows_only = false };
	value_open(&r, checkpoint, VERSION);
	read_position(&r, &state->position);
	state->rows_only = value_int(&r, 0, 1) != 0;
	state->chunk_rows = read_count(&r);
	state->archive.bytes = read_count(&r);
	state->archive.content_bytes = read_count(&r);
	state->archive.content_crc32 = (uint32_t)value_int(&r, 0, UINT32_MAX);
	hash = value_str(&r, ARCHIVE_SHA256_BYTES, ARCHIVE_SHA256_BYTES);
	memcpy(sha256, hash.p, hash.len);
	read_totals(&r, &state->totals);
	if (r.left > 0) {
		state->groups.count = read_count(&r);
		state->groups.directory_bytes = read_count(&r);
	}
	if (!value_close(&r))
		return error_set(err, ERROR_CORRUPT, "A report's checkpoint is damaged or of another version");
	return 0;
}
