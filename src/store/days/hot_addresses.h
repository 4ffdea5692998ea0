/* SPDX-License-Identifier: ISC */
/*
 * hot_addresses.h: where in a day's map rows of the log are, so that a row is read without a search of LMDB's tree; private
 * to store/.
 *
 * The rows of a small account are on as many pages. To find one by its key takes ten times as long as to read it, as
 * little of the pages that the search goes through is in the processor's cache. So when a row has been found, the addresses
 * of all rows on its page are noted, for whoever reads those next; where many accounts are sealed, that is most of them.
 *
 *	page of LMDB:  number(8) pad(2) flags(2) end of the offsets(2) (2)  offset(2) of each row ...  rows
 *	row:           length of the value(4) flags(2) length of the key(2)  key  value
 *
 * An address is believed only if a page of rows is there which has a row with that very key at that place. LMDB may have
 * copied or freed the page meanwhile, and may have written another one in its place; but a row that a page has is the row,
 * as long as no other was put in its place and it was not removed. Whoever does that says so; from then on, nothing is learned
 * from transactions that do not see it. A row is put in another's place if its number is not greater than all before: that
 * one may have been dead or trimmed, so it need not be there. The addresses of rows that have pages of their own are not
 * noted.
 */
#ifndef CDRD_STORE_DAYS_HOT_ADDRESSES_H
#define CDRD_STORE_DAYS_HOT_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/prefetch.h"
#include "lmdb/env.h"
#include "store/blocks/position.h"

#define HOT_ADDRESSES_HEAD 8 /* bytes before a row's key */

/* All zeros: none is known. */
struct hot_addresses {
	uint32_t *offsets; /* in the map, by twos, of the row with a number, by its last bits; 0: not known */
	size_t cap;        /* a power of two, or 0 */
	size_t altered_in; /* the last transaction that has altered a row */
	uint64_t newest;   /* no row has a greater number, or had since the hot rows were loaded */
	size_t page_bytes;
};

/* The value of the row with a number and key. False if its address is not known. */
bool hot_addresses_read(const struct hot_addresses *addresses, const struct env *env, uint64_t seq,
                        const uint8_t key[ROW_KEY_LEN], MDB_val *val);

/* Is the address of a row known, whose key a transaction has found? */
static inline bool hot_addresses_has(const struct hot_addresses *addresses, const struct env *env, MDB_val key)
{
	uintptr_t at = (uintptr_t)key.mv_data - HOT_ADDRESSES_HEAD - (uintptr_t)env->map;

	return addresses->cap &&
	       2 * (uintptr_t)addresses->offsets[position_get_u64(key.mv_data) & (addresses->cap - 1)] == at;
}

/* Notes the addresses of the rows on the page that a row's value, which `txn` has found, is on. `rows` is how many rows the
 * log has. Returns the number of the page's last row; 0 if nothing is noted, as when out of memory. */
uint64_t hot_addresses_learn(struct hot_addresses *addresses, const struct env *env, MDB_txn *txn, MDB_val val,
                             uint64_t rows);

/* The hot rows are loaded, after `before`, when `newest` was the greatest number of one. */
void hot_addresses_begin(struct hot_addresses *addresses, const struct hot_addresses *before, uint64_t newest);

/* In the open write transaction, a row is put; it is removed. */
void hot_addresses_put(struct hot_addresses *addresses, const struct env *env, uint64_t seq);
void hot_addresses_remove(struct hot_addresses *addresses, const struct env *env, uint64_t seq);

void hot_addresses_free(struct hot_addresses *addresses);

/* Prefetches the address; and, some rows' time later, the row, if its address is known. */
PREFETCH_INLINE void hot_addresses_prefetch_address(const struct hot_addresses *addresses, uint64_t seq)
{
	if (addresses->cap)
		__builtin_prefetch(&addresses->offsets[seq & (addresses->cap - 1)]);
}

#define HOT_ADDRESSES_LINES 5 /* of a row, about */

PREFETCH_INLINE void hot_addresses_prefetch(const struct hot_addresses *addresses, const struct env *env, uint64_t seq)
{
	uintptr_t offset = addresses->cap ? addresses->offsets[seq & (addresses->cap - 1)] : 0;

	if (!offset)
		return;
	__builtin_prefetch((const void *)((uintptr_t)env->map + (2 * offset & ~(addresses->page_bytes - 1))));
	for (uintptr_t i = 0; i < HOT_ADDRESSES_LINES; i++)
		__builtin_prefetch((const void *)((uintptr_t)env->map + 2 * offset + i * PREFETCH_LINE));
}

#endif
