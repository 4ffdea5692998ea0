/* SPDX-License-Identifier: ISC */
/*
 * test_read_back.c: an encoder that makes mistakes costs no record. What is written is read back before that which it
 * was made of goes: when hot rows are sealed, runs are merged, and a run is written anew with other values.
 *
 * The linker puts the __wrap_ functions in the encoders' places (tests/unit/local.mk). They encode as ever until a
 * test chooses a fault.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/clock.h"
#include "deflate/deflate.h"
#include "expect.h"
#include "store/sealing/seal.h"
#include "store/days_store.h"
#include "store_check.h"
#include "store_fixture.h"

Suite *suite_read_back(void);

#define DAY 20500
#define MAP_BYTES ((size_t)64 << 20)
#define ROWS 500
#define SMALL_RUNS 8 /* of one partition are merged */
#define ACCOUNT "acct0001"
#define OTHER_ACCOUNT "acct0002"
/* --- the encoders, and what they may do wrong --- */

enum fault {
	NONE,
	LINES_CHANGED, /* a good stream of other lines */
	LINES_DAMAGED,
	LINES_MORE, /* all of them and then some */
	LINES_LESS,
	LINES_NO_FLUSH,
	LINES_NOTHING,
	EXTRA_CHANGED,
	EXTRA_LESS,
	STORED_TOO, /* and so does what would take their place */
	PLACES,
};

static enum fault fault;
static unsigned calls; /* of faulty encoders */

bool __real_deflate_add(struct deflate *deflate, struct str content, struct buf *out);
bool __wrap_deflate_add(struct deflate *deflate, struct str content, struct buf *out);
bool __real_deflate_add_stored(struct str content, struct buf *out);
bool __wrap_deflate_add_stored(struct str content, struct buf *out);
size_t __real_ZSTD_compressCCtx(ZSTD_CCtx *zstd, void *to, size_t size, const void *from, size_t len, int level);
size_t __wrap_ZSTD_compressCCtx(ZSTD_CCtx *zstd, void *to, size_t size, const void *from, size_t len, int level);
void __real_block_places_write(struct buf *out, struct block_segment *segment, const struct position *positions,
                               bool seconds);
void __wrap_block_places_write(struct buf *out, struct block_segment *segment, const struct position *positions,
                               bool seconds);

/* The content with its middle byte changed. */
static struct buf changed(struct str content)
{
	struct buf copy = { 0 };

	buf_add_str(&copy, content);
	copy.data[copy.len / 2] ^= 1;
	return copy;
}

bool __wrap_deflate_add(struct deflate *deflate, struct str content, struct buf *out)
{
	size_t begin = out->len;
	struct buf other = { 0 };

	if (fault == NONE || fault == EXTRA_CHANGED || fault == EXTRA_LESS || fault == PLACES)
		return __real_deflate_add(deflate, content, out);
	calls++;
	buf_add_str(&other, content);
	if (fault == LINES_CHANGED || fault == STORED_TOO)
		other.data[other.len / 2] ^= 1;
	if (fault == LINES_MORE)
		buf_add_str(&other, content);
	if (fault == LINES_LESS)
		other.len--;
	bool result = __real_deflate_add(deflate, buf_str(&other), out);
	buf_free(&other);
	if (fault == LINES_DAMAGED)
		out->data[begin + (out->len - begin) / 2] ^= 0x55;
	if (fault == LINES_NO_FLUSH)
		out->len -= 4;
	if (fault == LINES_NOTHING)
		out->len = begin;
	return result;
}

bool __wrap_deflate_add_stored(struct str content, struct buf *out)
{
	if (fault != STORED_TOO)
		return __real_deflate_add_stored(content, out);
	struct buf other = changed(content);
	bool result = __real_deflate_add_stored(buf_str(&other), out);
	buf_free(&other);
	return result;
}

size_t __wrap_ZSTD_compressCCtx(ZSTD_CCtx *zstd, void *to, size_t size, const void *from, size_t len, int level)
{
	if (fault != EXTRA_CHANGED && fault != EXTRA_LESS)
		return __real_ZSTD_compressCCtx(zstd, to, size, from, len, level);
	struct buf other = changed((struct str){ from, len });
	size_t made = __real_ZSTD_compressCCtx(zstd, to, size, other.data, len - (fault == EXTRA_LESS), level);
	calls++;
	buf_free(&other);
	return made;
}

void __wrap_block_places_write(struct buf *out, struct block_segment *segment, const struct position *positions,
                               bool seconds)
{
	__real_block_places_write(out, segment, positions, seconds);
	if (fault == PLACES) {
		segment->first_us++;
		calls++;
	}
}

/* --- a store, and what should be in it --- */

static struct fixture f;
static struct model model;
static struct sampler sampler;
static struct error err;
static uint32_t ids;

static void setup(void)
{
	fixture_open(&f, MAP_BYTES);
	model = (struct model){ 0 };
	sampler = (struct sampler){ .pick = { 1 }, .styles = 6 };
	ids = calls = 0;
	fault = NONE;
}

static void teardown(void)
{
	fault = NONE;
	model_free(&model);
	fixture_close(&f);
}

static void put_many(const char *account, uint32_t count)
{
	while (count-- > 0) {
		int64_t time_us = clock_day_start_us(DAY) + ++ids * CLOCK_US_PER_SECOND;
		struct sample *stored, *sample = sample_new(&sampler, sms(), account, ids, CATALOG_OUTBOUND, time_us);
		enum store_put_result result, wanted = model_expect(&model, sample, NULL, &stored);

		ASSERT_OK(store_put(f.store, &sample->record, sample->time_us, &result, &err));
		ck_assert_int_eq(result, wanted);
		if (stored)
			model_put(&model, stored, NULL, f.store->last_seq);
		free(sample);
	}
	ASSERT_OK(store_commit(f.store, &err));
	model_commit(&model);
}

/* One job of maintenance, committed. Is there more to do? */
static bool step(unsigned *failed)
{
	struct error ignored;
	bool more, dirty;

	if (store_maintain(f.store, INT64_MAX, &more, &dirty, &err) != 0) {
		ck_assert_int_eq(err.code, ERROR_CORRUPT);
		more = true;
		++*failed;
	}
	ck_assert_int_eq(store_commit(f.store, &ignored), 0);
	return more;
}

/* Maintenance until it has nothing to do. Returns how many jobs failed; there is an end to them. */
static unsigned maintenance(void)
{
	unsigned failed = 0;

	for (int i = 0; step(&failed); i++)
		expect(i < 100, "maintenance does not end");
	return failed;
}

static unsigned seal_all(void)
{
	begin_sealing(f.store);
	return maintenance();
}

static struct store_day_stats stats(void)
{
	struct store_day_stats stats;

	ASSERT_OK(fixture_count_day(f.store, DAY, &stats, &err));
	return stats;
}

static uint64_t misread(void)
{
	struct store_metrics metrics;

	store_metrics(f.store, &metrics);
	return metrics.sealing.misread;
}

/* Every record is there, value by value, and every line. */
static void assert_all_there(const char *account)
{
	struct check check = { .lines = true };

	check.accounts[0] = account_key_of_id(account);
	check.query = (struct scan_query){
		.product = sms(),
		.direction = CATALOG_OUTBOUND,
		.accounts_count = 1,
		.from_us = clock_day_start_us(DAY),
		.to_us = clock_day_start_us(DAY + 1),
		.snapshot = store_snapshot(f.store),
	};
	check_begin(&check, account, f.store, &model);
	while (!check_page(&check, SIZE_MAX, false))
		;
	check_end(&check);
}

static bool count_row(void *arg, struct record *record)
{
	(void)record;
	++*(unsigned *)arg;
	return false;
}

/* --- the promises --- */

static const enum fault mended[] = { LINES_CHANGED,  LINES_DAMAGED, LINES_MORE,    LINES_LESS,
	                             LINES_NO_FLUSH, LINES_NOTHING, EXTRA_CHANGED, EXTRA_LESS };
#define MENDED (int)(sizeof(mended) / sizeof(mended[0]))

START_TEST(sealing_loses_nothing_to_a_faulty_encoder)
{
	put_many(ACCOUNT, ROWS);
	fault = mended[_i];
	ck_assert_uint_eq(seal_all(), 0);
	ck_assert_uint_gt(calls, 0);
	ck_assert_uint_eq(misread(), calls);
	ck_assert_uint_eq(stats().hot_rows, 0);
	ck_assert_uint_eq(stats().sealed_rows, ROWS);
	assert_all_there(ACCOUNT);
}
END_TEST

/* Seals a little, again and again, until that has been merged; sealing is done well, merging is not. */
static unsigned merge_with(enum fault wanted, unsigned rounds)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < rounds && !failed && f.store->sealing.merges == 0; i++) {
		put_many(ACCOUNT, ROWS / 10);
		begin_sealing(f.store);
		fault = NONE;
		expect(step(&failed), "nothing to seal");
		fault = wanted;
		failed += maintenance();
	}
	return failed;
}

START_TEST(merging_loses_nothing_to_a_faulty_encoder)
{
	ck_assert_uint_eq(merge_with(mended[_i], 50), 0);
	ck_assert_uint_eq(f.store->sealing.merges, 1);
	ck_assert_uint_gt(misread(), 0);
	ck_assert_uint_eq(misread(), calls);
	assert_all_there(ACCOUNT);
}
END_TEST

START_TEST(writing_a_run_anew_loses_nothing_to_a_faulty_encoder)
{
	unsigned seen = 0;
	struct partition partition = partition_of(&(struct account_key){ ACCOUNT }, sms()->number, CATALOG_OUTBOUND);

	put_many(ACCOUNT, ROWS);
	ck_assert_uint_eq(seal_all(), 0);
	fault = mended[_i];
	struct day *day = store_day(f.store, DAY, false, &err);
	ck_assert_int_eq(seal_begin_change(f.store, day, &partition, 0, count_row, &seen, &err), 1);
	ck_assert_uint_eq(maintenance(), 0);
	ck_assert_uint_eq(seen, ROWS);
	ck_assert_uint_gt(misread(), 0);
	ck_assert_uint_eq(misread(), calls);
	assert_all_there(ACCOUNT);
}
END_TEST

static const enum fault hopeless[] = { STORED_TOO, PLACES };

START_TEST(hot_rows_stay_where_no_way_of_writing_reads_back)
{
	put_many(ACCOUNT, ROWS);
	fault = hopeless[_i];
	ck_assert_uint_eq(seal_all(), 1);
	ck_assert_uint_eq(misread(), 1);
	ck_assert_uint_eq(stats().hot_rows, ROWS);
	ck_assert_uint_eq(stats().sealed_rows, 0);
	ck_assert_ptr_nonnull(strstr(err.message, ACCOUNT ", SMS, direction 1: block 0 of the seal is not stored"));
	assert_all_there(ACCOUNT);
	/* Other partitions of the day don't wait for it, and it is not tried again with every record. */
	fault = NONE;
	put_many(OTHER_ACCOUNT, ROWS);
	ck_assert_uint_eq(seal_all(), 0);
	ck_assert_uint_eq(stats().hot_rows, ROWS);
	ck_assert_uint_eq(stats().sealed_rows, ROWS);
	assert_all_there(ACCOUNT);
	assert_all_there(OTHER_ACCOUNT);
}
END_TEST

START_TEST(runs_stay_where_no_way_of_writing_reads_back)
{
	ck_assert_uint_eq(merge_with(hopeless[_i], 50), 1);
	ck_assert_uint_eq(f.store->sealing.merges, 0);
	ck_assert_uint_eq(misread(), 1);
	ck_assert_ptr_nonnull(strstr(err.message, ACCOUNT ", SMS, direction 1: block 0 of the merge is not stored"));
	assert_all_there(ACCOUNT);
}
END_TEST

START_TEST(other_runs_are_merged_where_some_cannot_be)
{
	unsigned failed = 0;

	for (int i = 0; i < SMALL_RUNS; i++) {
		put_many(ACCOUNT, ROWS / 10);
		put_many(OTHER_ACCOUNT, ROWS / 10);
		store_day(f.store, DAY, false, &err)->merge_wait_us = INT64_MAX;
		ck_assert_uint_eq(seal_all(), 0);
	}
	struct day *day = store_day(f.store, DAY, false, &err);
	day->merge_wait_us = 0;
	day->swept = false;
	fault = STORED_TOO;
	while (failed == 0)
		expect(step(&failed), "nothing to merge");
	ck_assert_uint_eq(f.store->sealing.merges, 0);
	fault = NONE;
	ck_assert_uint_eq(maintenance(), 0);
	ck_assert_uint_eq(f.store->sealing.merges, 2);
	assert_all_there(ACCOUNT);
	assert_all_there(OTHER_ACCOUNT);
}
END_TEST

START_TEST(a_faulty_encoder_that_is_mended_seals_after_a_while)
{
	put_many(ACCOUNT, ROWS);
	fault = STORED_TOO;
	ck_assert_uint_eq(seal_all(), 1);
	fault = NONE;
	struct partition partition = partition_of(&(struct account_key){ ACCOUNT }, sms()->number, CATALOG_OUTBOUND);
	hot_partition_find(&store_day(f.store, DAY, false, &err)->hot, &partition)->wait_us =
		0; /* as if it were over */
	ck_assert_uint_eq(seal_all(), 0);
	ck_assert_uint_eq(stats().sealed_rows, ROWS);
	assert_all_there(ACCOUNT);
}
END_TEST

Suite *suite_read_back(void)
{
	Suite *suite = suite_create("read_back");
	TCase *tests = tcase_create("read_back");

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, sealing_loses_nothing_to_a_faulty_encoder, 0, MENDED);
	tcase_add_loop_test(tests, merging_loses_nothing_to_a_faulty_encoder, 0, MENDED);
	tcase_add_loop_test(tests, writing_a_run_anew_loses_nothing_to_a_faulty_encoder, 0, MENDED);
	tcase_add_loop_test(tests, hot_rows_stay_where_no_way_of_writing_reads_back, 0, 2);
	tcase_add_loop_test(tests, runs_stay_where_no_way_of_writing_reads_back, 0, 2);
	tcase_add_test(tests, other_runs_are_merged_where_some_cannot_be);
	tcase_add_test(tests, a_faulty_encoder_that_is_mended_seals_after_a_while);
	suite_add_tcase(suite, tests);
	return suite;
}
