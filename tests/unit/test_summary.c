/* SPDX-License-Identifier: ISC */
/*
 * test_summary.c: the zones that a summary's hours, days and months are counted in, and sums without reading.
 */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "groups_check.h"
#include "pick.h"
#include "base/zone.h"
#include "api/summary.h"
#include "store/aggregate.h"
#include "scan_once.h"
#include "store_fixture.h"

Suite *suite_summary(void);

static int64_t moment(const char *text)
{
	int64_t time_us;

	ck_assert_msg(clock_parse_iso8601(str_from(text), &time_us), "%s is no time", text);
	return time_us;
}

static void open_zone(struct zone *zone, const char *name)
{
	struct error err = { 0 };

	ck_assert_msg(zone_load(zone, str_from(name), moment("2025-01-01T00:00:00Z"), moment("2026-12-31T00:00:00Z"),
	                        &err) == 0,
	              "%s: %s", name, err.message);
}

static void must_be_refused(const char *name)
{
	struct zone zone;
	struct error err = { 0 };

	ck_assert_msg(zone_load(&zone, str_from(name), 0, CLOCK_US_PER_DAY, &err) < 0, "%s was taken", name);
	ck_assert_int_eq(err.code, ERROR_INVALID);
	zone_free(&zone);
}

static const struct {
	const char *zone;
	enum zone_interval interval;
	const char *time;
	const char *start;
} rows[] = {
	{ "UTC", ZONE_DAY, "2026-03-29T23:59:59.999999Z", "2026-03-29T00:00:00+00:00" },
	{ "+02:00", ZONE_DAY, "2026-03-29T23:59:59Z", "2026-03-30T00:00:00+02:00" },
	{ " 02:00", ZONE_DAY, "2026-03-29T23:59:59Z", "2026-03-30T00:00:00+02:00" },
	{ "-0930", ZONE_HOUR, "2026-03-29T23:59:59Z", "2026-03-29T14:00:00-09:30" },
	{ "+05", ZONE_MONTH, "2026-02-28T19:00:00Z", "2026-03-01T00:00:00+05:00" },
	/* 2026-03-29 has 23 hours in Berlin, 2026-10-25 has 25 */
	{ "Europe/Berlin", ZONE_DAY, "2026-03-28T22:59:59Z", "2026-03-28T00:00:00+01:00" },
	{ "Europe/Berlin", ZONE_DAY, "2026-03-28T23:00:00Z", "2026-03-29T00:00:00+01:00" },
	{ "Europe/Berlin", ZONE_DAY, "2026-03-29T21:59:59Z", "2026-03-29T00:00:00+01:00" },
	{ "Europe/Berlin", ZONE_DAY, "2026-03-29T22:00:00Z", "2026-03-30T00:00:00+02:00" },
	{ "Europe/Berlin", ZONE_HOUR, "2026-03-29T00:59:59Z", "2026-03-29T01:00:00+01:00" },
	{ "Europe/Berlin", ZONE_HOUR, "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00" },
	{ "Europe/Berlin", ZONE_HOUR, "2026-10-25T00:30:00Z", "2026-10-25T02:00:00+02:00" },
	{ "Europe/Berlin", ZONE_HOUR, "2026-10-25T01:30:00Z", "2026-10-25T02:00:00+01:00" },
	{ "Europe/Berlin", ZONE_MONTH, "2026-03-31T21:59:59Z", "2026-03-01T00:00:00+01:00" },
	{ "Europe/Berlin", ZONE_MONTH, "2026-03-31T22:00:00Z", "2026-04-01T00:00:00+02:00" },
	{ "Europe/Berlin", ZONE_MONTH, "2025-12-31T23:00:00Z", "2026-01-01T00:00:00+01:00" },
	{ "America/New_York", ZONE_DAY, "2025-11-02T04:00:00Z", "2025-11-02T00:00:00-04:00" },
	{ "America/New_York", ZONE_DAY, "2025-11-03T04:59:59Z", "2025-11-02T00:00:00-04:00" },
	{ "America/New_York", ZONE_DAY, "2025-11-03T05:00:00Z", "2025-11-03T00:00:00-05:00" },
	{ "Asia/Kolkata", ZONE_HOUR, "2026-06-01T12:29:59Z", "2026-06-01T17:00:00+05:30" },
	{ "Asia/Kolkata", ZONE_HOUR, "2026-06-01T12:30:00Z", "2026-06-01T18:00:00+05:30" },
	{ "Asia/Kathmandu", ZONE_DAY, "2026-06-01T18:15:00Z", "2026-06-02T00:00:00+05:45" },
	/* set back by half an hour, at 2 to half past 1 */
	{ "Australia/Lord_Howe", ZONE_HOUR, "2026-04-04T14:59:59Z", "2026-04-05T01:00:00+11:00" },
	{ "Australia/Lord_Howe", ZONE_HOUR, "2026-04-04T15:00:00Z", "2026-04-05T01:30:00+10:30" },
	{ "Australia/Lord_Howe", ZONE_HOUR, "2026-04-04T15:30:00Z", "2026-04-05T02:00:00+10:30" },
	/* midnight of 2026-04-24 is not there: the clock goes from 24:00 to 01:00 */
	{ "Africa/Cairo", ZONE_DAY, "2026-04-23T21:59:59Z", "2026-04-23T00:00:00+02:00" },
	{ "Africa/Cairo", ZONE_DAY, "2026-04-23T22:00:00Z", "2026-04-24T01:00:00+03:00" },
	{ "Etc/GMT+2", ZONE_DAY, "2026-04-23T01:59:59Z", "2026-04-22T00:00:00-02:00" },
	{ "Etc/GMT 2", ZONE_DAY, "2026-04-23T02:00:00Z", "2026-04-23T00:00:00-02:00" },
};

START_TEST(intervals_begin_where_the_zone_says)
{
	struct buf text = { 0 };
	struct zone zone;
	int64_t until_us, time_us = moment(rows[_i].time);

	open_zone(&zone, rows[_i].zone);
	int64_t start_us = zone_interval_start_us(&zone, rows[_i].interval, time_us, &until_us);

	zone_format(&zone, &text, start_us);
	ck_assert_msg(str_is(buf_str(&text), rows[_i].start), "%s of %s: %s, not %s", rows[_i].time, rows[_i].zone,
	              buf_cstr(&text), rows[_i].start);
	ck_assert_int_le(start_us, time_us);
	ck_assert_int_gt(until_us, time_us);
	buf_free(&text);
	zone_free(&zone);
}
END_TEST

/* Two years, half an hour at a time: what the table says of one moment holds until the moment that it names. */
START_TEST(intervals_follow_each_other_without_gaps)
{
	static const char *const zones[] = { "Europe/Berlin",  "America/New_York", "Australia/Lord_Howe",
		                             "Africa/Cairo",   "Asia/Kathmandu",   "-03:30",
		                             "America/Havana", "Africa/Casablanca" };
	static const enum zone_interval intervals[] = { ZONE_HOUR, ZONE_DAY, ZONE_MONTH };
	struct zone zone, other;
	int wrong = 0;

	open_zone(&zone, zones[_i]);
	open_zone(&other, zones[_i]);
	for (size_t i = 0; i < 3; i++) {
		int64_t last_us = INT64_MIN, last_until_us = INT64_MIN;

		for (int64_t t = moment("2025-01-01T00:15:00Z"); t < moment("2026-12-31T00:00:00Z");
		     t += CLOCK_US_PER_HOUR / 2) {
			int64_t until_us, ignored_us,
				start_us = zone_interval_start_us(&zone, intervals[i], t, &until_us);

			wrong += start_us < last_us || start_us > t || until_us <= t;
			wrong += t < last_until_us && start_us != last_us;
			wrong += zone_interval_start_us(&other, intervals[i], start_us, &ignored_us) != start_us;
			last_us = start_us;
			last_until_us = until_us;
		}
	}
	ck_assert_int_eq(wrong, 0);
	zone_free(&zone);
	zone_free(&other);
}
END_TEST

START_TEST(what_is_no_zone_is_refused)
{
	static const char *const names[] = { "",
		                             "Europe",
		                             "Europe/Atlantis",
		                             "../../etc/passwd",
		                             "/etc/localtime",
		                             "+2",
		                             "+15:00",
		                             "+02:60",
		                             "+02-00",
		                             "right/UTC",
		                             "zone.tab",
		                             "Europe/Berlin ",
		                             "Europe/../Europe/Berlin",
		                             "+0x:00",
		                             "::" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		must_be_refused(names[i]);
}
END_TEST

START_TEST(the_process_keeps_its_own_zone)
{
	struct zone zone;
	time_t noon = 1780000000;
	struct tm before, after;

	setenv("TZ", "Asia/Tokyo", 1);
	tzset();
	localtime_r(&noon, &before);
	open_zone(&zone, "Europe/Berlin");
	localtime_r(&noon, &after);
	ck_assert_str_eq(getenv("TZ"), "Asia/Tokyo");
	ck_assert_int_eq(before.tm_gmtoff, after.tm_gmtoff);
	zone_free(&zone);
}
END_TEST

/* A thread of a library may read another one meanwhile. */
START_TEST(loading_a_zone_moves_no_variable_of_the_environment)
{
	struct zone zone;
	size_t count = 0;
	char **before;

	unsetenv("TZ");
	setenv("LAST", "kept", 1);
	zone_init();
	before = environ;
	while (before[count])
		count++;
	open_zone(&zone, "Europe/Berlin");
	zone_free(&zone);
	open_zone(&zone, "Asia/Tokyo");
	zone_free(&zone);
	ck_assert_ptr_eq(environ, before);
	ck_assert_str_eq(environ[count - 1], "TZ=:/etc/localtime");
	ck_assert_str_eq(environ[count - 2], "LAST=kept");
	ck_assert_ptr_null(environ[count]);
}
END_TEST

/* --- sums --- */

#define DAY 20500
#define RECORDS_MAX 3000

struct run {
	struct pick pick;
	struct fixture f;
	const struct catalog_product *product;
	size_t count;
	bool outbound[RECORDS_MAX];
	const char *odd_price; /* of every tenth record, if there is one */
	uint32_t prices;       /* how many there are; 0: 1000 */
	bool has_two_days;     /* a version may have another day than the one before */
};

/* A value of a column that the product may not have. */
static void set(struct record *record, const char *column, struct str value)
{
	uint8_t place = catalog_column_find(record->product, str_from(column));

	if (place != CATALOG_NONE)
		record->values[place] = value;
}

/* Values of which some follow others (a country its network), some are rare and some are not there. */
static void set_some(struct run *run, struct record *record, size_t index, char network[8], char duration[8])
{
	static const char *const statuses[] = { "delivered", "delivered", "delivered", "failed", "rejected", "" };
	uint32_t number = index % 100 < 90 ? pick_below(&run->pick, 30) : 70 + pick_below(&run->pick, 3);

	snprintf(network, 8, "%u", 23400 + number);
	snprintf(duration, 8, "%u", pick_below(&run->pick, 600));
	set(record, "network", str_from(network));
	set(record, "country", number < 70 ? STR_LITERAL("GB") : STR_LITERAL("DE"));
	set(record, "status", str_from(statuses[pick_below(&run->pick, 6)]));
	if (index % 7)
		set(record, "duration", str_from(duration));
	if (index % 50 == 0)
		set(record, "price", STR_LITERAL("0.000000000001"));
}

static void put_one(struct run *run, size_t index)
{
	const struct catalog_product *product = run->product;
	static const struct store_versions versions = { .merge = false, .column = CATALOG_NONE };
	int32_t day = DAY + (run->has_two_days ? (int32_t)pick_below(&run->pick, 2) : 0);
	int64_t time_us = clock_day_start_us(day) + pick_below(&run->pick, 86400) * CLOCK_US_PER_SECOND;
	char id[32], price[32], network[8], duration[8];
	struct buf time = { 0 };
	struct record record;
	enum store_put_result result;
	struct error err = { 0 };

	clock_format_record(&time, time_us);
	snprintf(id, sizeof(id), "id-%zu", index);
	snprintf(price, sizeof(price), "0.%03u", pick_below(&run->pick, run->prices ? run->prices : 1000));
	if (run->odd_price && index % 10 == 0)
		snprintf(price, sizeof(price), "%s", run->odd_price);
	record_clear(&record, product);
	record.values[product->account_column] = STR_LITERAL("acct0001");
	record.values[product->id_column] = str_from(id);
	record.values[product->time_column] = buf_str(&time);
	record.values[product->direction_column] =
		run->outbound[index] ? STR_LITERAL("outbound") : STR_LITERAL("inbound");
	record.values[catalog_column_find(product, STR_LITERAL("currency"))] =
		index % 3 ? STR_LITERAL("EUR") : STR_LITERAL("USD");
	record.values[catalog_column_find(product, STR_LITERAL("total_price"))] = str_from(price);
	set_some(run, &record, index, network, duration);
	ck_assert_msg(store_put_version(run->f.store, &record, time_us, run->has_two_days ? &versions : NULL, &result,
	                                &err) == 0,
	              "%s", err.message);
	buf_free(&time);
}

static void commit(struct run *run)
{
	struct error err = { 0 };

	ck_assert_msg(store_commit(run->f.store, &err) == 0, "%s", err.message);
}

static void seal_some(struct run *run)
{
	bool more, dirty;
	struct error err = { 0 };

	for (uint32_t left = pick_below(&run->pick, 12); left > 0; left--) {
		ck_assert_int_eq(store_maintain(run->f.store, clock_monotonic_us() + 10000, &more, &dirty, &err), 0);
		if (dirty)
			commit(run);
	}
}

/* New records, and new versions of old ones, as far as `most`. */
static void put_some(struct run *run, size_t most)
{
	for (uint32_t left = pick_below(&run->pick, 200); left > 0; left--) {
		bool is_new = run->count == 0 || (run->count < most && pick_percent(&run->pick, 80));
		size_t index = is_new ? run->count++ : pick_below(&run->pick, (uint32_t)run->count);

		if (is_new)
			run->outbound[index] = pick_percent(&run->pick, 70);
		put_one(run, index);
	}
	commit(run);
}

/* Adds up, with other work in between if `disturb`. */
static struct aggregate *add_up(struct run *run, const struct aggregate_query *query, bool disturb)
{
	struct error err = { 0 };
	struct aggregate *aggregate = aggregate_start(run->f.store, query, &err);
	enum scan_end end = SCAN_PAUSED;

	ck_assert_ptr_nonnull(aggregate);
	while (end != SCAN_DONE) {
		ck_assert_msg(aggregate_step(aggregate, disturb ? 0 : INT64_MAX, &end, &err) == 0, "%s", err.message);
		if (disturb && pick_percent(&run->pick, 10))
			seal_some(run);
	}
	return aggregate;
}

/* The same, by a scan. */
struct total {
	const struct aggregate_query *query;
	struct aggregate_groups groups;
};

static bool add_record(void *arg, const struct scan_row *row)
{
	struct total *total = arg;
	const struct aggregate_query *query = total->query;
	int64_t until_us, start_us = zone_interval_start_us(query->zone, query->interval, row->time_us, &until_us);
	struct error err;

	ck_assert_int_eq(aggregate_add_record(&total->groups, start_us, row->record, &err), 0);
	return true;
}

static void scan(struct run *run, const struct aggregate_query *query, struct total *total)
{
	struct scan_sink sink = { .on_record = add_record, .arg = total };
	struct scan_query own = query->scan;
	enum scan_end end;
	struct error err = { 0 };

	own.snapshot = store_snapshot(run->f.store);
	total->query = query;
	aggregate_groups_init(&total->groups, run->product, query->group_by, query->group_by_count, query->groups_max);
	own.direction =
		query->scan.direction || !run->product->partition_direction ? query->scan.direction : CATALOG_OUTBOUND;
	for (bool more = true; more; own.direction = CATALOG_INBOUND) {
		struct scan_position position = { { 0 } };

		ck_assert_int_eq(scan_once(run->f.store, &own, &position, INT64_MAX, &sink, &end, &err), 0);
		ck_assert_int_eq(end, SCAN_DONE);
		more = run->product->partition_direction && !query->scan.direction && own.direction == CATALOG_OUTBOUND;
	}
}

/* Up to three of the columns; returns how many. */
static size_t choose_columns(struct run *run, uint8_t columns[3])
{
	static const char *const names[] = { "country", "status", "network", "currency", "direction", "account_id" };
	size_t count = pick_below(&run->pick, 4), from = pick_below(&run->pick, 6);

	for (size_t i = 0; i < count; i++)
		columns[i] = catalog_column_find(run->product, str_from(names[(from + i) % 6]));
	return count;
}

static size_t choose_filters(struct run *run, struct scan_filter filters[2])
{
	filters[0] =
		(struct scan_filter){ .column = catalog_column_find(run->product, STR_LITERAL("country")),
		                      .value = pick_percent(&run->pick, 50) ? STR_LITERAL("DE") : STR_LITERAL("GB") };
	filters[1] = (struct scan_filter){ .column = catalog_column_find(run->product, STR_LITERAL("status")),
		                           .match = SCAN_NOCASE,
		                           .value = pick_percent(&run->pick, 80) ? STR_LITERAL("Delivered") :
		                                                                   STR_LITERAL("") };
	return pick_percent(&run->pick, 50) ? 0 : pick_between(&run->pick, 1, 2);
}

static void compare_counts(struct run *run, struct aggregate_query query, uint64_t found)
{
	struct aggregate_counts counts;

	query.groups_max = 0;
	struct aggregate *aggregate = add_up(run, &query, false);
	aggregate_counts(aggregate, &counts);
	ck_assert_uint_eq(counts.rows, found);
	ck_assert_uint_ge(counts.seen, found);
	aggregate_cancel(aggregate);
}

static uint64_t rows_of(const struct aggregate_groups *groups)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < groups->count; i++)
		sum += aggregate_group_at(groups, i)->count;
	return sum;
}

static void compare_sums(struct run *run)
{
	static const struct account_key account = { "acct0001" };
	static const enum zone_interval intervals[] = { ZONE_WHOLE, ZONE_HOUR, ZONE_DAY };
	static const enum catalog_direction directions[] = { CATALOG_NO_DIRECTION, CATALOG_OUTBOUND, CATALOG_INBOUND };
	int64_t from_us = clock_day_start_us(DAY), to_us = from_us + CLOCK_US_PER_DAY;
	uint8_t columns[3];
	struct scan_filter filters[2];
	struct zone zone;
	struct error err;
	struct aggregate_query query = {
		.scan = { .product = run->product,
		          .accounts = &account,
		          .accounts_count = 1,
		          .from_us = from_us,
		          .to_us = to_us,
		          .filters = filters },
		.group_by = columns,
		.zone = &zone,
		.groups_max = 10000,
	};
	struct total scanned;

	ck_assert_int_eq(zone_load(&zone, STR_LITERAL("+05:30"), from_us, to_us, &err), 0);
	if (run->product->partition_direction)
		query.scan.direction = directions[pick_below(&run->pick, 3)];
	query.scan.filters_count = choose_filters(run, filters);
	query.interval = intervals[pick_below(&run->pick, 3)];
	query.group_by_count = choose_columns(run, columns);
	if (pick_percent(&run->pick, 50)) {
		query.scan.from_us += pick_below(&run->pick, 43200) * CLOCK_US_PER_SECOND;
		query.scan.to_us -= pick_below(&run->pick, 43200) * CLOCK_US_PER_SECOND;
	}
	query.scan.snapshot = store_snapshot(run->f.store);
	struct aggregate *aggregate = add_up(run, &query, pick_percent(&run->pick, 50));

	scan(run, &query, &scanned);
	groups_check_equal(aggregate_groups(aggregate), &scanned.groups);
	compare_counts(run, query, rows_of(&scanned.groups));
	aggregate_cancel(aggregate);
	aggregate_groups_free(&scanned.groups);
	zone_free(&zone);
}

START_TEST(sums_are_those_of_a_scan)
{
	static const uint32_t seal_rows[] = { 16, 300, 1500 };
	static const char *const products[] = { "SMS", "VOICE-CALL" };
	struct run *run = calloc(1, sizeof(*run));

	run->pick.state = (uint64_t)_i * 77 + 5;
	run->product = catalog_product_find(str_from(products[_i % 2]));
	run->prices = _i % 4 < 2 ? 20 : 1000;
	run->odd_price = _i % 5 == 4 ? "abc" : _i % 5 == 2 ? "" : NULL;
	fixture_open(&run->f, FIXTURE_MAP_BYTES);
	fixture_stop(&run->f);
	run->f.options.seal_rows = seal_rows[_i % 3];
	run->f.options.seal_age_us = INT64_C(1) << 50;
	fixture_start(&run->f);
	for (int step = 0; step < 60; step++) {
		put_some(run, RECORDS_MAX);
		seal_some(run);
		compare_sums(run);
	}
	fixture_close(&run->f);
	free(run);
}
END_TEST

static const struct {
	bool has_two_days, turns;
	size_t groups_max;
} moves_rows[] = {
	{ false, false, 0 }, { false, false, 10 }, { true, false, 0 },
	{ true, false, 10 }, { false, true, 0 },   { false, true, 10 },
};

/* Of hot records some get another time of the day, another day or another direction while the others are added up: each is
 * counted once all the same. */
START_TEST(records_that_move_meanwhile_are_counted_once)
{
	static const struct account_key account = { "acct0001" };
	struct run *run = calloc(1, sizeof(*run));
	struct aggregate_query query = {
		.scan = { .accounts = &account,
		          .accounts_count = 1,
		          .from_us = clock_day_start_us(DAY),
		          .to_us = clock_day_start_us(DAY + 2) },
		.groups_max = moves_rows[_i].groups_max,
	};
	struct aggregate_counts counts;
	enum scan_end end = SCAN_PAUSED;
	struct error err = { 0 };
	size_t moves = 0;

	run->pick.state = (uint64_t)_i;
	run->has_two_days = moves_rows[_i].has_two_days;
	query.scan.product = run->product = catalog_product_find(STR_LITERAL("SMS"));
	fixture_open(&run->f, FIXTURE_MAP_BYTES);
	while (run->count < 1000)
		put_one(run, run->count++);
	commit(run);
	query.scan.snapshot = store_snapshot(run->f.store);
	struct aggregate *aggregate = aggregate_start(run->f.store, &query, &err);
	ck_assert_ptr_nonnull(aggregate);
	for (size_t slices = 0; end != SCAN_DONE; slices++) {
		ck_assert_msg(aggregate_step(aggregate, 0, &end, &err) == 0, "%s", err.message);
		if (slices % 3 != 1 || ++moves > 5)
			continue;
		for (int left = 100; left > 0; left--) {
			size_t index = pick_below(&run->pick, 1000);

			run->outbound[index] ^= moves_rows[_i].turns;
			put_one(run, index);
		}
		commit(run);
	}
	ck_assert_uint_ge(moves, 3);
	aggregate_counts(aggregate, &counts);
	ck_assert_uint_eq(query.groups_max ? rows_of(aggregate_groups(aggregate)) : counts.rows, 1000);
	aggregate_cancel(aggregate);
	fixture_close(&run->f);
	free(run);
}
END_TEST

/* Of all outbound records. */
static struct aggregate *sum_up(struct run *run)
{
	static const struct account_key account = { "acct0001" };
	struct aggregate_query query = {
		.scan = { .product = run->product,
		          .accounts = &account,
		          .accounts_count = 1,
		          .from_us = clock_day_start_us(DAY),
		          .to_us = clock_day_start_us(DAY + 1),
		          .direction = CATALOG_OUTBOUND },
		.groups_max = 10,
	};

	return add_up(run, &query, false);
}

static void seal_all(struct run *run)
{
	bool more = true, dirty;
	struct error err = { 0 };

	begin_sealing(run->f.store);
	for (int turns = 0; more && turns < 1000; turns++) {
		ck_assert_int_eq(store_maintain(run->f.store, INT64_MAX, &more, &dirty, &err), 0);
		commit(run);
	}
}

static decimal_units money_of(const struct aggregate_groups *groups)
{
	return aggregate_amount_at(groups, 0)->total_price.units + aggregate_amount_at(groups, 1)->total_price.units;
}

static const struct {
	const char *price;
	uint64_t unreadable, unpriced;
} odd_prices[] = { { "abc", 20, 0 }, { "0,02", 20, 0 }, { "5e-05", 0, 0 }, { "0.5", 0, 0 }, { "", 0, 20 } };

/* Ingest refuses such prices; but it once did not, and they are stored. */
START_TEST(stored_price_that_is_no_number_is_counted_apart_hot_and_sealed)
{
	struct run *run = calloc(1, sizeof(*run));
	struct aggregate *hot, *sealed;

	run->product = catalog_product_find(STR_LITERAL("SMS"));
	run->odd_price = odd_prices[_i].price;
	fixture_open(&run->f, FIXTURE_MAP_BYTES);
	for (; run->count < 200; run->count++) {
		run->outbound[run->count] = true;
		put_one(run, run->count);
	}
	commit(run);
	hot = sum_up(run);
	seal_all(run);
	sealed = sum_up(run);
	for (int i = 0; i < 2; i++) {
		struct aggregate_group *group = aggregate_group_at(aggregate_groups(i == 0 ? hot : sealed), 0);

		ck_assert_uint_eq(group->count, 200);
		ck_assert_uint_eq(group->unreadable, odd_prices[_i].unreadable);
		ck_assert_uint_eq(group->unpriced, odd_prices[_i].unpriced);
	}
	ck_assert(money_of(aggregate_groups(hot)) == money_of(aggregate_groups(sealed)));
	aggregate_cancel(hot);
	aggregate_cancel(sealed);
	fixture_close(&run->f);
	free(run);
}
END_TEST

/* Groups of nothing but hours and days begin at multiples of large powers of two. */
START_TEST(groups_of_intervals_are_spread_over_the_slots)
{
	const int64_t interval_us = _i ? CLOCK_US_PER_DAY : CLOCK_US_PER_DAY / 24;
	const struct scan_span span = { .rows = 1 };
	struct aggregate_groups groups;
	struct error err = { 0 };
	bool used[4096] = { false };
	size_t homes = 0;

	aggregate_groups_init(&groups, catalog_product_find(STR_LITERAL("SMS")), NULL, 0, 1000);
	for (int64_t i = 0; i < 1000; i++)
		ck_assert_int_eq(aggregate_add_span(&groups, i * interval_us, &span, &err), 0);
	ck_assert_uint_eq(groups.count, 1000);
	ck_assert_uint_le(groups.slots_count, sizeof(used));
	for (size_t i = 0; i < groups.count; i++) {
		bool *home = &used[aggregate_group_at(&groups, i)->hash & (groups.slots_count - 1)];

		homes += !*home;
		*home = true;
	}
	ck_assert_uint_gt(homes, 500);
	aggregate_groups_free(&groups);
}
END_TEST

Suite *suite_summary(void)
{
	Suite *suite = suite_create("summary");
	TCase *zones = tcase_create("zones");
	TCase *sums = tcase_create("sums");

	tcase_add_loop_test(zones, intervals_begin_where_the_zone_says, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_loop_test(zones, intervals_follow_each_other_without_gaps, 0, 8);
	tcase_add_test(zones, what_is_no_zone_is_refused);
	tcase_add_test(zones, the_process_keeps_its_own_zone);
	tcase_add_test(zones, loading_a_zone_moves_no_variable_of_the_environment);
	suite_add_tcase(suite, zones);
	tcase_set_timeout(sums, 60);
	tcase_add_loop_test(sums, groups_of_intervals_are_spread_over_the_slots, 0, 2);
	tcase_add_loop_test(sums, records_that_move_meanwhile_are_counted_once, 0,
	                    sizeof(moves_rows) / sizeof(moves_rows[0]));
	tcase_add_loop_test(sums, sums_are_those_of_a_scan, 0, 6);
	tcase_add_loop_test(sums, stored_price_that_is_no_number_is_counted_apart_hot_and_sealed, 0,
	                    (int)(sizeof(odd_prices) / sizeof(odd_prices[0])));
	suite_add_tcase(suite, sums);
	return suite;
}
