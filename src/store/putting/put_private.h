/* SPDX-License-Identifier: ISC */
/*
 * put_private.h: what the files of putting share; private to them.
 *
 *	put.c       a record is taken in: new, or a version of one that is stored
 *	put_find.c  finds the version that is stored, in the record's day and the days beside it
 *	moves.c     finishes what a crash has left undone of a move from one day to another
 */
#ifndef CDRD_STORE_PUTTING_PUT_PRIVATE_H
#define CDRD_STORE_PUTTING_PUT_PRIVATE_H

#include "store/days_store.h"

/* What a put works on. */
struct put {
	struct store *store;
	struct day *day; /* where the record is to be; its write transaction is open */
	const struct record *record;
	const struct store_versions *versions; /* NULL: see store_put */
	struct partition partition;
	int64_t time_us;
	uint64_t hashes[CATALOG_COLUMNS_MAX]; /* of the record's ids */
	size_t hashes_count;
	struct bloom_filter_key *keys; /* of each hash */
	size_t id_at;                  /* which of them is that of the id that makes it the same record */
	struct day *beside[2];         /* the days before and after it, where they are asked; or NULL */
	struct error *err;
};

/* The version that is stored. */
struct stored {
	struct record record; /* points into pages or a reader that the next write may change */
	struct day *day;
	struct partition partition;
	struct position position;
	uint64_t changed_seq; /* of the change that made it what it is */
	bool sealed;
	uint32_t block;
	uint32_t row;
};

/* Opens a day for putting: its write transaction is open, its hot rows are known, its filter is complete. NULL without
 * error (code ERROR_NONE) when there is none and it is not to be made. */
MUST_CHECK struct day *put_open_day(struct store *store, int32_t number, bool make, struct error *err);

/* put_find.c: works the keys of the record's ids out, and prefetches the memory where they are to be, in put->day and,
 * when versions are compared, the days beside it. */
int put_prepare_ids(struct put *put);

/* The version that is stored in a day, put->day or another one that put_open_day has opened. 1, 0, -1. */
int put_find_in(const struct put *put, struct day *day, struct stored *stored);

/* The same in put->day, whose filter is asked first; and in the days beside it, the one before first. */
int put_find(const struct put *put, struct stored *stored);
int put_find_beside(const struct put *put, struct stored *stored);

/* The same in the days before those, back to a week before put->day, the newest first. */
int put_find_before(const struct put *put, struct stored *stored);

/* put.c: puts a record where none of its versions stands; `seq` is the number of the change. */
int put_insert(struct put *put, const struct position *position, uint64_t seq);

/* Takes the stored version out of its day, in which a tombstone then leads to `to`, in another day; or nothing where
 * that is NULL: what a tombstone leads to must have a later place. */
int put_leave(const struct put *put, const struct stored *stored, const struct position *to);

#endif
