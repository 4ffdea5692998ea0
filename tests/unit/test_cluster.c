/* SPDX-License-Identifier: ISC */
/*
 * test_cluster.c: rows of a cluster's tables, out and in, and what a scan shows of them; what is on its way when all is lost;
 * data directories of the other engine.
 */
#include <arpa/inet.h>
#include <check.h>
#include <endian.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/id.h"
#include "meta/change.h"
#include "store/cluster.h"
#include "store/cluster/cluster_chunk.h"
#include "store/cluster/cluster_sql.h"
#include "store/engine.h"
#include "expect.h"
#include "store_fixture.h"

static struct buf rows, scratch;
static struct cluster_reader reader;

static void tear_down(void)
{
	buf_free(&rows);
	buf_free(&scratch);
	cluster_reader_free(&reader);
	reader = (struct cluster_reader){ .arena = { 0 } };
}

static const struct catalog_product *sms(void)
{
	return catalog_product_find(STR_LITERAL("SMS"));
}

static void set(struct record *record, const char *column, const char *value)
{
	uint8_t at = catalog_column_find(record->product, str_from(column));

	ck_assert_uint_ne(at, CATALOG_NONE);
	record->values[at] = str_from(value);
}

static void make_record(struct record *record, const char *direction, const char *id)
{
	record_clear(record, sms());
	set(record, "account_id", "abcd1234");
	set(record, "direction", direction);
	set(record, "message_id", id);
	set(record, "id", id);
	set(record, "from", "say \"hello\", or\nnot");
	set(record, "to", "447700900100");
	set(record, "status", "delivered");
	set(record, "date_received", "2026-11-23T12:00:00.000Z");
}

static struct cluster_row place(uint64_t version, uint64_t first, int64_t time_us, const char *id)
{
	return (struct cluster_row){ .account = 17,
		                     .direction = CATALOG_OUTBOUND,
		                     .day = 20780,
		                     .time_us = time_us,
		                     .id = str_from(id),
		                     .version = version,
		                     .first = first };
}

static struct str take_text(struct str *text)
{
	size_t len = 0;

	for (unsigned shift = 0;; shift += 7) {
		unsigned char byte = (unsigned char)*text->p;

		*text = (struct str){ text->p + 1, text->len - 1 };
		len |= (size_t)(byte & 127) << shift;
		if (byte < 128)
			break;
	}
	struct str value = { text->p, len };
	ck_assert_uint_le(len, text->len);
	*text = (struct str){ text->p + len, text->len - len };
	return value;
}

/* The columns of CLUSTER_ROW_COLUMNS, of one row as it is inserted. */
static void select_row(struct buf *out, struct str row)
{
	struct str at = { row.p + 19, row.len - 19 };
	uint64_t values = schema_value_columns(sms());
	uint8_t amounts[SCHEMA_AMOUNTS_MAX];
	size_t numbers = 16 * schema_amounts(sms(), amounts) + 2;

	(void)take_text(&at);
	size_t past = 18 + 8 * (size_t)(unsigned char)at.p[17];
	at = (struct str){ at.p + past, at.len - past };
	buf_add(out, row.p, (size_t)(at.p - row.p));
	at = (struct str){ at.p + 8 * sms()->lookup_count, at.len - 8 * sms()->lookup_count };
	for (uint8_t i = 0; i < sms()->columns_count; i++)
		if (values >> i & 1)
			(void)take_text(&at);
	at = (struct str){ at.p + numbers, at.len - numbers };
	buf_add_str(out, at);
	for (int i = 0; i < 3; i++)
		(void)take_text(&at);
	ck_assert_uint_eq(at.len, 0);
}

static void add_row(const struct record *record, const struct cluster_row *row)
{
	struct buf written = { 0 };

	cluster_row_write(&written, record, row, &scratch);
	ck_assert(!written.failed);
	select_row(&rows, buf_str(&written));
	buf_free(&written);
}

static void check_same(const struct record *record, enum catalog_direction direction)
{
	struct cluster_row row = place(9, 7, 5, "ID"), read;
	struct record back;
	struct error err;

	row.direction = (uint8_t)direction;
	buf_clear(&rows);
	add_row(record, &row);
	struct str text = buf_str(&rows);
	ck_assert(cluster_row_read(&text, &read));
	ck_assert_uint_eq(text.len, 0);
	ck_assert_uint_eq(read.account, 17);
	ck_assert_uint_eq(read.direction, direction);
	ck_assert_int_eq(read.day, 20780);
	ck_assert_int_eq(read.time_us, 5);
	ck_assert_uint_eq(read.version, 9);
	ck_assert_uint_eq(read.first, 7);
	ck_assert_msg(cluster_row_record(&reader, &read, sms(), &back, &err) == 0, "%s", err.message);
	ck_assert(record_equal(record, &back));
}

START_TEST(record_comes_back_as_it_was)
{
	static char longs[20001];
	struct record record;

	make_record(&record, "outbound", "17");
	check_same(&record, CATALOG_OUTBOUND);
	set(&record, "message_body", "a \"message\"\n");
	set(&record, "concatenated", "TRUE");
	check_same(&record, CATALOG_OUTBOUND);
	memset(longs, 'x', sizeof(longs) - 1);
	set(&record, "message_body", longs);
	longs[200] = '"';
	set(&record, "client_ref", longs + 19801);
	check_same(&record, CATALOG_OUTBOUND);
	make_record(&record, "inbound", "17");
	check_same(&record, CATALOG_INBOUND);
	set(&record, "client_ref", "that inbound lines do not have");
	check_same(&record, CATALOG_INBOUND);
}
END_TEST

START_TEST(line_is_that_of_reports)
{
	const struct record_view view = { .direction = CATALOG_OUTBOUND };
	struct cluster_row row = place(1, 1, 5, "17"), read;
	struct record record;
	struct buf line = { 0 };

	make_record(&record, "outbound", "17");
	add_row(&record, &row);
	struct str text = buf_str(&rows);
	ck_assert(cluster_row_read(&text, &read));
	(void)record_write_csv(&line, &record, &view);
	ck_assert(str_equal(read.line, buf_str(&line)));
	ck_assert_uint_eq(read.rest.len + read.body.len, 0);
	buf_free(&line);
}
END_TEST

START_TEST(uuid_is_kept_in_lower_case)
{
	struct cluster_row row = place(1, 1, 5, "AAAAAAAA-0000-4000-8000-00000000000B"), read;
	struct record record;

	make_record(&record, "outbound", "x");
	add_row(&record, &row);
	struct str text = buf_str(&rows);
	ck_assert(cluster_row_read(&text, &read));
	ck_assert(str_is(read.id, "aaaaaaaa-0000-4000-8000-00000000000b"));
}
END_TEST

START_TEST(row_that_is_cut_is_none)
{
	struct cluster_row row = place(1, 1, 5, "17"), read;
	struct record record;

	make_record(&record, "outbound", "17");
	add_row(&record, &row);
	for (size_t len = 0; len < rows.len; len++) {
		struct str text = { rows.data, len };

		ck_assert(!cluster_row_read(&text, &read));
	}
}
END_TEST

/* What a scan at the snapshot shows: the versions. */
static void check_shown(uint64_t snapshot, const uint64_t *versions, size_t count)
{
	struct cluster_chunk_rows shown = { .text = { 0 } };
	struct buf answer = { 0 };
	struct error err;

	buf_add_str(&answer, buf_str(&rows));
	ck_assert_msg(cluster_chunk_take(&shown, &answer, snapshot, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(shown.count, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(shown.list[i].version, versions[i]);
	cluster_chunk_rows_free(&shown);
}

START_TEST(newest_of_a_key_is_shown_and_what_came_later_is_not)
{
	struct record record;
	struct cluster_row list[] = { place(9, 3, 5, "a"), place(3, 3, 5, "a"), place(4, 4, 5, "b"),
		                      place(8, 2, 5, "c"), place(2, 2, 5, "c"), place(7, 7, 6, "d"),
		                      place(6, 6, 6, "e") };

	list[3].is_dead = true; /* left at the change 8 */
	make_record(&record, "outbound", "x");
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		add_row(&record, &list[i]);
		buf_add_char(&rows, 1);
	}
	check_shown(10, (const uint64_t[]){ 9, 4, 6, 7 }, 4);
	check_shown(7, (const uint64_t[]){ 8, 9, 4, 6, 7 }, 5);
	check_shown(3, (const uint64_t[]){ 8, 9 }, 2);
	check_shown(1, NULL, 0);
}
END_TEST

/* A snapshot of before it went has it where it was, under the number that it had there. */
START_TEST(record_that_has_come_back_is_shown_to_who_knew_it_there)
{
	const uint64_t numbers[] = { htole64(3), htole64(5), htole64(8), htole64(9) };
	struct cluster_row row = place(20, 15, 5, "a");
	struct record record;

	row.past = (struct str){ (const char *)numbers, sizeof(numbers) };
	make_record(&record, "outbound", "x");
	add_row(&record, &row);
	buf_add_char(&rows, 1);
	for (uint64_t snapshot = 1; snapshot < 30; snapshot++) {
		uint64_t first = snapshot >= 15 ? 15 : snapshot == 8 ? 8 : snapshot == 3 || snapshot == 4 ? 3 : 0;
		struct cluster_chunk_rows shown = { .text = { 0 } };
		struct buf answer = { 0 };
		struct error err;

		buf_add_str(&answer, buf_str(&rows));
		ck_assert_int_eq(cluster_chunk_take(&shown, &answer, snapshot, &err), 0);
		ck_assert_uint_eq(shown.count, first > 0);
		if (first > 0)
			ck_assert_uint_eq(shown.list[0].first, first);
		cluster_chunk_rows_free(&shown);
	}
}
END_TEST

/* The newest row of a key decides, whatever older ones are. */
START_TEST(row_that_does_not_pass_hides_those_that_do)
{
	struct record record;
	struct cluster_row list[] = { place(9, 3, 5, "a"), place(3, 3, 5, "a"), place(4, 4, 5, "b"),
		                      place(2, 2, 5, "b") };
	const bool passes[] = { false, true, true, false };

	make_record(&record, "outbound", "x");
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		add_row(&record, &list[i]);
		buf_add_char(&rows, passes[i]);
	}
	check_shown(10, (const uint64_t[]){ 4 }, 1);
}
END_TEST

/* Units of a number, of which 64 bits are enough here, so many bytes before the texts of a row. */
static int64_t units_before(struct str row, size_t bytes)
{
	uint64_t low, high;

	memcpy(&low, row.p + row.len - bytes, 8);
	memcpy(&high, row.p + row.len - bytes + 8, 8);
	ck_assert_int_eq((int64_t)le64toh(high), (int64_t)le64toh(low) < 0 ? -1 : 0);
	return (int64_t)le64toh(low);
}

static void check_amounts(const char *total_price, const char *price, int64_t total, int64_t each, bool is_unpriced,
                          bool is_unreadable)
{
	const struct cluster_row row = place(1, 1, 5, "17");
	struct record record;
	struct buf line = { 0 };
	const struct record_view view = { .direction = CATALOG_OUTBOUND };

	record_clear(&record, catalog_product_find(STR_LITERAL("VOICE-CALL")));
	set(&record, "account_id", "abcd1234");
	set(&record, "from",
	    "a text that makes the line longer than 127 bytes, which takes two for its length, 447700900100");
	set(&record, "total_price", total_price);
	set(&record, "price", price);
	set(&record, "duration", "12");
	(void)record_write_csv(&line, &record, &view);
	ck_assert_uint_ge(line.len, 128);
	buf_clear(&rows);
	cluster_row_write(&rows, &record, &row, &scratch);
	struct str start = { rows.data, rows.len - line.len - 4 }; /* `rest` and `body` are a byte each */
	ck_assert_int_eq(start.p[start.len - 1], is_unreadable);
	ck_assert_int_eq(start.p[start.len - 2], is_unpriced);
	ck_assert_int_eq(units_before(start, 2 + 16), each);
	ck_assert_int_eq(units_before(start, 2 + 32), total);
	ck_assert_int_eq(units_before(start, 2 + 48), INT64_C(12000000000000));
	buf_free(&line);
}

START_TEST(amounts_are_numbers_of_the_row)
{
	check_amounts("1.5", "0.000000000001", INT64_C(1500000000000), 1, false, false);
	check_amounts("", "-2e-3", 0, -INT64_C(2000000000), true, false);
	check_amounts("a lot", "3", 0, INT64_C(3000000000000), false, true);
}
END_TEST

START_TEST(answer_that_is_cut_is_an_error)
{
	struct cluster_chunk_rows shown = { .text = { 0 } };
	struct cluster_row row = place(1, 1, 5, "17");
	struct record record;
	struct error err;

	make_record(&record, "outbound", "17");
	add_row(&record, &row);
	ck_assert_int_ne(cluster_chunk_take(&shown, &rows, 10, &err), 0);
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
	cluster_chunk_rows_free(&shown);
}
END_TEST

/* --- the engine, with a server that takes connections and never answers --- */

static struct fixture fixture;
static struct store_cluster options;
static char hosts[32];
static int listener = -1;
static int puts_ended, commits_ended;
static enum error_code ended_with;

static void start_engine(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(listener, 16), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	snprintf(hosts, sizeof(hosts), "127.0.0.1:%d", ntohs(address.sin_port));
	options = (struct store_cluster){ .base = event_base_new(),
		                          .hosts = hosts,
		                          .user = "",
		                          .password = "",
		                          .database = "cdrd",
		                          .ca_file = "",
		                          .patience_us = 60 * CLOCK_US_PER_SECOND };
	fixture_directory(fixture.dir, sizeof(fixture.dir));
	fixture.options = (struct store_options){ .data_dir = fixture.dir,
		                                  .day_map_bytes = FIXTURE_MAP_BYTES,
		                                  .days_open_max = 8,
		                                  .engine = &store_cluster_engine,
		                                  .cluster = &options };
	fixture_start(&fixture);
	fixture.store->cluster->is_ready = true;
	puts_ended = commits_ended = 0;
}

static void stop_engine(void)
{
	fixture_close(&fixture);
	event_base_free(options.base);
	close(listener);
}

static void on_put(void *arg, enum store_put_result result, const struct error *err)
{
	(void)arg;
	(void)result;
	puts_ended++;
	ended_with = err ? err->code : ERROR_NONE;
}

static void on_commit(void *arg, const struct error *err)
{
	(void)arg;
	commits_ended++;
	ended_with = err ? err->code : ERROR_NONE;
}

static void turn(void)
{
	for (int i = 0; i < 20; i++) {
		event_base_loop(options.base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

START_TEST(commit_that_looks_up_ends_when_all_is_lost)
{
	struct cluster *cluster = fixture.store->cluster;
	const struct account_key account = { { 1 } };
	struct record record;

	make_record(&record, "outbound", "17");
	record_set_account_key(&record, &account);
	for (int i = 1; i <= 2; i++) {
		store_put_begin(fixture.store, &record, 1763899200000000, NULL, on_put, NULL);
		store_commit_begin(fixture.store, on_commit, NULL);
		turn();
		ck_assert_ptr_nonnull(cluster->lookups);
		ck_assert_int_eq(commits_ended, i - 1);
		store_cluster_engine.abort(fixture.store);
		ck_assert_int_eq(puts_ended, i);
		ck_assert_int_eq(commits_ended, i);
		ck_assert_int_eq(ended_with, ERROR_UNAVAILABLE);
		ck_assert_ptr_null(cluster->lookups);
		turn();
	}
}
END_TEST

/* The insert reads the rows. */
START_TEST(commit_that_inserts_ends_when_all_is_lost)
{
	struct cluster *cluster = fixture.store->cluster;
	struct cluster_chunk *chunk = calloc(1, sizeof(*chunk));

	chunk->product = sms();
	buf_add_text(&chunk->rows, "rows");
	TAILQ_INSERT_TAIL(&cluster->chunks, chunk, link);
	store_commit_begin(fixture.store, on_commit, NULL);
	turn();
	ck_assert_ptr_nonnull(cluster->insert);
	store_cluster_engine.abort(fixture.store);
	ck_assert_int_eq(commits_ended, 1);
	ck_assert_int_eq(ended_with, ERROR_UNAVAILABLE);
	ck_assert_ptr_null(cluster->insert);
	ck_assert(TAILQ_EMPTY(&cluster->chunks));
	turn();
}
END_TEST

static void start_with(uint64_t newest, uint64_t last)
{
	struct error err;

	fixture.store->cluster->newest = newest;
	fixture.store->last_seq = last;
	ck_assert_int_eq(cluster_doubt_at_start(fixture.store->cluster, &err), 0);
}

/* Numbers are reserved by the million, so last_seq is far above those that were given. */
START_TEST(what_was_under_way_before_the_start_is_doubted)
{
	struct cluster *cluster = fixture.store->cluster;
	const struct {
		uint64_t newest, last, version;
		bool is_doubtful;
	} starts[] = {
		{ 5000000, 20000000, 5000017, true },  { 5000000, 20000000, 4999983, true },
		{ 5000000, 20000000, 20000000, true }, { 5000000, 20000000, 20000001, false },
		{ 5000000, 20000000, 999999, false },  { 0, 16777216, 1, true },
	};

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		struct error err;

		ck_assert_int_eq(meta_set_number(fixture.meta, "cluster_doubts", 0, &err),
		                 0); /* no whole number of it */
		start_with(starts[i].newest, starts[i].last);
		expect(cluster_is_doubtful(cluster, starts[i].version) == starts[i].is_doubtful, "row %zu", i);
	}
	fixture.store->last_seq = fixture.store->snapshot;
}
END_TEST

/* Each start has numbers that are millions above those of the one before. */
START_TEST(what_was_under_way_before_some_starts_is_doubted_yet)
{
	struct cluster *cluster = fixture.store->cluster;
	const uint64_t million = 1000000, reserve = 16 * million;

	start_with(5 * million, reserve);
	for (uint64_t i = 1; i < 8; i++) {
		start_with(i * reserve + 17, (i + 1) * reserve);
		start_with(i * reserve + 17, (i + 1) * reserve + 5); /* of nothing in between */
		ck_assert(cluster_is_doubtful(cluster, 5 * million + 3));
		ck_assert(cluster_is_doubtful(cluster, (i + 1) * reserve + 5));
		ck_assert_uint_eq(cluster->doubts.count, i + 1);
	}
	start_with(8 * reserve + 17, 9 * reserve);
	ck_assert(!cluster_is_doubtful(cluster, 5 * million + 3));
	ck_assert(cluster_is_doubtful(cluster, reserve + 3));
	ck_assert_uint_eq(cluster->doubts.count, 8);
	fixture.store->last_seq = fixture.store->snapshot;
}
END_TEST

/* What its servers still insert is passed over by the feed, however many records come before it is sent again. */
START_TEST(commit_that_failed_before_some_starts_is_doubted_yet)
{
	struct cluster *cluster = fixture.store->cluster;
	const uint64_t million = 1000000, reserve = 16 * million, failed = reserve + 17;
	struct error err;

	start_with(million, reserve);
	cluster_doubt_span(cluster, failed, failed + 3);
	ck_assert_int_eq(cluster_keep_doubts(cluster, &err), 0);
	for (uint64_t i = 2; i < 9; i++) {
		start_with(i * reserve - 17, i * reserve);
		for (uint64_t version = failed - 1; version <= failed + 4; version++)
			expect(cluster_is_doubtful(cluster, version) == (version >= failed && version <= failed + 3),
			       "start %d, version %d", (int)i, (int)version);
	}
	start_with(9 * reserve - 17, 9 * reserve);
	ck_assert(!cluster_is_doubtful(cluster, failed));
	ck_assert_uint_eq(cluster->doubts.count, 8);
	fixture.store->last_seq = fixture.store->snapshot;
}
END_TEST

START_TEST(doubts_that_do_not_fit_join_the_nearest)
{
	struct cluster *cluster = fixture.store->cluster;
	const uint64_t spans[][2] = { { 700, 709 }, { 100, 109 }, { 300, 309 }, { 310, 319 }, { 400, 409 },
		                      { 420, 429 }, { 800, 809 }, { 500, 509 }, { 600, 609 }, { 900, 909 } };

	cluster->doubts.count = cluster->doubts_of_starts = 0;
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		cluster_doubt_span(cluster, spans[i][0], spans[i][1]);
	ck_assert_uint_eq(cluster->doubts.count, 8);
	for (uint64_t version = 90; version <= 920; version++) {
		bool is_doubtful = version % 100 < 10 && version / 100 != 2;

		is_doubtful |= version >= 310 && version <= 319;
		is_doubtful |= version >= 400 && version <= 429; /* these are the nearest */
		expect(cluster_is_doubtful(cluster, version) == is_doubtful, "version %d", (int)version);
	}
}
END_TEST

/* --- numbers for other front ends --- */

static struct borrower {
	struct store_span *span;
	uint64_t from; /* 0: none yet */
	bool has_ended;
	enum error_code ended_with;
} borrowers[2];

static void on_lent(void *arg, const struct store_numbers *numbers)
{
	struct borrower *borrower = arg;

	borrower->from = numbers->from;
}

static void on_lent_ended(void *arg, const struct error *err)
{
	struct borrower *borrower = arg;

	borrower->has_ended = true;
	borrower->ended_with = err ? err->code : ERROR_NONE;
}

/* For a record whose id has this hash. */
static struct borrower *lend(int i, uint64_t hash, uint64_t catalog)
{
	static const struct store_span_calls calls = { on_lent, on_lent_ended };
	const struct store_numbers_request request = { .hashes = &hash, .count = 1, .numbers = 4, .catalog = catalog };
	struct borrower *borrower = &borrowers[i];
	struct error err;

	*borrower = (struct borrower){ .from = 0 };
	borrower->span = store_span_begin(fixture.store, &request, &calls, borrower, &err);
	turn();
	return borrower;
}

START_TEST(records_that_were_checked_before_a_number_was_erased_do_not_come_in)
{
	struct cluster *cluster = fixture.store->cluster;
	const struct store_changed changed = { .bits = { 0 } };
	struct borrower *first = lend(0, 17, 4), *waits = lend(1, 17, 4);

	ck_assert_uint_ne(first->from, 0);
	ck_assert_uint_eq(waits->from, 0);
	cluster->numbers.catalog_least = 5;
	ck_assert(store_span_end(fixture.store, first->from, true, &changed));
	turn();
	ck_assert(first->has_ended && first->ended_with == ERROR_NONE); /* the erasing has waited for that one */
	ck_assert(waits->has_ended && waits->ended_with == ERROR_UNAVAILABLE);
	ck_assert_uint_eq(waits->from, 0);
	ck_assert_ptr_null(lend(0, 18, 4)->span);
	ck_assert_ptr_nonnull(lend(0, 18, 5)->span);
}
END_TEST

/* In one turn of the loop, as when both come with one packet. */
START_TEST(commit_that_was_not_stored_and_left_holds_nobody_up)
{
	struct cluster *cluster = fixture.store->cluster;
	struct borrower *borrower = lend(0, 17, 0);

	ck_assert(store_span_end(fixture.store, borrower->from, false, NULL));
	store_span_leave(borrower->span);
	turn();
	ck_assert(TAILQ_EMPTY(&cluster->numbers.lent));
	ck_assert(!borrower->has_ended);
	ck_assert_uint_eq(cluster_first_open(cluster), 0);
}
END_TEST

static size_t kept_doubts(void)
{
	struct change change;
	struct str text = { NULL, 0 };
	struct error err;

	ck_assert_int_eq(change_begin(&change, fixture.meta, &err), 0);
	MAY_FAIL(change_get(&change, META_DB_VALUES, STR_LITERAL("cluster_failed"), &text, &err));
	change_drop(&change);
	return text.len / sizeof(struct store_doubt);
}

/* A start doubts what is about the newest number, and so must not find too many above one that failed. */
START_TEST(no_numbers_are_given_before_the_catalog_has_those_that_failed)
{
	struct borrower *borrower = lend(0, 17, 0);

	ck_assert(store_span_end(fixture.store, borrower->from, false, NULL));
	turn();
	ck_assert_int_eq(borrower->ended_with, ERROR_UNAVAILABLE);
	ck_assert(cluster_is_doubtful(fixture.store->cluster, borrower->from));
	ck_assert_uint_ne(lend(1, 18, 0)->from, 0);
	ck_assert_uint_eq(kept_doubts(), 1);
}
END_TEST

START_TEST(without_the_catalog_there_are_no_numbers_after_a_commit_that_failed)
{
	struct borrower *borrower = lend(0, 17, 0);
	struct rlimit was, none;

	ck_assert(store_span_end(fixture.store, borrower->from, false, NULL));
	turn();
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = (struct rlimit){ 0, was.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	borrower = lend(1, 18, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
	ck_assert_ptr_null(borrower->span);
	ck_assert_uint_eq(borrower->from, 0);
	ck_assert_uint_eq(kept_doubts(), 0);
	ck_assert_uint_ne(lend(1, 18, 0)->from, 0);
	ck_assert_uint_eq(kept_doubts(), 1);
}
END_TEST

/* --- numbers from another front end --- */

struct store_asked {
	const struct store_numbers_calls *calls;
	void *arg;
	int ended;
} asked;

static struct store_asked *begin_asked(void *arg, const struct store_numbers_request *request,
                                       const struct store_numbers_calls *calls, void *calls_arg, struct error *err)
{
	(void)arg;
	(void)request;
	(void)err;
	asked.calls = calls;
	asked.arg = calls_arg;
	return &asked;
}

static void end_asked(struct store_asked *request, bool is_stored, const struct store_changed *changed)
{
	(void)is_stored;
	(void)changed;
	ck_assert_ptr_eq(request, &asked);
	request->ended++;
}

/* In one turn of the loop. */
START_TEST(commit_whose_numbers_have_failed_as_its_last_insert_ended_fails)
{
	static const struct store_numbers_source source = { begin_asked, end_asked, NULL };
	struct cluster *cluster = fixture.store->cluster;
	const struct store_numbers numbers = { .from = 17, .to = 20 };
	struct error err;

	cluster->numbers.source = &source;
	store_commit_begin(fixture.store, on_commit, NULL);
	asked.calls->given(asked.arg, &numbers, NULL);
	error_set(&err, ERROR_UNAVAILABLE, "the other one has gone");
	asked.calls->ended(asked.arg, &err);
	cluster_insert_next(cluster);
	turn();
	ck_assert_int_eq(commits_ended, 1);
	ck_assert_int_eq(ended_with, ERROR_UNAVAILABLE);
	ck_assert_int_eq(asked.ended, 0);
	cluster->numbers.source = NULL;
}
END_TEST

static void check_number_filter(const char *value, const char *condition)
{
	const struct scan_filter filter = { catalog_column_find(sms(), STR_LITERAL("to")), SCAN_NUMBER,
		                            str_from(value) };
	struct buf sql = { 0 };

	cluster_write_filter(&sql, sms(), &filter);
	ck_assert_str_eq(buf_cstr(&sql), condition);
	buf_free(&sql);
}

START_TEST(plus_before_a_number_is_passed_over_once)
{
	check_number_filter("49", "f_to IN ('49','+49')");
	check_number_filter("+49", "f_to IN ('++49')");
}
END_TEST

/* --- data directories of the other engine --- */

static void check_start(const struct store_ops *engine, const char *fault)
{
	struct error err = { 0 };
	int result = 0;

	fixture_stop(&fixture);
	struct meta_options meta = { .data_dir = fixture.dir, .map_bytes = FIXTURE_MAP_BYTES };
	ck_assert_int_eq(meta_open(&fixture.meta, &meta, &err), 0);
	fixture.options.meta = fixture.meta;
	fixture.options.engine = engine;
	if (!engine)
		result = store_cluster_is_unused(fixture.meta, fixture.dir, &err);
	if (result == 0)
		result = store_open(&fixture.store, &fixture.options, &err);
	if (!fault) {
		ck_assert_msg(result == 0, "%s", err.message);
		return;
	}
	ck_assert_int_ne(result, 0);
	ck_assert_ptr_nonnull(strstr(err.message, fault));
	fixture.store = NULL;
}

static void put_in_days(void)
{
	const struct account_key account = { { 1 } };
	enum store_put_result result;
	struct record record;
	struct error err = { 0 };

	make_record(&record, "outbound", "17");
	record_set_account_key(&record, &account);
	ck_assert_msg(store_put(fixture.store, &record, 1763899200000000, &result, &err) == 0, "%s", err.message);
	ck_assert_msg(store_commit(fixture.store, &err) == 0, "%s", err.message);
}

START_TEST(records_of_one_engine_are_not_left_for_the_other)
{
	struct error err = { 0 };

	/* begun, and no cluster has answered: either may be */
	check_start(NULL, NULL);
	check_start(&store_cluster_engine, NULL);
	check_start(NULL, NULL);
	put_in_days();
	check_start(&store_cluster_engine, "store: clickhouse, but");
	check_start(NULL, NULL);
	ck_assert_int_eq(meta_set_number(fixture.meta, "cluster_numbers", 1, &err), 0);
	check_start(NULL, "store: lmdb, but");
	check_start(&store_cluster_engine, NULL);
}
END_TEST

Suite *suite_cluster(void);

Suite *suite_cluster(void)
{
	Suite *suite = suite_create("cluster");
	TCase *tcase = tcase_create("rows");

	tcase_add_checked_fixture(tcase, NULL, tear_down);
	tcase_add_test(tcase, record_comes_back_as_it_was);
	tcase_add_test(tcase, line_is_that_of_reports);
	tcase_add_test(tcase, uuid_is_kept_in_lower_case);
	tcase_add_test(tcase, row_that_is_cut_is_none);
	tcase_add_test(tcase, newest_of_a_key_is_shown_and_what_came_later_is_not);
	tcase_add_test(tcase, record_that_has_come_back_is_shown_to_who_knew_it_there);
	tcase_add_test(tcase, row_that_does_not_pass_hides_those_that_do);
	tcase_add_test(tcase, amounts_are_numbers_of_the_row);
	tcase_add_test(tcase, answer_that_is_cut_is_an_error);
	tcase_add_test(tcase, plus_before_a_number_is_passed_over_once);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("engine");
	tcase_add_checked_fixture(tcase, start_engine, stop_engine);
	tcase_add_test(tcase, commit_that_looks_up_ends_when_all_is_lost);
	tcase_add_test(tcase, commit_that_inserts_ends_when_all_is_lost);
	tcase_add_test(tcase, what_was_under_way_before_the_start_is_doubted);
	tcase_add_test(tcase, what_was_under_way_before_some_starts_is_doubted_yet);
	tcase_add_test(tcase, commit_that_failed_before_some_starts_is_doubted_yet);
	tcase_add_test(tcase, doubts_that_do_not_fit_join_the_nearest);
	tcase_add_test(tcase, no_numbers_are_given_before_the_catalog_has_those_that_failed);
	tcase_add_test(tcase, without_the_catalog_there_are_no_numbers_after_a_commit_that_failed);
	tcase_add_test(tcase, records_that_were_checked_before_a_number_was_erased_do_not_come_in);
	tcase_add_test(tcase, commit_that_was_not_stored_and_left_holds_nobody_up);
	tcase_add_test(tcase, commit_whose_numbers_have_failed_as_its_last_insert_ended_fails);
	tcase_add_test(tcase, records_of_one_engine_are_not_left_for_the_other);
	suite_add_tcase(suite, tcase);
	return suite;
}
