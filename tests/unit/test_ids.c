/* SPDX-License-Identifier: ISC */
/*
 * test_ids.c: runs of ids lead to all rows that may have an id, the filter of a day never denies one that is there, and
 * a directory begins where it must.
 */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "day_fixture.h"
#include "expect.h"
#include "pick.h"
#include "store/blocks/block_builder.h"
#include "store/days/day_blocks.h"
#include "store/ids/ids.h"
#include "store_sample.h"

Suite *suite_ids(void);

static struct day_fixture f;
static struct error err;
static struct pick pick;

static void setup(void)
{
	day_fixture_open(&f);
	pick.state = 1;
}

static void teardown(void)
{
	day_fixture_close(&f);
}

/* --- runs --- */

#define BLOCKS 3
#define BLOCK_ROWS_MADE 100
#define RUN_ROWS (BLOCKS * BLOCK_ROWS_MADE)
#define FIRST_BLOCK 7
#define ENTRIES_MAX 3000

static const struct catalog_product *product;
static struct partition partition;
static struct block_reader reader;

/* Blocks of any records: runs are asked by hash here, so what ids the records have does not matter. */
static void make_blocks(void)
{
	struct block_builder *builder = block_builder_new();
	struct sampler sampler = { .pick = { 5 } };
	struct position position = { clock_day_start_us(20500), 1, 0 };

	reader = (struct block_reader){ 0 };
	product = catalog_product_find(STR_LITERAL("AMD"));
	partition = partition_of(&(struct account_key){ "acct0001" }, product->number, 0);
	block_builder_begin(builder, product, 0, UINT32_MAX);
	for (uint32_t block = 0; block < BLOCKS; block++) {
		struct buf value = { 0 };
		struct day_block entry;
		bool full;

		for (uint32_t i = 0; i < BLOCK_ROWS_MADE; i++, position.seq++) {
			struct sample *sample = sample_new(&sampler, product, "acct0001", i, 0, position.time_us);

			ck_assert_int_eq(
				block_builder_add(builder, &sample->record, &position, position.seq, &full, &err), 0);
			free(sample);
		}
		ck_assert_int_eq(block_builder_finish(builder, &value, &entry, &err), 0);
		day_fixture_put(&f, DAY_BLOCK_DATA, &partition, FIRST_BLOCK + block, buf_str(&value));
		buf_free(&value);
	}
	block_builder_free(builder);
}

/* What a run was made of. */
struct pair {
	uint64_t hash;
	uint32_t row;
};

static struct pair pairs[ENTRIES_MAX];
static size_t pairs_count;
static bool deleted[RUN_ROWS];

/* A wide one says that its last block has more rows, which no entry leads to. */
static void put_run(uint32_t number, bool wide)
{
	ids_entry entries[ENTRIES_MAX], scratch[ENTRIES_MAX];
	uint32_t rows[BLOCKS] = { BLOCK_ROWS_MADE, BLOCK_ROWS_MADE, wide ? 1 << 16 : BLOCK_ROWS_MADE };
	struct buf value = { 0 };

	for (size_t i = 0; i < pairs_count; i++)
		entries[i] = ids_entry_of(pairs[i].hash, pairs[i].row);
	ids_sort(entries, scratch, pairs_count);
	ids_write(&value, FIRST_BLOCK, rows, BLOCKS, entries, pairs_count);
	day_fixture_put(&f, DAY_BLOCK_IDS, &partition, number, buf_str(&value));
	buf_free(&value);
}

static void put_dead(void)
{
	for (uint32_t block = 0; block < BLOCKS; block++) {
		char bits[(BLOCK_ROWS_MADE + 7) / 8] = { 0 };

		for (uint32_t i = 0; i < BLOCK_ROWS_MADE; i++)
			bits[i / 8] |= (char)(deleted[block * BLOCK_ROWS_MADE + i] << i % 8);
		day_fixture_put(&f, DAY_DELETED, &partition, FIRST_BLOCK + block, (struct str){ bits, sizeof(bits) });
	}
}

static unsigned found[RUN_ROWS];

static bool on_found(void *arg, struct block_reader *own, uint32_t row)
{
	(void)arg;
	found[(own->number - FIRST_BLOCK) * BLOCK_ROWS_MADE + row]++;
	return true;
}

static void assert_found(MDB_txn *txn, uint64_t hash)
{
	memset(found, 0, sizeof(found));
	int rc = ids_find(&f.day, txn, product, &partition, hash, &reader, on_found, NULL, &err);
	expect(rc == 0, "%s", err.message);
	for (size_t i = 0; i < pairs_count; i++)
		if (pairs[i].hash >> 32 == hash >> 32 && !deleted[pairs[i].row])
			expect(found[pairs[i].row]-- > 0, "hash %llx: row %u of %zu entries is not found",
			       (unsigned long long)hash, pairs[i].row, pairs_count);
	for (uint32_t i = 0; i < RUN_ROWS; i++)
		expect(found[i] == 0, "hash %llx: row %u is found, and has another", (unsigned long long)hash, i);
}

/* Even, all the same, at both ends, in clusters. */
static uint64_t any_hash(uint32_t kind)
{
	switch (kind) {
	case 0:
		return pick_u64(&pick);
	case 1:
		return UINT64_C(0x1234567800000000) | pick_below(&pick, 100);
	case 2:
		return pick_percent(&pick, 50) ? 0 : UINT64_MAX;
	case 3:
		return (uint64_t)pick_below(&pick, 300) << 32;
	default:
		return (UINT64_MAX << 32) - ((uint64_t)pick_below(&pick, 300) << 32);
	}
}

START_TEST(runs_lead_to_every_living_row_and_no_other)
{
	make_blocks();
	for (int round = 0; round < 120; round++) {
		uint32_t kind = (uint32_t)round / 2 % 5;
		bool all_same = kind == 1 || kind == 2; /* then one look-up reads every row, or half of them */

		pairs_count = round < 10 ? (size_t)round : pick_between(&pick, 1, ENTRIES_MAX);
		for (size_t i = 0; i < pairs_count; i++)
			pairs[i] = (struct pair){ any_hash(kind), pick_below(&pick, RUN_ROWS) };
		for (size_t i = 0; i < RUN_ROWS; i++)
			deleted[i] = pick_percent(&pick, 10);
		put_run((uint32_t)round % 3 == 0 ? 1 : 0, round % 2);
		put_dead();
		/* The other run of the partition, if there is one, is from another round: it must be gone. */
		uint8_t bytes[NUMBER_KEY_LEN];
		number_key_write(bytes, &partition, round % 3 == 0 ? 0 : 1);
		MDB_val key = env_val(bytes, sizeof(bytes));
		(void)mdb_del(f.day.env.write, f.day.env.dbi[DAY_BLOCK_IDS], &key, NULL);
		MDB_txn *txn = day_fixture_read(&f);
		for (int n = 0; n < (all_same ? 8 : 40); n++)
			assert_found(txn, pairs_count > 0 && n % 4 ?
			                          pairs[pick_below(&pick, (uint32_t)pairs_count)].hash :
			                          any_hash(pick_below(&pick, 5)));
		mdb_txn_abort(txn);
	}
	block_reader_free(&reader);
}
END_TEST

START_TEST(a_damaged_run_is_named)
{
	make_blocks();
	day_fixture_put(&f, DAY_BLOCK_IDS, &partition, 0, STR_LITERAL("twelve bytes and one"));
	MDB_txn *txn = day_fixture_read(&f);
	ck_assert_int_eq(ids_find(&f.day, txn, product, &partition, 1, &reader, on_found, NULL, &err), -1);
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
	mdb_txn_abort(txn);
	block_reader_free(&reader);
}
END_TEST

/* --- runs that seals join --- */

#define SEALS 16
#define SEAL_BLOCKS 2
#define SEAL_BLOCK_ROWS 50

/* The ids of a seal with blocks of its own, three for each row at most. */
static uint32_t block_rows = SEAL_BLOCK_ROWS;

static void store_seal(uint32_t seal)
{
	MDB_txn *txn = env_write(&f.day.env, &err);
	struct ids_draft draft = { .first_block = seal * SEAL_BLOCKS };
	struct day_block entry = { .run = seal, .rows = block_rows };

	ck_assert_ptr_nonnull(txn);
	for (uint32_t i = 0; i < SEAL_BLOCKS; i++) {
		day_fixture_put(&f, DAY_BLOCKS, &partition, draft.first_block + i,
		                (struct str){ (const char *)&entry, sizeof(entry) });
		buf_add(&draft.rows, &entry.rows, sizeof(entry.rows));
	}
	for (uint32_t i = 0; i < SEAL_BLOCKS * SEAL_BLOCK_ROWS; i++) {
		uint32_t row = i / SEAL_BLOCK_ROWS * block_rows + i % SEAL_BLOCK_ROWS;

		ids_entry own = ids_entry_of(pick_u64(&pick), row);
		pairs[pairs_count++] = (struct pair){ own >> 32, seal * SEAL_BLOCKS * block_rows + row };
		buf_add(&draft.entries, &own, sizeof(own));
	}
	ck_assert_int_eq(ids_store(&f.day, txn, &partition, seal, true, &draft, &err), 0);
	ids_draft_free(&draft);
}

/* Removes a seal's blocks and ids; its pairs have another row then. */
static void remove_seal(uint32_t seal, bool blocks_first)
{
	MDB_txn *txn = env_write(&f.day.env, &err);
	uint8_t bytes[NUMBER_KEY_LEN];

	ck_assert_ptr_nonnull(txn);
	for (int turn = 0; turn < 2; turn++) {
		if (blocks_first == (turn == 1))
			ck_assert_int_eq(ids_remove(&f.day, txn, &partition, seal, &err), 0);
		for (uint32_t i = 0; blocks_first == (turn == 0) && i < SEAL_BLOCKS; i++) {
			number_key_write(bytes, &partition, seal * SEAL_BLOCKS + i);
			MDB_val key = env_val(bytes, sizeof(bytes));
			ck_assert_int_eq(mdb_del(txn, f.day.env.dbi[DAY_BLOCKS], &key, NULL), 0);
		}
	}
	for (size_t i = 0; i < pairs_count; i++)
		if (pairs[i].row / (SEAL_BLOCKS * block_rows) == seal)
			pairs[i--] = pairs[--pairs_count];
}

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *left = a, *right = b;

	return (left->row > right->row) - (left->row < right->row);
}

/* What all runs have is what the pairs say; returns how many runs there are. */
static size_t assert_runs_have_pairs(void)
{
	MDB_txn *txn = day_fixture_read(&f);
	struct pair got[ENTRIES_MAX];
	size_t count = 0, runs = 0;
	MDB_cursor *cursor;
	MDB_val key, val;

	ck_assert_int_eq(mdb_cursor_open(txn, f.day.env.dbi[DAY_BLOCK_IDS], &cursor), 0);
	for (; mdb_cursor_get(cursor, &key, &val, MDB_NEXT) == 0; runs++) {
		struct ids_walk walk = { 0 };
		struct ids_run run;

		ck_assert(ids_run_read(val, &run));
		for (ids_entry entry, before = 0; ids_run_next(&run, &walk, &entry); before = entry) {
			expect(before <= entry, "entry %u of %u is not in order", walk.number, run.count);
			got[count++] =
				(struct pair){ entry >> 32, run.first_block * block_rows + ids_entry_row(entry) };
		}
	}
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	ck_assert_uint_eq(count, pairs_count);
	qsort(got, count, sizeof(*got), compare_pairs);
	qsort(pairs, pairs_count, sizeof(*pairs), compare_pairs);
	for (size_t i = 0; i < count; i++)
		expect(got[i].row == pairs[i].row && got[i].hash == pairs[i].hash,
		       "row %u has %llx, wanted %u with %llx", got[i].row, (unsigned long long)got[i].hash,
		       pairs[i].row, (unsigned long long)pairs[i].hash);
	return runs;
}

/* Of few rows, or of as many as make wide runs. */
static void store_seals(bool wide)
{
	partition = partition_of(&(struct account_key){ "acct0001" }, 1, 0);
	block_rows = wide ? BLOCK_ROWS : SEAL_BLOCK_ROWS;
	pairs_count = 0;
	for (uint32_t seal = 0; seal < SEALS; seal++)
		store_seal(seal);
}

START_TEST(seals_join_their_runs_to_few_large_ones)
{
	store_seals(_i);
	ck_assert_uint_eq(assert_runs_have_pairs(), 1);
	store_seal(SEALS);
	ck_assert_uint_eq(assert_runs_have_pairs(), 2);
}
END_TEST

START_TEST(a_seal_that_goes_leaves_the_ids_of_those_it_was_joined_with)
{
	store_seals(_i);
	remove_seal(3, true);
	ck_assert_uint_eq(assert_runs_have_pairs(), 2);
	remove_seal(0, false);
	ck_assert_uint_eq(assert_runs_have_pairs(), 2);
	remove_seal(SEALS - 1, true);
	ck_assert_uint_eq(assert_runs_have_pairs(), 2);
	for (uint32_t seal = 1; seal < SEALS - 1; seal++)
		if (seal != 3)
			remove_seal(seal, seal % 2);
	ck_assert_uint_eq(assert_runs_have_pairs(), 0);
}
END_TEST

START_TEST(runs_whose_blocks_do_not_follow_each_other_are_not_joined)
{
	store_seals(_i);
	remove_seal(SEALS - 1, true);
	store_seal(SEALS);
	ck_assert_uint_eq(assert_runs_have_pairs(), 2);
}
END_TEST

START_TEST(a_damaged_run_goes_with_its_seal)
{
	partition = partition_of(&(struct account_key){ "acct0001" }, 1, 0);
	day_fixture_put(&f, DAY_BLOCK_IDS, &partition, 4, STR_LITERAL("twelve bytes and one"));
	MDB_txn *txn = env_write(&f.day.env, &err);
	ck_assert_int_eq(ids_remove(&f.day, txn, &partition, 4, &err), 0);
	pairs_count = 0;
	ck_assert_uint_eq(assert_runs_have_pairs(), 0);
}
END_TEST

/* --- the filter --- */

static const uint8_t this_boot[16] = "this boot's id.", other_boot[16] = "another boot's.";

static struct bloom_filter *filter_open(const char *dir, const uint8_t *boot)
{
	struct bloom_filter *filter;

	expect(bloom_filter_open(&filter, dir, boot, &err) == 0, "%s", err.message);
	return filter;
}

static uint32_t key_of(uint32_t number)
{
	return number * UINT32_C(2654435761);
}

static void filter_add(struct bloom_filter *filter, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		struct bloom_filter_key key;

		bloom_filter_key_make(&key, key_of(i));
		expect(bloom_filter_add(filter, &key, &err) == 0, "%s", err.message);
	}
}

static bool may_have(const struct bloom_filter *filter, uint32_t hash)
{
	struct bloom_filter_key key;

	bloom_filter_key_make(&key, hash);
	bloom_filter_prefetch(filter, &key);
	return bloom_filter_may_have(filter, &key);
}

static void assert_has(const struct bloom_filter *filter, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		expect(may_have(filter, key_of(i)), "key %u of %u is denied", i, count);
}

START_TEST(filter_grows_and_denies_none)
{
	struct bloom_filter *filter = filter_open(f.dir, this_boot);
	uint32_t count = 200000, mistakes = 0;

	ck_assert(!bloom_filter_ready(filter));
	ck_assert(may_have(filter, 1));
	ck_assert_int_eq(bloom_filter_reset(filter, 0, &err), 0);
	bloom_filter_set_ready(filter);
	ck_assert(!may_have(filter, 1));
	for (uint32_t i = 0; i < count; i += 20000) {
		filter_add(filter, i, i + 20000);
		assert_has(filter, i + 20000);
		ck_assert_uint_eq(bloom_filter_keys(filter), i + 20000);
	}
	ck_assert_int_gt(bloom_filter_parts(filter), 2);
	for (uint32_t i = count; i < 2 * count; i++)
		mistakes += may_have(filter, key_of(i));
	expect(mistakes < count / 50, "%u of %u passed by mistake", mistakes, count);
	bloom_filter_close(filter);
}
END_TEST

START_TEST(filter_with_room_has_one_part)
{
	struct bloom_filter *filter = filter_open(f.dir, this_boot);

	ck_assert_int_eq(bloom_filter_reset(filter, 30000, &err), 0);
	filter_add(filter, 0, 30000);
	ck_assert_int_eq(bloom_filter_parts(filter), 1);
	ck_assert_int_eq(bloom_filter_reset(filter, 10, &err), 0);
	bloom_filter_set_ready(filter);
	ck_assert_uint_eq(bloom_filter_keys(filter), 0);
	expect(!may_have(filter, key_of(5)), "an old key is still there");
	bloom_filter_close(filter);
}
END_TEST

START_TEST(filter_is_made_to_fit_while_it_is_in_use)
{
	struct bloom_filter *filter = filter_open(f.dir, this_boot), *fitted;
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/ids.filter", f.dir);
	ck_assert_int_eq(bloom_filter_reset(filter, 0, &err), 0);
	bloom_filter_set_ready(filter);
	filter_add(filter, 0, 200000);
	bloom_filter_note_changes(filter, 7, 9);
	ck_assert(bloom_filter_is_roomy(filter));
	ck_assert_int_eq(bloom_filter_fit_begin(filter, &fitted, &err), 0);
	filter_add(fitted, 0, 200000);
	ck_assert(!bloom_filter_ready(fitted));
	assert_has(filter, 200000);
	expect(bloom_filter_fit_end(&filter, &fitted, &err) == 0, "%s", err.message);
	ck_assert_ptr_null(fitted);
	ck_assert_int_eq(bloom_filter_parts(filter), 1);
	ck_assert(bloom_filter_ready(filter) && !bloom_filter_is_roomy(filter));
	assert_has(filter, 200000);
	ck_assert_uint_eq(bloom_filter_next_change(filter, 0), 7);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_lt(st.st_size, 2 * 200000);
	filter_add(filter, 200000, 240000);
	ck_assert_int_eq(bloom_filter_parts(filter), 2);
	bloom_filter_close(filter);
	filter = filter_open(f.dir, other_boot);
	ck_assert(bloom_filter_ready(filter));
	assert_has(filter, 240000);
	bloom_filter_close(filter);
}
END_TEST

START_TEST(filter_that_is_not_made_leaves_no_file)
{
	struct bloom_filter *filter = filter_open(f.dir, this_boot), *fitted;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/ids.filter.new", f.dir);
	ck_assert_int_eq(bloom_filter_reset(filter, 0, &err), 0);
	bloom_filter_set_ready(filter);
	filter_add(filter, 0, 20000);
	ck_assert_int_eq(bloom_filter_fit_begin(filter, &fitted, &err), 0);
	ck_assert_int_eq(access(path, F_OK), 0);
	bloom_filter_fit_cancel(&fitted);
	ck_assert_int_eq(access(path, F_OK), -1);
	assert_has(filter, 20000);
	bloom_filter_close(filter);
}
END_TEST

static struct bloom_filter *filter_of_keys(uint32_t count)
{
	struct bloom_filter *filter = filter_open(f.dir, this_boot);

	ck_assert_int_eq(bloom_filter_reset(filter, 100, &err), 0);
	bloom_filter_set_ready(filter);
	filter_add(filter, 0, count);
	return filter;
}

START_TEST(closed_filter_is_believed_in_any_boot)
{
	bloom_filter_close(filter_of_keys(9000));
	struct bloom_filter *filter = filter_open(f.dir, other_boot);

	ck_assert(bloom_filter_ready(filter));
	assert_has(filter, 9000);
	filter_add(filter, 9000, 20000);
	assert_has(filter, 20000);
	bloom_filter_close(filter);
}
END_TEST

/* The file as it is while the filter is open, in a directory of its own. */
static void copy_open_filter(char dir[64])
{
	char bytes[8192], path[96];
	ssize_t len;

	snprintf(dir, 64, "%s", "/tmp/cdrd-test-filter-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/ids.filter", f.dir);
	int in = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "%s/ids.filter", dir);
	int out = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert(in >= 0 && out >= 0);
	while ((len = read(in, bytes, sizeof(bytes))) > 0)
		ck_assert_int_eq(write(out, bytes, (size_t)len), len);
	close(in);
	close(out);
}

START_TEST(filter_left_open_is_believed_in_the_same_boot_only)
{
	struct bloom_filter *filter = filter_of_keys(9000);
	char dir[64];

	if (_i) { /* closed, opened and written to once more */
		bloom_filter_close(filter);
		filter = filter_open(f.dir, this_boot);
		filter_add(filter, 0, 10);
	}
	copy_open_filter(dir);
	struct bloom_filter *copy = filter_open(dir, other_boot);
	ck_assert(!bloom_filter_ready(copy));
	bloom_filter_close(copy);
	nftw(dir, fixture_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	copy_open_filter(dir);
	copy = filter_open(dir, this_boot);
	ck_assert(bloom_filter_ready(copy));
	assert_has(copy, 9000);
	bloom_filter_close(copy);
	nftw(dir, fixture_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	bloom_filter_close(filter);
}
END_TEST

START_TEST(garbage_is_no_filter)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/ids.filter", f.dir);
	for (int round = 0; round < 300; round++) {
		uint8_t bytes[64];

		unlink(path);
		bloom_filter_close(filter_of_keys(9000));
		int fd = open(path, O_RDWR);
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)pick_u64(&pick);
		if (round % 3 == 0)
			ck_assert_int_eq(ftruncate(fd, pick_below(&pick, 10000)), 0);
		else if (round % 3 == 1)
			ck_assert_int_eq(pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
		else /* a part that lies elsewhere */
			ck_assert_int_eq(pwrite(fd, bytes, 8, 32 + 8 * (round % 2)), 8);
		close(fd);
		struct bloom_filter *filter = filter_open(f.dir, this_boot);
		expect(!bloom_filter_ready(filter), "round %d: garbage is believed", round);
		ck_assert(may_have(filter, 1));
		ck_assert_int_eq(bloom_filter_reset(filter, 10, &err), 0);
		filter_add(filter, 0, 9000);
		bloom_filter_set_ready(filter);
		assert_has(filter, 9000);
		bloom_filter_close(filter);
	}
}
END_TEST

/* --- directories --- */

#define ENTRIES 60

START_TEST(block_index_begins_where_it_must)
{
	partition = partition_of(&(struct account_key){ "acct0001" }, 1, 1);
	for (int round = 0; round < 200; round++) {
		struct partition own = partition;
		uint32_t count = pick_below(&pick, ENTRIES);

		own.account.bytes[7] = (char)('a' + round % 20);
		own.product = (uint8_t)(1 + round / 20);
		for (uint32_t i = 0; i < count; i++) {
			struct day_block block = { .rows = i + 1,
				                   .first_us = pick_below(&pick, 1000),
				                   .first_seq = i * 3 + 1 };

			block.last_us = block.first_us + pick_below(&pick, round % 2 ? 10 : 500);
			block.last_seq = i * 3 + 2;
			day_fixture_put(&f, DAY_BLOCKS, &own, i * 2,
			                (struct str){ (const char *)&block, sizeof(block) });
		}
		MDB_txn *txn = day_fixture_read(&f);
		f.day.seals++;
		const struct block_index *block_index = block_index_get(&f.day, txn, &own, &err);
		expect(block_index, "%s", err.message);
		ck_assert_uint_eq(block_index->count, count);
		ck_assert_ptr_eq(block_index_get(&f.day, txn, &own, &err), block_index);
		for (int n = 0; n < 50; n++) {
			struct position position = { pick_below(&pick, 1600), pick_below(&pick, 3 * ENTRIES), 1 };
			size_t at = block_index_find(block_index, &position), wanted = 0;
			struct position last = { INT64_MIN, 0, 0 };

			for (; wanted < count; wanted++) {
				struct position own_last = day_block_last(&block_index->entries[wanted].block, 1);

				last = position_compare(&own_last, &last) > 0 ? own_last : last;
				if (position_compare(&last, &position) > 0)
					break;
			}
			ck_assert_uint_eq(at, wanted);
		}
		for (size_t i = 1; i < count; i++)
			ck_assert_int_le(block_index->entries[i - 1].block.first_us,
			                 block_index->entries[i].block.first_us);
		mdb_txn_abort(txn);
	}
}
END_TEST

START_TEST(block_index_is_read_anew_after_blocks_changed)
{
	struct day_block block = { .rows = 1 };

	partition = partition_of(&(struct account_key){ "acct0001" }, 1, 1);
	for (uint32_t i = 0; i < 10; i++) {
		day_fixture_put(&f, DAY_BLOCKS, &partition, i, (struct str){ (const char *)&block, sizeof(block) });
		MDB_txn *txn = day_fixture_read(&f);
		f.day.seals++;
		ck_assert_uint_eq(block_index_get(&f.day, txn, &partition, &err)->count, i + 1);
		mdb_txn_abort(txn);
	}
	day_fixture_put(&f, DAY_BLOCKS, &partition, 3, STR_LITERAL("no entry"));
	f.day.seals++;
	MDB_txn *txn = day_fixture_read(&f);
	ck_assert_ptr_null(block_index_get(&f.day, txn, &partition, &err));
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
	mdb_txn_abort(txn);
}
END_TEST

Suite *suite_ids(void)
{
	Suite *suite = suite_create("ids");
	TCase *tests = tcase_create("ids");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, runs_lead_to_every_living_row_and_no_other);
	tcase_add_test(tests, a_damaged_run_is_named);
	tcase_add_loop_test(tests, seals_join_their_runs_to_few_large_ones, 0, 2);
	tcase_add_loop_test(tests, a_seal_that_goes_leaves_the_ids_of_those_it_was_joined_with, 0, 2);
	tcase_add_loop_test(tests, runs_whose_blocks_do_not_follow_each_other_are_not_joined, 0, 2);
	tcase_add_test(tests, a_damaged_run_goes_with_its_seal);
	tcase_add_test(tests, filter_grows_and_denies_none);
	tcase_add_test(tests, filter_with_room_has_one_part);
	tcase_add_test(tests, filter_is_made_to_fit_while_it_is_in_use);
	tcase_add_test(tests, filter_that_is_not_made_leaves_no_file);
	tcase_add_test(tests, closed_filter_is_believed_in_any_boot);
	tcase_add_loop_test(tests, filter_left_open_is_believed_in_the_same_boot_only, 0, 2);
	tcase_add_test(tests, garbage_is_no_filter);
	tcase_add_test(tests, block_index_begins_where_it_must);
	tcase_add_test(tests, block_index_is_read_anew_after_blocks_changed);
	suite_add_tcase(suite, tests);
	return suite;
}
