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

struct meta;

struct meta_options {
	const char *data_dir;
	size_t map_bytes; /* the most that the file may grow to */
};

/*
 * Makes data_dir if need be and takes its lock: one daemon a directory, ERROR_CONFLICT otherwise. ERROR_CORRUPT where
 * there are days of records and no catalog. Blocks on disk; for start only.
 */
MUST_CHECK int meta_open(struct meta **out, const struct meta_options *options, struct error *err);

/* A name could not be synced, and whoever knows that may end before it can be: the next start syncs the file system first, as
 * after a kill. */
void meta_sync_at_start(struct meta *meta);

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

#endif
