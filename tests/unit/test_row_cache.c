/* SPDX-License-Identifier: ISC */
/*
 * test_row_cache.c: a line comes back for its own key alone and as it was given; the newest stay, and memory is bounded.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "pick.h"
#include "store/blocks/row_cache.h"

Suite *suite_row_cache(void);

static struct row_cache *cache;
static struct str line;

static void setup(void)
{
	cache = row_cache_new(INT64_MAX);
	ck_assert_ptr_nonnull(cache);
}

static void teardown(void)
{
	row_cache_free(cache);
}

static struct row_key key_of(uint32_t row)
{
	return (struct row_key){ .partition = { .account = { "acct0001" }, .product = 1, .direction = 2 },
		                 .day = 20500,
		                 .block = row / 4096,
		                 .row = row % 4096,
		                 .head_crc32 = 7,
		                 .csv_crc32 = 9 };
}

static struct position position_of(const struct row_key *key)
{
	return (struct position){ .time_us = key->day, .seq = (uint64_t)key->block << 32 | key->row, .direction = 2 };
}

/* What the line of a key is, of up to `max` bytes: the same each time. */
static struct str line_of(uint32_t number, char *text, uint32_t max)
{
	struct pick pick = { number };
	uint32_t len = pick_below(&pick, max + 1);

	for (uint32_t i = 0; i < len; i++)
		text[i] = (char)pick_u64(&pick);
	return (struct str){ text, len };
}

static bool has(const struct row_key *key)
{
	struct position position;

	if (!row_cache_get(cache, key, &position, &line))
		return false;
	struct position wanted = position_of(key);
	expect(position_equal(&position, &wanted), "row %u has another's position", key->row);
	return true;
}

static void put(const struct row_key *key, struct str text)
{
	struct position position = position_of(key);

	row_cache_put(cache, key, &position, text);
}

START_TEST(a_line_comes_back_for_its_own_key)
{
	struct row_key key = key_of(5);
	struct row_key others[] = { key, key, key, key, key, key, key, key };

	others[0].partition.account.bytes[7] = '2';
	others[1].partition.product++;
	others[2].partition.direction = 1;
	others[3].day++;
	others[4].block++;
	others[5].row++;
	others[6].head_crc32++;
	others[7].csv_crc32++;
	ck_assert(!has(&key));
	put(&key, STR_LITERAL("\"a\",\"b\"\n"));
	ck_assert(has(&key));
	ck_assert(str_equal(line, STR_LITERAL("\"a\",\"b\"\n")));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_msg(!has(&others[i]), "other key %zu", i);
}
END_TEST

START_TEST(lines_that_are_there_are_right_and_the_newest_are_there)
{
	const uint32_t count = 200000, max = 700, newest = 10000;
	struct pick pick = { 11 };
	char text[700];
	uint32_t found = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct row_key key = key_of(i);

		put(&key, line_of(i, text, max));
		uint32_t other = pick_below(&pick, i + 1);
		key = key_of(other);
		if (has(&key))
			expect(str_equal(line, line_of(other, text, max)), "line %u after %u", other, i);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct row_key key = key_of(i);
		bool is_there = has(&key);

		found += is_there && i >= count - newest;
		expect(is_there <= (i >= count / 2), "line %u has outlived its room", i);
	}
	ck_assert_uint_ge(found, newest / 100 * 99);
}
END_TEST

START_TEST(a_line_that_is_too_long_is_not_kept)
{
	char *text = calloc(1, ROW_CACHE_LINE_MAX + 1);
	struct row_key longest = key_of(1), longer = key_of(2);

	ck_assert_ptr_nonnull(text);
	/* The end of the ring lies within one of them. */
	for (uint32_t i = 0; i < 2000; i++) {
		longest.day = longer.day = (int32_t)i;
		put(&longest, (struct str){ text, ROW_CACHE_LINE_MAX });
		put(&longer, (struct str){ text, ROW_CACHE_LINE_MAX + 1 });
		expect(has(&longest) && line.len == ROW_CACHE_LINE_MAX, "line %u", i);
		expect(!has(&longer), "line %u is too long", i);
	}
	free(text);
}
END_TEST

START_TEST(what_is_old_gives_way_before_the_ring_is_full)
{
	struct row_cache *whole = cache;
	struct row_key keys[3];

	cache = row_cache_new(0); /* all that is there is old */
	ck_assert_ptr_nonnull(cache);
	for (uint32_t i = 0; i < 3; i++) {
		keys[i] = key_of(i);
		ck_assert(!has(&keys[i]));
		put(&keys[i], STR_LITERAL("\"a\"\n"));
		ck_assert(has(&keys[i]));
		ck_assert_msg(i == 0 || !has(&keys[i - 1]), "row %u is kept beside row %u", i - 1, i);
	}
	row_cache_free(cache);
	cache = whole;
}
END_TEST

Suite *suite_row_cache(void)
{
	Suite *suite = suite_create("row_cache");
	TCase *tests = tcase_create("row_cache");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_line_comes_back_for_its_own_key);
	tcase_add_test(tests, lines_that_are_there_are_right_and_the_newest_are_there);
	tcase_add_test(tests, what_is_old_gives_way_before_the_ring_is_full);
	tcase_add_test(tests, a_line_that_is_too_long_is_not_kept);
	suite_add_tcase(suite, tests);
	return suite;
}
