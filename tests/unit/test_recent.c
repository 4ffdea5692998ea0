/* SPDX-License-Identifier: ISC */
/*
 * test_recent.c: the table of accounts that were active most recently.
 */
#include <check.h>
#include <stdio.h>

#include "base/recent.h"

Suite *suite_recent(void);

struct visitor {
	struct recent_entry entry;
	int visits;
};

static bool has_many_visits(const struct recent_entry *entry)
{
	return ((const struct visitor *)entry)->visits > 1;
}

static struct recent table;

static void setup(void)
{
	recent_init(&table, sizeof(struct visitor), has_many_visits);
}

static void teardown(void)
{
	recent_free(&table);
}

static void visit(const char *id)
{
	bool is_new;
	struct visitor *visitor = recent_get(&table, id, &is_new);

	ck_assert_ptr_nonnull(visitor);
	ck_assert_str_eq(visitor->entry.id, id);
	ck_assert(is_new == (visitor->visits == 0));
	visitor->visits++;
}

START_TEST(an_entry_is_made_once_and_found_again)
{
	visit("abcd1234");
	visit("abcd1234");
	visit("abcd1235");
	ck_assert_int_eq(((struct visitor *)recent_find(&table, "abcd1234"))->visits, 2);
	ck_assert_int_eq(((struct visitor *)recent_find(&table, "abcd1235"))->visits, 1);
	ck_assert_ptr_null(recent_find(&table, "abcd123"));
	ck_assert_uint_eq(table.count, 2);
}
END_TEST

START_TEST(the_one_quiet_longest_makes_room_unless_it_is_busy)
{
	char id[16];

	visit("busy");
	visit("busy");
	visit("quiet");
	visit("later");
	for (int i = 0; i < RECENT_MAX - 3; i++) {
		(void)snprintf(id, sizeof(id), "v%d", i);
		visit(id);
	}
	ck_assert_uint_eq(table.count, RECENT_MAX);
	visit("one more");
	ck_assert_uint_eq(table.count, RECENT_MAX);
	ck_assert_ptr_nonnull(recent_find(&table, "busy"));
	ck_assert_ptr_null(recent_find(&table, "quiet"));
	ck_assert_ptr_nonnull(recent_find(&table, "later"));
}
END_TEST

Suite *suite_recent(void)
{
	Suite *suite = suite_create("recent");
	TCase *tc = tcase_create("recent");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_entry_is_made_once_and_found_again);
	tcase_add_test(tc, the_one_quiet_longest_makes_room_unless_it_is_busy);
	suite_add_tcase(suite, tc);
	return suite;
}
