/* SPDX-License-Identifier: ISC */
/*
 * shared_catalog.c: transactions of a catalog that is in PostgreSQL. See shared_catalog.h.
 *
 * A transaction is two exchanges with the server: one to lock and to take in, one to write and to commit.
 */
#include "meta/shared_catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"
#include "meta/account_row.h"
#include "meta/shared_catalog_private.h"
#include "postgresql/tables.h"

#define KEPT_COMMITS 10000 /* in the log: a copy that is further behind is made anew */
#define TRIM_EVERY 256

/* --- taking in what others have committed --- */

/* The databases of which memory is kept. */
#define REMEMBERED \
	(1U << META_DB_ACCOUNTS | 1U << META_DB_CHILDREN | 1U << META_DB_PRODUCERS | 1U << META_DB_ACCOUNT_KEYS | \
	 1U << META_DB_OPERATORS | 1U << META_DB_API_KEYS)

/* A change: number, database, key, value, id of the transaction, front end. */
int shared_take_change(void *arg, const struct str *values, int count, struct error *err)
{
	struct shared_taking *taking = arg;
	struct env *env = meta_env(taking->shared->meta);
	uint64_t number = 0;

	if (shared_check_columns(count, 6, err) != 0)
		return -1;
	enum meta_db db = shared_db_of_name(values[1]);
	if (db == META_DBS)
		return error_set(
			err, ERROR_CORRUPT,
			"PostgreSQL: the catalog has a change of the database \"%.*s\", which this cdrd does not know",
			STR_ARGS(values[1]));
	if (postgresql_read_bigint(values[0], &number, err) != 0)
		return -1;
	if (number > taking->number + 1)
		return error_set(err, ERROR_CONFLICT,
		                 "PostgreSQL: the catalog's changes after %llu are not kept any more",
		                 (unsigned long long)taking->number);
	taking->txn = env_write(env, err);
	if (!taking->txn)
		return -1;
	MDB_val key = env_val(values[2].p, values[2].len), value = env_val(values[3].p, values[3].len);
	int rc = values[3].p ? mdb_put(taking->txn, env->dbi[db], &key, &value, 0) :
	                       mdb_del(taking->txn, env->dbi[db], &key, NULL);
	if (rc && rc != MDB_NOTFOUND)
		return env_fail(env, rc, "take in", err);
	taking->number = number;
	taking->dbs |= 1U << db;
	taking->has_own |= str_is(values[5], taking->shared->front_end);
	snprintf(taking->commit, sizeof(taking->commit), "%.*s", STR_ARGS(values[4]));
	return 0;
}

/* Whole transactions of SHARED_CHANGES_MAX changes in all, or one of them that is larger. */
static struct postgresql_statement changes_statement(struct shared_taking *taking, struct postgresql_bigint *room)
{
	struct postgresql_statement statement = SHARED_STATEMENT(
		"SELECT number, db, key, value, id, front_end FROM (" SHARED_CHANGES ") AS c ORDER BY number, place");

	statement.parameters[0] = postgresql_bigint(room, taking->shared->number);
	statement.parameters_count = 1;
	statement.row = shared_take_change;
	statement.arg = taking;
	return statement;
}

int shared_keep_taken(struct shared_taking *taking, struct error *err)
{
	struct shared *shared = taking->shared;

	if (!taking->txn)
		return 0;
	if (shared_put_commit(shared, taking->number, taking->commit, err) != 0 ||
	    env_commit(meta_env(shared->meta), err) != 0) {
		env_abort(meta_env(shared->meta));
		return -1;
	}
	shared->number = taking->number;
	str_copy(shared->commit, sizeof(shared->commit), taking->commit);
	if (taking->dbs & REMEMBERED)
		accounts_memory_clear(shared->meta);
	/* Whoever has taken it in: the one that follows, or a change that began. */
	if (shared->following.on_taken)
		shared->following.on_taken(shared->following.arg, taking->dbs);
	return 0;
}

int shared_catch_up(struct shared *shared, struct error *err)
{
	struct shared_taking taking = { .shared = shared, .number = shared->number };
	struct postgresql_bigint room;
	struct postgresql_statement statement = changes_statement(&taking, &room);

	if (postgresql_exchange(shared->postgresql, &statement, 1, err) != 0) {
		env_abort(meta_env(shared->meta));
		return -1;
	}
	if (!taking.txn)
		return error_set(err, ERROR_CONFLICT,
		                 "PostgreSQL: the catalog's changes after %llu are not kept any more",
		                 (unsigned long long)shared->number);
	return shared_keep_taken(&taking, err);
}

/* --- a transaction --- */

struct catalog_row {
	struct shared *shared;
	uint64_t number;
	bool is_there;
};

/* identity, number, holder, id of the transaction that the copy has last */
static int take_catalog(void *arg, const struct str *values, int count, struct error *err)
{
	struct catalog_row *row = arg;
	struct shared *shared = row->shared;

	if (shared_check_columns(count, 4, err) != 0 || postgresql_read_bigint(values[1], &row->number, err) != 0)
		return -1;
	row->is_there = true;
	if (!str_is(values[0], shared->identity))
		return error_set(err, ERROR_CORRUPT, "PostgreSQL has another catalog than data_dir");
	if (shared->lease_us > 0 && !str_is(values[2], shared->holder))
		return error_set(err, ERROR_CORRUPT, SHARED_OTHER_HOLDER);
	if (row->number < shared->number)
		return error_set(err, ERROR_CORRUPT,
		                 "PostgreSQL has transaction %llu of the catalog, data_dir %llu already",
		                 (unsigned long long)row->number, (unsigned long long)shared->number);
	if (shared->number > 0 && !str_is(values[3], shared->commit))
		return error_set(err, ERROR_CONFLICT, SHARED_OTHER_COMMIT, (unsigned long long)shared->number);
	return 0;
}

/* Locks, and takes in. Which number the copy has is read again: its last commit may have failed. */
static int lock(struct shared *shared, struct error *err)
{
	struct catalog_row row = { .shared = shared };

	if (shared_read_commit(shared, err) != 0)
		return -1;
	struct shared_taking taking = { .shared = shared, .number = shared->number };
	struct postgresql_bigint room, own_room;
	struct postgresql_statement statements[] = {
		SHARED_STATEMENT("BEGIN ISOLATION LEVEL READ COMMITTED"),
		SHARED_STATEMENT(
			"SELECT identity, number, holder, "
			"(SELECT id FROM cdrd_commits m WHERE m.number = $1::bigint) FROM cdrd_catalog FOR UPDATE"),
		changes_statement(&taking, &room),
	};

	statements[1].parameters[0] = postgresql_bigint(&own_room, shared->number);
	statements[1].parameters_count = 1;
	statements[1].row = take_catalog;
	statements[1].arg = &row;
	if (postgresql_exchange(shared->postgresql, statements, 3, err) != 0) {
		env_abort(meta_env(shared->meta));
		return -1;
	}
	if (!row.is_there) {
		env_abort(meta_env(shared->meta));
		return error_set(err, ERROR_CORRUPT, "PostgreSQL: the table cdrd_catalog is empty");
	}
	bool surprises = shared->lease_us > 0 && taking.has_own;
	int result = shared_keep_taken(&taking, err);
	while (result == 0 && shared->number < row.number)
		result = shared_catch_up(shared, err);
	if (result != 0)
		return -1;
	if (surprises) {
		shared_give_up(shared, SHARED_OWN_CHANGE);
		return error_set(err, ERROR_UNAVAILABLE, "%s", shared->why);
	}
	return 0;
}

static int add_waiting(struct shared *shared, struct error *err)
{
	struct env *env = meta_env(shared->meta);
	struct shared_change change;
	struct str key, value;

	for (size_t at = 0; shared_changes_next(&shared->waiting, &at, &change, &key, &value);) {
		struct quarantine_place place;
		MDB_txn *txn = env_write(env, err);

		if (!txn || (!key.p && quarantine_next_place(env, txn, &place, err) != 0))
			return -1;
		if (!key.p)
			key = (struct str){ place.bytes, sizeof(place.bytes) };
		if (env_put(env, change.db, key, value, err) != 0)
			return -1;
		shared_note(shared, (enum meta_db)change.db, key, value);
	}
	return 0;
}

/* What is wrong with the database itself, as a full disk or a missing right, does not go by itself with a new connection: it
 * is told until a transaction succeeds. */
static void note_refusal(struct shared *shared, bool is_written, const struct error *err)
{
	if (is_written)
		shared->refusal[0] = '\0';
	else if (postgresql_was_refused(shared->postgresql))
		str_cut(shared->refusal, sizeof(shared->refusal), err->message);
}

int shared_begin(struct shared *shared, struct error *err)
{
	INVARIANT(!shared->is_open && !meta_env(shared->meta)->write);
	if (shared->why[0])
		return error_set(err, ERROR_UNAVAILABLE, "%s", shared->why);
	shared->is_locking = true;
	int result = lock(shared, err);
	shared->is_locking = false;
	if (result != 0) {
		note_refusal(shared, false, err);
		if (err->code == ERROR_CORRUPT || err->code == ERROR_CONFLICT)
			shared_give_up(shared, err->message);
		struct error why = *err;
		if (postgresql_is_connected(shared->postgresql))
			postgresql_drop(shared->postgresql, &why);
		return -1;
	}
	shared->is_open = true;
	buf_clear(&shared->noted);
	if (add_waiting(shared, err) == 0)
		return 0;
	shared_drop(shared);
	return -1;
}

bool shared_is_open(const struct shared *shared)
{
	return shared->is_open;
}

void shared_note(struct shared *shared, enum meta_db db, struct str key, struct str value)
{
	INVARIANT(shared->is_open && key.p);
	shared_changes_add(&shared->noted, db, key, value);
}

void shared_drop(struct shared *shared)
{
	struct postgresql_statement rollback = SHARED_STATEMENT("ROLLBACK");
	struct error err;

	if (!shared->is_open)
		return;
	shared->is_open = false;
	env_abort(meta_env(shared->meta));
	MAY_FAIL(postgresql_exchange(shared->postgresql, &rollback, 1, &err) != 0); /* then the connection is closed */
}

static const char write_sql[] =
	"WITH changes AS (SELECT db, key, value, place FROM unnest($3::text[], $4::bytea[], $5::bytea[]) "
	"WITH ORDINALITY AS c (db, key, value, place)), "
	"catalog AS (UPDATE cdrd_catalog SET number = $1::bigint), "
	"commits AS (INSERT INTO cdrd_commits (number, id, front_end) VALUES ($1::bigint, $6::text, $2::text)), "
	"logged AS (INSERT INTO cdrd_changes (number, place, db, key, value) "
	"SELECT $1::bigint, place, db, key, value FROM changes), "
	"removed AS (DELETE FROM cdrd_rows r USING changes c WHERE c.value IS NULL AND r.db = c.db AND r.key = c.key) "
	"INSERT INTO cdrd_rows (db, key, value) SELECT db, key, value FROM changes WHERE value IS NOT NULL "
	"ON CONFLICT (db, key) DO UPDATE SET value = excluded.value";

static int write_changes(struct shared *shared, uint64_t number, const char *commit, struct error *err)
{
	struct shared_arrays arrays = { .dbs = { .count = 0 } };
	struct postgresql_bigint number_room, old_room;
	struct postgresql_statement statements[4] = { SHARED_STATEMENT(write_sql) };
	size_t count = 1;
	int result = shared_arrays_fill(&arrays, &shared->noted, err);

	statements[0].parameters[0] = postgresql_bigint(&number_room, number);
	statements[0].parameters[1] = str_from(shared->front_end);
	memcpy(&statements[0].parameters[2], arrays.parameters, sizeof(arrays.parameters));
	statements[0].parameters[5] = str_from(commit);
	statements[0].parameters_count = 6;
	if (number % TRIM_EVERY == 0 && number > KEPT_COMMITS) {
		struct str old = postgresql_bigint(&old_room, number - KEPT_COMMITS);

		statements[count] = SHARED_STATEMENT("DELETE FROM cdrd_changes WHERE number <= $1::bigint");
		statements[count + 1] = SHARED_STATEMENT("DELETE FROM cdrd_commits WHERE number <= $1::bigint");
		for (size_t i = 0; i < 2; i++) {
			statements[count].parameters[0] = old;
			statements[count++].parameters_count = 1;
		}
	}
	statements[count++] = SHARED_STATEMENT("COMMIT");
	if (result == 0)
		result = postgresql_exchange(shared->postgresql, statements, count, err);
	shared_arrays_free(&arrays);
	return result;
}

int shared_commit(struct shared *shared, struct error *err)
{
	char commit[ID_UUID_LEN + 1];

	INVARIANT(shared->is_open);
	if (shared->noted.len == 0 && !shared->noted.failed) {
		shared_drop(shared);
		return 0;
	}
	id_uuid(commit);
	bool is_written = write_changes(shared, shared->number + 1, commit, err) == 0;
	note_refusal(shared, is_written, err);
	if (!is_written || shared_put_commit(shared, shared->number + 1, commit, err) != 0) {
		shared_drop(shared);
		return -1;
	}
	shared->is_open = false;
	shared->number++;
	str_copy(shared->commit, sizeof(shared->commit), commit);
	return 0;
}

/* --- what waits --- */

int shared_wait(struct shared *shared, enum meta_db db, struct str key, struct str value, struct error *err)
{
	shared_changes_add(&shared->waiting, db, key, value);
	return shared->waiting.failed ? error_set(err, ERROR_NOMEM, "catalog: out of memory") : 0;
}

bool shared_is_waiting(const struct shared *shared)
{
	return shared->waiting.len > 0 || shared->waiting.failed;
}

void shared_forget_waiting(struct shared *shared, bool are_lost)
{
	shared->losses += are_lost;
	buf_free(&shared->waiting);
	buf_free(&shared->noted);
}

uint64_t shared_losses(const struct shared *shared)
{
	return shared->losses;
}

uint64_t shared_number(const struct shared *shared)
{
	return shared->number;
}

int shared_check_reached(const struct shared *shared, struct error *err)
{
	if (!shared->why[0] && !postgresql_is_connected(shared->postgresql))
		return error_set(err, ERROR_UNAVAILABLE, "%s", postgresql_why(shared->postgresql));
	return shared_check_held(shared, err);
}

int shared_check_current(const struct shared *shared, struct error *err)
{
	bool is_away = !shared->why[0] && postgresql_is_away(shared->postgresql, shared->held_until_us);

	return is_away ? 0 : shared_check_held(shared, err);
}

bool shared_is_missing(const struct shared *shared, char *why, size_t size)
{
	struct error err;
	bool is_reached = shared_check_reached(shared, &err) == 0;

	str_cut(why, size, is_reached ? shared->refusal : err.message);
	return why[0] != '\0';
}

/* --- its life --- */

#define PROBE "UPDATE cdrd_catalog SET holder_until = holder_until"

struct postgresql *shared_new_connection(const struct meta_shared_options *options, const char *probe,
                                         struct error *err)
{
	return postgresql_new(&(struct postgresql_options){ .connection = options->connection,
	                                                    .password = options->password,
	                                                    .probe = probe,
	                                                    .timeout_us = options->timeout_us },
	                      err);
}

int shared_migrate(const struct meta_shared_options *options, struct error *err)
{
	struct postgresql *postgresql = shared_new_connection(options, PROBE, err);
	int result = postgresql ? postgresql_connect(postgresql, err) : -1;

	for (size_t i = 0; i < postgresql_tables_count && result == 0; i++) {
		struct postgresql_statement statement = SHARED_STATEMENT(postgresql_tables[i]);

		result = postgresql_exchange(postgresql, &statement, 1, err);
	}
	postgresql_free(postgresql);
	return result;
}

static int take_tables(void *arg, const struct str *values, int count, struct error *err)
{
	(void)count;
	(void)err;
	*(bool *)arg = values[0].p != NULL;
	return 0;
}

static int check_tables(struct shared *shared, struct error *err)
{
	bool are_there = false;
	struct postgresql_statement look =
		SHARED_STATEMENT("SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('cdrd_catalog') "
	                         "AND attname = 'holder_url'");

	look.row = take_tables;
	look.arg = &are_there;
	if (postgresql_exchange(shared->postgresql, &look, 1, err) != 0)
		return -1;
	return are_there ?
	               0 :
	               error_set(
			       err, ERROR_INVALID,
			       "PostgreSQL: the table cdrd_catalog or its column holder_url is missing: cdrd -m makes it");
}

static int open_all(struct shared *shared, const struct meta_shared_options *options, struct error *err)
{
	shared->postgresql = shared_new_connection(options, PROBE, err);
	if (!shared->postgresql || postgresql_connect(shared->postgresql, err) != 0 || check_tables(shared, err) != 0)
		return -1;
	if (shared_read_text(shared, SHARED_FRONT_END, shared->front_end, sizeof(shared->front_end), err) != 0)
		return -1;
	if (!shared->front_end[0])
		id_uuid(shared->front_end);
	if (shared_lease_name(shared, err) != 0)
		return -1;
	if ((shared->lease_us > 0 && shared_lease_take(shared, options->seen, err) != 0) ||
	    shared_copy_check(shared, err) != 0)
		return -1;
	return shared_lease_keep(shared, options->base, err);
}

int shared_open(struct shared **out, struct meta *meta, const struct meta_shared_options *options, struct error *err)
{
	struct shared *shared = calloc(1, sizeof(*shared));

	if (!shared)
		return error_set(err, ERROR_NOMEM, "catalog: out of memory");
	shared->meta = meta;
	shared->name = options->name;
	shared->url = options->url ? options->url : "";
	shared->timeout_us = options->timeout_us;
	shared->lease_us = options->lease_us;
	shared->base = options->base;
	shared->on_lost = options->on_lost;
	shared->on_progress = options->on_progress;
	shared->arg = options->arg;
	if (open_all(shared, options, err) != 0) {
		shared_close(shared);
		return -1;
	}
	*out = shared;
	return 0;
}

void shared_close(struct shared *shared)
{
	if (!shared)
		return;
	shared_follow_end(shared);
	shared_lease_give_back(shared);
	postgresql_free(shared->postgresql);
	buf_free(&shared->noted);
	buf_free(&shared->waiting);
	free(shared);
}

const struct meta_shared_ops meta_shared_postgresql = {
	.open = shared_open,
	.close = shared_close,
	.has = shared_has,
	.begin = shared_begin,
	.is_open = shared_is_open,
	.note = shared_note,
	.commit = shared_commit,
	.drop = shared_drop,
	.wait = shared_wait,
	.is_waiting = shared_is_waiting,
	.forget_waiting = shared_forget_waiting,
	.losses = shared_losses,
	.is_missing = shared_is_missing,
	.check_reached = shared_check_reached,
	.check_held = shared_check_held,
	.check_current = shared_check_current,
	.beat = shared_lease_beat,
	.number = shared_number,
	.follow = shared_follow,
	.fresh_us = shared_fresh_us,
};
