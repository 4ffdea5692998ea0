/* SPDX-License-Identifier: ISC */
/*
 * shared_copy.c: at a start, the copy is made what PostgreSQL has, or an empty catalog there what this data directory has.
 * See shared_catalog.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "meta/rows.h"
#include "meta/shared_catalog_private.h"
#include "postgresql/tables.h"

/* --- what the copy remembers --- */

struct text {
	char *out;
	size_t size;
};

static enum meta_next take_text(void *arg, struct str key, struct str value, struct error *err)
{
	struct text *text = arg;

	(void)key;
	(void)err;
	snprintf(text->out, text->size, "%.*s", STR_ARGS(value));
	return META_GO_ON;
}

int shared_read_text(struct shared *shared, const char *name, char *out, size_t size, struct error *err)
{
	struct text text = { out, size };

	out[0] = '\0';
	return meta_find(shared->meta, META_DB_VALUES, str_from(name), take_text, &text, err) < 0 ? -1 : 0;
}

static int put_text(struct shared *shared, const char *name, const char *text, struct error *err)
{
	return env_put(meta_env(shared->meta), META_DB_VALUES, str_from(name), str_from(text), err);
}

int shared_put_commit(struct shared *shared, uint64_t number, const char *commit, struct error *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return put_text(shared, SHARED_NUMBER, text, err) == 0 ? put_text(shared, SHARED_COMMIT, commit, err) : -1;
}

int shared_read_commit(struct shared *shared, struct error *err)
{
	return meta_get_number(shared->meta, SHARED_NUMBER, &shared->number, err) == 0 ?
	               shared_read_text(shared, SHARED_COMMIT, shared->commit, sizeof(shared->commit), err) :
	               -1;
}

static int put_identity(struct shared *shared, struct error *err)
{
	return put_text(shared, SHARED_IDENTITY, shared->identity, err) == 0 ?
	               put_text(shared, SHARED_FRONT_END, shared->front_end, err) :
	               -1;
}

/* --- a copy made anew --- */

static int empty_copy(struct shared *shared, struct error *err)
{
	struct env *env = meta_env(shared->meta);
	MDB_txn *txn = env_write(env, err);

	for (size_t db = 0; txn && db < META_DBS; db++) {
		MDB_cursor *cursor;
		MDB_val key, value;
		int rc = mdb_cursor_open(txn, env->dbi[db], &cursor);

		if (rc)
			return env_fail(env, rc, "open cursor", err);
		for (rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); !rc;
		     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))
			if (shared_has((enum meta_db)db, env_str(key)) && (rc = mdb_cursor_del(cursor, 0)) != 0)
				break;
		mdb_cursor_close(cursor);
		if (rc != MDB_NOTFOUND)
			return env_fail(env, rc, "empty", err);
	}
	return txn ? 0 : -1;
}

struct copying {
	struct shared *shared;
	size_t rows;
	uint64_t number;
	char commit[ID_UUID_LEN + 1];
};

/* database, key, value */
static int take_row(void *arg, const struct str *values, int count, struct error *err)
{
	struct copying *copying = arg;

	if (shared_check_columns(count, 3, err) != 0)
		return -1;
	enum meta_db db = shared_db_of_name(values[0]);
	if (db == META_DBS)
		return error_set(
			err, ERROR_CORRUPT,
			"PostgreSQL: the catalog has rows of the database \"%.*s\", which this cdrd does not know",
			STR_ARGS(values[0]));
	copying->rows++;
	return env_put(meta_env(copying->shared->meta), db, values[1], values[2], err);
}

/* number and id of the last transaction, holder */
static int take_number(void *arg, const struct str *values, int count, struct error *err)
{
	struct copying *copying = arg;

	if (shared_check_columns(count, 3, err) != 0 || postgresql_read_bigint(values[0], &copying->number, err) != 0)
		return -1;
	snprintf(copying->commit, sizeof(copying->commit), "%.*s", STR_ARGS(values[1]));
	if (copying->shared->lease_us > 0 && !str_is(values[2], copying->shared->holder))
		return error_set(err, ERROR_UNAVAILABLE, SHARED_OTHER_HOLDER);
	return 0;
}

#define LAST_COMMIT \
	"SELECT number, (SELECT id FROM cdrd_commits m WHERE m.number = c.number), holder FROM cdrd_catalog c"

static void tell_progress(const struct shared *shared)
{
	if (shared->on_progress)
		shared->on_progress(shared->arg);
}

/* All rows of one snapshot, a few at a time. Who has the lease keeps the catalog's row locked meanwhile, so that nobody takes
 * it, and has it for its whole length at the end. */
static int fetch_all(struct copying *copying, struct error *err)
{
	struct shared *shared = copying->shared;
	const bool locks = shared->lease_us > 0;
	struct postgresql_statement begin[] = {
		SHARED_STATEMENT("BEGIN ISOLATION LEVEL REPEATABLE READ"),
		SHARED_STATEMENT(locks ? LAST_COMMIT " FOR UPDATE" : LAST_COMMIT),
		SHARED_STATEMENT(
			"DECLARE c NO SCROLL CURSOR FOR SELECT db, key, value FROM cdrd_rows ORDER BY db, key"),
	};
	struct postgresql_statement fetch = SHARED_STATEMENT("FETCH 200 FROM c"), end = SHARED_STATEMENT("COMMIT");
	size_t before;

	begin[1].row = take_number;
	fetch.row = take_row;
	begin[1].arg = fetch.arg = copying;
	int result = postgresql_exchange(shared->postgresql, begin, 3, err);
	do {
		before = copying->rows;
		if (result == 0)
			result = postgresql_exchange(shared->postgresql, &fetch, 1, err);
		tell_progress(shared);
	} while (result == 0 && copying->rows > before);
	if (result == 0 && locks)
		result = shared_lease_beat(shared, err);
	return result == 0 ? postgresql_exchange(shared->postgresql, &end, 1, err) : -1;
}

static int copy_anew(struct shared *shared, struct error *err)
{
	struct copying copying = { .shared = shared };

	if (empty_copy(shared, err) != 0 || fetch_all(&copying, err) != 0 ||
	    shared_put_commit(shared, copying.number, copying.commit, err) != 0 || put_identity(shared, err) != 0 ||
	    env_commit(meta_env(shared->meta), err) != 0) {
		env_abort(meta_env(shared->meta));
		return -1;
	}
	shared->number = copying.number;
	str_copy(shared->commit, sizeof(shared->commit), copying.commit);
	log_info("postgresql", "the catalog was copied from PostgreSQL: %zu rows, transaction %llu", copying.rows,
	         (unsigned long long)copying.number);
	return 0;
}

/* --- a catalog of PostgreSQL that begins with what is here --- */

/* The rows here that belong there. */
struct uploading {
	struct shared *shared;
	enum meta_db db;
	bool notes; /* or counts them only */
	size_t rows;
};

static enum meta_next see_row(void *arg, struct str key, struct str value, struct error *err)
{
	struct uploading *uploading = arg;

	(void)err;
	if (!shared_has(uploading->db, key))
		return META_GO_ON;
	uploading->rows++;
	if (uploading->notes)
		shared_note(uploading->shared, uploading->db, key, value);
	return META_GO_ON;
}

static int see_all(struct uploading *uploading, struct error *err)
{
	for (size_t db = 0; db < META_DBS; db++) {
		uploading->db = (enum meta_db)db;
		if (meta_each(uploading->shared->meta, uploading->db, STR_LITERAL(""), see_row, uploading, err) != 0)
			return -1;
	}
	return 0;
}

/* What it is of and its own name are kept first: if it ends before the copy knows its number, the next start knows by them
 * that the transaction is its own. */
static int upload(struct shared *shared, struct error *err)
{
	struct uploading uploading = { .shared = shared, .notes = true };

	if (put_identity(shared, err) != 0 || env_commit(meta_env(shared->meta), err) != 0) {
		env_abort(meta_env(shared->meta));
		return -1;
	}
	if (shared_begin(shared, err) != 0)
		return -1;
	if (see_all(&uploading, err) != 0) {
		shared_drop(shared);
		return -1;
	}
	if (shared_commit(shared, err) != 0)
		return -1;
	if (env_commit(meta_env(shared->meta), err) != 0) {
		env_abort(meta_env(shared->meta));
		return -1;
	}
	shared_forget_waiting(shared, false);
	log_info("postgresql", "the catalog of data_dir is in PostgreSQL from now on: %zu rows", uploading.rows);
	return 0;
}

/* --- which of them --- */

struct there {
	char identity[64];
	uint64_t format, number;
	char commit[ID_UUID_LEN + 1],
		first[ID_UUID_LEN + 1]; /* id of the copy's last transaction; who has made the first one */
};

static int take_there(void *arg, const struct str *values, int count, struct error *err)
{
	struct there *there = arg;

	if (shared_check_columns(count, 5, err) != 0)
		return -1;
	snprintf(there->identity, sizeof(there->identity), "%.*s", STR_ARGS(values[0]));
	snprintf(there->commit, sizeof(there->commit), "%.*s", STR_ARGS(values[3]));
	snprintf(there->first, sizeof(there->first), "%.*s", STR_ARGS(values[4]));
	return postgresql_read_bigint(values[1], &there->format, err) == 0 ?
	               postgresql_read_bigint(values[2], &there->number, err) :
	               -1;
}

static int look(struct shared *shared, struct there *there, struct error *err)
{
	struct postgresql_bigint room;
	struct postgresql_statement statement =
		SHARED_STATEMENT("SELECT identity, format, number, "
	                         "(SELECT id FROM cdrd_commits m WHERE m.number = $1::bigint), "
	                         "(SELECT front_end FROM cdrd_commits m WHERE m.number = 1) FROM cdrd_catalog");

	statement.parameters[0] = postgresql_bigint(&room, shared->number);
	statement.parameters_count = 1;
	statement.row = take_there;
	statement.arg = there;
	return postgresql_exchange(shared->postgresql, &statement, 1, err);
}

static int catch_up(struct shared *shared, uint64_t last, struct error *err)
{
	int result = 0;

	while (result == 0 && shared->number < last) {
		result = shared_catch_up(shared, err);
		if (result == 0)
			result = shared_lease_beat(shared, err);
		tell_progress(shared);
	}
	return result;
}

/* Where the copy's last transaction is not there, or catching up takes too long, it is made anew. */
static int follow(struct shared *shared, const struct there *there, struct error *err)
{
	if (shared->number > there->number || strcmp(shared->commit, there->commit) != 0)
		log_warn(
			"postgresql",
			"PostgreSQL has transaction %llu of the catalog, and not %llu that data_dir has: that is too long "
			"ago, or a backup was put back, or a replica that lagged has taken over",
			(unsigned long long)there->number, (unsigned long long)shared->number);
	else if (catch_up(shared, there->number, err) == 0)
		return 0;
	else if (err->code != ERROR_CONFLICT && err->code != ERROR_UNAVAILABLE)
		return -1;
	return postgresql_connect(shared->postgresql, err) == 0 ? copy_anew(shared, err) : -1;
}

int shared_copy_check(struct shared *shared, struct error *err)
{
	struct there there = { .format = 0 };
	struct uploading own = { .shared = shared };
	char ours[64];

	if (shared_read_commit(shared, err) != 0 || look(shared, &there, err) != 0)
		return -1;
	if (there.format != POSTGRESQL_FORMAT)
		return error_set(err, ERROR_INVALID, "PostgreSQL: the catalog has format %llu, this cdrd reads %d only",
		                 (unsigned long long)there.format, POSTGRESQL_FORMAT);
	if (shared_read_text(shared, SHARED_IDENTITY, ours, sizeof(ours), err) != 0 || see_all(&own, err) != 0)
		return -1;
	if (ours[0] && strcmp(ours, there.identity) != 0)
		return error_set(
			err, ERROR_INVALID,
			"PostgreSQL has the catalog %s, but data_dir has a copy of the catalog %s: use another "
			"data_dir, or the database of before",
			there.identity, ours);
	/* An upload that was interrupted has kept ours, and no number. */
	bool is_own = ours[0] && (shared->number > 0 || strcmp(there.first, shared->front_end) == 0);
	if (!is_own && own.rows > 0 && there.number > 0)
		return error_set(err, ERROR_INVALID,
		                 "PostgreSQL has a catalog, and data_dir has one of its own, of %zu rows: use another "
		                 "data_dir, or an empty database",
		                 own.rows);
	str_copy(shared->identity, sizeof(shared->identity), there.identity);
	if (shared->number == 0)
		return there.number == 0 ? upload(shared, err) : copy_anew(shared, err);
	return follow(shared, &there, err);
}
