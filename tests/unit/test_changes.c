/* SPDX-License-Identifier: ISC */
/*
 * test_changes.c: a loader that follows the changes ends with exactly what is stored, whatever happens meanwhile.
 *
 * Records arrive, change and move while they are sealed and merged and the store is closed and opened; between two
 * slices of a page, too. The loader knows nothing but the pages. A failure names its seed: CDRD_TEST_SEED=17.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pick.h"
#include "store/changes.h"
#include "store/days/seq_ranges.h"
#include "store_fixture.h"

Suite *suite_changes(void);

#define SEEDS 24
#define STEPS 500
#define RECORDS_MAX 6000
#define FIRST_DAY 20500
#define DAYS 4

/* --- ranges of numbers --- */

static bool ranges_hold(const struct seq_ranges *ranges, uint64_t number)
{
	return seq_ranges_next(ranges, number - 1) == number;
}

START_TEST(ranges_never_miss_a_number)
{
	struct pick pick = { .state = (uint64_t)_i + 7 };
	struct seq_ranges ranges;
	uint64_t numbers[4000];
	uint64_t at = 1;

	seq_ranges_clear(&ranges);
	ck_assert_uint_eq(seq_ranges_next(&ranges, 0), UINT64_MAX);
	for (size_t i = 0; i < 4000; i++) {
		at += 1 + pick_below(&pick, pick_percent(&pick, 30) ? 100000 : 50);
		numbers[i] = _i % 2 ? 1 + pick_u64(&pick) % 100000000 : at;
		seq_ranges_add(&ranges, numbers[i], numbers[i]);
		ck_assert(seq_ranges_are_sound(&ranges));
	}
	for (size_t i = 0; i < 4000; i++)
		ck_assert_msg(ranges_hold(&ranges, numbers[i]), "%llu is missing", (unsigned long long)numbers[i]);
}
END_TEST

START_TEST(ranges_tell_far_numbers_apart)
{
	struct seq_ranges ranges;

	seq_ranges_clear(&ranges);
	seq_ranges_add(&ranges, 100, 5000);
	seq_ranges_add(&ranges, 5500, 6000);
	seq_ranges_add(&ranges, 1000000, 1000000);
	ck_assert_uint_eq(ranges.count, 2);
	ck_assert_uint_eq(seq_ranges_next(&ranges, 0), 100);
	ck_assert_uint_eq(seq_ranges_next(&ranges, 100), 101);
	ck_assert_uint_eq(seq_ranges_next(&ranges, 6000), 1000000);
	ck_assert_uint_eq(seq_ranges_next(&ranges, 1000000), UINT64_MAX);
	seq_ranges_add(&ranges, 50000, 50001);
	ck_assert_uint_eq(ranges.count, 3);
	ck_assert_uint_eq(seq_ranges_next(&ranges, 6000), 50000);
}
END_TEST

START_TEST(ranges_that_were_left_half_changed_are_not_believed)
{
	struct seq_ranges ranges;

	seq_ranges_clear(&ranges);
	seq_ranges_add(&ranges, 5, 5);
	ranges.busy = 1;
	ck_assert(!seq_ranges_are_sound(&ranges));
	ranges.busy = 0;
	ranges.list[0].first = 6;
	ck_assert(!seq_ranges_are_sound(&ranges));
	ranges.list[0].first = 5;
	ranges.count = SEQ_RANGES_MAX + 1;
	ck_assert(!seq_ranges_are_sound(&ranges));
}
END_TEST

/* --- a loader --- */

struct version {
	int64_t time_us;
	uint8_t direction;
	uint32_t number; /* 0: not there */
};

struct own {
	int32_t day;
	bool other; /* of the other account */
	struct version now;
	struct version committed;
};

struct run {
	uint64_t seed;
	char about[64];
	struct pick pick;
	struct fixture f;
	const struct catalog_product *product;
	struct own records[RECORDS_MAX];
	size_t count;
	uint32_t versions; /* given out */
	uint32_t days;
	bool stormy; /* everything is sealed and merged between slices */

	uint64_t since;
	struct changes *page; /* being read, or NULL */
	struct version copy[RECORDS_MAX];
	size_t given;
};

static const char own_account[] = "acct0001", other_account[] = "acct0002";
static const struct account_key own_key = { "acct0001" };

static struct record record_of(const struct run *run, size_t index, char text[6][64])
{
	const struct own *own = &run->records[index];
	const struct catalog_product *product = run->product;
	struct buf time = { 0 };
	struct record record;

	record_clear(&record, product);
	clock_format_record(&time, own->now.time_us);
	snprintf(text[0], 64, "id-%zu", index);
	snprintf(text[1], 64, "%u", own->now.number);
	snprintf(text[2], 64, "%s", buf_cstr(&time));
	snprintf(text[3], 64, "%s", own->now.direction == CATALOG_INBOUND ? "inbound" : "outbound");
	buf_free(&time);
	record.values[product->account_column] = str_from(own->other ? other_account : own_account);
	record.values[product->id_column] = str_from(text[0]);
	record.values[product->time_column] = str_from(text[2]);
	record.values[product->direction_column] = str_from(text[3]);
	record.values[catalog_column_find(product, STR_LITERAL("from"))] = str_from(text[1]);
	return record;
}

static void put(struct run *run, size_t index)
{
	char text[6][64];
	struct record record = record_of(run, index, text);
	enum store_put_result result;
	struct error err = { 0 };

	ck_assert_msg(store_put(run->f.store, &record, run->records[index].now.time_us, &result, &err) == 0, "%s: %s",
	              run->about, err.message);
}

static int64_t any_time(struct run *run, int32_t day)
{
	return clock_day_start_us(day) + pick_below(&run->pick, 86400) * CLOCK_US_PER_SECOND;
}

static void do_new(struct run *run)
{
	for (uint32_t left = 1 + pick_below(&run->pick, 40); left > 0 && run->count < RECORDS_MAX; left--) {
		struct own *own = &run->records[run->count];

		*own = (struct own){ .day = FIRST_DAY + (int32_t)pick_below(&run->pick, run->days) };
		own->other = pick_percent(&run->pick, 20);
		own->now.time_us = any_time(run, own->day);
		own->now.direction = pick_percent(&run->pick, 70) ? CATALOG_OUTBOUND : CATALOG_INBOUND;
		own->now.number = ++run->versions;
		put(run, run->count++);
	}
}

static void do_change(struct run *run)
{
	for (uint32_t left = 1 + pick_below(&run->pick, 20); left > 0 && run->count > 0; left--) {
		size_t index = pick_below(&run->pick, (uint32_t)run->count);
		struct own *own = &run->records[index];

		if (pick_percent(&run->pick, 20))
			own->now.time_us = any_time(run, own->day);
		if (pick_percent(&run->pick, 10) && run->product->partition_direction)
			own->now.direction = own->now.direction == CATALOG_INBOUND ? CATALOG_OUTBOUND : CATALOG_INBOUND;
		own->now.number = ++run->versions;
		put(run, index);
	}
}

static void do_commit(struct run *run)
{
	struct error err = { 0 };

	ck_assert_msg(store_commit(run->f.store, &err) == 0, "%s: %s", run->about, err.message);
	for (size_t i = 0; i < run->count; i++)
		run->records[i].committed = run->records[i].now;
}

static void do_maintenance(struct run *run)
{
	bool more, dirty;
	struct error err = { 0 };

	if (pick_percent(&run->pick, run->stormy ? 50 : 10))
		begin_sealing(run->f.store);
	for (uint32_t left = 1 + pick_below(&run->pick, run->stormy ? 60 : 20); left > 0; left--) {
		int64_t deadline_us = clock_monotonic_us() + (pick_percent(&run->pick, 50) ? 0 : 10000);

		ck_assert_msg(store_maintain(run->f.store, deadline_us, &more, &dirty, &err) == 0, "%s: %s", run->about,
		              err.message);
		if (dirty && pick_percent(&run->pick, 70))
			do_commit(run);
	}
}

static void end_page(struct run *run)
{
	changes_free(run->page);
	run->page = NULL;
}

/* Loses what is not committed, with what the loader was reading, but not its token. Filters may have to be built
 * anew. */
static void do_restart(struct run *run)
{
	if (pick_percent(&run->pick, 60))
		do_commit(run);
	end_page(run);
	fixture_stop(&run->f);
	for (int32_t day = FIRST_DAY; day < FIRST_DAY + DAYS && pick_percent(&run->pick, 50); day++) {
		struct buf path = { 0 };

		buf_addf(&path, "%s/days/", run->f.dir);
		clock_format_day(&path, day);
		buf_add_text(&path, "/ids.filter");
		remove(buf_cstr(&path));
		buf_free(&path);
	}
	fixture_start(&run->f);
	/* numbers of records are not used again: a lost one stays as a gap */
	for (size_t i = 0; i < run->count; i++)
		run->records[i].now = run->records[i].committed;
	for (size_t i = 0; i < run->count; i++)
		if (!run->records[i].now.number) {
			run->records[i].now = (struct version){ any_time(run, run->records[i].day), CATALOG_OUTBOUND,
				                                ++run->versions };
			put(run, i);
		}
}

/* --- the loader's side --- */

static void write_text(void *arg, struct buf *out, const struct record *record)
{
	const struct run *run = arg;
	int64_t time_us;

	ck_assert(clock_parse_iso8601(record->values[record->product->time_column], &time_us));
	ck_assert(str_is(record->values[record->product->account_column], own_account));
	buf_addf(out, "%.*s %.*s %lld %d", STR_ARGS(record->values[record->product->id_column]),
	         STR_ARGS(record->values[catalog_column_find(run->product, STR_LITERAL("from"))]), (long long)time_us,
	         (int)catalog_direction_parse(record->values[record->product->direction_column]));
}

static void load(struct run *run, struct str text)
{
	char line[128];
	size_t index;
	unsigned number;
	long long time_us;
	int direction;

	snprintf(line, sizeof(line), "%.*s", STR_ARGS(text));
	ck_assert_int_eq(sscanf(line, "id-%zu %u %lld %d", &index, &number, &time_us, &direction), 4);
	ck_assert_uint_lt(index, run->count);
	ck_assert_msg(number > run->copy[index].number, "%s: %s comes after version %u of it", run->about, line,
	              run->copy[index].number);
	run->copy[index] = (struct version){ time_us, (uint8_t)direction, number };
	run->given++;
}

/* The loader has all that there is: so must its copy. */
static void compare(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		const struct version *real = &run->records[i].committed, *own = &run->copy[i];

		if (run->records[i].other)
			continue;
		ck_assert_msg(own->number == real->number && own->time_us == real->time_us &&
		                      own->direction == real->direction,
		              "%s: id-%zu: version %u at %lld, not %u at %lld", run->about, i, own->number,
		              (long long)own->time_us, real->number, (long long)real->time_us);
	}
}

static void begin_page(struct run *run)
{
	struct error err = { 0 };
	struct changes_query query = {
		.product = run->product,
		.accounts = &own_key,
		.accounts_count = 1,
		.since = run->since,
		.max = 1 + pick_below(&run->pick, pick_percent(&run->pick, 50) ? 10 : 400),
		.columns = SCAN_COLUMNS_ALL,
		.write = write_text,
		.arg = run,
	};

	run->page = changes_new(run->f.store, &query, &err);
	ck_assert_ptr_nonnull(run->page);
}

/* Takes a page in. True if there is nothing after it. */
static bool take_page(struct run *run)
{
	struct changes_page page = changes_page(run->page);

	ck_assert_uint_ge(page.up_to, run->since);
	ck_assert(!page.more || page.count > 0);
	for (size_t i = 0; i < page.count; i++)
		load(run, changes_text(run->page, i));
	run->since = page.up_to;
	end_page(run);
	return !page.more;
}

static bool read_slice(struct run *run, bool pause)
{
	struct error err = { 0 };
	enum scan_end end;

	ck_assert_msg(changes_run(run->page, pause ? 0 : INT64_MAX, &end, &err) == 0, "%s: %s", run->about,
	              err.message);
	return end == SCAN_DONE;
}

/* Goes on with the page, a slice or all of it. */
static void do_read(struct run *run)
{
	if (!run->page)
		begin_page(run);
	if (read_slice(run, run->stormy || pick_percent(&run->pick, 70)))
		take_page(run);
	else if (run->stormy && pick_percent(&run->pick, 40))
		do_maintenance(run);
}

/* Reads to the end, with nothing happening meanwhile. */
static void do_follow(struct run *run)
{
	bool done = false;

	while (!done) {
		if (!run->page)
			begin_page(run);
		while (!read_slice(run, pick_percent(&run->pick, 50)))
			;
		done = take_page(run);
	}
	/* A page that was begun before may have ended before the newest commit. */
	do {
		begin_page(run);
		ck_assert(read_slice(run, false));
	} while (!take_page(run));
	compare(run);
	ck_assert_uint_eq(run->since, store_snapshot(run->f.store));
}

static const struct {
	void (*does)(struct run *run);
	unsigned weight;
} steps[] = {
	{ do_new, 20 },  { do_change, 25 }, { do_commit, 15 }, { do_maintenance, 15 },
	{ do_read, 60 }, { do_follow, 3 },  { do_restart, 1 },
};

static void do_step(struct run *run)
{
	unsigned total = 0, at = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		total += steps[i].weight;
	unsigned chosen = pick_below(&run->pick, total);
	while (chosen >= steps[at].weight)
		chosen -= steps[at++].weight;
	steps[at].does(run);
}

static void run_begin(struct run *run, uint64_t seed)
{
	static const uint32_t seal_rows[] = { 16, 60, 300, 1000 };

	*run = (struct run){ .seed = seed };
	run->pick.state = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
	run->product = catalog_product_find(seed % 3 == 2 ? STR_LITERAL("VOICE-CALL") : STR_LITERAL("SMS"));
	snprintf(run->f.dir, sizeof(run->f.dir), "%s/cdrd-test-changes-XXXXXX",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(run->f.dir));
	run->f.options = (struct store_options){
		.data_dir = run->f.dir,
		.day_map_bytes = FIXTURE_MAP_BYTES,
		.days_open_max = (int)pick_between(&run->pick, 1, 5),
		.seal_rows = seal_rows[pick_below(&run->pick, 4)],
		.seal_age_us = pick_percent(&run->pick, 50) ? 1 : INT64_C(1) << 50,
	};
	run->days = pick_between(&run->pick, 1, DAYS);
	run->stormy = seed % 2;
	fixture_start(&run->f);
}

START_TEST(a_loader_ends_with_what_is_stored)
{
	const char *text = getenv("CDRD_TEST_SEED");
	struct run *run = calloc(1, sizeof(*run));
	uint64_t seed = text ? strtoull(text, NULL, 10) : (unsigned)_i;

	run_begin(run, seed);
	for (unsigned step = 0; step < STEPS; step++) {
		snprintf(run->about, sizeof(run->about), "seed %llu, step %u", (unsigned long long)seed, step);
		do_step(run);
	}
	do_commit(run);
	do_follow(run);
	begin_sealing(run->f.store);
	do_maintenance(run);
	/* nothing new: sealing is no change */
	size_t given = run->given;
	do_commit(run);
	do_follow(run);
	ck_assert_uint_eq(run->given, given);
	/* and a second loader, from the beginning */
	memset(run->copy, 0, sizeof(run->copy));
	run->since = 0;
	do_follow(run);
	end_page(run);
	fixture_close(&run->f);
	free(run);
}
END_TEST

START_TEST(uncommitted_changes_are_not_told)
{
	struct run *run = calloc(1, sizeof(*run));

	run_begin(run, 1);
	do_new(run);
	ck_assert(changes_may_have(run->f.store, run->product, &own_key, 0));
	begin_page(run);
	ck_assert(read_slice(run, false));
	ck_assert_uint_eq(changes_page(run->page).count, 0);
	ck_assert(take_page(run));
	do_commit(run);
	do_follow(run);
	ck_assert_uint_gt(run->given, 0);
	ck_assert(!changes_may_have(run->f.store, run->product, &own_key, run->since));
	fixture_close(&run->f);
	free(run);
}
END_TEST

Suite *suite_changes(void)
{
	Suite *suite = suite_create("changes");
	TCase *ranges = tcase_create("ranges");
	TCase *loader = tcase_create("loader");

	tcase_add_loop_test(ranges, ranges_never_miss_a_number, 0, 4);
	tcase_add_test(ranges, ranges_tell_far_numbers_apart);
	tcase_add_test(ranges, ranges_that_were_left_half_changed_are_not_believed);
	suite_add_tcase(suite, ranges);
	tcase_set_timeout(loader, 120);
	tcase_add_loop_test(loader, a_loader_ends_with_what_is_stored, 0, getenv("CDRD_TEST_SEED") ? 1 : SEEDS);
	tcase_add_test(loader, uncommitted_changes_are_not_told);
	suite_add_tcase(suite, loader);
	return suite;
}
