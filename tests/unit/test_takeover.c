/* SPDX-License-Identifier: ISC */
/*
 * test_takeover.c: of a move to a cluster, what needs no servers: what is compared, and when it may be given up.
 */
#include <check.h>
#include <endian.h>
#include <string.h>

#include "base/clock.h"
#include "store/cluster.h"
#include "store/takeover/takeover_private.h"
#include "expect.h"
#include "store_fixture.h"

static struct fixture fixture;
static struct store_cluster options;

/* Nothing listens there. */
static void set_hosts(const char *hosts)
{
	options = (struct store_cluster){ .base = options.base ? options.base : event_base_new(),
		                          .hosts = hosts,
		                          .user = "",
		                          .password = "",
		                          .database = "cdrd",
		                          .ca_file = "",
		                          .patience_us = CLOCK_US_PER_SECOND };
}

static void set_up(void)
{
	set_hosts("127.0.0.1:1|127.0.0.1:2");
	fixture_open(&fixture, FIXTURE_MAP_BYTES);
}

static void tear_down(void)
{
	fixture_close(&fixture);
	event_base_free(options.base);
	options.base = NULL;
}

static void open_takeover(void)
{
	struct error err = { 0 };

	ck_assert_msg(takeover_open(fixture.store, &options, &err) == 0, "%s", err.message);
}

static void save_place(enum takeover_kind kind, uint64_t since)
{
	struct takeover_place place = { .kind = kind, .since = since, .copied = 9, .shards = 2, .database = "cdrd" };
	struct error err = { 0 };

	if (kind == PLACE_DONE)
		ck_assert_int_eq(takeover_place_done(fixture.meta, &place, &err), 0);
	else
		ck_assert_int_eq(takeover_place_save(fixture.meta, &place, &err), 0);
}

/* --- what is compared --- */

static struct account_key account_number(uint64_t number)
{
	struct account_key key;

	number = htobe64(number);
	memcpy(key.bytes, &number, sizeof(key.bytes));
	return key;
}

/* As sums of SMS are answered: without prices, all of which are 0. */
static void take(struct takeover_compare *compare, uint64_t account, uint64_t rows, uint64_t numbers)
{
	uint8_t amounts[SCHEMA_AMOUNTS_MAX];
	size_t zeros = 2 * schema_amounts(&catalog_products[compare->product], amounts);
	uint64_t row[3 + 2 * SCHEMA_AMOUNTS_MAX] = { htole64(account), htole64(rows), htole64(numbers) };
	struct str text = { (const char *)row, 8 * (3 + zeros) };
	struct error err = { 0 };

	ck_assert_msg(takeover_compare_take(compare, &text, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(text.len, 0);
}

static void add_here(struct takeover_compare *compare, uint64_t account, uint64_t seq)
{
	const struct account_key key = account_number(account);
	struct record record;
	struct error err = { 0 };

	record_clear(&record, &catalog_products[compare->product]);
	ck_assert_int_eq(takeover_compare_add(compare, &key, &record, seq, &err), 0);
}

static void count_difference(void *arg, const struct takeover_difference *difference)
{
	(void)difference;
	*(int *)arg += 1;
}

static int differences(const struct takeover_compare *compare)
{
	int count = 0;

	takeover_compare_tell(compare, count_difference, &count);
	return count;
}

static struct takeover_compare *begin_compare(void)
{
	struct takeover_compare *compare = &fixture.store->takeover->compare;

	takeover_compare_begin(compare, 20780);
	while (!str_is(catalog_products[compare->product].name, "SMS"))
		compare->product++;
	return compare;
}

START_TEST(rows_on_another_shard_than_the_accounts_are_not_there)
{
	open_takeover();
	struct takeover_compare *compare = begin_compare();
	const struct account_key key = account_number(17);
	size_t shard = cluster_shard(compare->cluster, &key);

	add_here(compare, 17, 5);
	compare->shard = !shard;
	take(compare, 17, 1, 5);
	ck_assert_int_eq(differences(compare), 1);
	compare->shard = shard;
	take(compare, 17, 1, 5);
	ck_assert_int_eq(differences(compare), 0);
}
END_TEST

START_TEST(record_at_another_place_of_the_day_is_a_difference)
{
	open_takeover();
	struct takeover_compare *compare = begin_compare();
	const struct account_key key = account_number(17);

	compare->shard = cluster_shard(compare->cluster, &key);
	add_here(compare, 17, 5);
	add_here(compare, 17, 9);
	take(compare, 17, 2, 5 + 7);
	ck_assert_int_eq(differences(compare), 1);
}
END_TEST

/* Every key that there may be is in one span. */
START_TEST(spans_are_of_neighbouring_accounts)
{
	open_takeover();
	struct takeover_compare *compare = begin_compare();
	struct error err = { 0 };
	uint64_t accounts[4];
	size_t count = 0;

	for (uint64_t number = 100; count < 4; number++) {
		const struct account_key key = account_number(number << 32);

		if (cluster_shard(compare->cluster, &key) == 0)
			accounts[count++] = number << 32;
	}
	for (size_t i = 4; i-- > 0;)
		add_here(compare, accounts[i], i);
	for (size_t i = 0; i < compare->cap; i++)
		if (cluster_account(&compare->entries[i].account) == accounts[2])
			compare->entries[i].here.rows = 3000000;
	ck_assert_int_eq(takeover_compare_divide(compare, &err), 0);
	const struct takeover_span *spans = (const struct takeover_span *)(void *)compare->spans.data;
	const struct takeover_span expected[] = { { 0, 2 }, { accounts[2], 3000000 }, { accounts[3], 1 } };

	ck_assert_uint_eq(compare->spans.len, sizeof(expected));
	for (size_t i = 0; i < 3; i++)
		expect(spans[i].account == expected[i].account && spans[i].rows == expected[i].rows, "span %zu", i);
	compare->product++;
	ck_assert_int_eq(takeover_compare_divide(compare, &err), 0);
	ck_assert_uint_eq(compare->spans.len, sizeof(*spans));
	ck_assert_uint_eq(((const struct takeover_span *)(void *)compare->spans.data)->account, 0);
}
END_TEST

/* --- its life --- */

START_TEST(move_goes_on_only_where_it_began)
{
	struct error err = { 0 };

	save_place(PLACE_BEGUN, 7);
	set_hosts("127.0.0.1:1|127.0.0.1:2|127.0.0.1:3");
	ck_assert_int_ne(takeover_open(fixture.store, &options, &err), 0);
	ck_assert_int_eq(err.code, ERROR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, "database cdrd on 2 shards"));
	set_hosts("127.0.0.1:1|127.0.0.1:2");
	options.database = "other";
	ck_assert_int_ne(takeover_open(fixture.store, &options, &err), 0);
	options.database = "cdrd";
	open_takeover();
	ck_assert_uint_eq(fixture.store->takeover->place.since, 7);
	ck_assert_uint_eq(fixture.store->takeover->place.copied, 9);
}
END_TEST

START_TEST(empty_store_is_copied_at_once)
{
	struct takeover_state state;

	save_place(PLACE_WANTED, 0);
	open_takeover();
	takeover_state(fixture.store, &state);
	ck_assert_int_eq(state.phase, TAKEOVER_COPIES);
	fixture.store->takeover->place.kind = PLACE_BEGUN;
	takeover_state(fixture.store, &state);
	ck_assert_int_eq(state.phase, TAKEOVER_FOLLOWS);
}
END_TEST

START_TEST(rest_is_bounded)
{
	ck_assert_int_eq(takeover_rest_us(0), TAKEOVER_REST_US);
	ck_assert_int_eq(takeover_rest_us(CLOCK_US_PER_SECOND), 4 * CLOCK_US_PER_SECOND);
	ck_assert_int_eq(takeover_rest_us(3600 * CLOCK_US_PER_SECOND), 60 * CLOCK_US_PER_SECOND);
}
END_TEST

/* What failed before the cluster answered is no reason to give up. */
START_TEST(failure_of_before_is_forgotten)
{
	struct takeover *takeover;
	struct error err = { 0 };
	int64_t pause_us;

	save_place(PLACE_BEGUN, 0);
	open_takeover();
	takeover = fixture.store->takeover;
	ck_assert_int_eq(takeover_step(fixture.store, INT64_MAX, &pause_us, &err), 0);
	ck_assert_int_ne(takeover->failure.code, ERROR_NONE);
	takeover->cluster->is_ready = true;
	ck_assert_int_eq(takeover_step(fixture.store, INT64_MAX, &pause_us, &err), 0);
	ck_assert_int_eq(takeover->failure.code, ERROR_NONE);
}
END_TEST

static void start_in_cluster(void)
{
	fixture_stop(&fixture);
	fixture.options.engine = &store_cluster_engine;
	fixture.options.cluster = &options;
	fixture_start(&fixture);
}

START_TEST(what_the_cluster_alone_has_is_lost_only_when_that_is_said)
{
	struct takeover_state state;
	struct error err = { 0 };
	uint64_t lost;

	save_place(PLACE_DONE, 3);
	start_in_cluster();
	fixture.store->last_seq = 10;
	ck_assert_int_ne(takeover_stop(fixture.store, false, &lost, &err), 0);
	ck_assert_int_eq(err.code, ERROR_CONFLICT);
	ck_assert(!takeover_wants_hold(fixture.store));
	ck_assert_int_eq(takeover_check_hold(fixture.store, &err), 0);
	ck_assert_msg(takeover_stop(fixture.store, true, &lost, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(lost, 7);
	ck_assert(takeover_wants_hold(fixture.store));
	ck_assert_int_ne(takeover_check_hold(fixture.store, &err), 0);
	ck_assert_int_eq(err.code, ERROR_UNAVAILABLE);
	takeover_state(fixture.store, &state);
	ck_assert_int_eq(state.phase, TAKEOVER_IS_GIVEN_UP);
	ck_assert_int_eq(store_cluster_is_unused(fixture.meta, fixture.dir, &err), 0);
	fixture.store->last_seq = fixture.store->snapshot;
}
END_TEST

Suite *suite_takeover(void);

Suite *suite_takeover(void)
{
	Suite *suite = suite_create("takeover");
	TCase *tcase = tcase_create("takeover");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, rows_on_another_shard_than_the_accounts_are_not_there);
	tcase_add_test(tcase, record_at_another_place_of_the_day_is_a_difference);
	tcase_add_test(tcase, spans_are_of_neighbouring_accounts);
	tcase_add_test(tcase, move_goes_on_only_where_it_began);
	tcase_add_test(tcase, empty_store_is_copied_at_once);
	tcase_add_test(tcase, rest_is_bounded);
	tcase_add_test(tcase, failure_of_before_is_forgotten);
	tcase_add_test(tcase, what_the_cluster_alone_has_is_lost_only_when_that_is_said);
	suite_add_tcase(suite, tcase);
	return suite;
}
