/* SPDX-License-Identifier: ISC */
/*
 * test_backup.c: copies of environments that are written to meanwhile, lists of checksums, erasing where room is short.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "expect.h"
#include "backup/folder.h"
#include "backup/sums.h"
#include "pick.h"
#include "store/hot_backup.h"
#include "store/erase.h"
#include "store/copying/mirror.h"
#include "store/days_store.h"
#include "store/verify.h"
#include "scan_once.h"
#include "store_fixture.h"

Suite *suite_backup(void);

/* --- mirror.h --- */

static const struct env_db dbs[] = { { "first", 0 }, { "second", 0 }, { NULL, 0 } };

struct pair {
	char dir[64];
	struct env from, to;
	struct mirror mirror;
	struct pick pick;
};

static void pair_open(struct pair *p, uint64_t seed)
{
	struct error err = { 0 };
	char path[128];

	*p = (struct pair){ .pick = { .state = seed } };
	fixture_directory(p->dir, sizeof(p->dir));
	snprintf(path, sizeof(path), "%s/from", p->dir);
	ck_assert_msg(env_open(&p->from, path, FIXTURE_MAP_BYTES, dbs, &err) == 0, "%s", err.message);
	snprintf(path, sizeof(path), "%s/to", p->dir);
	ck_assert_msg(env_open(&p->to, path, FIXTURE_MAP_BYTES, dbs, &err) == 0, "%s", err.message);
	p->mirror = (struct mirror){ .from = &p->from, .to = &p->to, .dbs = dbs };
}

static void pair_close(struct pair *p)
{
	mirror_free(&p->mirror);
	env_close(&p->from);
	env_close(&p->to);
	nftw(p->dir, fixture_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Puts, changes and removes some. */
static void pair_change(struct pair *p, int count)
{
	static char value[9000];
	struct error err = { 0 };
	MDB_txn *txn = env_write(&p->from, &err);

	ck_assert_msg(txn, "%s", err.message);
	for (int i = 0; i < count; i++) {
		uint32_t number = (uint32_t)pick_below(&p->pick, 3000);
		MDB_dbi dbi = p->from.dbi[pick_below(&p->pick, 2)];
		MDB_val key = env_val(&number, pick_percent(&p->pick, 50) ? 4 : 3);

		if (pick_percent(&p->pick, 30)) {
			mdb_del(txn, dbi, &key, NULL);
			continue;
		}
		size_t len = pick_below(&p->pick, pick_percent(&p->pick, 10) ? sizeof(value) : 200);
		memset(value, (int)pick_below(&p->pick, 256), len);
		MDB_val val = env_val(value, len);
		expect(mdb_put(txn, dbi, &key, &val, 0) == 0, "put");
	}
}

static void pair_commit(struct pair *p)
{
	struct error err = { 0 };

	ck_assert_msg(env_commit(&p->from, &err) == 0, "%s", err.message);
}

/* Bytes of all keys and values, hashed by nothing better than laying them end to end. */
static void contents(struct env *env, struct buf *out)
{
	struct error err = { 0 };
	MDB_txn *txn = env_read(env, &err);
	MDB_cursor *cursor;
	MDB_val key, val;

	for (int i = 0; dbs[i].name; i++) {
		ck_assert_int_eq(mdb_cursor_open(txn, env->dbi[i], &cursor), 0);
		for (int rc = mdb_cursor_get(cursor, &key, &val, MDB_FIRST); !rc;
		     rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
			buf_addf(out, "%zu,%zu:", key.mv_size, val.mv_size);
			buf_add(out, key.mv_data, key.mv_size);
			buf_add(out, val.mv_data, val.mv_size);
		}
		buf_add_char(out, '|');
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
}

static void pair_compare(struct pair *p)
{
	struct buf from = { 0 }, to = { 0 };

	contents(&p->from, &from);
	contents(&p->to, &to);
	ck_assert_msg(str_equal(buf_str(&from), buf_str(&to)),
	              "the copy has %zu bytes that differ from the source's %zu", to.len, from.len);
	buf_free(&from);
	buf_free(&to);
}

/* A slice that is over as soon as it may be. */
static bool pair_step(struct pair *p)
{
	struct error err = { 0 };
	bool done;

	ck_assert_msg(mirror_step(&p->mirror, 0, &done, &err) == 0, "%s", err.message);
	return done;
}

START_TEST(mirror_is_equal_after_changes_between_slices)
{
	struct pair p;

	pair_open(&p, (uint64_t)_i + 1);
	pair_change(&p, 4000);
	pair_commit(&p);
	for (int step = 0; !pair_step(&p); step++) {
		ck_assert_int_lt(step, 100000);
		if (pick_percent(&p.pick, 60) && step < 400) {
			pair_change(&p, (int)pick_below(&p.pick, 300));
			pair_commit(&p);
		}
	}
	pair_compare(&p);
	pair_close(&p);
}
END_TEST

START_TEST(mirror_ends_though_every_slice_is_followed_by_a_change)
{
	struct pair p;
	int step = 0;

	pair_open(&p, (uint64_t)_i + 100);
	pair_change(&p, 2000);
	pair_commit(&p);
	for (; !pair_step(&p); step++) {
		ck_assert_int_lt(step, 5000);
		pair_change(&p, 3);
		pair_commit(&p);
	}
	pair_compare(&p);
	pair_close(&p);
}
END_TEST

START_TEST(mirror_of_all_waits_for_the_commit)
{
	struct pair p;

	pair_open(&p, (uint64_t)_i + 200);
	p.mirror.all = true;
	pair_change(&p, 500);
	for (int step = 0; step < 3000; step++)
		ck_assert(!pair_step(&p));
	pair_commit(&p);
	for (int step = 0; !pair_step(&p); step++)
		ck_assert_int_lt(step, 3000);
	pair_compare(&p);
	pair_close(&p);
}
END_TEST

/* --- lists --- */

START_TEST(a_list_is_read_as_it_was_written)
{
	struct buf list = { 0 };
	struct str hex, path, rest;
	char sum[SUMS_HEX_LEN + 1];

	memset(sum, 'a', SUMS_HEX_LEN);
	sum[SUMS_HEX_LEN] = '\0';
	sums_add(&list, sum, STR_LITERAL("days/2026-11-24/data.mdb"));
	sums_add(&list, sum, STR_LITERAL("BACKUP"));
	rest = buf_str(&list);
	ck_assert_int_eq(sums_next(&rest, &hex, &path), 1);
	ck_assert(str_is(path, "days/2026-11-24/data.mdb") && str_is(hex, sum));
	ck_assert_int_eq(sums_next(&rest, &hex, &path), 1);
	ck_assert_int_eq(sums_next(&rest, &hex, &path), 0);
	ck_assert(str_is(sums_find(buf_str(&list), STR_LITERAL("BACKUP")), sum));
	ck_assert_ptr_null(sums_find(buf_str(&list), STR_LITERAL("BACK")).p);
	buf_free(&list);
}
END_TEST

START_TEST(a_list_that_leads_elsewhere_is_refused)
{
	static const char *const bad[] = { "../passwd", "/etc/passwd", "days/../../x", "days//x", "days/", ".", "" };
	char sum[SUMS_HEX_LEN + 1] = "";

	memset(sum, '0', SUMS_HEX_LEN);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf list = { 0 };
		struct str hex, path;

		sums_add(&list, sum, str_from(bad[i]));
		struct str rest = buf_str(&list);
		ck_assert_msg(sums_next(&rest, &hex, &path) == -1, "\"%s\" was taken", bad[i]);
		buf_free(&list);
	}
	struct str rest = STR_LITERAL("0123  short\n"), hex, path;
	ck_assert_int_eq(sums_next(&rest, &hex, &path), -1);
}
END_TEST

START_TEST(names_of_backups_are_told_from_others)
{
	ck_assert(folder_is_backup("2026-11-24T142011.123Z") && !folder_is_part("2026-11-24T142011.123Z"));
	ck_assert(folder_is_part("2026-11-24T142011.123Z.part") && !folder_is_backup("2026-11-24T142011.123Z.part"));
	ck_assert(!folder_is_backup("2026-11-24") && !folder_is_backup("lock") && !folder_is_backup(""));
	ck_assert(!folder_is_backup("2026-11-24T142011.123Zx") && !folder_is_part("2026-11-24T142011.123Z.parts"));
}
END_TEST

START_TEST(the_sum_of_a_file_is_its_sha256_and_the_copy_is_the_same)
{
	char dir[64], from[128], to[128];
	struct error err = { 0 };
	struct sums_file file;
	struct buf text = { 0 }, copy = { 0 };
	bool done = false;

	fixture_directory(dir, sizeof(dir));
	snprintf(from, sizeof(from), "%s/from", dir);
	snprintf(to, sizeof(to), "%s/to", dir);
	for (int i = 0; i < 100000; i++)
		buf_add_text(&text, "abc");
	ck_assert_int_eq(folder_write(from, buf_str(&text), 0600, &err), 0);
	ck_assert_int_eq(sums_file_begin(&file, from, to, 0600, &err), 0);
	while (!done)
		ck_assert_msg(sums_file_step(&file, from, 0, &done, &err) == 0, "%s", err.message);
	/* $ perl -e 'print "abc" x 100000' | sha256sum */
	ck_assert_str_eq(file.hex, "a77aedfe2e4a7232ea628a71745a966224c4521d93134b993cde5b65ea2f6e3c");
	ck_assert_int_eq(folder_read(to, 1 << 20, &copy, &err), 0);
	ck_assert(str_equal(buf_str(&text), buf_str(&copy)));
	ck_assert_int_eq(sums_file_begin(&file, from, to, 0600, &err), -1); /* it is there */
	buf_free(&text);
	buf_free(&copy);
	nftw(dir, fixture_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
END_TEST

/* --- erasing --- */

#define PERSON "447700900999"
#define ACCOUNT "abcd1234"
#define DAY_START_US (INT64_C(20500) * CLOCK_US_PER_DAY)

static struct fixture f;
static struct error err;

static void set(struct record *record, const char *column, const char *value)
{
	record->values[catalog_column_find(record->product, str_from(column))] = str_from(value);
}

/* `person`: to the number, otherwise to one of its own. */
static int put_sms(int number, bool person, const char *body)
{
	char id[32], to[32];
	struct record record;
	enum store_put_result result;

	record_clear(&record, catalog_product_find(STR_LITERAL("SMS")));
	snprintf(id, sizeof(id), "id-%06d", number);
	snprintf(to, sizeof(to), "4477%08d", number);
	set(&record, "account_id", ACCOUNT);
	set(&record, "id", id);
	set(&record, "message_id", id);
	set(&record, "direction", "outbound");
	set(&record, "from", "Acme");
	set(&record, "to", person ? PERSON : to);
	set(&record, "message_body", body);
	return store_put(f.store, &record, DAY_START_US + number * CLOCK_US_PER_SECOND, &result, &err);
}

static void put_all(int count, int every)
{
	for (int i = 0; i < count; i++)
		ck_assert_msg(put_sms(i, i % every == 0, "a message that nobody else has got") == 0, "%s", err.message);
	ck_assert_msg(store_commit(f.store, &err) == 0, "%s", err.message);
}

/* Has the store keep rows that are found by id from now on. */
static void keep_rows(void)
{
	struct block_reader *reader = store_reader_take_for_rows(f.store, &err);

	ck_assert_msg(reader, "%s", err.message);
	store_reader_give(f.store, reader);
	ck_assert_ptr_nonnull(f.store->rows);
}

/* Erases the number; -1 where that failed. Other work may be done between slices. Rows in memory are forgotten. */
static int run_erase(struct erase_counts *counts, void (*between)(void))
{
	static const struct account_key accounts[1] = { { "abcd1234" } };
	struct erase_scope scope = { .accounts = accounts, .accounts_count = 1, .number = STR_LITERAL(PERSON) };
	struct erase *erase = erase_new(f.store, &scope, &err);
	bool done = false, dirty;
	int result = 0;

	ck_assert_msg(erase, "%s", err.message);
	keep_rows();
	while (!done && result == 0) {
		result = erase_step(erase, clock_monotonic_us() + 1000, &dirty, &done, &err);
		if (result == 0 && dirty)
			result = store_commit(f.store, &err);
		if (between)
			between();
	}
	erase_counts(erase, counts);
	erase_free(erase);
	ck_assert_ptr_null(f.store->rows);
	return result;
}

struct seen {
	size_t records, persons, erased, bodies;
};

static bool see(void *arg, const struct scan_row *row)
{
	const struct record *record = row->record;
	struct seen *seen = arg;
	struct str to = record->values[catalog_column_find(record->product, STR_LITERAL("to"))];

	seen->records++;
	seen->persons += str_is(to, PERSON);
	seen->erased += str_is(to, ERASE_TEXT);
	seen->bodies += record->values[catalog_column_find(record->product, STR_LITERAL("message_body"))].len > 0;
	return true;
}

static struct seen look(uint64_t snapshot)
{
	static const struct account_key accounts[1] = { { "abcd1234" } };
	struct scan_query query = {
		.product = catalog_product_find(STR_LITERAL("SMS")),
		.direction = CATALOG_OUTBOUND,
		.accounts = accounts,
		.accounts_count = 1,
		.from_us = 0,
		.to_us = INT64_MAX / 2,
		.snapshot = snapshot,
	};
	struct seen seen = { 0 };
	struct scan_sink sink = { .on_record = see, .arg = &seen };
	struct scan_position position = { 0 };
	enum scan_end end;

	ck_assert_msg(scan_once(f.store, &query, &position, INT64_MAX, &sink, &end, &err) == 0, "%s", err.message);
	return seen;
}

START_TEST(erasing_keeps_every_record_for_snapshots_of_before_and_after)
{
	struct erase_counts counts;

	fixture_open(&f, FIXTURE_MAP_BYTES);
	put_all(9000, 90);
	fixture_seal(f.store);
	for (int i = 9000; i < 9020; i++)
		ck_assert_int_eq(put_sms(i, true, "hot"), 0);
	ck_assert_int_eq(store_commit(f.store, &err), 0);
	uint64_t snapshot = store_snapshot(f.store);
	ck_assert_uint_eq(look(snapshot).persons, 120);

	ck_assert_msg(run_erase(&counts, NULL) == 0, "%s", err.message);
	ck_assert_uint_eq(counts.records, 120);
	ck_assert_uint_eq(counts.left, 0);
	ck_assert_uint_eq(counts.days_packed, 1);
	for (int i = 0; i < 2; i++) {
		struct seen seen = look(i ? store_snapshot(f.store) : snapshot);

		ck_assert_uint_eq(seen.records, 9020);
		ck_assert_uint_eq(seen.persons, 0);
		ck_assert_uint_eq(seen.erased, 120);
		ck_assert_uint_eq(seen.bodies, 8900);
	}
	fixture_assert_sound(f.store);
	fixture_restart(&f);
	fixture_assert_sound(f.store);
	ck_assert_uint_eq(look(store_snapshot(f.store)).erased, 120);
	ck_assert_int_eq(run_erase(&counts, NULL), 0);
	ck_assert_uint_eq(counts.records, 0);
	ck_assert_int_eq(counts.pass, 1);
	fixture_close(&f);
}
END_TEST

/* Newer versions of records arrive between slices, some of them of the person, and the store seals by itself. */
static int arrived;
static void put_more(void)
{
	bool more, dirty;

	if (arrived < 40) {
		ck_assert_int_eq(put_sms(arrived * 90, arrived % 2 == 0, "a newer version"), 0);
		if (arrived % 3 == 0)
			ck_assert_int_eq(store_commit(f.store, &err), 0);
		arrived++;
	}
	ck_assert_msg(store_maintain(f.store, clock_monotonic_us() + 300, &more, &dirty, &err) == 0, "%s", err.message);
}

START_TEST(what_arrives_between_slices_is_kept_and_erased)
{
	struct erase_counts counts;

	fixture_open(&f, FIXTURE_MAP_BYTES);
	f.options.seal_rows = 1000;
	fixture_restart(&f);
	put_all(9000, 90);
	fixture_seal(f.store);
	arrived = 0;
	ck_assert_msg(run_erase(&counts, put_more) == 0, "%s", err.message);
	while (arrived < 40)
		put_more();
	ck_assert_int_eq(store_commit(f.store, &err), 0);
	ck_assert_int_eq(run_erase(&counts, NULL), 0);
	struct seen seen = look(store_snapshot(f.store));
	ck_assert_uint_eq(seen.records, 9000);
	ck_assert_uint_eq(seen.persons, 0);
	/* those that became somebody else's before they were erased kept a message */
	ck_assert_uint_eq(seen.erased, 80);
	ck_assert_uint_eq(seen.bodies, 8920);
	fixture_assert_sound(f.store);
	fixture_close(&f);
}
END_TEST

START_TEST(a_full_map_fails_erasing_and_leaves_the_store_sound)
{
	struct erase_counts counts;

	fixture_open(&f, FIXTURE_MAP_BYTES);
	put_all(20000, 2);
	fixture_seal(f.store);
	f.options.day_map_bytes = (size_t)1 << 19; /* less than there is: LMDB raises it to that, and not a page more */
	fixture_restart(&f);
	ck_assert_int_eq(run_erase(&counts, NULL), -1);
	ck_assert_msg(err.code == ERROR_FULL, "%s", err.message);
	fixture_assert_sound(f.store);
	struct seen seen = look(store_snapshot(f.store));
	ck_assert_uint_eq(seen.records, 20000);
	ck_assert_uint_eq(seen.persons + seen.erased, 10000);
	f.options.day_map_bytes = FIXTURE_MAP_BYTES;
	fixture_restart(&f);
	ck_assert_msg(run_erase(&counts, NULL) == 0, "%s", err.message);
	ck_assert_uint_eq(look(store_snapshot(f.store)).erased, 10000);
	fixture_assert_sound(f.store);
	fixture_close(&f);
}
END_TEST

START_TEST(numbers_in_texts_are_found_whole_alone)
{
	static const struct account_key accounts[1] = { { "abcd1234" } };
	static const struct {
		const char *text, *without;
		size_t count;
	} rows[] = {
		{ "{\"to\":\"447700900999\"}", "{\"to\":\"erased\"}", 1 },
		{ "{\"to\":\"+447700900999\",\"x\":447700900999}", "{\"to\":\"erased\",\"x\":erased}", 2 },
		{ "4477009009990 1447700900999 a447700900999", "4477009009990 1447700900999 a447700900999", 0 },
		{ "447700900999", "erased", 1 },
		{ "", "", 0 },
	};
	struct erase_scope scope = { .accounts = accounts, .accounts_count = 1, .number = STR_LITERAL("+" PERSON) };

	fixture_open(&f, FIXTURE_MAP_BYTES);
	struct erase *erase = erase_new(f.store, &scope, &err);
	ck_assert_msg(erase, "%s", err.message);
	ck_assert_ptr_null(erase_new(f.store, &scope, &err));
	ck_assert_int_eq(err.code, ERROR_CONFLICT);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = { 0 };

		size_t found = erase_from_text(erase, str_from(rows[i].text), &out);

		ck_assert_uint_eq(found, rows[i].count);
		ck_assert_msg(str_is(buf_str(&out), rows[i].without), "%s became %.*s", rows[i].text,
		              STR_ARGS(buf_str(&out)));
		ck_assert_int_eq(erase_is_in(erase, str_from(rows[i].text)), rows[i].count > 0);
		buf_free(&out);
	}
	erase_free(erase);
	fixture_close(&f);
}
END_TEST

/* --- copies --- */

START_TEST(a_copy_of_a_day_can_be_opened_and_checked)
{
	int32_t day = 20500, other = 20501;
	uint64_t entries;
	char path[128], file[160];
	bool done = false;

	fixture_open(&f, FIXTURE_MAP_BYTES);
	put_all(5000, 10);
	fixture_seal(f.store);
	snprintf(path, sizeof(path), "%s/copy", f.dir);
	ck_assert_int_eq(hot_backup_begin(f.store, &other, path, &err), -1);
	ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
	ck_assert_msg(hot_backup_begin(f.store, &day, path, &err) == 0, "%s", err.message);
	ck_assert_int_eq(hot_backup_begin(f.store, &day, path, &err), -1);
	ck_assert_int_eq(err.code, ERROR_CONFLICT);
	while (!done)
		ck_assert_msg(hot_backup_step(f.store, 0, &done, &err) == 0, "%s", err.message);
	ck_assert_msg(hot_backup_check(path, false, &entries, &err) == 0, "%s", err.message);
	ck_assert_uint_gt(entries, 2);
	snprintf(file, sizeof(file), "%s/data.mdb", path);
	ck_assert_int_eq(truncate(file, 20000), 0);
	ck_assert_int_eq(hot_backup_check(path, false, &entries, &err), -1);
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
	fixture_close(&f);
}
END_TEST

START_TEST(a_day_that_is_removed_ends_its_copy)
{
	int32_t day = 20500;
	char path[128];
	bool done;

	fixture_open(&f, FIXTURE_MAP_BYTES);
	put_all(100, 10);
	snprintf(path, sizeof(path), "%s/copy", f.dir);
	ck_assert_int_eq(hot_backup_begin(f.store, &day, path, &err), 0);
	ck_assert_int_eq(store_remove_days_before(f.store, 20501, 10), 1);
	ck_assert_int_eq(hot_backup_step(f.store, 0, &done, &err), -1);
	ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
	fixture_close(&f);
}
END_TEST

Suite *suite_backup(void)
{
	Suite *suite = suite_create("backup");
	TCase *mirror = tcase_create("mirror"), *lists = tcase_create("lists"), *erasing = tcase_create("erasing"),
	      *copies = tcase_create("copies");

	tcase_set_timeout(mirror, 120);
	tcase_add_loop_test(mirror, mirror_is_equal_after_changes_between_slices, 0, 4);
	tcase_add_loop_test(mirror, mirror_ends_though_every_slice_is_followed_by_a_change, 0, 2);
	tcase_add_test(mirror, mirror_of_all_waits_for_the_commit);
	suite_add_tcase(suite, mirror);
	tcase_add_test(lists, a_list_is_read_as_it_was_written);
	tcase_add_test(lists, a_list_that_leads_elsewhere_is_refused);
	tcase_add_test(lists, names_of_backups_are_told_from_others);
	tcase_add_test(lists, the_sum_of_a_file_is_its_sha256_and_the_copy_is_the_same);
	suite_add_tcase(suite, lists);
	tcase_set_timeout(erasing, 120);
	tcase_add_test(erasing, erasing_keeps_every_record_for_snapshots_of_before_and_after);
	tcase_add_test(erasing, what_arrives_between_slices_is_kept_and_erased);
	tcase_add_test(erasing, a_full_map_fails_erasing_and_leaves_the_store_sound);
	tcase_add_test(erasing, numbers_in_texts_are_found_whole_alone);
	suite_add_tcase(suite, erasing);
	tcase_set_timeout(copies, 120);
	tcase_add_test(copies, a_copy_of_a_day_can_be_opened_and_checked);
	tcase_add_test(copies, a_day_that_is_removed_ends_its_copy);
	suite_add_tcase(suite, copies);
	return suite;
}
