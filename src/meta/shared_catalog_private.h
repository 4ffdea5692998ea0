/* SPDX-License-Identifier: ISC */
/*
 * shared_catalog_private.h: of the files shared*.c.
 */
#ifndef CDRD_META_SHARED_CATALOG_PRIVATE_H
#define CDRD_META_SHARED_CATALOG_PRIVATE_H

#include "base/id.h"
#include "meta/meta_env.h"
#include "meta/shared_catalog.h"
#include "postgresql/postgresql.h"

#define SHARED_STATEMENT(sql_text) ((struct postgresql_statement){ .sql = (sql_text) })

#define HOLDER_SIZE (ID_UUID_LEN + 128)

/* A change, in a buffer of them; key and value follow it. */
struct shared_change {
	uint8_t db;
	bool has_key, has_value;
	uint32_t key_len, value_len;
};

/* Taking in what others have committed. */
struct shared_taking {
	struct shared *shared;
	MDB_txn *txn;
	uint64_t number; /* of the last change */
	char commit[ID_UUID_LEN + 1];
	uint32_t dbs; /* a bit for each database that changes */
	bool has_own; /* it was this front end that has made one of the transactions */
};

/* shared_follow.c */
struct shared_following {
	struct event *event; /* or NULL: it does not */
	int64_t every_us;
	bool is_asking;
	struct buf rows; /* of the answer, until its end */
	struct postgresql_bigint room;
	int64_t sent_us, fresh_us; /* monotonic: the copy has all that was committed until then */
	void (*on_taken)(void *arg, uint32_t dbs);
	void *arg;
};

struct shared {
	struct meta *meta;
	struct postgresql *postgresql;
	char identity[64];               /* of the catalog; "": not known yet */
	char front_end[ID_UUID_LEN + 1]; /* of this data directory, and of copies of it */
	char holder[HOLDER_SIZE];        /* and of no copy of it */
	const char *name, *url;
	int64_t timeout_us, lease_us;
	uint64_t number;              /* of the last transaction that the copy has; 0: none */
	char commit[ID_UUID_LEN + 1]; /* its id; "" */
	bool is_open;                 /* a transaction is */
	bool is_locking;              /* one begins */
	struct shared_following following;
	struct event_base *base;
	struct buf noted;   /* changes of the transaction that is open */
	struct buf waiting; /* changes that wait for one */
	uint64_t losses;
	char why[256];      /* it can no longer write, until a new start; "" */
	char refusal[256];  /* by PostgreSQL, of the last transaction; "" */
	struct event *beat; /* says that it is there; or NULL */
	struct postgresql_bigint beat_lease;
	bool is_beating, still_holds;
	bool beat_is_due; /* another statement was under way */
	int64_t beat_sent_us;
	int64_t held_until_us; /* monotonic: until then no other front end can hold it */
	void (*on_lost)(void *arg, const char *why);
	void (*on_progress)(void *arg);
	void *arg;
};

/* --- shared_changes.c --- */

void shared_changes_add(struct buf *changes, enum meta_db db, struct str key, struct str value);

/* Takes the change at *at, and moves it to the next one; false at the end. */
bool shared_changes_next(const struct buf *changes, size_t *at, struct shared_change *change, struct str *key,
                         struct str *value);

/* The last change of each key, as parameters: databases' names, keys, values. */
struct shared_arrays {
	struct postgresql_array dbs, keys, values;
	struct str parameters[3];
};
MUST_CHECK int shared_arrays_fill(struct shared_arrays *arrays, const struct buf *changes, struct error *err);
void shared_arrays_free(struct shared_arrays *arrays);

/* A boolean, as PostgreSQL sends it. */
static inline bool shared_is_true(struct str value)
{
	return value.len == 1 && value.p[0] == 1;
}

/* ERROR_CORRUPT where a row has another number of columns. */
MUST_CHECK int shared_check_columns(int count, int expected, struct error *err);

/* The database of this name; META_DBS if there is none. */
#define META_DBS (META_DB_DAYS + 1)
enum meta_db shared_db_of_name(struct str name);

/* --- shared_copy.c --- */

#define SHARED_OTHER_COMMIT "PostgreSQL has another transaction %llu of the catalog than data_dir"

/* Reads and writes what the copy remembers: in META_DB_VALUES, of this host alone. */
MUST_CHECK int shared_read_text(struct shared *shared, const char *name, char *out, size_t size, struct error *err);
MUST_CHECK int shared_put_commit(struct shared *shared, uint64_t number, const char *commit, struct error *err);
MUST_CHECK int shared_read_commit(struct shared *shared, struct error *err);

/* Makes the copy anew, or a catalog of PostgreSQL that is empty from it. */
MUST_CHECK int shared_copy_check(struct shared *shared, struct error *err);

/* --- shared_lease.c --- */

#define SHARED_OTHER_HOLDER "another front end holds the catalog in PostgreSQL now"

/* It can write no more; whoever is told starts anew. */
void shared_give_up(struct shared *shared, const char *why);

/* Makes the name of who holds it: of this directory of this host, not of a copy of it. */
MUST_CHECK int shared_lease_name(struct shared *shared, struct error *err);

/* The holder and until when it holds the catalog, as one text, by which a lease is known that was made longer. */
#define SHARED_LEASE_SQL "holder || ' ' || extract(epoch FROM holder_until)"

/* Is a lease over of which PostgreSQL's clock says so? It is noted as seen now. */
bool shared_lease_is_over(struct shared_seen *seen, struct str lease, bool is_over_there, int64_t lease_us);

/* Becomes the one that may write, unless somebody else is. `seen` as of meta_shared_options. */
MUST_CHECK int shared_lease_take(struct shared *shared, struct shared_seen *seen, struct error *err);

/* Says that it is there, and waits for it; does nothing without a lease. ERROR_UNAVAILABLE where another one holds it. For a
 * start. */
MUST_CHECK int shared_lease_beat(struct shared *shared, struct error *err);

/* Says on the loop that it is there. A connection that is lost is made again there, too. */
MUST_CHECK int shared_lease_keep(struct shared *shared, struct event_base *base, struct error *err);
void shared_lease_give_back(struct shared *shared);
void shared_lease_beat_again(struct shared *shared);

/* --- shared_catalog.c --- */

/* Not connected. NULL with *err. */
MUST_CHECK struct postgresql *shared_new_connection(const struct meta_shared_options *options, const char *probe,
                                                    struct error *err);

#define SHARED_OWN_CHANGE "a change of the catalog that had been given up was made all the same"

/* The changes after $1, of whole transactions: number, place, database, key, value, id of the transaction, front end. */
#define SHARED_CHANGES_MAX "10000" /* in one exchange */
#define SHARED_CHANGES \
	"SELECT c.number, c.place, c.db, c.key, c.value, m.id, m.front_end FROM cdrd_changes c JOIN cdrd_commits m " \
	"USING (number) WHERE c.number > $1::bigint AND c.number <= (SELECT greatest(min(number), " \
	"max(number) - CASE WHEN count(*) = " SHARED_CHANGES_MAX " THEN 1 ELSE 0 END) FROM " \
	"(SELECT number FROM cdrd_changes WHERE number > $1::bigint ORDER BY number, place LIMIT " SHARED_CHANGES_MAX \
	") AS next)"

/* A row of the answer, without place. */
MUST_CHECK int shared_take_change(void *taking, const struct str *values, int count, struct error *err);

/* What was taken in is committed by itself, so that nothing reads what is not. */
MUST_CHECK int shared_keep_taken(struct shared_taking *taking, struct error *err);

/* Takes in transactions after the copy's, at least one: ERROR_CONFLICT where they are not kept any more. */
MUST_CHECK int shared_catch_up(struct shared *shared, struct error *err);

#endif
