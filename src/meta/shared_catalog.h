/* SPDX-License-Identifier: ISC */
/*
 * shared_catalog.h: the catalog of meta.h, kept in PostgreSQL (postgresql/tables.h); this data directory's environment is a copy.
 *
 * Reads are the copy's alone. A transaction first locks the catalog in PostgreSQL and takes in what others have committed
 * since (shared_begin); then it runs in the copy, as it does without PostgreSQL, and its changes are noted
 * (shared_note); its commit puts them into PostgreSQL, commits there, and then in the copy (shared_commit, and
 * env_commit after it). What a crash or a failure leaves between the two, the next transaction or start takes in.
 *
 * What waits for a commit with meta_put is held in memory until then (shared_wait), as a lock in PostgreSQL must not
 * be held across turns of the loop. A commit or the begin of one blocks for a round trip, at most `timeout_us`; where
 * there is no connection it fails at once with ERROR_UNAVAILABLE, and what waits for it is lost, as a failed fsync has it.
 *
 * What is of this host alone stays in the copy alone: which days it has, places in files, the format of its days
 * (shared_has). The copy remembers what catalog it is of and the number of the last transaction that it has; without
 * them a data directory that has a catalog of its own begins an empty one in PostgreSQL, and is refused by another.
 *
 * With `lease_us`, one front end holds the catalog: it alone may write, for as long as it says within that time that it is
 * there, and others wait for their turn before they serve. Front ends without leases may write in turns.
 */
#ifndef CDRD_META_SHARED_CATALOG_H
#define CDRD_META_SHARED_CATALOG_H

#include <event2/event.h>

#include "meta/meta.h"

struct postgresql;

/* In cdrd_catalog. */
#define SHARED_NAME_MAX 256
#define SHARED_URL_MAX 256

/*
 * What a front end that waits for its turn has seen of the lease; zeros at first. The clock of PostgreSQL may be set ahead, or be
 * another host's, which has taken over: then a lease seems to be over on which the one that holds the catalog counts. So it is over
 * only when it has also stayed what it is for as long by the clock of the one that waits. Of the first that is seen PostgreSQL's
 * clock decides, as it may be of long ago.
 */
#define SHARED_LEASE_MAX 256
struct shared_seen {
	char lease[SHARED_LEASE_MAX];
	int64_t since_us; /* monotonic */
};

struct meta_shared_options {
	const char *connection, *password; /* as of postgresql_options */
	const char *name;                  /* of this front end, for others' logs */
	const char *url;                   /* where others reach it; "" or NULL */
	int64_t timeout_us, lease_us;
	struct shared_seen *seen; /* kept between attempts; or NULL: there is but one */
	struct event_base *base;  /* or NULL: a lost connection is not made again */
	void (*on_lost)(void *arg,
	                const char *why); /* another front end has taken over, or the copy is not right any more:
	                                                a new start is needed; from the loop; or NULL */
	void (*on_progress)(void *arg);   /* again and again while a start copies the catalog, and blocks; or NULL */
	void *arg;
};

/* Makes the tables that are not there yet. Blocks. */
MUST_CHECK int shared_migrate(const struct meta_shared_options *options, struct error *err);

/* What the copy remembers, in META_DB_VALUES: which catalog it is of, its last transaction's number and id, and its own name. */
#define SHARED_IDENTITY "shared/identity"
#define SHARED_NUMBER META_SHARED_NUMBER
#define SHARED_COMMIT "shared/commit"
#define SHARED_FRONT_END "shared/front_end"

/* For meta_options: the functions that follow. */
extern const struct meta_shared_ops meta_shared_postgresql;

/* --- for the files of meta/ --- */

/* Connects, takes the lease, and makes the copy what PostgreSQL has. Blocks; for start only.
 * ERROR_UNAVAILABLE: PostgreSQL does not answer, or another front end holds the catalog. */
MUST_CHECK int shared_open(struct shared **out, struct meta *meta, const struct meta_shared_options *options,
                           struct error *err);

/* Gives the lease back, if it can. Does nothing on NULL. */
void shared_close(struct shared *shared);

/* Is this row in PostgreSQL? */
bool shared_has(enum meta_db db, struct str key);

/* Begins a transaction, with what waits; no write transaction of the environment is open. */
MUST_CHECK int shared_begin(struct shared *shared, struct error *err);
bool shared_is_open(const struct shared *shared);

/* A change of the transaction that is open. `value.p` NULL: removed. What could not be noted fails the commit. */
void shared_note(struct shared *shared, enum meta_db db, struct str key, struct str value);

/* Commits in PostgreSQL; the environment's transaction is committed by the caller. On -1 nothing is known to be. */
MUST_CHECK int shared_commit(struct shared *shared, struct error *err);

/* Drops the transaction in PostgreSQL and in the environment, and keeps what waits. */
void shared_drop(struct shared *shared);

/* What waits: a row, or (key.p NULL) an entry for the end of META_DB_QUARANTINE. */
MUST_CHECK int shared_wait(struct shared *shared, enum meta_db db, struct str key, struct str value, struct error *err);
bool shared_is_waiting(const struct shared *shared);
void shared_forget_waiting(struct shared *shared, bool are_lost);

/* How often what waited has been lost. */
uint64_t shared_losses(const struct shared *shared);

/* As meta_follow and meta_fresh_us. */
MUST_CHECK int shared_follow(struct shared *shared, const struct meta_following *following, struct error *err);
void shared_follow_end(struct shared *shared);
int64_t shared_fresh_us(const struct shared *shared);

/* Of the last transaction that the copy has. */
uint64_t shared_number(const struct shared *shared);

/* Is PostgreSQL not there, or another front end in charge, or was the last change refused? Says which. */
bool shared_is_missing(const struct shared *shared, char *why, size_t size);

/* May a change succeed, as far as is known without one? ERROR_UNAVAILABLE. */
MUST_CHECK int shared_check_reached(const struct shared *shared, struct error *err);

/* 0 while no other front end can hold the catalog; ERROR_UNAVAILABLE. */
MUST_CHECK int shared_check_held(const struct shared *shared, struct error *err);

/* As meta_check_current. */
MUST_CHECK int shared_check_current(const struct shared *shared, struct error *err);

#endif
