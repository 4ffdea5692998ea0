/* SPDX-License-Identifier: ISC */
/*
 * fuzz_bundle.c: bundles of small blocks, and references into them.
 *
 *	input = blocks, flips, then for each block its length; a reference (16, xor); flips of the bundle: place (2), flip
 *
 * The bundle and the reference are valid ones, changed. What must hold: walking through a bundle ends, within it; a
 * reference leads to a block of its key within the bundle, or is told to be damaged.
 */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/blocks/bundle.h"

#define BLOCKS_MAX 8
#define FLIPS_MAX 8
#define FLIP 3
#define MAP_BYTES ((size_t)16 << 20)
#define BUNDLE 7

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct day day = { .number = 20500, .is_open = true };
static char directory[] = "/tmp/cdrd-fuzz-bundle-XXXXXX";
static struct error err;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *at)
{
	(void)status;
	(void)type;
	(void)at;
	return remove(path);
}

static void remove_all(void)
{
	env_close(&day.env);
	(void)nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void open_day(void)
{
	must(mkdtemp(directory) != NULL && env_open(&day.env, directory, MAP_BYTES, day_dbs, &err) == 0);
	must(atexit(remove_all) == 0);
}

/* --- a valid bundle --- */

static void key_of(uint8_t key[NUMBER_KEY_LEN], uint32_t number)
{
	struct partition partition = partition_of(&(struct account_key){ "acct0001" }, 1, 1);

	number_key_write(key, &partition, number);
}

/* Fills *ref with the first block's. */
static void make(struct buf *bundle, size_t blocks, const uint8_t *lengths, struct bundle_ref *ref)
{
	uint32_t magic = BUNDLE_MAGIC;
	uint8_t key[NUMBER_KEY_LEN];

	buf_add(bundle, &magic, sizeof(magic));
	for (uint32_t i = 0; i < blocks; i++) {
		uint32_t len = lengths[i];

		key_of(key, i);
		buf_add(bundle, key, sizeof(key));
		buf_add(bundle, &len, sizeof(len));
		if (i == 0)
			*ref = (struct bundle_ref){ BUNDLE_REF_MAGIC, BUNDLE, (uint32_t)bundle->len, len };
		for (uint32_t k = 0; k < len; k++)
			buf_add_char(bundle, (char)(k * i));
	}
	must(!bundle->failed);
}

/* --- reading it --- */

static void walk(struct str bundle, size_t blocks, bool same)
{
	MDB_val val = env_val(bundle.p, bundle.len);
	struct bundle_part part = { .offset = 0 };
	size_t parts = 0;
	int found;

	while ((found = bundle_next(val, &part)) > 0) {
		must(part.block.p >= bundle.p && part.block.p + part.block.len <= bundle.p + bundle.len);
		must(++parts <= bundle.len / bundle_bytes_of(0));
	}
	must(!same || (found == 0 && parts == blocks));
}

static void put(MDB_txn *txn, enum day_db db, const void *key, size_t key_len, struct str value)
{
	MDB_val k = env_val(key, key_len), v = env_val(value.p, value.len);

	must(mdb_put(txn, day.env.dbi[db], &k, &v, 0) == 0);
}

/* As readers find it, in a transaction that leaves no trace. */
static void follow(struct str bundle, const struct bundle_ref *ref, bool same)
{
	MDB_txn *txn = env_write(&day.env, &err);
	uint32_t number = htobe32(BUNDLE);
	uint8_t key[NUMBER_KEY_LEN];
	const char *fault;
	MDB_val val;

	must(txn != NULL);
	key_of(key, 0);
	put(txn, DAY_BUNDLES, &number, sizeof(number), bundle);
	put(txn, DAY_BLOCK_DATA, key, sizeof(key), (struct str){ (const char *)ref, sizeof(*ref) });
	int found = bundle_get_block(NULL, &day, txn, env_val(key, sizeof(key)), &val, &err);
	must(found == 1 || (!same && found < 0));
	if (found == 1 && ref->magic == BUNDLE_REF_MAGIC) {
		must(ref->offset <= bundle.len && val.mv_size <= bundle.len - ref->offset);
		must(val.mv_size == 0 || memcmp(val.mv_data, bundle.p + ref->offset, val.mv_size) == 0);
	}
	must(bundle_check(&day, txn, BUNDLE, env_val(bundle.p, bundle.len), &fault, &err) == 0);
	env_abort(&day.env);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf made = { 0 };
	struct bundle_ref ref;
	uint8_t flips[sizeof(ref)];

	if (size < 2 + BLOCKS_MAX + sizeof(ref))
		return 0;
	if (!day.env.mdb)
		open_day();
	size_t blocks = 1 + data[0] % BLOCKS_MAX, count = data[1] % FLIPS_MAX;
	make(&made, blocks, data + 2, &ref);
	memcpy(flips, data + 2 + BLOCKS_MAX, sizeof(flips));
	bool same = true;
	for (size_t i = 0; i < sizeof(ref); i++) {
		((uint8_t *)&ref)[i] ^= flips[i];
		same = same && flips[i] == 0;
	}
	const uint8_t *at = data + 2 + BLOCKS_MAX + sizeof(ref), *end = data + size;
	bool whole = true;
	for (size_t i = 0; i < count && end - at >= FLIP; i++, at += FLIP) {
		made.data[((size_t)at[0] | (size_t)at[1] << 8) % made.len] ^= (char)at[2];
		whole = whole && at[2] == 0;
	}
	/* as long as it is and no longer, for whoever reads past it */
	char *exact = malloc(made.len);
	must(exact != NULL);
	memcpy(exact, made.data, made.len);
	walk((struct str){ exact, made.len }, blocks, whole);
	follow((struct str){ exact, made.len }, &ref, same && whole);
	free(exact);
	buf_free(&made);
	return 0;
}
