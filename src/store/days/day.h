/* SPDX-License-Identifier: ISC */
/*
 * day.h: one UTC day of records; private to store/.
 *
 *	hot_rows    seq(8) partition(10) time(8) -> row or tombstone     records as they arrived (hot_rows.h)
 *	hot_sealed  partition(10) -> how far it is sealed           the rows before that are dead (hot_sealed.h)
 *	hot         partition(10) time(8) seq(8) -> row or tombstone     the same, put by a cdrd of format 1
 *	blocks      partition(10) block(4) -> struct day_block       where sealed blocks lie and what is deleted in them
 *	block_data  partition(10) block(4) -> a block                (block.h), or where in a bundle it is (bundle.h)
 *	bundles, bundles_dead                                        small blocks together (bundle.h)
 *	block_ids   partition(10) run(4) -> the ids of a run         (ids.h): a run is the blocks of one seal
 *	dead        partition(10) block(4) -> bitmap of the rows that newer versions replaced
 *
 * Integers in keys are big-endian. A partition is account's key(8) product(1) direction(1). A row is what record_pack
 * writes. `seq` is the number of the change that put the record at its position; it orders records of the same microsecond
 * by arrival and tells a snapshot whether it may see them. A sealed record keeps its position; when a newer version
 * replaces it, its row in the block becomes deleted and `hot_rows` has the newer one at the same position, or a tombstone.
 *
 * A tombstone stands where a record was before a newer version moved it to another time (or direction), of this day or
 * of one beside it: msgpack array [nil, until, direction, time, seq], the number of the change that moved it and the
 * place it moved to, whose time tells the day. A scan at a snapshot from seq to until - 1 shows the record there, so
 * that paging neither repeats nor skips it.
 */
#ifndef CDRD_STORE_DAYS_DAY_H
#define CDRD_STORE_DAYS_DAY_H

#include "record/record.h"
#include "store/blocks/block_index.h"
#include "lmdb/env.h"
#include "store/days/hot.h"
#include "store/ids/bloom_filter.h"
#include "store/blocks/position.h"
#include "store/scan.h"

#define BLOCK_INDEX_SLOTS 4

struct day_touch {
	struct partition partition;
	struct position position;
};

enum day_db {
	DAY_HOT,
	DAY_HOT_SEALED,
	DAY_HOT_OLD,
	DAY_BLOCKS,
	DAY_BLOCK_DATA,
	DAY_BLOCK_IDS,
	DAY_DELETED,
	DAY_BUNDLES,
	DAY_BUNDLES_DEAD,
};

extern const struct env_db day_dbs[];

/* The bundle that is being filled in the open write transaction (bundle.h). */
struct bundle_draft {
	uint32_t number;
	struct buf bytes; /* empty: there is none */
};

/* A filter in the making, of the right size (ids_filter_fit_step). */
struct day_fit {
	struct bloom_filter *filter; /* NULL: none is made */
	uint64_t seals, keys;        /* the day's and its filter's, when it was begun */
	bool has_run;                /* the run that is next: */
	uint8_t run[NUMBER_KEY_LEN];
	uint32_t entry; /* of it */
};

struct day {
	int32_t number;
	struct meta *meta; /* the store's, for messages; or NULL */
	bool is_open;
	bool is_listed; /* was committed to, and is in the catalog, or will be (day_list.h): its file must be there */
	bool is_faulty; /* when last tried, it could not be opened */
	bool is_new;    /* while it is closed: its environment's is_new */
	int pins;       /* users across calls: it is not closed meanwhile */
	uint64_t used;  /* store's clock of uses, for closing the one used longest ago */
	struct env env;
	struct bloom_filter *filter; /* stays while the environment is closed; NULL until first looked at */
	struct day_fit fit;          /* the filter that is to replace it */
	struct hot hot;      /* what is known of the hot rows; loaded when the day is written to or looked up in */
	uint64_t seals;      /* grows with each commit that changed blocks */
	bool blocks_changed; /* by what is not committed */
	uint64_t moves;      /* grows with each commit after which a record has another time of the day */
	bool has_moved;      /* by what is not committed */
	bool gains;          /* records from other days, by what is not committed */
	struct buf touched;  /* struct day_touch: rows that what is not committed replaced or moved */
	struct buf removed;  /* struct hot_removed: hot rows that it has removed; until the commit others see them */
	struct buf
		sealed_ids; /* struct hot_gone: of rows that it has sealed; until the commit they are looked up as hot ones */
	struct bundle_draft bundle;
	struct buf unsealed_seqs; /* uint64_t: of sealed rows in whose place it has put a new version or a tombstone */
	int64_t hot_since_us;     /* monotonic: since when there have been hot rows; 0 if there are none */
	int64_t changed_us;       /* monotonic: when it was last committed to */
	int64_t put_us;           /* the same, where a record was put into it; 0: not since the start */
	bool has_puts;            /* by what is not committed */
	bool sheds;               /* all of its hot rows are to be sealed: seal_due.c */
	/* seal_merge.c looks for runs to be merged in rounds, some blocks at a time. */
	struct partition merge_at; /* where it resumes; of product 0: a round begins */
	uint64_t merge_round;      /* `seals` when the round began */
	uint64_t merge_seals;      /* `seals` when a round last found nothing to merge */
	int64_t merge_wait_us;     /* monotonic: no merging before */
	bool merge_failed;         /* in this round, and `merge_misread` where that may be tried again later */
	bool merge_misread;
	bool repack_demanded; /* repack.h */
	bool is_old;          /* it may have blocks of the format before: upgrade.h */
	bool swept;           /* seal.c has seen that nothing is left to do since the last change */
	struct block_index block_indexes[BLOCK_INDEX_SLOTS];
	uint64_t block_index_uses;
};

#define DAY_GHOST_MAX 32

struct day_tombstone {
	uint64_t until;
	struct position to;
};

size_t day_tombstone_write(uint8_t out[DAY_GHOST_MAX], const struct day_tombstone *tombstone);

/* Is it a tombstone (not a row)? Then fills *tombstone. */
bool day_tombstone_read(MDB_val val, struct day_tombstone *tombstone);

/* The hash that ids are found by: of one lookup value, and all of a record's, without repeats (at least
 * product->lookup_count of them fit); returns how many. *id_at, unless NULL, is the one of the record's own id. */
uint64_t day_id_hash(const struct account_key *account, uint8_t product, struct str id);
size_t day_id_hashes(const struct account_key *account, const struct record *record, uint64_t *hashes, size_t *id_at);

/*
 * Runs and filters of days before store->ids_as_given_before may have a UUID by the hash of its text as it was sent,
 * not in lower case: they were written by a cdrd that told the cases apart. Where such a day is searched, so it is for
 * these, which differ from day_id_hash: the hash of the id as it is given, and of it in upper case. Returns how many.
 */
#define DAY_AS_GIVEN_MAX 2
size_t day_id_hashes_as_given(const struct account_key *account, uint8_t product, struct str id,
                              uint64_t hashes[DAY_AS_GIVEN_MAX]);

/* day_id_hashes as it was then; what a run of that time has of a record. */
size_t day_id_hashes_before(const struct account_key *account, const struct record *record, uint64_t *hashes);

/*
 * The hot row at a place, following tombstones to where the record is now; *place becomes that place. Returns 1 with
 * *row, 0 if there is no hot one (the record may have been sealed at *place since, be in another day if that is
 * where *place is, or not be there at all), -1 with *err.
 */
MUST_CHECK int day_row_get(struct day *day, MDB_txn *txn, const struct partition *partition, struct position *position,
                           MDB_val *row, struct error *err);

/* The same for the row of a number, of the partition's account and product in whichever direction, if that is one of
 * theirs. */
MUST_CHECK int day_row_find(struct day *day, MDB_txn *txn, const struct partition *partition, uint64_t seq,
                            struct position *position, MDB_val *row, struct error *err);

/* Takes a hot row apart; the record's values point into it. 1, 0 for a tombstone, which has no record, or -1 with
 * ERROR_CORRUPT. */
MUST_CHECK int day_row_read(const struct day *day, const struct partition *partition, MDB_val val,
                            struct record *record, struct error *err);

/* Moves to the last key of numbered things that is not after the partition's; it may be another one's. */
static inline int number_key_last(MDB_cursor *cursor, const struct partition *partition, MDB_val *key, MDB_val *val)
{
	uint8_t bytes[NUMBER_KEY_LEN];

	number_key_write(bytes, partition, UINT32_MAX);
	*key = env_val(bytes, sizeof(bytes));
	return mdb_cursor_get(cursor, key, val, mdb_cursor_get(cursor, key, val, MDB_SET_RANGE) ? MDB_LAST : MDB_PREV);
}

/* Is it time to rebuild what is known of the hot rows? Not while a write transaction is open: a read transaction does
 * not see its rows, and what it has removed can still be looked up. */
static inline bool day_hot_needs_rebuild(const struct day *day)
{
	return !day->env.write && hot_needs_rebuild(&day->hot);
}

/* Reads all hot rows to learn their ids, partitions and positions, if that is not known yet. Where a row cannot be read,
 * its position is known and day->hot.damage says why its ids are not. */
MUST_CHECK int day_hot_load(struct day *day, MDB_txn *txn, struct error *err);

#endif
