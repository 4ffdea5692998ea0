/* SPDX-License-Identifier: ISC */
/*
 * test_store.c: the store in situations that chance brings about too seldom for test_store_model.c: many blocks in a
 * partition, damage, tables that are rebuilt while records wait for their commit.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "expect.h"
#include "meta/meta_env.h"
#include "meta/rows.h"
#include "store/aggregate.h"
#include "store/blocks/bundle.h"
#include "store/days/hot_rows.h"
#include "store/number_search.h"
#include "store/putting/moves.h"
#include "store/sealing/seal_private.h"
#include "store/days_store.h"
#include "store/verify.h"
#include "store/versions.h"
#include "scan_once.h"
#include "store_check.h"
#include "store_fixture.h"

Suite *suite_store(void);

#define DAY 20500
#define MAP_BYTES ((size_t)256 << 20)

static const struct account_key own = { "acct0001" };
static struct fixture f;
static struct model model;
static struct sampler sampler;
static struct pick *pick = &sampler.pick;
static struct error err;
static uint32_t ids;

static void setup(void)
{
	fixture_open(&f, MAP_BYTES);
	model = (struct model){ 0 };
	sampler = (struct sampler){ .pick = { 1 }, .styles = 6 };
	ids = 0;
}

static void teardown(void)
{
	model_free(&model);
	fixture_close(&f);
}

static enum store_put_result put(struct sample *sample)
{
	struct sample *stored;
	enum store_put_result result, wanted = model_expect(&model, sample, NULL, &stored);

	ASSERT_OK(store_put(f.store, &sample->record, sample->time_us, &result, &err));
	expect(result == wanted, "put gave %d", result);
	if (stored)
		model_put(&model, stored, NULL, f.store->last_seq);
	free(sample);
	return result;
}

static struct sample *new_sms(const char *account, int32_t day, uint32_t second)
{
	return sample_new(&sampler, sms(), account, ++ids, CATALOG_OUTBOUND,
	                  clock_day_start_us(day) + second * CLOCK_US_PER_SECOND);
}

static void put_many(const char *account, int32_t day, uint32_t count)
{
	while (count-- > 0)
		put(new_sms(account, day, pick_below(pick, 86400)));
}

/* New versions, in their places, of the records from `first` to before `end`. */
static void update(size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		put(sample_changed(&sampler, model.records[i]->now, CATALOG_OUTBOUND, model.records[i]->now->time_us,
		                   6));
}

static void commit(void)
{
	ASSERT_OK(store_commit(f.store, &err));
	model_commit(&model);
}

static void seal_all(void)
{
	commit();
	fixture_seal(f.store);
}

static struct store_day_stats stats_of(int32_t day)
{
	struct store_day_stats stats;

	ASSERT_OK(fixture_count_day(f.store, day, &stats, &err));
	return stats;
}

static void query_all(struct check *check, const char *account, bool spans)
{
	*check = (struct check){ .spans = spans, .lines = true };
	check->accounts[0] = account_key_of_id(account);
	check->query = (struct scan_query){
		.product = sms(),
		.direction = CATALOG_OUTBOUND,
		.accounts_count = 1,
		.from_us = clock_day_start_us(DAY),
		.to_us = clock_day_start_us(DAY + 10),
		.snapshot = store_snapshot(f.store),
	};
}

static size_t check_query(struct check *check, size_t page)
{
	check_begin(check, "query", f.store, &model);
	while (!check_page(check, page, false))
		;
	check_end(check);
	return check->spans_given;
}

static size_t check_all(const char *account, bool spans)
{
	struct check check;

	query_all(&check, account, spans);
	return check_query(&check, SIZE_MAX);
}

/* --- many blocks --- */

START_TEST(a_partition_of_many_blocks_is_read_whole_and_in_parts)
{
	struct check check;

	put_many("acct0001", DAY, 2 * BLOCK_ROWS + 1000);
	seal_all();
	ck_assert_uint_eq(stats_of(DAY).blocks, 3);
	ck_assert_uint_eq(stats_of(DAY).hot_rows, 0);
	ck_assert_uint_eq(check_all("acct0001", true), 3);
	ck_assert_uint_eq(check_all("acct0001", false), 0);
	for (int i = 0; i < 60; i++) {
		query_all(&check, "acct0001", i % 2);
		check.query.from_us += pick_below(pick, 86400) * CLOCK_US_PER_SECOND;
		check.query.to_us = check.query.from_us + pick_between(pick, 1, 86400) * CLOCK_US_PER_SECOND;
		check_query(&check, pick_between(pick, 200, 5000));
	}
}
END_TEST

START_TEST(a_late_record_cuts_one_block_only)
{
	put_many("acct0001", DAY, 3 * BLOCK_ROWS);
	seal_all();
	put(new_sms("acct0001", DAY, 43200));
	commit();
	ck_assert_uint_eq(check_all("acct0001", true), 2);
}
END_TEST

START_TEST(a_record_between_two_blocks_cuts_none)
{
	for (uint32_t i = 0; i < BLOCK_ROWS; i++)
		put(new_sms("acct0001", DAY, pick_between(pick, 100, 86000)));
	seal_all();
	int64_t last_us = 0;
	for (size_t i = 0; i < model.count; i++)
		last_us = model.records[i]->now->time_us > last_us ? model.records[i]->now->time_us : last_us;
	for (int64_t second = 1; second <= 60; second++)
		put(sample_new(&sampler, sms(), "acct0001", ++ids, CATALOG_OUTBOUND,
		               last_us + second * CLOCK_US_PER_SECOND / 100));
	commit();
	ck_assert_uint_eq(check_all("acct0001", true), 1);
	put(new_sms("acct0001", DAY, 0));
	commit();
	ck_assert_uint_eq(check_all("acct0001", true), 1);
}
END_TEST

START_TEST(slices_end_between_blocks_that_filters_pass_over)
{
	struct check check;
	int slices = 1;

	f.options.seal_rows = 50;
	fixture_restart(&f);
	put_many("acct0001", DAY, 5000);
	seal_all();
	ck_assert_uint_ge(stats_of(DAY).blocks, 100);
	query_all(&check, "acct0001", false);
	check.query.filters_count = 1;
	check.filters[0] = (struct scan_filter){ .column = catalog_column_find(sms(), STR_LITERAL("to")),
		                                 .value = STR_LITERAL("nobody") };
	check_begin(&check, "query", f.store, &model);
	while (!check_page(&check, 100, true))
		slices++;
	ck_assert_msg(slices > 4, "%d slices", slices);
	check.query.filters_count = 0;
	check_end(&check);
}
END_TEST

/* A scan of those with the status that most have, of which on_lines gives so many; adds those that it gives as deflate. */
static size_t check_lines(size_t page, bool spans, size_t *deflated)
{
	struct check check;

	query_all(&check, "acct0001", spans);
	check.many_lines = true;
	check.deflated_lines = page != 701;
	check.query.filters_count = 1;
	check.filters[0] =
		(struct scan_filter){ .column = catalog_column_find(sms(), STR_LITERAL("status")),
		                      .value = record_value(&model.records[0]->now->record,
		                                            catalog_column_find(sms(), STR_LITERAL("status"))) };
	check_begin(&check, "lines", f.store, &model);
	while (!check_page(&check, page, pick_percent(pick, 30)))
		;
	check.query.filters_count = 0;
	check_end(&check);
	*deflated += check.deflated_given;
	return check.lines_given;
}

/* Records of which some values hold LF, or none, and whose status is that of the first, but for one in twelve, or anything. */
static void put_lines(uint32_t count, bool with_feeds, bool alike)
{
	uint8_t status = catalog_column_find(sms(), STR_LITERAL("status"));

	for (uint32_t n = 0; n < count; n++) {
		struct sample *sample = new_sms("acct0001", DAY, pick_below(pick, 86400));

		if (alike && (n == 0 || !pick_percent(pick, 8)))
			sample->record.values[status] = STR_LITERAL("delivered");

		for (uint8_t i = 0; i < sms()->columns_count && !with_feeds; i++) {
			struct str value = sample->record.values[i];

			if (value.len > 0 && memchr(value.p, '\n', value.len))
				sample->record.values[i] = STR_LITERAL("no feed");
		}
		put(sample);
	}
}

START_TEST(rows_that_columns_choose_are_given_as_lines)
{
	size_t given = 0, deflated = 0;

	for (uint64_t styles = 0; styles < 12; styles++) {
		sampler.styles = styles; /* how many values columns have */
		put_lines(BLOCK_ROWS + 500, styles % 4 == 0, styles % 2);
		seal_all();
		given += check_lines(SIZE_MAX, false, &deflated);
		update(10, 30);
		commit();
		given += check_lines(700, true, &deflated);
		for (int i = 0; i < 5; i++)
			put(new_sms("acct0001", DAY, pick_below(pick, 86400)));
		commit();
		given += check_lines(701, false, &deflated);
		teardown();
		setup();
	}
	ck_assert_msg(given >= 3000, "%zu records", given);
	ck_assert_msg(deflated >= 1000, "%zu records as deflate", deflated);
}
END_TEST

START_TEST(many_small_seals_are_merged)
{
	for (int i = 0; i < 20; i++) {
		put_many("acct0001", DAY, 50);
		commit();
		begin_sealing(f.store);
		bool more, dirty;
		ASSERT_OK(store_maintain(f.store, INT64_MAX, &more, &dirty, &err));
		ASSERT_OK(store_commit(f.store, &err));
	}
	seal_all();
	expect(stats_of(DAY).blocks < 8, "%llu blocks", (unsigned long long)stats_of(DAY).blocks);
	ck_assert_uint_eq(stats_of(DAY).sealed_rows, 1000);
	check_all("acct0001", true);
}
END_TEST

/* Their blocks are as full as they would be in one run. */
START_TEST(runs_of_full_parts_are_not_merged)
{
	f.store->options.seal_rows = 100;
	f.store->options.seal_part_rows = 20;
	put_many("acct0001", DAY, 200);
	commit();
	seal_all();
	ck_assert_uint_eq(stats_of(DAY).blocks, 10);
	ck_assert_uint_eq(f.store->sealing.seals, 10);
	ck_assert_uint_eq(f.store->sealing.merges, 0);
	check_all("acct0001", true);
}
END_TEST

START_TEST(dead_rows_go_when_there_are_many)
{
	put_many("acct0001", DAY, 500);
	seal_all();
	update(0, 200);
	commit();
	uint64_t deleted = stats_of(DAY).deleted_rows;
	expect(deleted > 150, "%llu deleted rows", (unsigned long long)deleted);
	check_all("acct0001", true);
	seal_all();
	ck_assert_uint_eq(stats_of(DAY).deleted_rows, 0);
	ck_assert_uint_eq(stats_of(DAY).sealed_rows, 500);
	check_all("acct0001", true);
}
END_TEST

/* --- lines --- */

static struct sample *sms_with_body(uint32_t number, uint32_t second, const struct str *bodies, size_t count)
{
	struct sample *sample = new_sms("acct0001", DAY, second);

	sample->record.values[catalog_column_find(sms(), STR_LITERAL("message_body"))] = bodies[number % count];
	sample->record.values[catalog_column_find(sms(), STR_LITERAL("concatenated"))] =
		number % 2 ? STR_LITERAL("TRUE") : (struct str){ NULL, 0 };
	return sample;
}

/* As sealed rows, as hot rows, and as hot ones between sealed ones, which themselves were replaced in part. */
START_TEST(lines_show_bodies_of_sealed_and_hot_rows)
{
	const struct str bodies[] = {
		{ NULL, 0 },
		STR_LITERAL(""),
		STR_LITERAL("\""),
		STR_LITERAL("\"\","),
		STR_LITERAL(","),
		STR_LITERAL("\n"),
		STR_LITERAL("one\ntwo"),
		STR_LITERAL("She said \"no, \"\n, and \"\"left\"\"."),
		STR_LITERAL("plain"),
	};
	const size_t bodies_count = sizeof(bodies) / sizeof(bodies[0]);
	const uint32_t count = 3 * SEGMENT_ROWS;
	struct check check;

	for (uint32_t i = 0; i < count; i++)
		put(sms_with_body(i, 10 * i, bodies, bodies_count));
	for (int turn = 0; turn < 4; turn++) {
		if (turn == 1)
			seal_all();
		for (uint32_t i = 0; turn == 2 && i < count; i += 40)
			put(sms_with_body(i, 10 * i + 5, bodies, bodies_count));
		for (uint32_t i = 0; turn == 3 && i < count; i += 50)
			put(sample_changed(&sampler, model.records[i]->now, CATALOG_OUTBOUND,
			                   model.records[i]->now->time_us, 6));
		commit();
		for (int choice = 0; choice < 4; choice++) {
			query_all(&check, "acct0001", choice == 0);
			check.view.include_message = choice & 1;
			check.view.show_concatenated = choice & 2;
			check.query.columns = 1;
			check_query(&check, 100);
		}
	}
}
END_TEST

static bool add_line(void *arg, const struct scan_row *row)
{
	buf_add_str(arg, row->line);
	return true;
}

/* What a later version does that has a column more. */
START_TEST(lines_of_blocks_from_before_a_column_was_added_have_it)
{
	struct catalog_column columns[CATALOG_COLUMNS_MAX];
	struct catalog_product grown = *sms();
	struct record_view view = { .direction = CATALOG_OUTBOUND, .include_message = true };
	struct buf lines = { 0 }, wanted = { 0 };
	struct scan_sink sink = { .on_record = add_line, .lines = &view, .arg = &lines };
	struct scan_position position = { 0 };
	struct check check;
	enum scan_end end;

	memcpy(columns, grown.columns, grown.columns_count * sizeof(columns[0]));
	columns[grown.columns_count++] = (struct catalog_column){ .name = STR_LITERAL("added"), .inbound = true };
	grown.columns = columns;
	for (uint32_t i = 0; i < 300; i++) {
		struct sample *sample = new_sms("acct0001", DAY, i);
		struct record record = sample->record;

		record.product = &grown;
		record.values[grown.columns_count - 1] = (struct str){ NULL, 0 };
		record_write_csv(&wanted, &record, &view);
		put(sample);
		if (i == 250)
			seal_all();
	}
	commit();
	query_all(&check, "acct0001", false);
	check.query.accounts = check.accounts;
	check.query.product = &grown;
	check.query.columns = 1;
	ASSERT_OK(scan_once(f.store, &check.query, &position, INT64_MAX, &sink, &end, &err));
	expect(str_equal(buf_str(&lines), buf_str(&wanted)), "%.*s", STR_ARGS(buf_str(&lines)));
	buf_free(&lines);
	buf_free(&wanted);
}
END_TEST

/* --- what is not committed --- */

START_TEST(look_ups_do_not_make_the_store_forget_what_is_uncommitted)
{
	size_t count;

	put_many("acct0001", DAY, 10);
	commit();
	put_many("acct0001", DAY, 10);
	f.store->days[0]->hot.stale = UINT64_MAX; /* as if sealing had taken most rows away */
	count = check_find("look-up", &days_test_engine, f.store, &model, sms(), &own, CATALOG_NO_DIRECTION,
	                   model.records[3]->now->record.values[sms()->id_column], 10);
	ck_assert_uint_eq(count, 1);
	/* The same once more: not new. */
	for (size_t i = 0; i < 20; i++)
		ck_assert_int_eq(put(sample_changed(&sampler, model.records[i]->now, CATALOG_OUTBOUND,
		                                    model.records[i]->now->time_us, 0)),
		                 STORE_DUPLICATE);
	commit();
	check_all("acct0001", false);
}
END_TEST

static void check_found(size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++)
		expect(check_find("look-up", &days_test_engine, f.store, &model, sms(), &own, CATALOG_NO_DIRECTION,
		                  model.records[i]->now->record.values[sms()->id_column], 10) == 1,
		       "record %zu is not found", i);
}

/* Between its transaction's end and the commit, a row that is being sealed is hot to all others. */
START_TEST(look_ups_find_what_is_being_sealed)
{
	bool more, dirty = false;

	put_many("acct0001", DAY, 50);
	commit();
	begin_sealing(f.store);
	while (!dirty)
		ASSERT_OK(store_maintain(f.store, INT64_MAX, &more, &dirty, &err));
	ck_assert_uint_eq(f.store->days[0]->hot.rows, 0);
	check_found(0, 50);
	/* A new version that keeps its place makes the row hot again, which the commit must not forget. */
	for (size_t i = 10; i < 20; i++)
		ck_assert_int_eq(put(sample_changed(&sampler, model.records[i]->now, CATALOG_OUTBOUND,
		                                    model.records[i]->now->time_us, 100)),
		                 STORE_UPDATED);
	commit();
	check_found(0, 50);
	check_all("acct0001", false);
	seal_all();
	check_found(0, 50);
}
END_TEST

START_TEST(verifying_does_not_make_the_store_forget_what_is_uncommitted)
{
	put_many("acct0001", DAY, 20);
	fixture_assert_sound(f.store);
	for (size_t i = 0; i < 20; i++)
		ck_assert_int_eq(put(sample_changed(&sampler, model.records[i]->now, CATALOG_OUTBOUND,
		                                    model.records[i]->now->time_us, 0)),
		                 STORE_DUPLICATE);
	commit();
	check_all("acct0001", false);
}
END_TEST

START_TEST(sealing_all_waits_for_what_is_uncommitted)
{
	bool more, dirty;

	put_many("acct0001", DAY, 100);
	put_many("acct0001", DAY + 1, 100);
	commit();
	begin_sealing(f.store);
	ASSERT_OK(store_maintain(f.store, INT64_MAX, &more, &dirty, &err));
	/* Its commit does not come before the round of days is over. */
	for (int i = 0; i < 5; i++)
		ASSERT_OK(store_maintain(f.store, INT64_MAX, &more, &dirty, &err));
	put_many("acct0002", DAY, 10);
	for (int i = 0; i < 20; i++) {
		commit();
		ASSERT_OK(store_maintain(f.store, INT64_MAX, &more, &dirty, &err));
	}
	commit();
	ck_assert_uint_eq(stats_of(DAY).hot_rows, 0);
	ck_assert_uint_eq(stats_of(DAY + 1).hot_rows, 0);
	check_all("acct0001", true);
	check_all("acct0002", true);
}
END_TEST

/* A commit, and its fsync, is not for each of a hundred thousand accounts. */
START_TEST(one_commit_makes_the_seals_of_many_accounts_last)
{
	bool more, dirty;
	char account[9];

	for (int i = 0; i < 150; i++) {
		(void)snprintf(account, sizeof(account), "acct%04d", i);
		put_many(account, DAY, 3);
	}
	commit();
	begin_sealing(f.store);
	ASSERT_OK(store_maintain(f.store, INT64_MAX, &more, &dirty, &err));
	ck_assert(more && dirty);
	commit();
	ck_assert_uint_eq(stats_of(DAY).hot_rows, 0);
	for (int i = 0; i < 150; i += 7) {
		(void)snprintf(account, sizeof(account), "acct%04d", i);
		check_all(account, true);
	}
}
END_TEST

/* What there is to merge among many accounts is looked for in slices, and found wherever it is. */
START_TEST(a_day_of_many_accounts_is_searched_in_slices)
{
	enum seal_search result = SEAL_SEARCH_MORE;
	char account[9];
	int slices = 0;

	for (int i = 0; i < 3000; i++) {
		(void)snprintf(account, sizeof(account), "acct%04d", i);
		put_many(account, DAY, i == 2900 ? 100 : 1);
	}
	seal_all();
	struct day *day = store_day(f.store, DAY, false, &err);
	update(2900, 2940); /* of those of acct2900 */
	commit();
	for (; result == SEAL_SEARCH_MORE; slices++)
		ASSERT_OK(seal_find_runs(f.store, seal_of(f.store, &err), day, &result, &err));
	ck_assert_int_eq(result, SEAL_SEARCH_FOUND);
	ck_assert_int_eq(slices, 3);
	ck_assert_str_eq(account_key_text(&f.store->seal->partition.account).text, "acct2900");
	seal_all();
	ck_assert_uint_eq(stats_of(DAY).deleted_rows, 0);
	check_all("acct2900", true);
}
END_TEST

#define CALLED 600

static const struct str called_number = { "447700900123", 12 };
static unsigned found_times[CALLED];
static char called_refs[CALLED][8];

static uint8_t ref_column(void)
{
	return catalog_column_find(sms(), STR_LITERAL("client_ref"));
}

/* Records of four accounts to one number, which their references tell apart. */
static void put_called(void)
{
	uint8_t to = catalog_column_find(sms(), STR_LITERAL("to"));

	for (uint32_t i = 0; i < CALLED; i++) {
		char account[9];

		(void)snprintf(account, sizeof(account), "acct000%u", i % 4);
		(void)snprintf(called_refs[i], sizeof(called_refs[i]), "%u", i);
		struct sample *sample = new_sms(account, DAY, i);
		sample->record.values[to] = called_number;
		sample->record.values[ref_column()] = str_from(called_refs[i]);
		put(sample);
	}
	commit();
}

/* New versions of every so many, at their times or later ones. */
static void replace_called(uint32_t from, uint32_t every, int64_t later_us, const char *status)
{
	for (uint32_t i = from; i < CALLED; i += every) {
		const struct sample *now = model.records[i]->now;
		struct sample *sample = sample_copy(&now->record, now->time_us + later_us);

		sample->record.values[catalog_column_find(sms(), STR_LITERAL("status"))] = str_from(status);
		put(sample);
	}
	commit();
}

static bool note_called(void *arg, const struct record *record, int64_t time_us, uint64_t columns)
{
	(void)arg;
	(void)time_us;
	ck_assert(columns != 0);
	found_times[atoi(record->values[ref_column()].p)]++;
	return true;
}

/* What happens while the search is under way, step by step. */
static const struct {
	const char *what;
	bool sealed_before;
	uint32_t replaced_every;
	int64_t later_us;
	bool seals;
} meanwhiles[] = {
	{ "sealed", false, 0, 0, true },
	{ "replaced", false, 5, 0, false },
	{ "replaced in blocks", true, 5, 0, false },
	{ "replaced in blocks, sealed, merged", true, 3, 0, true },
	{ "moved", false, 5, CLOCK_US_PER_SECOND / 2, false },
	{ "moved from blocks, sealed, merged", true, 3, CLOCK_US_PER_SECOND / 2, true },
};

START_TEST(a_number_is_found_once_in_each_record_whatever_happens_meanwhile)
{
	bool done = false;

	memset(found_times, 0, sizeof(found_times));
	put_called();
	if (meanwhiles[_i].sealed_before)
		seal_all();
	struct number_search *search = number_search_new(f.store, NULL, called_number, note_called, NULL, NULL, &err);
	ck_assert_ptr_nonnull(search);
	for (uint32_t step = 0; !done; step++) {
		ASSERT_OK(number_search_step(search, 0, &done, &err));
		if (meanwhiles[_i].replaced_every && step < 4)
			replace_called(step, meanwhiles[_i].replaced_every, meanwhiles[_i].later_us,
			               step % 2 ? "read" : "sent again");
		if (meanwhiles[_i].seals && step < 4)
			seal_all();
	}
	number_search_free(search);
	for (uint32_t i = 0; i < CALLED; i++)
		expect(found_times[i] == 1, "%s: record %u was found %u times", meanwhiles[_i].what, i, found_times[i]);
}
END_TEST

/* Both rows are deleted ones; the version that they lead to came after the hot rows were searched. */
START_TEST(a_number_is_found_once_where_a_slice_meets_two_sealed_versions_of_a_record)
{
	bool done = false;

	memset(found_times, 0, sizeof(found_times));
	put_called();
	seal_all();
	replace_called(0, 5, 0, "read");
	seal_all();
	struct number_search *search = number_search_new(f.store, NULL, called_number, note_called, NULL, NULL, &err);
	ck_assert_ptr_nonnull(search);
	ASSERT_OK(number_search_step(search, 0, &done, &err));
	replace_called(0, 5, 0, "sent again");
	ck_assert_uint_gt(stats_of(DAY).deleted_rows, CALLED / 5);
	while (!done)
		ASSERT_OK(number_search_step(search, INT64_MAX, &done, &err));
	number_search_free(search);
	for (uint32_t i = 0; i < CALLED; i++)
		expect(found_times[i] == 1, "record %u was found %u times", i, found_times[i]);
}
END_TEST

START_TEST(sealing_all_begins_again_where_a_round_is_under_way)
{
	bool more = true, dirty;

	for (unsigned i = 0; i < 7000; i++) {
		char account[9];

		(void)snprintf(account, sizeof(account), "many%04u", i % 10000);
		put_many(account, DAY, 1);
	}
	commit();
	store_day(f.store, DAY, false, &err)->hot.grown = true;
	ASSERT_OK(store_maintain(f.store, INT64_MAX, &more, &dirty, &err));
	expect(more && stats_of(DAY).hot_rows == 7000, "no round is under way");
	fixture_seal(f.store);
	ck_assert_uint_eq(stats_of(DAY).hot_rows, 0);
}
END_TEST

START_TEST(a_partition_of_many_jobs_is_sealed_whole)
{
	f.store->options.seal_rows = 100;
	put_many("acct0001", DAY, 1050);
	put_many("acct0002", DAY, 99);
	commit();
	for (int i = 0; i < 40; i++) {
		bool more, dirty;

		ASSERT_OK(store_maintain(f.store, INT64_MAX, &more, &dirty, &err));
		commit();
	}
	ck_assert_uint_eq(stats_of(DAY).hot_rows, 50 + 99);
	check_all("acct0001", true);
	check_all("acct0002", false);
}
END_TEST

/* What an aborted change has touched must not count as touched when runs are merged later. */
START_TEST(an_aborted_update_leaves_no_trace)
{
	put_many("acct0001", DAY, 500);
	seal_all();
	update(0, 200);
	commit();
	update(200, 300);
	store_abort(f.store);
	model_abort(&model);
	seal_all();
	ck_assert_uint_eq(stats_of(DAY).sealed_rows - stats_of(DAY).deleted_rows, 500);
	check_all("acct0001", true);
}
END_TEST

/* --- damage --- */

/* Flips a bit of one of an account's blocks, wherever its bytes are. */
static void damage_block(const char *id, uint32_t number, size_t at, uint8_t bit)
{
	struct day *day = store_day(f.store, DAY, false, &err);
	struct account_key account = account_key_of_id(id);
	struct partition partition = partition_of(&account, sms()->number, CATALOG_OUTBOUND);
	uint8_t bytes[NUMBER_KEY_LEN];
	struct buf copy = { 0 };

	number_key_write(bytes, &partition, number);
	MDB_txn *txn = env_write(&day->env, &err);
	MDB_val key = env_val(bytes, sizeof(bytes)), val;
	ck_assert_int_eq(mdb_get(txn, day->env.dbi[DAY_BLOCK_DATA], &key, &val), 0);
	struct bundle_ref ref = { .bytes = (uint32_t)val.mv_size };
	enum day_db db = DAY_BLOCK_DATA;
	uint32_t big;
	if (val.mv_size == sizeof(ref)) {
		memcpy(&ref, val.mv_data, sizeof(ref));
		big = htobe32(ref.bundle);
		key = env_val(&big, sizeof(big));
		db = DAY_BUNDLES;
		ck_assert_int_eq(mdb_get(txn, day->env.dbi[db], &key, &val), 0);
	}
	buf_add(&copy, val.mv_data, val.mv_size);
	copy.data[ref.offset + at % ref.bytes] ^= (char)bit;
	val = env_val(copy.data, copy.len);
	ck_assert_int_eq(mdb_put(txn, day->env.dbi[db], &key, &val, 0), 0);
	ASSERT_OK(env_commit(&day->env, &err));
	buf_free(&copy);
}

static void damage(const char *account, size_t at, uint8_t bit)
{
	damage_block(account, 0, at, bit);
}

static bool count_record(void *arg, const struct scan_row *row)
{
	(void)row;
	++*(size_t *)arg;
	return true;
}

/* Reads all of an account, each row with all columns. */
static int scan_rows(const char *account, size_t *count)
{
	struct check check;
	struct scan_sink sink = { .on_record = count_record, .arg = count };
	struct scan_position position = { 0 };
	enum scan_end end;

	query_all(&check, account, false);
	check.query.accounts = check.accounts;
	*count = 0;
	return scan_once(f.store, &check.query, &position, INT64_MAX, &sink, &end, &err);
}

START_TEST(a_damaged_block_fails_its_own_requests_only)
{
	size_t count;

	put_many("acct0001", DAY, 300);
	put_many("acct0002", DAY, 300);
	seal_all();
	fixture_assert_sound(f.store);
	for (int i = 0; i < 60; i++) {
		size_t at = i < 20 ? (size_t)i : (size_t)pick_u64(pick);
		uint8_t bit = (uint8_t)(1 << pick_below(pick, 8));

		damage("acct0001", at, bit);
		struct fixture_faults faults = fixture_verify(f.store);
		expect(faults.count > 0, "damage at %zu is not found", at);
		expect(strstr(faults.last, "acct0001") || strstr(faults.last, "run of ids"), "%s", faults.last);
		/* The skip index is looked at only where there are filters. */
		if (!strstr(faults.last, "skip part"))
			expect(scan_rows("acct0001", &count) == -1 && err.code == ERROR_CORRUPT, "%zu read, %s", count,
			       faults.last);
		ASSERT_OK(scan_rows("acct0002", &count));
		ck_assert_uint_eq(count, 300);
		damage("acct0001", at, bit); /* and back */
	}
	fixture_assert_sound(f.store);
	check_all("acct0001", true);
}
END_TEST

START_TEST(every_damaged_block_is_named)
{
	put_many("acct0001", DAY, 5000);
	seal_all();
	ck_assert_uint_ge(stats_of(DAY).blocks, 2);
	damage_block("acct0001", 0, 0, 1);
	struct fixture_faults faults = fixture_verify(f.store);
	expect(faults.count == 1 && strstr(faults.last, "acct0001, SMS, block 0: "), "%d faults: %s", faults.count,
	       faults.last);
	damage_block("acct0001", 1, 0, 1);
	faults = fixture_verify(f.store);
	expect(faults.count == 2 && strstr(faults.last, "acct0001, SMS, block 1: "), "%d faults: %s", faults.count,
	       faults.last);
}
END_TEST

START_TEST(a_damaged_skip_part_is_noticed_by_filters)
{
	struct check check;
	int noticed = 0;

	put_many("acct0001", DAY, 300);
	seal_all();
	for (int i = 0; i < 60; i++) {
		size_t at = (size_t)pick_u64(pick);

		damage("acct0001", at, 1);
		struct fixture_faults faults = fixture_verify(f.store);
		if (strstr(faults.last, "skip part")) {
			struct scan_sink sink = { .on_record = count_record };
			struct scan_position position = { 0 };
			enum scan_end end;
			size_t count = 0;

			sink.arg = &count;
			query_all(&check, "acct0001", false);
			check.query.accounts = check.accounts;
			check.query.filters = &(struct scan_filter){ .column = sms()->filters[2].column,
				                                     .value = STR_LITERAL("447700900123") };
			check.query.filters_count = 1;
			ck_assert_int_eq(scan_once(f.store, &check.query, &position, INT64_MAX, &sink, &end, &err), -1);
			ck_assert_int_eq(err.code, ERROR_CORRUPT);
			noticed++;
		}
		damage("acct0001", at, 1);
	}
	ck_assert_int_gt(noticed, 0);
}
END_TEST

START_TEST(damage_in_one_day_does_not_keep_others_from_sealing)
{
	bool more, dirty;

	for (int32_t day = DAY; day < DAY + 3; day++)
		put_many("acct0001", day, 50);
	commit();
	struct day *day = store_day(f.store, DAY, false, &err);
	struct partition partition = partition_of(&(struct account_key){ "acct0001" }, sms()->number, CATALOG_OUTBOUND);
	const struct model_place *position = &model.records[0]->positions[0];
	struct position at = { position->time_us, position->seq, position->direction };
	ck_assert_ptr_nonnull(env_write(&day->env, &err));
	ASSERT_OK(hot_row_put(day, &partition, &at, env_val("\x93", 1), true, &err));
	ASSERT_OK(env_commit(&day->env, &err));
	begin_sealing(f.store);
	for (int i = 0; i < 20; i++) {
		if (store_maintain(f.store, INT64_MAX, &more, &dirty, &err) != 0)
			ck_assert_int_eq(err.code, ERROR_CORRUPT);
		ASSERT_OK(store_commit(f.store, &err));
	}
	ck_assert_uint_eq(stats_of(DAY).hot_rows, 50);
	ck_assert_uint_eq(stats_of(DAY + 1).hot_rows, 0);
	ck_assert_uint_eq(stats_of(DAY + 2).hot_rows, 0);
}
END_TEST

/* The damage of one account's runs is no other's. */
START_TEST(damaged_runs_do_not_keep_others_from_being_merged)
{
	bool more = true, dirty;
	int failed = 0;

	put_many("acct0001", DAY, 300);
	put_many("acct0002", DAY, 300);
	seal_all();
	update(0, 600);
	commit();
	damage("acct0001", 10, 1);
	begin_sealing(f.store);
	for (int i = 0; more || failed == 0; i++) {
		expect(i < 100, "maintenance does not end; %d jobs failed", failed);
		if (store_maintain(f.store, INT64_MAX, &more, &dirty, &err) != 0) {
			ck_assert_int_eq(err.code, ERROR_CORRUPT);
			more = true;
			failed++;
		}
		ASSERT_OK(store_commit(f.store, &err));
	}
	ck_assert_int_le(failed, 3);
	ck_assert_uint_eq(f.store->sealing.merges, 1);
	check_all("acct0002", true);
}
END_TEST

/* --- another format --- */

static void set_format(const char *number)
{
	struct env *catalog = meta_env(f.meta);
	MDB_val key = env_val("format", 6), val = env_val(number, strlen(number));

	ck_assert_int_eq(mdb_put(env_write(catalog, &err), catalog->dbi[META_DB_VALUES], &key, &val, 0), 0);
	ASSERT_OK(meta_commit(f.meta, &err));
	store_close(f.store);
	f.store = NULL;
}

static const struct {
	const char *format;
	enum error_code code;
	const char *message;
} other_formats[] = {
	{ "4", ERROR_INVALID, "format 4, but this cdrd is older and reads formats 1 to 3 only" },
	{ "4294967296", ERROR_INVALID, "format 4294967296, but this cdrd is older and reads formats 1 to 3 only" },
	{ "none", ERROR_CORRUPT, "format \"none\" is not a number" },
};

START_TEST(another_format_is_refused_by_name)
{
	set_format(other_formats[_i].format);
	ck_assert_int_eq(store_open(&f.store, &f.options, &err), -1);
	ck_assert_int_eq(err.code, other_formats[_i].code);
	expect(strstr(err.message, other_formats[_i].message) && strstr(err.message, f.dir), "%s", err.message);
	ck_assert_int_eq(store_open(&f.store, &f.options, &err), -1); /* nor was it taken over the first time */
}
END_TEST

static const struct {
	const char *format;
	bool upgraded; /* in the background */
} formats_before[] = { { "1", true }, { "2", false } };

START_TEST(the_format_before_is_taken_over)
{
	uint64_t format;

	put_many("acct0001", DAY, 1);
	seal_all();
	set_format(formats_before[_i].format);
	ASSERT_OK(store_open(&f.store, &f.options, &err));
	ASSERT_OK(meta_get_number(f.meta, "format", &format, &err));
	ck_assert_uint_eq(format, 3);
	ck_assert_int_eq(f.store->days[0]->is_old, formats_before[_i].upgraded);
}
END_TEST

/* --- from day to day --- */

static enum store_put_result put_version(const struct sample *sample)
{
	static const struct store_versions versions = { .merge = false, .column = CATALOG_NONE };
	enum store_put_result result;

	ASSERT_OK(store_put_version(f.store, &sample->record, sample->time_us, &versions, &result, &err));
	return result;
}

static int found_count;

static bool count_found(void *arg, const struct scan_row *row)
{
	*(int32_t *)arg = clock_day_of(row->time_us);
	found_count++;
	return true;
}

/* The day of the one record with the sample's id. */
static int32_t day_of(const struct sample *sample)
{
	int32_t day = 0;
	struct scan_find find = { .product = sms(),
		                  .account = &(struct account_key){ "acct0001" },
		                  .id = sample->record.values[sms()->id_column],
		                  .first_day = INT32_MIN,
		                  .max = 100 };
	struct scan_sink sink = { .on_record = count_found, .arg = &day };
	struct scan *scan = scan_start_find(f.store, &find, &sink, &err);
	enum scan_end end;

	found_count = 0;
	ASSERT_OK(scan_step(scan, INT64_MAX, &end, &err));
	scan_cancel(scan);
	expect(found_count == 1, "found %d times", found_count);
	return day;
}

static void copy(const char *name, int32_t day)
{
	struct buf command = { 0 };

	buf_addf(&command, "mkdir -p %s+/days && cp -r %s/%s", f.dir, f.dir, name);
	if (day)
		clock_format_day(&command, day);
	buf_addf(&command, " %s+/%s", f.dir, day ? "days" : "");
	ck_assert_int_eq(system(buf_cstr(&command)), 0);
	buf_free(&command);
}

/* From one day to another while a backup has copied one of the two, or the days before. */
START_TEST(a_backup_has_a_record_once_that_moves_meanwhile)
{
	int32_t from = DAY + (_i & 1), to = DAY + !(_i & 1), first = _i & 2 ? from : to, second = _i & 2 ? to : from;
	struct sample *sample = new_sms("acct0001", from, 1000), *other = new_sms("acct0001", to, 1000);
	struct sample *moved = sample_changed(&sampler, sample, CATALOG_OUTBOUND, other->time_us, 1);
	char whole[80];

	put_version(sample);
	put_version(other);
	ASSERT_OK(store_commit(f.store, &err));
	store_keep_moves(f.store, true);
	copy("days/", first);
	ck_assert_int_eq(put_version(moved), STORE_UPDATED);
	ASSERT_OK(store_commit(f.store, &err));
	copy("days/", second);
	copy("catalog", 0);
	copy("moves", 0);
	store_keep_moves(f.store, false);
	ck_assert_int_eq(day_of(moved), to);
	snprintf(whole, sizeof(whole), "%s+", f.dir);
	fixture_close(&f);
	ck_assert_int_eq(rename(whole, f.dir), 0);
	fixture_start(&f);
	ck_assert_int_eq(day_of(moved), to);
	ck_assert_int_eq(day_of(other), to);
	free(sample);
	free(other);
	free(moved);
}
END_TEST

/* The day that a record leaves is committed, and then the disk says no: nothing of the round is acknowledged, but what was
 * there before must not be gone. */
START_TEST(a_move_that_a_failed_commit_has_torn_is_finished_by_maintenance)
{
	struct sample *sample = new_sms("acct0001", DAY, 1000);
	struct sample *moved =
		sample_changed(&sampler, sample, CATALOG_OUTBOUND, sample->time_us + CLOCK_US_PER_DAY, 1);
	bool more, dirty;

	put_version(sample);
	ASSERT_OK(store_commit(f.store, &err));
	put_version(moved);
	ASSERT_OK(moves_write(f.store, &err));
	ASSERT_OK(env_commit(&f.store->days[_i]->env, &err));
	store_abort(f.store);
	ASSERT_OK(store_maintain(f.store, INT64_MAX, &more, &dirty, &err));
	ck_assert_int_eq(day_of(moved), DAY + 1);
	ck_assert_int_eq(put_version(moved), STORE_DUPLICATE);
	free(sample);
	free(moved);
}
END_TEST

/* Between a move that a failed commit has torn and its being finished, others are acknowledged. None of the two days, or
 * the one that the record goes to, was committed. */
START_TEST(a_version_that_came_after_a_torn_move_is_not_replaced_by_it)
{
	struct sample *sample = new_sms("acct0001", DAY, 1000);
	struct sample *moved =
		sample_changed(&sampler, sample, CATALOG_OUTBOUND, sample->time_us + CLOCK_US_PER_DAY, 1);
	struct sample *later = sample_changed(&sampler, sample, CATALOG_OUTBOUND, sample->time_us, 6);

	put_version(sample);
	ASSERT_OK(store_commit(f.store, &err));
	if (_i & 2)
		seal_all();
	put_version(moved);
	ASSERT_OK(moves_write(f.store, &err));
	if (_i & 1)
		ASSERT_OK(env_commit(&f.store->days[1]->env, &err));
	store_abort(f.store);
	ck_assert_int_eq(put_version(later), STORE_UPDATED);
	ASSERT_OK(store_commit(f.store, &err));
	ck_assert(!moves_are_left(f.store));
	ck_assert_int_eq(day_of(later), DAY);
	ck_assert_int_eq(put_version(later), STORE_DUPLICATE);
	fixture_restart(&f);
	ck_assert_int_eq(day_of(later), DAY);
	free(sample);
	free(moved);
	free(later);
}
END_TEST

START_TEST(a_move_that_was_finished_is_not_begun_again)
{
	struct sample *sample = new_sms("acct0001", DAY, 1000);
	struct sample *moved =
		sample_changed(&sampler, sample, CATALOG_OUTBOUND, sample->time_us + CLOCK_US_PER_DAY, 1);

	put_version(sample);
	ASSERT_OK(store_commit(f.store, &err));
	ck_assert_int_eq(put_version(moved), STORE_UPDATED);
	ck_assert_int_eq(put_version(sample), STORE_UPDATED);
	ASSERT_OK(store_commit(f.store, &err));
	ck_assert_int_eq(day_of(sample), DAY);
	fixture_restart(&f);
	ck_assert_int_eq(day_of(sample), DAY);
	ck_assert_int_eq(put_version(sample), STORE_DUPLICATE);
	free(sample);
	free(moved);
}
END_TEST

/* --- which version is newer --- */

static const struct {
	const char *older, *newer;
} orders[] = {
	{ "1", "2" },
	{ "9", "10" },
	{ "-2", "-1" },
	{ "-1", "0" },
	{ "0.09", "0.1" },
	{ "1.5", "1.50001" },
	{ "007", "8" },
	{ "1732444800123456788", "1732444800123456789" },
	{ "2026-11-24T10:00:00Z", "2026-11-24T10:00:00.5Z" },
	{ "2026-11-24T12:00:00+02:00", "2026-11-24T10:00:01Z" },
};

static struct record version_of(const char *version, const char *status)
{
	struct record record;

	record_clear(&record, sms());
	record.values[sms()->version_column] = str_from(version);
	record.values[sms()->status_column] = str_from(status);
	return record;
}

START_TEST(versions_are_ordered_as_numbers_and_as_times)
{
	struct record older = version_of(orders[_i].older, "delivered"),
		      newer = version_of(orders[_i].newer, "submitted");

	ck_assert(versions_is_older(&older, &newer, sms()->version_column));
	ck_assert(!versions_is_older(&newer, &older, sms()->version_column));
	ck_assert(versions_is_older(&newer, &older, CATALOG_NONE)); /* by the status */
}
END_TEST

static const struct {
	const char *came, *stored;
	bool older;
} statuses[] = {
	{ "submitted", "delivered", true },  { "submitted", "accepted", true }, { "ACCEPTED", "expired", true },
	{ "delivered", "submitted", false }, { "failed", "delivered", false },  { "accepted", "buffered", false },
	{ "", "delivered", false },          { "submitted", "", false },        { "strange", "delivered", false },
	{ "submitted", "strange", true },
};

START_TEST(what_cannot_be_compared_goes_by_the_status)
{
	const char *const values[][2] = { { "1", "2026-11-24T10:00:00Z" }, { "", "5" }, { "7", "7.0" }, { "x", "y" } };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct record came = version_of(values[i][0], statuses[_i].came);
		struct record stored = version_of(values[i][1], statuses[_i].stored);

		ck_assert_int_eq(versions_is_older(&came, &stored, sms()->version_column), statuses[_i].older);
	}
}
END_TEST

/* --- limits --- */

START_TEST(a_day_that_is_full_keeps_what_it_has)
{
	size_t full = 0;

	fixture_close(&f);
	fixture_open(&f, (size_t)2 << 20);
	for (int i = 0; i < 400; i++) {
		bool failed = false;

		for (int n = 0; n < 30 && !failed; n++) {
			struct sample *sample = new_sms("acct0001", DAY, pick_below(pick, 86400));
			enum store_put_result result;

			failed = store_put(f.store, &sample->record, sample->time_us, &result, &err) != 0;
			if (failed)
				free(sample);
			else
				model_put(&model, sample, NULL, f.store->last_seq);
		}
		if (failed || store_commit(f.store, &err) != 0) {
			expect(err.code == ERROR_FULL, "%s", err.message);
			model_abort(&model);
			full++;
		} else {
			model_commit(&model);
		}
	}
	ck_assert_uint_gt(full, 0);
	check_all("acct0001", false);
	fixture_restart(&f);
	check_all("acct0001", false);
}
END_TEST

static bool is_listed(const char *day)
{
	int found = meta_find(f.meta, META_DB_DAYS, str_from(day), NULL, NULL, &err);

	expect(found >= 0, "%s", err.message);
	return found > 0;
}

START_TEST(a_day_is_listed_with_its_first_commit)
{
	put_many("acct0001", DAY, 3);
	ck_assert(!is_listed("2026-02-16"));
	commit();
	ck_assert(is_listed("2026-02-16"));
	ck_assert(!meta_is_waiting(f.meta));
}
END_TEST

/* Also where listing it has failed, and although the day is closed by then. */
START_TEST(a_day_that_vanishes_after_its_first_commit_is_missed)
{
	struct env *catalog = meta_env(f.meta);
	char path[512];

	put_many("acct0001", DAY, 3);
	catalog->broken = _i == 1;
	catalog->retry_us = INT64_MAX;
	ck_assert_int_eq(store_commit(f.store, &err), _i == 1 ? -1 : 0);
	catalog->broken = false;
	ck_assert(is_listed("2026-02-16") == (_i == 0));
	struct day *day = store_day(f.store, DAY, false, &err);
	ck_assert_ptr_nonnull(day);
	snprintf(path, sizeof(path), "%s/data.mdb", day->env.path);
	days_close_down_to(f.store, 0);
	ck_assert_int_eq(remove(path), 0);
	ck_assert_ptr_null(store_day(f.store, DAY, false, &err));
	ck_assert_int_eq(err.code, ERROR_DAMAGED);
	put_many("acct0001", DAY + 1, 3);
	ASSERT_OK(store_commit(f.store, &err));
	ck_assert(is_listed("2026-02-16") && is_listed("2026-02-17"));
}
END_TEST

/* --- counts while the store changes --- */

/* Of rows that are not reached yet, one leaves its place: it is in no other one of those that were counted. */
START_TEST(what_moves_while_a_day_is_counted_is_counted_once)
{
	struct day_count count = { .stats = { .day = DAY } };
	int result;

	for (uint32_t i = 0; i < 1000; i++)
		put(new_sms("acct0001", DAY, i));
	commit();
	ck_assert_int_eq(store_count_day(f.store, &count, 0, &err), 0);
	const struct sample *last = model.records[model.count - 1]->now;
	put(sample_changed(&sampler, last, CATALOG_OUTBOUND, last->time_us + CLOCK_US_PER_HOUR, 1));
	commit();
	while ((result = store_count_day(f.store, &count, 0, &err)) == 0)
		;
	ck_assert_int_eq(result, 1);
	ck_assert_uint_eq(day_stats_records(&count.stats), 1000);
	ck_assert_uint_eq(stats_of(DAY).hot_rows, 1000);
}
END_TEST

static bool stop_at_third(void *arg, const struct scan_row *row)
{
	(void)row;
	return ++*(int *)arg < 3;
}

/* The rest of the day would be missing without a word. */
START_TEST(a_scan_does_not_resume_within_a_day_that_is_kept_no_longer)
{
	int rows = 0;
	const struct scan_sink sink = { .on_record = stop_at_third, .arg = &rows };
	struct scan_position position = { { 0 } };
	struct check check;
	enum scan_end end;

	put_many("acct0001", DAY, 10);
	put_many("acct0001", DAY + 1, 10);
	commit();
	query_all(&check, "acct0001", false);
	check.query.accounts = check.accounts;
	ASSERT_OK(scan_once(f.store, &check.query, &position, INT64_MAX, &sink, &end, &err));
	ck_assert_int_eq(end, SCAN_STOPPED);
	store_keep_from(f.store, DAY + 1);
	ck_assert(!scan_is_kept(f.store, &position));
	ck_assert_int_eq(scan_once(f.store, &check.query, &position, INT64_MAX, &sink, &end, &err), -1);
	ck_assert_int_eq(err.code, ERROR_UNAVAILABLE);
	position = (struct scan_position){ { 0 } };
	rows = -100;
	ASSERT_OK(scan_once(f.store, &check.query, &position, INT64_MAX, &sink, &end, &err));
	ck_assert_int_eq(rows, -100 + 10);
}
END_TEST

/* All of it is in a sum, or nothing. */
START_TEST(a_day_that_is_removed_while_it_is_added_up_does_not_count)
{
	struct account_key accounts[2] = { { "acct0001" }, { "acct0002" } };
	struct aggregate_counts counts;
	enum scan_end end = SCAN_PAUSED;

	for (int i = 0; i < 4; i++) {
		put_many("acct0001", DAY, 10);
		put_many("acct0002", DAY, 10);
		seal_all();
	}
	put_many("acct0001", DAY + 1, 7);
	commit();
	const struct aggregate_query query = { .scan = { .product = sms(),
		                                         .direction = CATALOG_OUTBOUND,
		                                         .accounts = accounts,
		                                         .accounts_count = 2,
		                                         .from_us = clock_day_start_us(DAY),
		                                         .to_us = clock_day_start_us(DAY + 2),
		                                         .snapshot = store_snapshot(f.store) } };
	struct aggregate *aggregate = aggregate_start(f.store, &query, &err);
	ck_assert_ptr_nonnull(aggregate);
	for (int steps = 0; steps < 2 + 4 * _i; steps++)
		ASSERT_OK(aggregate_step(aggregate, 0, &end, &err));
	ck_assert_int_eq(end, SCAN_PAUSED);
	ck_assert_int_eq(store_remove_days_before(f.store, DAY + 1, 1), 1);
	while (end == SCAN_PAUSED)
		ASSERT_OK(aggregate_step(aggregate, 0, &end, &err));
	aggregate_counts(aggregate, &counts);
	aggregate_cancel(aggregate);
	ck_assert_uint_eq(counts.rows, 7);
}
END_TEST

START_TEST(maintenance_comes_to_an_end_with_more_days_than_may_be_open)
{
	bool more = true, dirty;
	int calls = 0;

	f.options.days_open_max = 2;
	fixture_restart(&f);
	for (int32_t day = DAY; day < DAY + 8; day++)
		put_many("acct0001", day, 5);
	commit();
	for (; more && calls < 1000; calls++)
		ASSERT_OK(store_maintain(f.store, INT64_MAX, &more, &dirty, &err));
	expect(!more, "after %d calls there is still more", calls);
	ck_assert_uint_eq(stats_of(DAY).hot_rows, 5);
	seal_all();
	for (int32_t day = DAY; day < DAY + 8; day++)
		ck_assert_uint_eq(stats_of(day).hot_rows, 0);
	check_all("acct0001", true);
}
END_TEST

Suite *suite_store(void)
{
	Suite *suite = suite_create("store");
	TCase *tests = tcase_create("store"), *counts = tcase_create("counts");

	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_checked_fixture(counts, setup, teardown);
	tcase_add_test(tests, a_partition_of_many_blocks_is_read_whole_and_in_parts);
	tcase_add_test(tests, a_late_record_cuts_one_block_only);
	tcase_add_test(tests, a_record_between_two_blocks_cuts_none);
	tcase_add_test(tests, slices_end_between_blocks_that_filters_pass_over);
	tcase_add_test(tests, rows_that_columns_choose_are_given_as_lines);
	tcase_add_test(tests, many_small_seals_are_merged);
	tcase_add_test(tests, runs_of_full_parts_are_not_merged);
	tcase_add_test(tests, dead_rows_go_when_there_are_many);
	tcase_add_test(tests, lines_show_bodies_of_sealed_and_hot_rows);
	tcase_add_test(tests, lines_of_blocks_from_before_a_column_was_added_have_it);
	tcase_add_test(tests, look_ups_do_not_make_the_store_forget_what_is_uncommitted);
	tcase_add_test(tests, look_ups_find_what_is_being_sealed);
	tcase_add_test(tests, verifying_does_not_make_the_store_forget_what_is_uncommitted);
	tcase_add_test(tests, sealing_all_waits_for_what_is_uncommitted);
	tcase_add_test(tests, one_commit_makes_the_seals_of_many_accounts_last);
	tcase_add_test(tests, a_day_of_many_accounts_is_searched_in_slices);
	tcase_add_test(tests, sealing_all_begins_again_where_a_round_is_under_way);
	tcase_add_loop_test(tests, a_number_is_found_once_in_each_record_whatever_happens_meanwhile, 0,
	                    sizeof(meanwhiles) / sizeof(meanwhiles[0]));
	tcase_add_test(tests, a_number_is_found_once_where_a_slice_meets_two_sealed_versions_of_a_record);
	tcase_add_test(tests, a_partition_of_many_jobs_is_sealed_whole);
	tcase_add_test(tests, an_aborted_update_leaves_no_trace);
	tcase_add_test(tests, a_damaged_block_fails_its_own_requests_only);
	tcase_add_test(tests, every_damaged_block_is_named);
	tcase_add_test(tests, a_damaged_skip_part_is_noticed_by_filters);
	tcase_add_test(tests, damage_in_one_day_does_not_keep_others_from_sealing);
	tcase_add_test(tests, damaged_runs_do_not_keep_others_from_being_merged);
	tcase_add_loop_test(tests, the_format_before_is_taken_over, 0,
	                    sizeof(formats_before) / sizeof(formats_before[0]));
	tcase_add_loop_test(tests, another_format_is_refused_by_name, 0,
	                    sizeof(other_formats) / sizeof(other_formats[0]));
	tcase_add_loop_test(tests, a_backup_has_a_record_once_that_moves_meanwhile, 0, 4);
	tcase_add_loop_test(tests, a_move_that_a_failed_commit_has_torn_is_finished_by_maintenance, 0, 2);
	tcase_add_loop_test(tests, a_version_that_came_after_a_torn_move_is_not_replaced_by_it, 0, 4);
	tcase_add_test(tests, a_move_that_was_finished_is_not_begun_again);
	tcase_add_loop_test(tests, versions_are_ordered_as_numbers_and_as_times, 0, sizeof(orders) / sizeof(orders[0]));
	tcase_add_loop_test(tests, what_cannot_be_compared_goes_by_the_status, 0,
	                    sizeof(statuses) / sizeof(statuses[0]));
	tcase_add_test(tests, a_day_that_is_full_keeps_what_it_has);
	tcase_add_test(tests, a_day_is_listed_with_its_first_commit);
	tcase_add_loop_test(tests, a_day_that_vanishes_after_its_first_commit_is_missed, 0, 2);
	tcase_add_test(tests, maintenance_comes_to_an_end_with_more_days_than_may_be_open);
	suite_add_tcase(suite, tests);
	tcase_add_test(counts, what_moves_while_a_day_is_counted_is_counted_once);
	tcase_add_test(counts, a_scan_does_not_resume_within_a_day_that_is_kept_no_longer);
	tcase_add_loop_test(counts, a_day_that_is_removed_while_it_is_added_up_does_not_count, 0, 2);
	suite_add_tcase(suite, counts);
	return suite;
}
