/* SPDX-License-Identifier: ISC */
/*
 * store_check.c: scans and look-ups against the model. See store_check.h.
 */
#include "store_check.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/clock.h"
#include "expect.h"

#define TURNS_MAX 100000 /* of a loop, until a scan has what it waits for */

static const struct record *record_of(const struct model_record *record)
{
	return &record->committed->record;
}

/* Does a record of the list pass, and is the day still there that the snapshot has it in? */
static bool is_wanted(const struct check *check, const struct model_record *record)
{
	const struct model_place *position = model_place_at(record, check->query.snapshot);

	return model_place_day(position) >= check->model->first_day && model_passes(record, &check->query);
}

/* Goes on to the next record of the list that passes; NULL at its end. */
static const struct model_record *next_wanted(struct check *check)
{
	while (check->at < check->count && !is_wanted(check, check->list[check->at]))
		check->at++;
	return check->at < check->count ? check->list[check->at] : NULL;
}

static void assert_record(const char *about, const struct record *got, const struct record *wanted, uint64_t columns)
{
	const struct catalog_product *product = wanted->product;

	expect(got->product == product, "%s: product %.*s, wanted %.*s", about, STR_ARGS(got->product->name),
	       STR_ARGS(product->name));
	for (uint8_t i = 0; i < product->columns_count; i++) {
		bool needed = columns == 0 || columns >> i & 1;

		if (!needed && !got->values[i].p)
			continue;
		expect(str_equal(got->values[i], wanted->values[i]),
		       "%s: record %.*s: %.*s is \"%.*s\" (%zu bytes), wanted \"%.*s\" (%zu bytes)", about,
		       STR_ARGS(wanted->values[product->id_column]), STR_ARGS(product->columns[i].name),
		       STR_ARGS(got->values[i]), got->values[i].len, STR_ARGS(wanted->values[i]),
		       wanted->values[i].len);
	}
}

/* Where the record stands, and where a scan would resume after it. */
static void assert_place(const struct check *check, const struct model_record *record, int64_t time_us, uint64_t seq)
{
	const struct model_place *position = model_place_at(record, check->query.snapshot);

	expect(time_us == position->time_us && seq == position->seq,
	       "%s: given at %lld, %llu; the record is at %lld, %llu", check->about, (long long)time_us,
	       (unsigned long long)seq, (long long)position->time_us, (unsigned long long)position->seq);
}

static void assert_after(const struct check *check, const struct model_record *record,
                         const struct scan_position *after)
{
	const struct scan_at read = check->engine->at(after), *at = &read;
	const struct model_place *position = model_place_at(record, check->query.snapshot);
	struct account_key account = record_account_key(record_of(record));

	int32_t day = model_place_day(position);

	expect(at->day == day && at->time_us == position->time_us && at->seq == position->seq &&
	               account_key_equal(&check->accounts[at->account], &account),
	       "%s: position day %d, account %u, time %lld, seq %llu; the record is at day %d, %s, %lld, %llu",
	       check->about, at->day, at->account, (long long)at->time_us, (unsigned long long)at->seq, day,
	       account_key_text(&account).text, (long long)position->time_us, (unsigned long long)position->seq);
}

static struct buf line_of(const struct model_record *record, const struct record_view *view)
{
	struct buf line = { 0 };

	record_write_csv(&line, record_of(record), view);
	return line;
}

static bool on_record(void *arg, const struct scan_row *row)
{
	const struct record *got = row->record;
	struct str line = row->line;
	struct check *check = arg;
	const struct model_record *wanted = next_wanted(check);
	uint8_t id = got->product->id_column;

	expect(wanted, "%s: record %.*s given, wanted the end after %zu records", check->about,
	       STR_ARGS(got->values[id]), check->count);
	if (got->values[id].p)
		expect(str_equal(got->values[id], record_of(wanted)->values[id]),
		       "%s: record %.*s given, wanted %.*s, number %zu of %zu", check->about, STR_ARGS(got->values[id]),
		       STR_ARGS(record_of(wanted)->values[id]), check->at, check->count);
	assert_record(check->about, got, record_of(wanted), check->query.columns);
	assert_place(check, wanted, row->time_us, row->seq);
	assert_after(check, wanted, row->after);
	if (check->lines) {
		struct buf own = line_of(wanted, &check->view);

		expect(line.p && str_equal(line, buf_str(&own)), "%s: line %.*s wanted %.*s", check->about,
		       STR_ARGS(line), STR_ARGS(buf_str(&own)));
		buf_free(&own);
	}
	check->at++;
	return ++check->given < check->page;
}

/* --- whole blocks --- */

static char *inflate_raw(const struct check *check, struct str deflate, uint32_t bytes)
{
	z_stream stream = { .next_in = (unsigned char *)(uintptr_t)deflate.p, .avail_in = (unsigned)deflate.len };
	char *text = malloc((size_t)bytes + 1);

	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(inflateInit2(&stream, -15), Z_OK);
	stream.next_out = (unsigned char *)text;
	stream.avail_out = bytes + 1;
	int rc = inflate(&stream, Z_SYNC_FLUSH);
	expect((rc == Z_OK || rc == Z_BUF_ERROR) && stream.avail_in == 0 && stream.total_out == bytes,
	       "%s: inflate gave %d, %lu bytes of %u, %u bytes left", check->about, rc, stream.total_out, bytes,
	       stream.avail_in);
	inflateEnd(&stream);
	return text;
}

static decimal_units amount_of(const struct record *record, const char *column)
{
	struct str text = record_value(record, catalog_column_find(record->product, str_from(column)));
	struct decimal amount;

	return decimal_read_stored(text, &amount) ? amount.units : 0;
}

/* Adds a record to the sums, made when its currency is new; false when it does not fit. */
static bool add_sum(struct scan_span *span, const struct record *record)
{
	struct str currency = record_value(record, catalog_column_find(record->product, STR_LITERAL("currency")));
	size_t at = 0;

	while (at < span->sums_count && !str_is(currency, span->sums[at].currency))
		at++;
	if (at == span->sums_count) {
		if (at == SCAN_CURRENCIES_MAX || currency.len >= sizeof(span->sums[0].currency))
			return false;
		span->sums_count++;
		if (currency.len > 0)
			memcpy(span->sums[at].currency, currency.p, currency.len);
	}
	span->sums[at].rows++;
	span->sums[at].total_price.units += amount_of(record, "total_price");
	span->sums[at].price.units += amount_of(record, "price");
	return true;
}

static void assert_sums(const struct check *check, const struct scan_span *got, const struct scan_span *wanted)
{
	expect(got->sums_count == wanted->sums_count, "%s: %zu currencies, wanted %zu", check->about, got->sums_count,
	       wanted->sums_count);
	for (size_t i = 0; i < wanted->sums_count; i++) {
		const struct scan_sum *left = &got->sums[i], *right = &wanted->sums[i];

		expect(strcmp(left->currency, right->currency) == 0 && left->rows == right->rows &&
		               left->total_price.units == right->total_price.units &&
		               left->price.units == right->price.units,
		       "%s: sum %zu of %s over %llu rows differs from that of %s over %llu", check->about, i,
		       left->currency, (unsigned long long)left->rows, right->currency,
		       (unsigned long long)right->rows);
	}
}

static bool on_span(void *arg, const struct scan_span *span, const struct scan_position *after)
{
	struct check *check = arg;
	struct record_view view = { .direction = check->query.direction };
	struct scan_span own = { .rows = span->rows };
	struct buf lines = { 0 };
	char *text = inflate_raw(check, span->deflate, span->csv_bytes);

	expect(next_wanted(check) && check->count - check->at >= span->rows, "%s: %u rows whole, %zu left",
	       check->about, span->rows, check->count - check->at);
	const struct model_record *first = check->list[check->at], *last = check->list[check->at + span->rows - 1];
	for (uint32_t i = 0; i < span->rows; i++) {
		const struct model_record *record = check->list[check->at + i];
		struct buf line = line_of(record, &view);

		expect(model_passes(record, &check->query), "%s: row %u of a whole block is not wanted", check->about,
		       i);
		expect(add_sum(&own, record_of(record)), "%s: sums of a whole block cannot be", check->about);
		buf_add_str(&lines, buf_str(&line));
		buf_free(&line);
	}
	expect(str_equal(buf_str(&lines), (struct str){ text, span->csv_bytes }),
	       "%s: a whole block of %u rows at %zu of %zu does not hold the lines wanted", check->about, span->rows,
	       check->at, check->count);
	ck_assert_uint_eq(span->csv_crc32, crc32(0, (const unsigned char *)text, span->csv_bytes));
	ck_assert_int_eq(span->first_us, model_place_at(first, check->query.snapshot)->time_us);
	ck_assert_int_eq(span->last_us, model_place_at(last, check->query.snapshot)->time_us);
	assert_sums(check, span, &own);
	assert_after(check, last, after);
	buf_free(&lines);
	free(text);
	check->at += span->rows;
	check->given += span->rows;
	check->spans_given++;
	return check->given < check->page;
}

/* --- lines of many --- */

/* The sum of a record's currency, made when that is new; NULL if it has no price. */
static struct scan_sum *price_sum(struct scan_span *span, const struct record *record)
{
	size_t before = span->sums_count, at = 0;
	struct str currency = record_value(record, catalog_column_find(record->product, STR_LITERAL("currency")));

	if (record_value(record, catalog_column_find(record->product, STR_LITERAL("total_price"))).len == 0)
		return NULL;
	while (at < before && !str_is(currency, span->sums[at].currency))
		at++;
	ck_assert(add_sum(span, record));
	span->sums[at].price.units = 0;
	return &span->sums[at];
}

/* Are they the same as deflate, if they came with it? */
static void assert_deflated(struct check *check, const struct scan_lines *lines, struct str given)
{
	if (lines->deflate.len == 0)
		return;
	ck_assert(check->deflated_lines);
	ck_assert_uint_eq(lines->csv_bytes, given.len);
	char *text = inflate_raw(check, lines->deflate, lines->csv_bytes);
	expect(memcmp(text, given.p, given.len) == 0, "%s: %u lines differ as deflate", check->about, lines->rows);
	ck_assert_uint_eq(lines->csv_crc32, crc32(0, (const Bytef *)text, lines->csv_bytes));
	check->deflated_given += lines->rows;
	free(text);
}

static bool on_lines(void *arg, const struct scan_lines *lines, const struct scan_position *after)
{
	struct check *check = arg;
	struct scan_span got = { .sums_count = lines->sums_count }, own = { 0 };
	struct buf wanted = { 0 }, given = { 0 };
	const struct model_record *record = NULL;

	ck_assert_uint_gt(lines->rows, 0);
	for (uint32_t i = 0; i < lines->rows; i++) {
		record = next_wanted(check);
		expect(record, "%s: %u lines, wanted %u", check->about, lines->rows, i);
		if (i == 0)
			ck_assert_int_eq(lines->first_us, model_place_at(record, check->query.snapshot)->time_us);
		struct buf line = line_of(record, &check->view);
		buf_add_str(&wanted, buf_str(&line));
		buf_free(&line);
		price_sum(&own, record_of(record));
		check->at++;
	}
	for (size_t i = 0; i < lines->pieces_count; i++)
		buf_add_str(&given, lines->pieces[i]);
	expect(str_equal(buf_str(&given), buf_str(&wanted)), "%s: lines %.*s wanted %.*s", check->about,
	       STR_ARGS(buf_str(&given)), STR_ARGS(buf_str(&wanted)));
	assert_deflated(check, lines, buf_str(&given));
	memcpy(got.sums, lines->sums, sizeof(got.sums));
	assert_sums(check, &got, &own);
	ck_assert_int_eq(lines->last_us, model_place_at(record, check->query.snapshot)->time_us);
	assert_after(check, record, after);
	buf_free(&wanted);
	buf_free(&given);
	check->given += lines->rows;
	check->lines_given += lines->rows;
	return check->given < check->page;
}

/* --- scans --- */

void check_begin(struct check *check, const char *about, struct store *store, const struct model *model)
{
	check->about = about;
	if (!check->engine)
		check->engine = &days_test_engine;
	check->store = store;
	check->model = model;
	check->query.accounts = check->accounts;
	check->query.filters = check->filters;
	check->view.direction = check->query.direction;
	check->scan = NULL;
	check->position = (struct scan_position){ 0 };
	check->list = model_list(model, &check->query, &check->count);
	check->at = 0;
}

/* Is the record after the point where the scan resumes? */
static bool is_after(const struct check *check, const struct model_record *record)
{
	const struct scan_at read = check->engine->at(&check->position), *at = &read;
	const struct model_place *position = model_place_at(record, check->query.snapshot);
	struct account_key account = record_account_key(record_of(record));
	uint32_t number = 0;

	while (!account_key_equal(&check->accounts[number], &account))
		number++;
	if (model_place_day(position) != at->day)
		return model_place_day(position) > at->day;
	if (number != at->account)
		return number > at->account;
	if (position->time_us != at->time_us)
		return position->time_us > at->time_us;
	return position->seq > at->seq;
}

/* Passes over what the scan has passed over because it was not wanted at that moment. */
static void pass_unwanted(struct check *check)
{
	while (check->at < check->count && !is_after(check, check->list[check->at])) {
		const struct model_record *record = check->list[check->at++];

		expect(!is_wanted(check, record), "%s: record %.*s was passed over", check->about,
		       STR_ARGS(record_of(record)->values[check->query.product->id_column]));
	}
}

static uint64_t newest_of_days(const struct store *store)
{
	return store->last_seq;
}

const struct test_engine days_test_engine = {
	.ops = &store_days_engine,
	.newest = newest_of_days,
	.at = scan_at_read,
};

/* A step, and more of them until there is something. The sink's on_ready sets *ready. */
static int step(const struct test_engine *engine, struct store *store, struct scan *scan, bool *ready,
                int64_t deadline_us, enum scan_end *end, struct error *err)
{
	int rc = scan_step(scan, deadline_us, end, err);

	while (rc == 0 && *end == SCAN_WAITS) {
		expect(engine->turn, "a scan waits, of an engine that always has an answer");
		*ready = false;
		for (int left = TURNS_MAX; !*ready; left--) {
			expect(left > 0, "a scan that waits was not told that something has come");
			engine->turn(store);
		}
		rc = scan_step(scan, deadline_us, end, err);
	}
	return rc;
}

static void on_ready(void *arg)
{
	struct check *check = arg;

	check->ready = true;
}

bool check_page(struct check *check, size_t rows, bool pause)
{
	struct scan_sink sink = {
		.on_record = on_record, .lines = check->lines ? &check->view : NULL, .on_ready = on_ready, .arg = check
	};
	struct error err = { 0 };
	struct scan_position before = check->position;

	check->given = 0;
	check->page = rows;
	if (check->spans)
		sink.on_span = on_span;
	if (check->lines && check->many_lines)
		sink.on_lines = on_lines;
	sink.deflated_lines = check->deflated_lines;
	if (!check->scan)
		check->scan = scan_start(check->store, &check->query, &check->position, &sink, &err);
	int rc = check->scan ? step(check->engine, check->store, check->scan, &check->ready, pause ? 0 : INT64_MAX,
	                            &check->end, &err) :
	                       -1;
	expect(rc == 0, "%s: scan: %s", check->about, err.message);
	scan_position(check->scan, &check->position);
	if (rows % 2)
		check_forget(check);
	if (check->end == SCAN_DONE) {
		const struct model_record *missing = next_wanted(check);

		expect(!missing, "%s: the scan is done, but record %.*s, number %zu of %zu, was not given",
		       check->about,
		       STR_ARGS(record_of(missing)->values[missing->committed->record.product->id_column]), check->at,
		       check->count);
		return true;
	}
	expect(check->end == SCAN_PAUSED || check->given >= check->page, "%s: stopped after %zu records of %zu",
	       check->about, check->given, check->page);
	expect(check->end == SCAN_STOPPED || pause, "%s: paused before its deadline", check->about);
	expect(memcmp(&before, &check->position, sizeof(before)) != 0, "%s: a slice passed nothing", check->about);
	pass_unwanted(check);
	return false;
}

void check_count(struct check *check, bool pause)
{
	struct aggregate_query query = { .scan = check->query, .on_ready = on_ready, .arg = check };
	struct error err = { 0 };
	struct aggregate *aggregate = aggregate_start(check->store, &query, &err);
	struct aggregate_counts counts;
	enum scan_end end = SCAN_PAUSED;
	uint64_t wanted = 0;

	while (end != SCAN_DONE) {
		if (end == SCAN_WAITS)
			check->engine->turn(check->store);
		expect(aggregate_step(aggregate, pause ? 0 : INT64_MAX, &end, &err) == 0, "%s: count: %s", check->about,
		       err.message);
	}
	aggregate_counts(aggregate, &counts);
	aggregate_cancel(aggregate);
	for (size_t i = 0; i < check->count; i++)
		wanted += is_wanted(check, check->list[i]);
	expect(counts.rows == wanted, "%s: %llu records counted, wanted %llu", check->about,
	       (unsigned long long)counts.rows, (unsigned long long)wanted);
}

void check_forget(struct check *check)
{
	scan_cancel(check->scan);
	check->scan = NULL;
}

void check_end(struct check *check)
{
	check_forget(check);
	free(check->list);
	check->list = NULL;
	for (size_t i = 0; i < check->query.filters_count; i++) {
		free(check->filter_values[i]);
		check->filter_values[i] = NULL;
	}
}

/* --- look-ups --- */

struct found {
	const char *about;
	const struct model_record **list;
	size_t count;
	size_t at;
	bool ready;
};

static void on_found_ready(void *arg)
{
	struct found *found = arg;

	found->ready = true;
}

static bool on_found(void *arg, const struct scan_row *row)
{
	struct found *found = arg;

	expect(found->at < found->count, "%s: look-up gives more than %zu records", found->about, found->count);
	const struct model_record *wanted = found->list[found->at++];
	assert_record(found->about, row->record, record_of(wanted), 0);
	int32_t day = clock_day_of(wanted->committed->time_us);
	expect(clock_day_of(row->time_us) == day, "%s: look-up says day %d, wanted %d", found->about,
	       clock_day_of(row->time_us), day);
	return true;
}

size_t check_find(const char *about, const struct test_engine *engine, struct store *store, const struct model *model,
                  const struct catalog_product *product, const struct account_key *account,
                  enum catalog_direction direction, struct str id, size_t max)
{
	struct found found = { .about = about };
	struct error err = { 0 };
	struct scan_find find = { product, account, direction, id, 0, INT32_MIN, max };
	struct scan_sink sink = { .on_record = on_found, .on_ready = on_found_ready, .arg = &found };
	struct scan *scan = scan_start_find(store, &find, &sink, &err);
	enum scan_end end = SCAN_PAUSED;

	found.list = model_find(model, product, account, direction, id, &found.count);
	size_t wanted = found.count < max ? found.count : max;
	while (end == SCAN_PAUSED)
		expect(step(engine, store, scan, &found.ready, max % 2 ? 0 : INT64_MAX, &end, &err) == 0,
		       "%s: look-up of %.*s: %s", about, STR_ARGS(id), err.message);
	scan_cancel(scan);
	expect(end == SCAN_DONE && found.at == wanted,
	       "%s: look-up of %.*s, %.*s, account %s, direction %d: %zu records, wanted %zu", about, STR_ARGS(id),
	       STR_ARGS(product->name), account_key_text(account).text, direction, found.at, wanted);
	free(found.list);
	return found.at;
}
