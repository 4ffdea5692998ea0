/* SPDX-License-Identifier: ISC */
/*
 * meta.h: what must be consistent beside the records: accounts, producers, quarantine, jobs, callbacks, volumes.
 *
 * One LMDB environment, data_dir/catalog. Its databases:
 *
 *	meta        name -> integer or text: format version, sequence reserve, next quarantine number
 *	accounts    account id (8 bytes) -> msgpack (accounts.c)
 *	children    parent id (8) + account id (8) -> nothing: a parent's subaccounts in order
 *	producers   name -> msgpack (producers.c)
 *	quarantine  number (8 bytes big-endian) -> msgpack (quarantine.c)
 *	callbacks   number (8 bytes big-endian) -> msgpack (callback/row.c)
 *	webhooks    account id (8 bytes) -> msgpack (callback/secret.c)
 *	attempts    account id (8 bytes) -> msgpack (callback/attempts.c)
 *	reports     request id (36 characters) -> msgpack (report/row.c)
 *	report_index  where to look for reports (report/table.h)
 *	schedules   id (36 characters) -> msgpack (schedule/schedule_row.c)
 *	schedule_index  where to look for schedules (schedule/schedule_table.h)
 *	destinations  account id, NUL, name -> sealed msgpack (destination/destinations.c)
 *	usage       account id (8 bytes) -> msgpack (billing/volume.c)
 *	erased      account id (8 bytes), hash of a number (16 bytes) -> msgpack (store/erasing/erased.c)
 *	feeds       "tail:" or "spool:", path -> msgpack: where reading has got to (feed/place.c)
 *	            "kafka:", cluster, group, topic, partition -> msgpack: the same (consumer/kafka_place.c)
 *	api_keys    account id, '/', id of the key -> msgpack (api_keys.c)
 *	days        yyyy-mm-dd -> nothing (store/days/day_list.c); not in backups, which may hold newer days
 *
 * Rows are read by rows.h and changed by change.h, durably at once. What may wait for others, so that many share an
 * fsync, is put with meta_put (or quarantine_put) and lasts when meta_commit has returned 0. Committing records does
 * not commit it, unless a day is new and has to be listed.
 */
#ifndef CDRD_META_META_H
#define CDRD_META_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

enum meta_db {
	META_DB_VALUES, /* "meta" on disk */
	META_DB_ACCOUNTS,
	META_DB_CHILDREN,
	META_DB_PRODUCERS,
	META_DB_QUARANTINE,
	META_DB_CALLBACKS,
	META_DB_WEBHOOKS,
	META_DB_ATTEMPTS,
	META_DB_REPORTS,
	META_DB_REPORT_INDEX,
	META_DB_SCHEDULES,
	META_DB_SCHEDULE_INDEX,
	META_DB_DESTINATIONS,
	META_DB_USAGE,
	META_DB_ERASED,
	META_DB_ACCOUNT_KEYS,
	META_DB_OPERATORS,
	META_DB_FEEDS,
	META_DB_API_KEYS,
	META_DB_DAYS, /* the last: a hot backup leaves it out */
};

/* In META_DB_VALUES of a copy: the last transaction that it has. */
#define META_SHARED_NUMBER "shared/number"

/* What a catalog in PostgreSQL is made of; the functions are those of shared_catalog.h. */
struct meta;
struct shared;
struct meta_shared_options;

/* How a copy is kept fresh. `on_taken`, or NULL, is called when something was taken in, with a bit for each database of it. */
struct meta_following {
	int64_t every_us;
	void (*on_taken)(void *arg, uint32_t dbs);
	void *arg;
};

struct meta_shared_ops {
	int (*open)(struct shared **out, struct meta *meta, const struct meta_shared_options *options,
	            struct error *err);
	void (*close)(struct shared *shared);
	bool (*has)(enum meta_db db, struct str key);
	int (*begin)(struct shared *shared, struct error *err);
	bool (*is_open)(const struct shared *shared);
	void (*note)(struct shared *shared, enum meta_db db, struct str key, struct str value);
	int (*commit)(struct shared *shared, struct error *err);
	void (*drop)(struct shared *shared);
	int (*wait)(struct shared *shared, enum meta_db db, struct str key, struct str value, struct error *err);
	bool (*is_waiting)(const struct shared *shared);
	void (*forget_waiting)(struct shared *shared, bool are_lost);
	uint64_t (*losses)(const struct shared *shared);
	bool (*is_missing)(const struct shared *shared, char *why, size_t size);
	int (*check_reached)(const struct shared *shared, struct error *err);
	int (*check_held)(const struct shared *shared, struct error *err);
	int (*check_current)(const struct shared *shared, struct error *err);
	int (*beat)(struct shared *shared, struct error *err);
	uint64_t (*number)(const struct shared *shared);
	int (*follow)(struct shared *shared, const struct meta_following *following, struct error *err);
	int64_t (*fresh_us)(const struct shared *shared);
};

struct meta_options {
	const char *data_dir;
	size_t map_bytes;                         /* the most that the file may grow to */
	const struct meta_shared_ops *shared_ops; /* the catalog is in PostgreSQL (shared_catalog.h); or NULL */
	const struct meta_shared_options *shared;
};

/*
 * Makes data_dir if need be and takes its lock: one daemon a directory, ERROR_CONFLICT otherwise. ERROR_CORRUPT where
 * there are days of records and no catalog. Blocks on disk; for start only.
 */
MUST_CHECK int meta_open(struct meta **out, const struct meta_options *options, struct error *err);

/* A name could not be synced, and whoever knows that may end before it can be: the next start syncs the file system first, as
 * after a kill. */
void meta_sync_at_start(struct meta *meta);

/* Is the catalog in PostgreSQL, and other front ends' as well? */
bool meta_is_shared(const struct meta *meta);

/* By what a key is known in the catalog, which tells nothing of the key itself. ERROR_NOMEM. */
#define SHARED_KEY_MARK_SIZE 33
MUST_CHECK int meta_mark_key(char mark[SHARED_KEY_MARK_SIZE], const char *name, const uint8_t *key, size_t len,
                             struct error *err);
/* Fails with ERROR_INVALID: the key of this file has another mark. */
MUST_CHECK int meta_refuse_key(const char *data_dir, const char *name, struct error *err);

/* For a start: is this key, of a file in data_dir, the one that other front ends of the catalog have? ERROR_INVALID if it is
 * another one. The first one that is seen counts. 0 where the catalog is here. */
MUST_CHECK int meta_check_key(struct meta *meta, const char *data_dir, const char *name, const uint8_t *key, size_t len,
                              struct error *err);

#define META_WHY_MAX 320

/* Can the catalog not be written to now, as PostgreSQL is missing, or has refused the last change? Says why. */
bool meta_is_missing(const struct meta *meta, char *why, size_t size);

/* Is PostgreSQL there, so that a change is worth an attempt? ERROR_UNAVAILABLE. What it has refused is: that may have ended. */
MUST_CHECK int meta_check_reached(const struct meta *meta, struct error *err);

/* Is it certain that no other front end serves the catalog? Then 0, and records with numbers of this one may be acknowledged;
 * ERROR_UNAVAILABLE where PostgreSQL has not confirmed it for the lease's length, or has denied it. 0 where the catalog is here. */
MUST_CHECK int meta_check_held(const struct meta *meta, struct error *err);

/* May requests be served with what is known here? ERROR_UNAVAILABLE where another front end may have taken in what is not
 * known, and PostgreSQL is about to say so, or has: as after this process was stopped. 0 while PostgreSQL is away, as
 * nothing better is known. */
MUST_CHECK int meta_check_current(const struct meta *meta, struct error *err);

/* The number of the last transaction of a catalog in PostgreSQL that the copy has; 0 where the catalog is here. */
uint64_t meta_shared_number(const struct meta *meta);

/* The number of the last transaction of this process in which an account changed; 0: none did, or the catalog is here. */
uint64_t meta_accounts_number(const struct meta *meta);

/* While they are held, as nobody knows yet which were given after the backup that this catalog was restored from, an account whose
 * key needs a number cannot be added: ERROR_UNAVAILABLE. */
void meta_hold_account_numbers(struct meta *meta, bool held);
bool meta_account_numbers_are_held(const struct meta *meta);

/* From now on, what other front ends commit to a catalog in PostgreSQL is taken in from the loop, soon after. */
MUST_CHECK int meta_follow(struct meta *meta, const struct meta_following *following, struct error *err);

/* Until when the copy has all that was committed, on the monotonic clock; INT64_MAX where the catalog is here. */
int64_t meta_fresh_us(const struct meta *meta);

/* For a start that takes long: keeps the catalog from other front ends. Blocks. ERROR_UNAVAILABLE where another one has it. */
MUST_CHECK int meta_hold(struct meta *meta, struct error *err);

/* Drops what was not committed. After the store is closed. Does nothing on NULL. */
void meta_close(struct meta *meta);

/* The number stored under a name; 0 when there is none. Setting one is durable when it returns. */
MUST_CHECK int meta_get_number(struct meta *meta, const char *name, uint64_t *number, struct error *err);
MUST_CHECK int meta_set_number(struct meta *meta, const char *name, uint64_t number, struct error *err);

/* Puts a row that lasts with the next meta_commit. On -1 all that waits for it is lost. */
MUST_CHECK int meta_put(struct meta *meta, enum meta_db db, struct str key, struct str value, struct error *err);

/* Commits what waits, with its fsync; 0 at once when nothing does. On -1 it is lost. */
MUST_CHECK int meta_commit(struct meta *meta, struct error *err);

/* Drops what waits. */
void meta_abort(struct meta *meta);

/* Does something wait for a commit? */
bool meta_is_waiting(const struct meta *meta);

/* How often what waited has been lost: a caller compares it to see whether what it put still waits. */
uint64_t meta_aborts(const struct meta *meta);

/* Commits that failed since the last that succeeded; *failure, unless there is none, is the last one's. */
uint64_t meta_commits_failed(const struct meta *meta, struct error *failure);

/* --- for change.c and quarantine.c --- */

/* Notes a change of a row in the transaction that is open, where the catalog is in PostgreSQL. `value.p` NULL: removed. */
void meta_note(struct meta *meta, bool is_local, enum meta_db db, struct str key, struct str value);

/* Puts an entry at the end of META_DB_QUARANTINE with the next commit, which gives it its number: for a catalog in PostgreSQL,
 * where others may be ahead. */
MUST_CHECK int meta_put_last(struct meta *meta, struct str value, struct error *err);

#endif
