/* SPDX-License-Identifier: ISC */
/*
 * bundle.c: see bundle.h.
 */
#include "store/blocks/bundle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/prefetch.h"

#define DEAD_SHARE 2     /* a bundle is copied when one byte in so many is dead */
#define TRIM_BUNDLES 16  /* in a slice */
#define SPARE_BYTES 256  /* so many at the end of a bundle's last page may stay free */
#define AHEAD_BYTES 1024 /* after a block that is read in a walk: the next one is likely there */
#define PAGE_HEAD 16     /* bytes of LMDB's, before the value in its first page */

static int fail(const struct day *day, int rc, const char *doing, struct error *err)
{
	return env_fail(&day->env, rc, doing, err);
}

static int damaged(const struct day *day, uint32_t number, struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "%s: bundle %u of blocks is damaged", day->env.path, number);
}

/* --- reading --- */

static bool ref_read(MDB_val val, struct bundle_ref *ref)
{
	if (val.mv_size != sizeof(*ref))
		return false;
	memcpy(ref, val.mv_data, sizeof(*ref));
	return ref->magic == BUNDLE_REF_MAGIC;
}

static bool is_draft(const struct day *day, const MDB_txn *txn, uint32_t number)
{
	return txn == day->env.write && day->bundle.bytes.len > 0 && day->bundle.number == number;
}

/* 1, 0 if there is no such bundle, -1. */
static int get(struct day *day, MDB_txn *txn, uint32_t number, MDB_val *val, struct error *err)
{
	uint32_t big = htobe32(number);
	MDB_val key = env_val(&big, sizeof(big));

	if (is_draft(day, txn, number)) {
		*val = env_val(day->bundle.bytes.data, day->bundle.bytes.len);
		return 1;
	}
	int rc = mdb_get(txn, day->env.dbi[DAY_BUNDLES], &key, val);
	return !rc ? 1 : rc == MDB_NOTFOUND ? 0 : fail(day, rc, "get bundle", err);
}

/* What precedes a block says whose it is: a reference that is damaged must not lead to another one. */
static bool leads_to_block(const struct bundle_ref *ref, MDB_val bundle, MDB_val key)
{
	const size_t head = bundle_bytes_of(0);
	uint32_t len;

	if (ref->offset < sizeof(uint32_t) + head || ref->offset > bundle.mv_size ||
	    ref->bytes > bundle.mv_size - ref->offset || key.mv_size != NUMBER_KEY_LEN)
		return false;
	const char *at = (const char *)bundle.mv_data + ref->offset - head;
	memcpy(&len, at + NUMBER_KEY_LEN, sizeof(len));
	return len == ref->bytes && memcmp(at, key.mv_data, NUMBER_KEY_LEN) == 0;
}

/* A result of LMDB. */
static int get_data(struct bundle_walk *walk, const struct day *day, MDB_txn *txn, MDB_val key, MDB_val *val)
{
	MDB_dbi dbi = day->env.dbi[DAY_BLOCK_DATA];

	if (!walk)
		return mdb_get(txn, dbi, &key, val);
	int rc = env_walk_to(&walk->data, txn, dbi, key);
	*val = walk->data.val;
	if (!rc &&
	    (walk->data.key.mv_size != key.mv_size || memcmp(walk->data.key.mv_data, key.mv_data, key.mv_size) != 0))
		rc = MDB_NOTFOUND;
	return rc;
}

/* As get(). */
static int get_again(struct bundle_walk *walk, struct day *day, MDB_txn *txn, uint32_t number, MDB_val *val,
                     struct error *err)
{
	if (!walk)
		return get(day, txn, number, val, err);
	if (walk->bundle.mv_size == 0 || walk->number != number) {
		int found = get(day, txn, number, &walk->bundle, err);

		if (found <= 0) {
			walk->bundle = env_val(NULL, 0);
			return found;
		}
		walk->number = number;
	}
	*val = walk->bundle;
	return 1;
}

int bundle_get_block(struct bundle_walk *walk, struct day *day, MDB_txn *txn, MDB_val key, MDB_val *val,
                     struct error *err)
{
	struct bundle_ref ref;
	int rc = get_data(walk, day, txn, key, val);

	if (rc)
		return rc == MDB_NOTFOUND ? 0 : fail(day, rc, "get block", err);
	if (!ref_read(*val, &ref))
		return 1;
	int found = get_again(walk, day, txn, ref.bundle, val, err);
	if (found < 0)
		return -1;
	if (!found || !leads_to_block(&ref, *val, key))
		return damaged(day, ref.bundle, err);
	*val = env_val((const char *)val->mv_data + ref.offset, ref.bytes);
	if (walk)
		prefetch_before((const char *)val->mv_data + ref.bytes + AHEAD_BYTES, AHEAD_BYTES);
	return 1;
}

void bundle_walk_end(struct bundle_walk *walk)
{
	env_walk_end(&walk->data);
	*walk = (struct bundle_walk){ .number = 0 };
}

int bundle_next(MDB_val bundle, struct bundle_part *part)
{
	const char *bytes = bundle.mv_data;
	size_t at = part->block.p ? part->offset + part->block.len : sizeof(uint32_t);
	uint32_t magic = 0, len;

	if (bundle.mv_size >= sizeof(magic))
		memcpy(&magic, bytes, sizeof(magic));
	if (magic != BUNDLE_MAGIC)
		return -1;
	if (at == bundle.mv_size)
		return 0;
	if (bundle.mv_size - at < bundle_bytes_of(0))
		return -1;
	memcpy(&len, bytes + at + NUMBER_KEY_LEN, sizeof(len));
	if (len > bundle.mv_size - at - bundle_bytes_of(0))
		return -1;
	part->key = env_val(bytes + at, NUMBER_KEY_LEN);
	part->offset = (uint32_t)at + bundle_bytes_of(0);
	part->block = (struct str){ bytes + part->offset, len };
	return 1;
}

/* Does block_data refer to this part? 1, 0, -1. */
MUST_CHECK static int is_living(struct day *day, MDB_txn *txn, uint32_t number, const struct bundle_part *part,
                                struct error *err)
{
	struct bundle_ref ref;
	MDB_val key = part->key, val;
	int rc = mdb_get(txn, day->env.dbi[DAY_BLOCK_DATA], &key, &val);

	if (rc)
		return rc == MDB_NOTFOUND ? 0 : fail(day, rc, "get block", err);
	return ref_read(val, &ref) && ref.bundle == number && ref.offset == part->offset;
}

/* How many bytes of a bundle are dead, as counted. 1, 0 if the count cannot be read, -1. */
static int get_dead(struct day *day, MDB_txn *txn, uint32_t number, uint32_t *bytes, struct error *err)
{
	uint32_t big = htobe32(number);
	MDB_val key = env_val(&big, sizeof(big)), val;
	int rc = mdb_get(txn, day->env.dbi[DAY_BUNDLES_DEAD], &key, &val);

	*bytes = 0;
	if (rc)
		return rc == MDB_NOTFOUND ? 1 : fail(day, rc, "count dead bytes", err);
	if (val.mv_size != sizeof(*bytes))
		return 0;
	memcpy(bytes, val.mv_data, sizeof(*bytes));
	return 1;
}

/* What counting finds in a bundle. */
struct counted {
	bool is_whole;
	bool is_sure;  /* a block that nothing refers to was removed or moved: no reference to it is damaged or lost */
	uint32_t dead; /* bytes */
};

/* Of a part that is not referred to: was it removed, or is its block elsewhere? 1, 0, -1. */
static int was_dropped(struct day *day, MDB_txn *txn, const struct bundle_part *part, struct error *err)
{
	MDB_val key = part->key, val;
	struct error damage;
	int rc = mdb_get(txn, day->env.dbi[DAY_BLOCK_DATA], &key, &val);

	if (rc == MDB_NOTFOUND) {
		rc = mdb_get(txn, day->env.dbi[DAY_BLOCKS], &key, &val);
		return rc == MDB_NOTFOUND ? 1 : !rc ? 0 : fail(day, rc, "get block", err);
	}
	if (rc)
		return fail(day, rc, "get block", err);
	return val.mv_size != sizeof(struct bundle_ref) || bundle_get_block(NULL, day, txn, key, &val, &damage) == 1;
}

static int count_dead(struct day *day, MDB_txn *txn, uint32_t number, MDB_val bundle, struct counted *counted,
                      struct error *err)
{
	struct bundle_part part = { .offset = 0 };
	int there;

	*counted = (struct counted){ .is_sure = true };
	while ((there = bundle_next(bundle, &part)) > 0) {
		int living = is_living(day, txn, number, &part, err);
		int dropped = living == 0 ? was_dropped(day, txn, &part, err) : 0;

		if (living < 0 || dropped < 0)
			return -1;
		if (living)
			continue;
		counted->dead += bundle_bytes_of(part.block.len);
		counted->is_sure &= dropped > 0;
	}
	counted->is_whole = there == 0;
	return 0;
}

int bundle_check(struct day *day, MDB_txn *txn, uint32_t number, MDB_val bundle, const char **fault, struct error *err)
{
	struct counted counted;
	uint32_t dead;
	int known = get_dead(day, txn, number, &dead, err);

	if (known < 0 || count_dead(day, txn, number, bundle, &counted, err) != 0)
		return -1;
	*fault = !counted.is_whole    ? "a bundle of blocks is damaged" :
	         !known               ? "how many bytes of a bundle of blocks are dead cannot be read" :
	         dead != counted.dead ? "a bundle of blocks has not as many dead bytes as are counted" :
	                                NULL;
	return 0;
}

/* --- the bundle that is being filled --- */

static int begin_draft(struct day *day, struct error *err)
{
	const uint32_t magic = BUNDLE_MAGIC;
	struct bundle_draft *draft = &day->bundle;
	MDB_cursor *cursor;
	MDB_val key, val;
	int rc = mdb_cursor_open(day->env.write, day->env.dbi[DAY_BUNDLES], &cursor);

	if (rc)
		return fail(day, rc, "open cursor", err);
	rc = mdb_cursor_get(cursor, &key, &val, MDB_LAST);
	draft->number = rc ? 0 : bundle_number_read(key) + 1;
	mdb_cursor_close(cursor);
	if (rc && rc != MDB_NOTFOUND)
		return fail(day, rc, "last bundle", err);
	if (!buf_reserve(&draft->bytes, BUNDLE_BYTES_MAX + BUNDLE_BLOCK_MAX + bundle_bytes_of(0)))
		return error_set(err, ERROR_NOMEM, "sealing: out of memory");
	buf_add(&draft->bytes, &magic, sizeof(magic));
	return 0;
}

int bundle_flush(struct day *day, struct error *err)
{
	struct bundle_draft *draft = &day->bundle;
	uint32_t big = htobe32(draft->number);
	MDB_val key = env_val(&big, sizeof(big)), val = env_val(draft->bytes.data, draft->bytes.len);

	if (draft->bytes.len == 0)
		return 0;
	int rc = draft->bytes.failed ? ENOMEM :
	                               mdb_put(day->env.write, day->env.dbi[DAY_BUNDLES], &key, &val, MDB_APPEND);
	buf_free(&draft->bytes);
	return rc ? fail(day, rc, "put bundle", err) : 0;
}

void bundle_forget(struct day *day)
{
	buf_free(&day->bundle.bytes);
}

/* How many bytes of its last page a value would leave free. */
static size_t spare_bytes(struct day *day, size_t len)
{
	MDB_stat stat;

	if (mdb_stat(day->env.write, day->env.dbi[DAY_BUNDLES], &stat) != 0)
		return 0;
	return (stat.ms_psize - (len + PAGE_HEAD) % stat.ms_psize) % stat.ms_psize;
}

static bool is_full(struct day *day, size_t len)
{
	return len >= BUNDLE_BYTES && (len >= BUNDLE_BYTES_MAX || spare_bytes(day, len) <= SPARE_BYTES);
}

static int add(struct day *day, MDB_val key, struct str block, struct error *err)
{
	struct bundle_draft *draft = &day->bundle;
	uint32_t len = (uint32_t)block.len;

	if (draft->bytes.len == 0 && begin_draft(day, err) != 0)
		return -1;
	buf_add(&draft->bytes, key.mv_data, key.mv_size);
	buf_add(&draft->bytes, &len, sizeof(len));
	struct bundle_ref ref = { BUNDLE_REF_MAGIC, draft->number, (uint32_t)draft->bytes.len, len };
	buf_add_str(&draft->bytes, block);
	MDB_val val = env_val(&ref, sizeof(ref));
	int rc = mdb_put(day->env.write, day->env.dbi[DAY_BLOCK_DATA], &key, &val, 0);
	if (rc)
		return fail(day, rc, "put block", err);
	return is_full(day, draft->bytes.len) ? bundle_flush(day, err) : 0;
}

int bundle_put_block(struct day *day, const struct partition *partition, uint32_t number, struct str block,
                     struct error *err)
{
	uint8_t bytes[NUMBER_KEY_LEN];
	MDB_val key = env_val(bytes, sizeof(bytes)), val = env_val(block.p, block.len);

	number_key_write(bytes, partition, number);
	if (block.len <= BUNDLE_BLOCK_MAX)
		return add(day, key, block, err);
	int rc = mdb_put(day->env.write, day->env.dbi[DAY_BLOCK_DATA], &key, &val, 0);
	return rc ? fail(day, rc, "put block", err) : 0;
}

/* --- dead bytes --- */

static int del(struct day *day, enum day_db db, MDB_val key, struct error *err)
{
	int rc = mdb_del(day->env.write, day->env.dbi[db], &key, NULL);

	return rc && rc != MDB_NOTFOUND ? fail(day, rc, "remove block", err) : 0;
}

static int add_living(struct day *day, uint32_t number, MDB_val copy, struct error *err)
{
	struct bundle_part part = { .offset = 0 };
	int there;

	while ((there = bundle_next(copy, &part)) > 0) {
		int living = is_living(day, day->env.write, number, &part, err);

		if (living < 0 || (living && add(day, part.key, part.block, err) != 0))
			return -1;
	}
	return there < 0 ? damaged(day, number, err) : 0;
}

/* Does all that refers to a bundle lead to its blocks? Looks at all references of the day, as what is damaged in the
 * bundle does not tell which they are. 1, 0, -1. */
static int is_referred_to_rightly(struct day *day, uint32_t number, MDB_val bundle, struct error *err)
{
	MDB_cursor *cursor;
	MDB_val key, val;
	bool is_right = true;
	int rc = mdb_cursor_open(day->env.write, day->env.dbi[DAY_BLOCK_DATA], &cursor);

	if (rc)
		return fail(day, rc, "open cursor", err);
	while (is_right && (rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) == 0) {
		struct bundle_ref ref;

		if (ref_read(val, &ref))
			is_right = ref.bundle != number || leads_to_block(&ref, bundle, key);
		else
			is_right = val.mv_size != sizeof(ref);
	}
	mdb_cursor_close(cursor);
	return rc && rc != MDB_NOTFOUND ? fail(day, rc, "read blocks", err) : is_right;
}

/* Is a bundle to be copied? Not where it is damaged, or a block in it may have lost its reference. What is counted of it
 * may be wrong: that goes with the bundle. 1, 0, -1. */
static int may_be_copied(struct day *day, uint32_t number, MDB_val bundle, struct error *err)
{
	struct counted counted;
	uint32_t dead;
	int known = get_dead(day, day->env.write, number, &dead, err);

	if (known < 0 || count_dead(day, day->env.write, number, bundle, &counted, err) != 0)
		return -1;
	bool is_right = known && dead == counted.dead;
	if (!counted.is_whole || is_right)
		return counted.is_whole;
	int result = counted.is_sure ? is_referred_to_rightly(day, number, bundle, err) : 0;
	if (result > 0)
		log_error("store", "%s: how many bytes of bundle %u of blocks are dead was damaged; it is repaired",
		          day->env.path, number);
	return result;
}

/* Copies what lives of a stored bundle into the one that is being filled, and removes it. In this order: the new one has
 * another number. 1, 0 when it is damaged and stays as it is, so that no block in it is lost, -1. */
static int copy_living(struct day *day, uint32_t number, struct error *err)
{
	uint32_t big = htobe32(number);
	MDB_val key = env_val(&big, sizeof(big)), val;
	int result = get(day, day->env.write, number, &val, err);
	int may_be = result > 0 ? may_be_copied(day, number, val, err) : 1;

	if (may_be <= 0)
		return may_be;
	if (result > 0) {
		/* The value moves when the trees change. */
		char *copy = malloc(val.mv_size);

		if (!copy)
			return error_set(err, ERROR_NOMEM, "bundles of blocks: out of memory");
		memcpy(copy, val.mv_data, val.mv_size);
		result = add_living(day, number, env_val(copy, val.mv_size), err);
		free(copy);
	}
	if (result < 0 || del(day, DAY_BUNDLES, key, err) != 0 || del(day, DAY_BUNDLES_DEAD, key, err) != 0)
		return -1;
	return 1;
}

/* The dead bytes of a bundle and those of a block that was just removed from it. A count that cannot be read is made
 * anew. */
static int dead_with(struct day *day, const struct bundle_ref *ref, MDB_val bundle, uint32_t *dead, struct error *err)
{
	struct counted counted;
	int known = get_dead(day, day->env.write, ref->bundle, dead, err);

	if (known < 0)
		return -1;
	*dead += bundle_bytes_of(ref->bytes);
	if (known)
		return 0;
	if (count_dead(day, day->env.write, ref->bundle, bundle, &counted, err) != 0)
		return -1;
	log_error("store",
	          "%s: how many bytes of bundle %u of blocks are dead could not be read; they are counted anew",
	          day->env.path, ref->bundle);
	*dead = counted.dead;
	return 0;
}

/* Counts a block as dead, which nothing refers to any more. */
static int drop(struct day *day, const struct bundle_ref *ref, struct error *err)
{
	uint32_t big = htobe32(ref->bundle), dead;
	MDB_val key = env_val(&big, sizeof(big)), counted = env_val(&dead, sizeof(dead)), bundle = { 0 };
	int found = get(day, day->env.write, ref->bundle, &bundle, err);

	if (found < 0 || dead_with(day, ref, bundle, &dead, err) != 0)
		return -1;
	int rc = mdb_put(day->env.write, day->env.dbi[DAY_BUNDLES_DEAD], &key, &counted, 0);
	if (rc)
		return fail(day, rc, "count dead bytes", err);
	if (!found || is_draft(day, day->env.write, ref->bundle) || (size_t)dead * DEAD_SHARE < bundle.mv_size)
		return 0;
	return copy_living(day, ref->bundle, err) < 0 ? -1 : 0;
}

int bundle_remove_block(struct day *day, const struct partition *partition, uint32_t number, struct error *err)
{
	uint8_t bytes[NUMBER_KEY_LEN];
	MDB_val key = env_val(bytes, sizeof(bytes)), val;
	struct bundle_ref ref;

	number_key_write(bytes, partition, number);
	int rc = mdb_get(day->env.write, day->env.dbi[DAY_BLOCK_DATA], &key, &val);
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : fail(day, rc, "get block", err);
	bool is_bundled = ref_read(val, &ref);
	if (del(day, DAY_BLOCK_DATA, key, err) != 0)
		return -1;
	return is_bundled ? drop(day, &ref, err) : 0;
}

/* The first bundle that has dead bytes. 1, 0 if there is none, -1. */
static int first_dead(struct day *day, MDB_txn *txn, uint32_t *number, struct error *err)
{
	MDB_cursor *cursor;
	MDB_val key, val;
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BUNDLES_DEAD], &cursor);

	if (rc)
		return fail(day, rc, "open cursor", err);
	rc = mdb_cursor_get(cursor, &key, &val, MDB_FIRST);
	if (!rc)
		*number = bundle_number_read(key);
	mdb_cursor_close(cursor);
	return !rc ? 1 : rc == MDB_NOTFOUND ? 0 : fail(day, rc, "read dead bytes", err);
}

int bundle_trim_step(struct day *day, struct error *err)
{
	MDB_txn *txn = env_read(&day->env, err);
	uint32_t number;

	if (!txn)
		return -1;
	int found = first_dead(day, txn, &number, err);
	found = env_read_end(&day->env, txn, found, err);
	if (found <= 0)
		return found < 0 ? -1 : 1;
	if (!env_write(&day->env, err) || bundle_flush(day, err) != 0)
		return -1;
	for (int i = 0; i < TRIM_BUNDLES; i++) {
		found = first_dead(day, day->env.write, &number, err);
		if (found <= 0)
			return found;
		found = copy_living(day, number, err);
		if (found <= 0)
			return found < 0 ? -1 : damaged(day, number, err);
	}
	return 0;
}
