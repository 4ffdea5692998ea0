/* SPDX-License-Identifier: ISC */
/*
 * day.c: what day.h says of ids and of tombstones, and the names of the databases. See day.h for the layout.
 */
#include "store/days/day.h"

#include <string.h>

#include "base/id.h"

const struct env_db day_dbs[] = {
	[DAY_HOT] = { "hot_rows", 0 },
	[DAY_HOT_SEALED] = { "hot_sealed", 0 },
	[DAY_HOT_OLD] = { "hot", 0 },
	[DAY_BLOCKS] = { "blocks", 0 },
	[DAY_BLOCK_DATA] = { "block_data", 0 },
	[DAY_BLOCK_IDS] = { "block_ids", 0 },
	[DAY_DELETED] = { "dead", 0 },
	[DAY_BUNDLES] = { "bundles", 0 },
	[DAY_BUNDLES_DEAD] = { "bundles_dead", 0 },
	{ NULL, 0 },
};

/* Hashes of accounts and products differ. */
static inline uint64_t seed_of(const struct account_key *account, uint8_t product)
{
	uint64_t owner;

	memcpy(&owner, account->bytes, sizeof(owner));
	return owner ^ ((uint64_t)product << 56);
}

uint64_t day_id_hash(const struct account_key *account, uint8_t product, struct str id)
{
	return id_hash64_of_id(id, seed_of(account, product));
}

static uint64_t hash_before(const struct account_key *account, uint8_t product, struct str id)
{
	return id_hash64(id.p, id.len, seed_of(account, product));
}

size_t day_id_hashes_as_given(const struct account_key *account, uint8_t product, struct str id,
                              uint64_t hashes[DAY_AS_GIVEN_MAX])
{
	char upper[ID_UUID_LEN];
	size_t count = 0;

	if (!id_is_uuid(id))
		return 0;
	uint64_t lower = day_id_hash(account, product, id), given = hash_before(account, product, id);
	id_uuid_upper(upper, id.p);
	uint64_t capitals = hash_before(account, product, (struct str){ upper, sizeof(upper) });
	if (given != lower)
		hashes[count++] = given;
	if (capitals != lower && capitals != given)
		hashes[count++] = capitals;
	return count;
}

/* Where a hash stands among the others; it is added if it is new. */
static inline size_t hash_number(uint64_t *hashes, size_t *count, uint64_t hash)
{
	size_t at = 0;

	while (at < *count && hashes[at] != hash)
		at++;
	if (at == *count)
		hashes[(*count)++] = hash;
	return at;
}

static inline size_t hashes_of(const struct account_key *account, const struct record *record,
                               uint64_t (*hash_id)(const struct account_key *, uint8_t, struct str), uint64_t *hashes,
                               size_t *id_at)
{
	const struct catalog_product *product = record->product;
	struct str hashed = { NULL, 0 };
	size_t count = 0, at = 0;

	for (size_t i = 0; i < product->lookup_count; i++) {
		struct str id = record->values[product->lookup[i]];

		if (!id.len)
			continue;
		/* A message's id most often is the record's, too. */
		if (!str_equal(id, hashed))
			at = hash_number(hashes, &count, hash_id(account, product->number, id));
		hashed = id;
		if (id_at && product->lookup[i] == product->id_column)
			*id_at = at;
	}
	return count;
}

size_t day_id_hashes(const struct account_key *account, const struct record *record, uint64_t *hashes, size_t *id_at)
{
	return hashes_of(account, record, day_id_hash, hashes, id_at);
}

size_t day_id_hashes_before(const struct account_key *account, const struct record *record, uint64_t *hashes)
{
	return hashes_of(account, record, hash_before, hashes, NULL);
}

/* [nil, until, direction, time, seq]: the direction a fixint, the others uint64 always, so that a tombstone has one length. */
enum { GHOST_LEN = 1 + 1 + 9 + 1 + 9 + 9 };

size_t day_tombstone_write(uint8_t out[DAY_GHOST_MAX], const struct day_tombstone *tombstone)
{
	uint8_t *p = out;

	*p++ = 0x95;
	*p++ = 0xc0;
	*p++ = 0xcf;
	position_put_u64(p, tombstone->until);
	p += 8;
	*p++ = tombstone->to.direction; /* a positive fixint */
	*p++ = 0xcf;
	position_put_u64(p, (uint64_t)tombstone->to.time_us);
	p += 8;
	*p++ = 0xcf;
	position_put_u64(p, tombstone->to.seq);
	return GHOST_LEN;
}

bool day_tombstone_read(MDB_val val, struct day_tombstone *tombstone)
{
	const uint8_t *in = val.mv_data;

	if (val.mv_size != GHOST_LEN || in[0] != 0x95 || in[1] != 0xc0)
		return false;
	tombstone->until = position_get_u64(in + 3);
	tombstone->to.direction = in[11];
	tombstone->to.time_us = (int64_t)position_get_u64(in + 13);
	tombstone->to.seq = position_get_u64(in + 22);
	return true;
}
