/* SPDX-License-Identifier: ISC */
/*
 * takeover.h: records of days on this host, moved to a ClickHouse cluster while the daemon serves them (`cdrctl move`).
 *
 * Rounds copy what has changed since the round before: the first one everything, each later one as much as came during the
 * one before. They read days as they lie, so nothing is noted when a record is put. A row of the cluster has the numbers
 * that the record has here, so that a row which is inserted again is the same row, and snapshots, cursors and the feed of
 * changes stay what they were. Where rounds have got to is in the catalog, once the cluster has the rows before.
 *
 * To finish, whoever drives it lets no more records in (takeover_wants_hold). A last round copies what is left; counts and
 * sums by account, product and day are compared with those of the cluster; and if none differs, the catalog says that the
 * records are in the cluster, for a start with store = clickhouse. What is here is never changed by any of this.
 */
#ifndef CDRD_STORE_TAKEOVER_H
#define CDRD_STORE_TAKEOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/account_key.h"
#include "base/decimal.h"
#include "base/error.h"
#include "catalog/catalog.h"

struct store;
struct store_cluster;

/* For a start with records on this host, after store_open: `cluster` is where they may be moved to, NULL where no setting says
 * so: ERROR_INVALID if a move is under way. It is copied. */
MUST_CHECK int takeover_open(struct store *store, const struct store_cluster *cluster, struct error *err);

/* Begins, or begins again with everything, as after differences. ERROR_INVALID: there is no cluster to move to; ERROR_CONFLICT: it
 * is done. */
MUST_CHECK int takeover_begin(struct store *store, struct error *err);

/* Compares, and moves if nothing differs. ERROR_INVALID where no move is under way. */
MUST_CHECK int takeover_finish(struct store *store, struct error *err);

/* Gives up: records are here, and what was copied stays in the cluster. Of a store whose records are in the cluster after
 * a move, from the next start on: *lost is how many changes it has taken in since, at most. ERROR_CONFLICT where there are any,
 * unless `loses` says that they may be lost; no more records are let in then. ERROR_INVALID: nothing to give up. */
MUST_CHECK int takeover_stop(struct store *store, bool loses, uint64_t *lost, struct error *err);

/* Is one under way, or done and waiting for the next start? Until then nothing may be erased or purged. */
bool takeover_is_under_way(const struct store *store);

/* Must no records be let in now? Whoever lets any in asks before each run of them. */
bool takeover_wants_hold(const struct store *store);

/* ERROR_UNAVAILABLE, with why, where none must be. */
MUST_CHECK int takeover_check_hold(const struct store *store, struct error *err);

/* ERROR_CONFLICT with what cannot be done while one is under way. */
MUST_CHECK int takeover_refuse(const struct store *store, const char *what, struct error *err);

/* Works until about `deadline_us` of clock_monotonic_us. *pause_us: nothing to do before then, or before on_ready (see
 * below). Errors of the cluster are waited for, and told by takeover_state. -1: days cannot be read; it may be called
 * again. */
MUST_CHECK int takeover_step(struct store *store, int64_t deadline_us, int64_t *pause_us, struct error *err);

/* fn(arg) is called from the loop when there is something to do; NULL: no more. */
void takeover_on_ready(struct store *store, void (*fn)(void *arg), void *arg);

enum takeover_phase {
	TAKEOVER_NONE,
	TAKEOVER_COPIES,      /* the first round */
	TAKEOVER_FOLLOWS,     /* later ones */
	TAKEOVER_COMPARES,    /* to finish */
	TAKEOVER_IS_DONE,     /* records are in the cluster: a start with store = clickhouse is due */
	TAKEOVER_IS_GIVEN_UP, /* after that start: one with store = lmdb is due */
};

struct takeover_state {
	enum takeover_phase phase;
	uint64_t copied;         /* rows, since it began */
	uint64_t behind;         /* numbers of changes that are not copied */
	size_t days, days_total; /* done, of the round or of the comparison */
	bool is_held;            /* no records are let in */
	bool finishes;           /* takeover_finish was called, */
	bool was_compared;       /* and has ended without having moved: */
	uint64_t differences;    /* so many were found */
	struct error failure;    /* why it waits; ERROR_NONE */
};
void takeover_state(const struct store *store, struct takeover_state *state);

/* An account's records of a product and day. Amounts are sums of the columns that the product has of them; they wrap at 128
 * bits. */
#define TAKEOVER_AMOUNTS_MAX 3
struct takeover_sums {
	uint64_t rows;
	uint64_t numbers; /* a sum of the numbers of the changes that put records at their places; it wraps */
	struct decimal amounts[TAKEOVER_AMOUNTS_MAX];
};
struct takeover_difference {
	const struct catalog_product *product;
	struct account_key account;
	int32_t day;
	struct takeover_sums here, there;
};

/* Those found last, up to TAKEOVER_DIFFERENCES_MAX; they belong to the store, until the next step. */
#define TAKEOVER_DIFFERENCES_MAX 1000
const struct takeover_difference *takeover_differences(const struct store *store, size_t *count);

/* For the engine of days. Both do nothing where there is none. */
void takeover_close(struct store *store);
void takeover_drop_days_before(const struct store *store, int32_t day);

#endif
