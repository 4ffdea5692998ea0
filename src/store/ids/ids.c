/* SPDX-License-Identifier: ISC */
/*
 * ids.c: sorted runs of ids. See ids.h.
 */
#include "store/ids/ids.h"

#include "store/days/hot_rows.h"

#define FIT_ENTRIES 16384 /* of runs, added in a slice: half a millisecond */
#define HEAD_WORDS 3
#define WIDE (UINT32_C(1) << 31) /* of the number of blocks: the form is the wide one */
#define NARROW_ROWS_MAX (UINT32_C(1) << 16)
#define NARROW_ROW_BITS 16
#define WIDE_ROW_BITS 24
#define STRIDE 8 /* entries; the first step outwards */
#define RUNS_AT_ONCE 64

/* --- writing --- */

void ids_sort(ids_entry *entries, ids_entry *scratch, size_t count)
{
	/* By the bytes of the hash, the lowest first, each pass stable; after an even number they are where they began. */
	for (int shift = 32; shift < 64; shift += 8) {
		size_t begins[257] = { 0 };

		for (size_t i = 0; i < count; i++)
			begins[(entries[i] >> shift & 0xff) + 1]++;
		for (int i = 0; i < 256; i++)
			begins[i + 1] += begins[i];
		for (size_t i = 0; i < count; i++)
			scratch[begins[entries[i] >> shift & 0xff]++] = entries[i];
		ids_entry *swap = entries;
		entries = scratch;
		scratch = swap;
	}
}

/* How many entries have a hash with a lower first byte, for each first byte. */
static void add_begins(struct buf *out, const ids_entry *entries, size_t count)
{
	uint32_t begins[IDS_BEGINS] = { 0 };
	uint32_t sum = 0;

	for (size_t i = 0; i < count; i++)
		begins[entries[i] >> 56]++;
	for (int i = 0; i < IDS_BEGINS; i++) {
		uint32_t own = begins[i];

		begins[i] = sum;
		sum += own;
	}
	buf_add(out, begins, sizeof(begins));
}

void ids_write(struct buf *out, uint32_t first_block, const uint32_t *rows, uint32_t blocks, const ids_entry *entries,
               size_t count)
{
	uint64_t rows_sum = 0;

	for (uint32_t i = 0; i < blocks; i++)
		rows_sum += rows[i];
	bool wide = rows_sum > NARROW_ROWS_MAX;
	uint32_t head[HEAD_WORDS] = { first_block, blocks | (wide ? WIDE : 0), (uint32_t)count };
	int row_bits = wide ? WIDE_ROW_BITS : NARROW_ROW_BITS;

	buf_add(out, head, sizeof(head));
	buf_add(out, rows, blocks * sizeof(*rows));
	if (wide)
		add_begins(out, entries, count);
	if (!buf_reserve(out, count * IDS_ENTRY_BYTES))
		return;
	uint8_t *at = (uint8_t *)out->data + out->len;
	for (size_t i = 0; i < count; i++, at += IDS_ENTRY_BYTES) {
		/* Of a wide one, the hash's first byte is shifted out. */
		uint64_t big = htobe64(((entries[i] >> 32) << row_bits | (uint32_t)entries[i]) << 16);

		memcpy(at, &big, IDS_ENTRY_BYTES);
	}
	out->len += count * IDS_ENTRY_BYTES;
}

/* --- reading --- */

static uint32_t begin_of(const struct ids_run *run, int byte)
{
	uint32_t begin;

	memcpy(&begin, run->begins + (size_t)byte * sizeof(begin), sizeof(begin));
	return begin;
}

/* Do they begin with 0, and grow up to the number of entries? */
static bool begins_fit(const struct ids_run *run)
{
	uint32_t before = 0;

	for (int i = 0; i < IDS_BEGINS; i++) {
		uint32_t begin = begin_of(run, i);

		if (begin < before || begin > run->count || (i == 0 && begin != 0))
			return false;
		before = begin;
	}
	return true;
}

/* Finds the parts; the begins are not looked at. */
static bool take_apart(MDB_val val, struct ids_run *run)
{
	uint32_t head[HEAD_WORDS];

	if (val.mv_size < sizeof(head))
		return false;
	memcpy(head, val.mv_data, sizeof(head));
	*run = (struct ids_run){ .first_block = head[0], .blocks = head[1] & ~WIDE, .count = head[2] };
	size_t rows_bytes = (size_t)run->blocks * sizeof(uint32_t);
	size_t begins_bytes = head[1] & WIDE ? IDS_BEGINS * sizeof(uint32_t) : 0;
	run->rows = (const uint8_t *)val.mv_data + sizeof(head);
	run->begins = begins_bytes ? run->rows + rows_bytes : NULL;
	run->entries = run->rows + rows_bytes + begins_bytes;
	return val.mv_size == sizeof(head) + rows_bytes + begins_bytes + (size_t)run->count * IDS_ENTRY_BYTES;
}

bool ids_run_read(MDB_val val, struct ids_run *run)
{
	return take_apart(val, run) && (!run->begins || begins_fit(run));
}

static uint64_t load_entry(const uint8_t *entries, size_t number)
{
	uint64_t big = 0;

	memcpy(&big, entries + number * IDS_ENTRY_BYTES, IDS_ENTRY_BYTES);
	return be64toh(big) >> 16;
}

bool ids_run_next(const struct ids_run *run, struct ids_walk *walk, ids_entry *entry)
{
	if (walk->number == run->count)
		return false;
	uint64_t loaded = load_entry(run->entries, walk->number);
	if (!run->begins) {
		*entry = loaded >> NARROW_ROW_BITS << 32 | (loaded & (NARROW_ROWS_MAX - 1));
	} else {
		while (walk->byte + 1 < IDS_BEGINS && begin_of(run, walk->byte + 1) <= walk->number)
			walk->byte++;
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): 255 << 56 does fit 64 bits. */
		*entry = (uint64_t)walk->byte << 56 | loaded >> WIDE_ROW_BITS << 32 |
		         (loaded & ((1U << WIDE_ROW_BITS) - 1));
	}
	walk->number++;
	return true;
}

/* --- searching a run --- */

/* The entries among which a hash is: of a narrow run all, of a wide one those with its first byte. */
struct slice {
	const uint8_t *entries;
	uint32_t count;
	int row_bits;
	uint32_t wanted; /* the hash, as far as entries have it */
};

/* The begins of a damaged run may be anything. */
static struct slice slice_of(const struct ids_run *run, uint64_t hash)
{
	struct slice slice = { run->entries, run->count, NARROW_ROW_BITS, (uint32_t)(hash >> 32) };

	if (!run->begins)
		return slice;
	int byte = (int)(hash >> 56);
	uint32_t begin = begin_of(run, byte), end = byte + 1 < IDS_BEGINS ? begin_of(run, byte + 1) : run->count;
	end = end < run->count ? end : run->count;
	begin = begin < end ? begin : end;
	return (struct slice){ run->entries + (size_t)begin * IDS_ENTRY_BYTES, end - begin, WIDE_ROW_BITS,
		               slice.wanted & 0xffffff };
}

static uint32_t hash_at(const struct slice *slice, size_t number)
{
	return (uint32_t)(load_entry(slice->entries, number) >> slice->row_bits);
}

static uint32_t row_at(const struct slice *slice, size_t number)
{
	return (uint32_t)(load_entry(slice->entries, number) & ((1U << slice->row_bits) - 1));
}

static int hash_bits(const struct slice *slice)
{
	return 8 * IDS_ENTRY_BYTES - slice->row_bits;
}

/* Hashes are even, so the place of one can be guessed, off by about the root of the count. */
static size_t first_guess(const struct slice *slice)
{
	return (size_t)((uint64_t)slice->wanted * slice->count >> hash_bits(slice));
}

/* From the hash found there it can be guessed again, off by the root of the first error. */
static size_t second_guess(const struct slice *slice, size_t first)
{
	if (first >= slice->count)
		return first;
	int64_t between = (int64_t)slice->wanted - (int64_t)hash_at(slice, first);
	int64_t guess = (int64_t)first + between * (int64_t)slice->count / (INT64_C(1) << hash_bits(slice));
	return guess < 0 ? 0 : guess < (int64_t)slice->count ? (size_t)guess : slice->count - 1;
}

/* The first entry not before the wanted one: a few growing steps outwards from a guess, and a binary search within. */
static size_t find_entry(const struct slice *slice, size_t guess)
{
	size_t low = 0, high = slice->count;

	for (size_t step = STRIDE; guess < high; step *= 2) {
		if (hash_at(slice, guess) < slice->wanted) {
			low = guess + 1;
			guess += step;
		} else {
			high = guess;
			break;
		}
	}
	for (size_t step = STRIDE; high > low; step *= 2) {
		size_t back = high - low > step ? high - step : low;

		if (hash_at(slice, back) < slice->wanted) {
			low = back + 1;
			break;
		}
		high = back;
	}
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (hash_at(slice, mid) < slice->wanted)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The block and the row within it that a run's row is. */
static bool locate(const struct ids_run *run, uint32_t row, uint32_t *block, uint32_t *in_block)
{
	for (uint32_t i = 0; i < run->blocks; i++) {
		uint32_t rows;

		memcpy(&rows, run->rows + i * sizeof(rows), sizeof(rows));
		if (row < rows) {
			*block = run->first_block + i;
			*in_block = row;
			return true;
		}
		row -= rows;
	}
	return false;
}

/* --- searching a partition --- */

struct search {
	struct day *day;
	MDB_txn *txn;
	const struct catalog_product *product;
	const struct partition *partition;
	struct block_reader *reader;
	ids_found_fn fn;
	void *arg;
	struct error *err;
};

/* 1 to continue, 0 to end, -1. */
static int give_row(const struct search *search, uint32_t block, uint32_t row)
{
	struct block_reader *reader = search->reader;
	int found = block_reader_begin_row(reader, search->day, search->txn, search->product, search->partition, block,
	                                   row, search->err);

	if (found <= 0)
		return found < 0 ? -1 : 1;
	if (row >= reader->view.head.rows || block_reader_is_deleted(reader, row))
		return 1;
	if (block_reader_load_row(reader, row, search->err) != 0)
		return -1;
	return search->fn(search->arg, reader, row) ? 1 : 0;
}

/* Gives the rows of all entries from this one on that are the wanted one's. */
static int give_found(const struct search *search, const struct ids_run *run, const struct slice *slice, size_t at)
{
	int result = 1;

	for (; result > 0 && at < slice->count && hash_at(slice, at) == slice->wanted; at++) {
		uint32_t block, row;

		if (locate(run, row_at(slice, at), &block, &row))
			result = give_row(search, block, row);
	}
	return result;
}

PREFETCH_INLINE void prefetch_entry(const struct slice *slice, size_t number)
{
	__builtin_prefetch(slice->entries + number * IDS_ENTRY_BYTES);
}

/* Searches some runs at once: in a day with many, nearly every first look misses both cache and TLB; so all runs wait
 * for memory together and not one by one. */
static int search_runs(const struct search *search, const MDB_val *vals, size_t count, uint64_t hash)
{
	struct ids_run runs[RUNS_AT_ONCE];
	struct slice slices[RUNS_AT_ONCE];
	size_t guesses[RUNS_AT_ONCE];
	int result = 1;

	for (size_t i = 0; i < count; i++) {
		if (!take_apart(vals[i], &runs[i]))
			return error_set(search->err, ERROR_CORRUPT, "%s: a run of ids is damaged",
			                 search->day->env.path);
		if (runs[i].begins)
			__builtin_prefetch(runs[i].begins + (hash >> 56) * sizeof(uint32_t));
	}
	for (size_t i = 0; i < count; i++) {
		slices[i] = slice_of(&runs[i], hash);
		guesses[i] = first_guess(&slices[i]);
		prefetch_entry(&slices[i], guesses[i]);
	}
	for (size_t i = 0; i < count; i++) {
		guesses[i] = second_guess(&slices[i], guesses[i]);
		prefetch_entry(&slices[i], guesses[i]);
	}
	for (size_t i = 0; result > 0 && i < count; i++)
		result = give_found(search, &runs[i], &slices[i], find_entry(&slices[i], guesses[i]));
	return result;
}

int ids_find(struct day *day, MDB_txn *txn, const struct catalog_product *product, const struct partition *partition,
             uint64_t hash, struct block_reader *reader, ids_found_fn fn, void *arg, struct error *err)
{
	struct search search = { day, txn, product, partition, reader, fn, arg, err };
	uint8_t bytes[NUMBER_KEY_LEN];
	MDB_val vals[RUNS_AT_ONCE];
	MDB_cursor *cursor;
	size_t count = 0;
	int result = 1;

	number_key_write(bytes, partition, 0);
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCK_IDS], &cursor);
	if (rc)
		return env_fail(&day->env, rc, "open cursor", err);
	MDB_val key = env_val(bytes, sizeof(bytes));
	rc = mdb_cursor_get(cursor, &key, &vals[0], MDB_SET_RANGE);
	while (!rc && result > 0 && partition_has_key(partition, key)) {
		__builtin_prefetch(vals[count++].mv_data);
		if (count == RUNS_AT_ONCE) {
			result = search_runs(&search, vals, count, hash);
			count = 0;
		}
		rc = mdb_cursor_get(cursor, &key, &vals[count], MDB_NEXT);
	}
	if (result > 0 && (!rc || rc == MDB_NOTFOUND))
		result = search_runs(&search, vals, count, hash);
	mdb_cursor_close(cursor);
	if (result > 0 && rc && rc != MDB_NOTFOUND)
		return env_fail(&day->env, rc, "read ids", err);
	return result < 0 ? -1 : 0;
}

/* --- the filter --- */

static int add_to_filter(struct bloom_filter *filter, uint32_t hash, struct error *err)
{
	struct bloom_filter_key key;

	bloom_filter_key_make(&key, hash);
	return bloom_filter_add(filter, &key, err);
}

static int add_run(struct bloom_filter *filter, const struct ids_run *run, struct error *err)
{
	ids_entry entry;
	struct ids_walk walk = { 0 };

	while (ids_run_next(run, &walk, &entry))
		if (add_to_filter(filter, (uint32_t)(entry >> 32), err) != 0)
			return -1;
	return 0;
}

/* Adds all runs, or only counts their entries. */
static int each_run(struct day *day, MDB_txn *txn, bool add, uint64_t *keys, struct error *err)
{
	MDB_cursor *cursor;
	MDB_val key, val;
	int result = 0;
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCK_IDS], &cursor);

	if (rc)
		return env_fail(&day->env, rc, "open cursor", err);
	for (rc = mdb_cursor_get(cursor, &key, &val, MDB_FIRST); !rc && result == 0;
	     rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		struct ids_run run;

		if (!ids_run_read(val, &run)) {
			result = error_set(err, ERROR_CORRUPT, "%s: a run of ids is damaged", day->env.path);
			break;
		}
		*keys += run.count;
		if (add)
			result = add_run(day->filter, &run, err);
	}
	mdb_cursor_close(cursor);
	if (result == 0 && rc && rc != MDB_NOTFOUND)
		return env_fail(&day->env, rc, "read ids", err);
	return result;
}

/* The changes that made the rows what they are: a block tells its own, a hot row has its number. */
static int note_changes_of_blocks(struct day *day, MDB_txn *txn, struct error *err)
{
	MDB_cursor *cursor;
	MDB_val key, val;
	struct day_block block;
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCKS], &cursor);

	if (rc)
		return env_fail(&day->env, rc, "open cursor", err);
	bool is_read = true;
	for (rc = mdb_cursor_get(cursor, &key, &val, MDB_FIRST); !rc && is_read;
	     rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		is_read = day_block_read(val, &block);
		if (is_read)
			bloom_filter_note_changes(day->filter, block.changed_min, block.changed_max);
	}
	mdb_cursor_close(cursor);
	if (!is_read)
		return error_set(err, ERROR_CORRUPT, "%s: an entry of blocks cannot be read", day->env.path);
	return rc == MDB_NOTFOUND ? 0 : env_fail(&day->env, rc, "read changes", err);
}

/* A hot_row_fn. */
static int note_change_of_row(void *arg, const struct hot_place *place, MDB_val val, struct error *err)
{
	struct day *day = arg;
	struct day_tombstone tombstone;
	uint64_t seq;

	(void)place;
	if (day_tombstone_read(val, &tombstone))
		seq = tombstone.until;
	else if (!record_changed_seq(env_str(val), &seq))
		return error_set(err, ERROR_CORRUPT, "%s: a hot row cannot be read", day->env.path);
	bloom_filter_note_changes(day->filter, seq, seq);
	return 0;
}

int ids_filter_build(struct day *day, MDB_txn *txn, struct error *err)
{
	uint64_t keys = 0;

	if (day_hot_load(day, txn, err) != 0 || each_run(day, txn, false, &keys, err) != 0)
		return -1;
	/* Half as much again, for ids still to come. */
	keys += day->hot.entries_used;
	if (bloom_filter_reset(day->filter, keys + keys / 2, err) != 0 || each_run(day, txn, true, &keys, err) != 0)
		return -1;
	const struct hot_entry *entry;
	for (size_t iterator = 0; (entry = hot_each(&day->hot, &iterator));)
		if (add_to_filter(day->filter, entry->hash, err) != 0)
			return -1;
	if (note_changes_of_blocks(day, txn, err) != 0 || hot_rows_all(day, txn, note_change_of_row, day, err) != 0)
		return -1;
	bloom_filter_set_ready(day->filter);
	return 0;
}

/* --- the filter, made to fit --- */

/* Adds entries of a run, from fit->entry on, as long as *left says. False if it has more. */
static int fit_run(struct day_fit *fit, const struct ids_run *run, uint32_t *left, struct error *err)
{
	ids_entry entry;
	struct ids_walk walk = { .number = fit->entry };

	while (*left > 0 && ids_run_next(run, &walk, &entry)) {
		if (add_to_filter(fit->filter, (uint32_t)(entry >> 32), err) != 0)
			return -1;
		--*left;
	}
	fit->entry = walk.number;
	return walk.number == run->count;
}

/* 1 when all entries are added, 0 when there are more, -1. */
static int fit_some(struct day *day, MDB_cursor *cursor, struct error *err)
{
	struct day_fit *fit = &day->fit;
	MDB_val key = env_val(fit->run, sizeof(fit->run)), val;
	uint32_t left = FIT_ENTRIES;
	int rc = mdb_cursor_get(cursor, &key, &val, fit->has_run ? MDB_SET_RANGE : MDB_FIRST);

	for (; !rc; rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		struct ids_run run;

		if (key.mv_size != sizeof(fit->run) || !ids_run_read(val, &run))
			return error_set(err, ERROR_CORRUPT, "%s: a run of ids is damaged", day->env.path);
		int done = fit_run(fit, &run, &left, err);
		if (done <= 0) {
			fit->has_run = true;
			memcpy(fit->run, key.mv_data, sizeof(fit->run));
			return done;
		}
		fit->entry = 0;
	}
	return rc == MDB_NOTFOUND ? 1 : env_fail(&day->env, rc, "read ids", err);
}

static int fit_slice(struct day *day, struct error *err)
{
	MDB_cursor *cursor;
	MDB_txn *txn = env_read(&day->env, err);

	if (!txn)
		return -1;
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCK_IDS], &cursor);
	int result = rc ? env_fail(&day->env, rc, "open cursor", err) : fit_some(day, cursor, err);
	if (!rc)
		mdb_cursor_close(cursor);
	return env_read_end(&day->env, txn, result, err);
}

int ids_filter_fit_step(struct day *day, struct error *err)
{
	struct day_fit *fit = &day->fit;

	if (fit->filter && (fit->seals != day->seals || fit->keys != bloom_filter_keys(day->filter)))
		bloom_filter_fit_cancel(&fit->filter);
	if (!fit->filter) {
		if (!day->filter || !bloom_filter_is_roomy(day->filter))
			return 1;
		*fit = (struct day_fit){ .seals = day->seals, .keys = bloom_filter_keys(day->filter) };
		if (bloom_filter_fit_begin(day->filter, &fit->filter, err) != 0)
			return -1;
	}
	int result = fit_slice(day, err);
	if (result > 0)
		result = bloom_filter_fit_end(&day->filter, &fit->filter, err) == 0 ? 1 : -1;
	if (result < 0)
		bloom_filter_fit_cancel(&fit->filter);
	return result;
}
