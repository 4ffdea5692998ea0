/* SPDX-License-Identifier: ISC */
/*
 * test_shared.c: a catalog in PostgreSQL, of a real server: copies are equal to it whatever is killed, stopped or missing;
 * what was acknowledged is there; one front end at a time holds it.
 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "expect.h"
#include "meta/change.h"
#include "meta/meta_env.h"
#include "meta/quarantine.h"
#include "meta/rows.h"
#include "meta/shared_catalog.h"
#include "pick.h"
#include "postgresql/postgresql.h"
#include "store_fixture.h"

Suite *suite_shared(void);

#define FRONT_ENDS 3
#define TIMEOUT_US INT64_C(500000)
#define LONG_TIMEOUT_US (20 * CLOCK_US_PER_SECOND)
#define LEASE_US (2 * CLOCK_US_PER_SECOND)

static char server[64], connection[128];
static char dirs[FRONT_ENDS][64];
static struct meta *metas[FRONT_ENDS];
static struct meta_shared_options options;
static struct error err;

/* --- the server --- */

static int server_does(const char *action)
{
	struct buf command = { 0 };

	buf_addf(&command, "%s/tests/unit/postgresql_server %s %s", getenv("srcdir") ? getenv("srcdir") : ".", action,
	         server);
	int status = system(buf_cstr(&command));
	buf_free(&command);
	return status;
}

static void server_must(const char *action)
{
	ck_assert_msg(server_does(action) == 0, "postgresql_server %s failed", action);
}

static void begin_server(void)
{
	fixture_directory(server, sizeof(server));
	snprintf(connection, sizeof(connection), "host=%s user=cdrd dbname=postgres", server);
	server_must("up");
}

static void end_server(void)
{
	MAY_FAIL(server_does("down") != 0);
}

/* Runs a statement as somebody else would. */
static void run_sql(const char *sql, postgresql_row_fn row, void *arg)
{
	struct postgresql_options other = { .connection = connection, .password = "", .timeout_us = LONG_TIMEOUT_US };
	struct postgresql_statement statement = { .sql = sql, .row = row, .arg = arg };
	struct postgresql *postgresql = postgresql_new(&other, &err);

	ck_assert_ptr_nonnull(postgresql);
	ASSERT_OK(postgresql_connect(postgresql, &err));
	ASSERT_OK(postgresql_exchange(postgresql, &statement, 1, &err));
	postgresql_free(postgresql);
}

/* --- front ends --- */

static int open_front_end(int number)
{
	struct meta_options meta_options = { .data_dir = dirs[number],
		                             .map_bytes = FIXTURE_MAP_BYTES,
		                             .shared_ops = &meta_shared_postgresql,
		                             .shared = &options };

	return meta_open(&metas[number], &meta_options, &err);
}

static void close_front_end(int number)
{
	meta_close(metas[number]);
	metas[number] = NULL;
}

static void setup(void)
{
	options = (struct meta_shared_options){
		.connection = connection, .password = "", .name = "front-1", .timeout_us = LONG_TIMEOUT_US
	};
	run_sql("DROP TABLE IF EXISTS cdrd_catalog, cdrd_rows, cdrd_commits, cdrd_changes", NULL, NULL);
	for (int i = 0; i < FRONT_ENDS; i++)
		fixture_directory(dirs[i], sizeof(dirs[i]));
	ASSERT_OK(shared_migrate(&options, &err));
}

static void teardown(void)
{
	for (int i = 0; i < FRONT_ENDS; i++) {
		close_front_end(i);
		nftw(dirs[i], fixture_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	}
}

static int put_row(struct meta *meta, enum meta_db db, const char *key, const char *value)
{
	struct change change;

	if (change_begin(&change, meta, &err) != 0)
		return -1;
	return change_end(&change, change_put(&change, db, str_from(key), str_from(value), &err), &err);
}

static enum meta_next copy_text(void *arg, struct str key, struct str value, struct error *failure)
{
	(void)key;
	(void)failure;
	snprintf(arg, 64, "%.*s", STR_ARGS(value));
	return META_GO_ON;
}

/* What the copy has under a key; "" if nothing. */
static const char *read_row(struct meta *meta, enum meta_db db, const char *key)
{
	static char text[64];

	text[0] = '\0';
	ck_assert_int_ge(meta_find(meta, db, str_from(key), copy_text, text, &err), 0);
	return text;
}

/* A change of nothing: what others have committed is taken in. */
static void catch_up(struct meta *meta)
{
	struct change change;

	ASSERT_OK(change_begin(&change, meta, &err));
	change_drop(&change);
}

/* --- a copy is what PostgreSQL has --- */

struct listing {
	struct buf text;
	enum meta_db db;
};

static void write_row(struct buf *out, struct str db, struct str key, struct str value)
{
	buf_addf(out, "%.*s ", STR_ARGS(db));
	for (size_t i = 0; i < key.len; i++)
		buf_addf(out, "%02x", (unsigned)(unsigned char)key.p[i]);
	buf_addf(out, "=%.*s\n", STR_ARGS(value));
}

static int list_there(void *arg, const struct str *values, int count, struct error *failure)
{
	struct listing *listing = arg;

	(void)failure;
	ck_assert_int_eq(count, 3);
	write_row(&listing->text, values[0], values[1], values[2]);
	return 0;
}

static enum meta_next list_here(void *arg, struct str key, struct str value, struct error *failure)
{
	struct listing *listing = arg;

	(void)failure;
	if (shared_has(listing->db, key))
		write_row(&listing->text, str_from(meta_dbs[listing->db].name), key, value);
	return META_GO_ON;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(meta_dbs[*(const int *)a].name, meta_dbs[*(const int *)b].name);
}

static void check_copy(struct meta *meta)
{
	struct listing here = { .db = META_DB_VALUES }, there = { .db = META_DB_VALUES };
	int order[META_DB_DAYS + 1];

	for (int i = 0; i <= META_DB_DAYS; i++)
		order[i] = i;
	qsort(order, META_DB_DAYS + 1, sizeof(order[0]), compare_names);
	for (int i = 0; i <= META_DB_DAYS; i++) {
		here.db = (enum meta_db)order[i];
		ASSERT_OK(meta_each(meta, here.db, STR_LITERAL(""), list_here, &here, &err));
	}
	run_sql("SELECT db, key, value FROM cdrd_rows ORDER BY db COLLATE \"C\", key", list_there, &there);
	ck_assert_str_eq(buf_cstr(&here.text), buf_cstr(&there.text));
	buf_free(&here.text);
	buf_free(&there.text);
}

/* --- tests --- */

START_TEST(tables_that_are_missing_are_named)
{
	run_sql("DROP TABLE cdrd_catalog", NULL, NULL);
	ck_assert_int_eq(open_front_end(0), -1);
	ck_assert_msg(strstr(err.message, "cdrd -m"), "%s", err.message);
}
END_TEST

START_TEST(what_one_front_end_writes_another_reads)
{
	ASSERT_OK(open_front_end(0));
	ASSERT_OK(open_front_end(1));
	ASSERT_OK(put_row(metas[0], META_DB_ACCOUNTS, "abcd1234", "first"));
	ck_assert_str_eq(read_row(metas[0], META_DB_ACCOUNTS, "abcd1234"), "first");
	ASSERT_OK(put_row(metas[1], META_DB_PRODUCERS, "switch", "second"));
	ck_assert_str_eq(read_row(metas[1], META_DB_ACCOUNTS, "abcd1234"), "first");
	catch_up(metas[0]);
	ck_assert_str_eq(read_row(metas[0], META_DB_PRODUCERS, "switch"), "second");
	ASSERT_OK(open_front_end(2));
	ck_assert_str_eq(read_row(metas[2], META_DB_PRODUCERS, "switch"), "second");
	for (int i = 0; i < FRONT_ENDS; i++)
		check_copy(metas[i]);
}
END_TEST

START_TEST(a_change_that_is_dropped_leaves_nothing)
{
	struct change change;

	ASSERT_OK(open_front_end(0));
	ASSERT_OK(meta_put(metas[0], META_DB_USAGE, STR_LITERAL("waits"), STR_LITERAL("1"), &err));
	ASSERT_OK(change_begin(&change, metas[0], &err));
	ASSERT_OK(change_put(&change, META_DB_ACCOUNTS, STR_LITERAL("abcd1234"), STR_LITERAL("x"), &err));
	change_drop(&change);
	ck_assert(meta_is_waiting(metas[0]));
	ck_assert_uint_eq(meta_aborts(metas[0]), 0);
	ASSERT_OK(meta_commit(metas[0], &err));
	ck_assert_str_eq(read_row(metas[0], META_DB_ACCOUNTS, "abcd1234"), "");
	ck_assert_str_eq(read_row(metas[0], META_DB_USAGE, "waits"), "1");
	check_copy(metas[0]);
}
END_TEST

START_TEST(values_of_one_host_stay_there)
{
	struct change change;
	uint64_t number;

	ASSERT_OK(open_front_end(0));
	ASSERT_OK(open_front_end(1));
	ASSERT_OK(meta_set_number(metas[0], "format", 7, &err));
	ASSERT_OK(change_begin_local(&change, metas[0], &err));
	ASSERT_OK(change_end(
		&change, change_put(&change, META_DB_DAYS, STR_LITERAL("2026-11-29"), STR_LITERAL(""), &err), &err));
	ASSERT_OK(meta_set_number(metas[0], "seq_reserved", 9, &err));
	catch_up(metas[1]);
	ASSERT_OK(meta_get_number(metas[1], "format", &number, &err));
	ck_assert_uint_eq(number, 0);
	ASSERT_OK(meta_get_number(metas[1], "seq_reserved", &number, &err));
	ck_assert_uint_eq(number, 9);
	ck_assert_int_eq(meta_find(metas[1], META_DB_DAYS, STR_LITERAL("2026-11-29"), NULL, NULL, &err), 0);
	ck_assert_int_eq(meta_find(metas[0], META_DB_DAYS, STR_LITERAL("2026-11-29"), NULL, NULL, &err), 1);
}
END_TEST

static void put_rejected(struct meta *meta, const char *raw)
{
	struct quarantine_entry entry = { .time_us = 1,
		                          .producer = STR_LITERAL("switch"),
		                          .field = STR_LITERAL("id"),
		                          .reason = STR_LITERAL("Missing"),
		                          .raw = str_from(raw) };

	ASSERT_OK(quarantine_put(meta, &entry, &err));
}

static bool list_number(void *arg, const struct quarantine_entry *entry)
{
	buf_addf(arg, "%llu:%.*s ", (unsigned long long)entry->number, STR_ARGS(entry->raw));
	return true;
}

START_TEST(entries_of_the_quarantine_have_numbers_of_their_own)
{
	struct buf seen = { 0 };

	ASSERT_OK(open_front_end(0));
	ASSERT_OK(open_front_end(1));
	put_rejected(metas[0], "a");
	put_rejected(metas[1], "b");
	put_rejected(metas[0], "c");
	ASSERT_OK(meta_commit(metas[0], &err));
	ASSERT_OK(meta_commit(metas[1], &err));
	ASSERT_OK(quarantine_each(metas[1], 0, list_number, &seen, &err));
	ck_assert_str_eq(buf_cstr(&seen), "1:a 2:c 3:b ");
	catch_up(metas[0]);
	check_copy(metas[0]);
	buf_free(&seen);
}
END_TEST

START_TEST(a_catalog_of_before_begins_the_one_in_postgresql)
{
	struct meta_options alone = { .data_dir = dirs[0], .map_bytes = FIXTURE_MAP_BYTES };

	ASSERT_OK(meta_open(&metas[0], &alone, &err));
	ASSERT_OK(put_row(metas[0], META_DB_ACCOUNTS, "abcd1234", "old"));
	ASSERT_OK(meta_set_number(metas[0], "seq_reserved", 77, &err));
	close_front_end(0);
	ASSERT_OK(open_front_end(0));
	ASSERT_OK(open_front_end(1));
	ck_assert_str_eq(read_row(metas[1], META_DB_ACCOUNTS, "abcd1234"), "old");
	check_copy(metas[0]);
	check_copy(metas[1]);

	/* what it is now a copy of is used by it alone */
	close_front_end(0);
	ck_assert_int_eq(meta_open(&metas[0], &alone, &err), -1);
	ck_assert_msg(strstr(err.message, "copy"), "%s", err.message);
	metas[0] = NULL;

	/* another one that has a catalog is not taken in */
	alone.data_dir = dirs[2];
	ASSERT_OK(meta_open(&metas[2], &alone, &err));
	ASSERT_OK(put_row(metas[2], META_DB_ACCOUNTS, "efgh5678", "mine"));
	close_front_end(2);
	ck_assert_int_eq(open_front_end(2), -1);
	ck_assert_msg(strstr(err.message, "one of its own"), "%s", err.message);
	metas[2] = NULL;
}
END_TEST

START_TEST(a_copy_that_is_far_behind_is_made_anew)
{
	ASSERT_OK(open_front_end(0));
	ASSERT_OK(open_front_end(1));
	ASSERT_OK(put_row(metas[1], META_DB_ACCOUNTS, "abcd1234", "1"));
	close_front_end(1);
	for (int i = 0; i < 20; i++)
		ASSERT_OK(put_row(metas[0], META_DB_USAGE, "key", i % 2 ? "odd" : "even"));
	run_sql("DELETE FROM cdrd_changes WHERE number < 15", NULL, NULL);
	ASSERT_OK(open_front_end(1));
	check_copy(metas[1]);

	/* and so is one of a database that was put back from a backup */
	close_front_end(1);
	run_sql("UPDATE cdrd_catalog SET number = 3", NULL, NULL);
	run_sql("DELETE FROM cdrd_changes", NULL, NULL);
	run_sql("DELETE FROM cdrd_commits WHERE number > 3", NULL, NULL);
	ASSERT_OK(open_front_end(1));
	check_copy(metas[1]);
	catch_up(metas[1]);
}
END_TEST

START_TEST(a_copy_of_another_past_is_made_anew)
{
	ASSERT_OK(open_front_end(0));
	ASSERT_OK(open_front_end(1));
	ASSERT_OK(put_row(metas[0], META_DB_ACCOUNTS, "abcd1234", "kept"));
	ASSERT_OK(put_row(metas[0], META_DB_ACCOUNTS, "efgh5678", "lost"));
	ASSERT_OK(open_front_end(2));

	/* a backup of before is put back, and another front end writes past it */
	close_front_end(0);
	close_front_end(1);
	uint64_t last;
	ASSERT_OK(meta_get_number(metas[2], SHARED_NUMBER, &last, &err));
	run_sql("DELETE FROM cdrd_changes WHERE number = (SELECT number FROM cdrd_catalog)", NULL, NULL);
	run_sql("DELETE FROM cdrd_commits WHERE number = (SELECT number FROM cdrd_catalog)", NULL, NULL);
	run_sql("DELETE FROM cdrd_rows WHERE value = 'lost'", NULL, NULL);
	run_sql("UPDATE cdrd_catalog SET number = number - 1", NULL, NULL);
	ASSERT_OK(open_front_end(1));
	ASSERT_OK(put_row(metas[1], META_DB_PRODUCERS, "switch", "1"));
	ASSERT_OK(put_row(metas[1], META_DB_PRODUCERS, "switch", "2"));
	check_copy(metas[1]);

	/* one that starts, and one that runs */
	ASSERT_OK(open_front_end(0));
	ck_assert_str_eq(read_row(metas[0], META_DB_ACCOUNTS, "efgh5678"), "");
	check_copy(metas[0]);
	ck_assert_int_eq(put_row(metas[2], META_DB_PRODUCERS, "other", "3"), -1);
	ck_assert_msg(strstr(err.message, "another transaction"), "%s", err.message);
	close_front_end(2);
	ASSERT_OK(open_front_end(2));
	check_copy(metas[2]);
}
END_TEST

static int take_identity(void *arg, const struct str *values, int count, struct error *failure)
{
	(void)count;
	(void)failure;
	buf_add_str(arg, values[0]);
	return 0;
}

START_TEST(an_upload_that_was_interrupted_is_ended_by_the_next_start)
{
	struct meta_options alone = { .data_dir = dirs[0], .map_bytes = FIXTURE_MAP_BYTES };
	struct buf identity = { 0 };

	/* before PostgreSQL has it */
	run_sql("SELECT identity FROM cdrd_catalog", take_identity, &identity);
	ASSERT_OK(meta_open(&metas[0], &alone, &err));
	ASSERT_OK(put_row(metas[0], META_DB_ACCOUNTS, "abcd1234", "old"));
	ASSERT_OK(meta_put(metas[0], META_DB_VALUES, STR_LITERAL(SHARED_IDENTITY), buf_str(&identity), &err));
	ASSERT_OK(meta_put(metas[0], META_DB_VALUES, STR_LITERAL(SHARED_FRONT_END), STR_LITERAL("me"), &err));
	ASSERT_OK(meta_commit(metas[0], &err));
	close_front_end(0);
	ASSERT_OK(open_front_end(0));
	check_copy(metas[0]);

	/* after that */
	struct env *env = meta_env(metas[0]);
	MDB_val key = env_val(SHARED_NUMBER, strlen(SHARED_NUMBER));
	MDB_txn *txn = env_write(env, &err);
	ck_assert_ptr_nonnull(txn);
	ck_assert_int_eq(mdb_del(txn, env->dbi[META_DB_VALUES], &key, NULL), 0);
	ASSERT_OK(env_commit(env, &err));
	close_front_end(0);
	ASSERT_OK(open_front_end(0));
	ck_assert_str_eq(read_row(metas[0], META_DB_ACCOUNTS, "abcd1234"), "old");
	check_copy(metas[0]);
	buf_free(&identity);
}
END_TEST

/* --- random changes of several front ends --- */

static void change_randomly(struct pick *random, struct meta *meta)
{
	static const enum meta_db dbs[] = { META_DB_ACCOUNTS, META_DB_REPORTS, META_DB_USAGE };
	struct change change;
	bool drops = pick_below(random, 5) == 0;

	ASSERT_OK(change_begin(&change, meta, &err));
	for (uint32_t left = 1 + pick_below(random, 6); left > 0; left--) {
		enum meta_db db = dbs[pick_below(random, 3)];
		char key[16], value[32];

		snprintf(key, sizeof(key), "key%u", pick_below(random, 12));
		snprintf(value, sizeof(value), "value%u", pick_below(random, 1000));
		if (pick_below(random, 3) == 0)
			ck_assert_int_ge(change_remove(&change, db, str_from(key), &err), 0);
		else
			ASSERT_OK(change_put(&change, db, str_from(key), str_from(value), &err));
	}
	if (drops)
		change_drop(&change);
	else
		ASSERT_OK(change_end(&change, 0, &err));
}

START_TEST(copies_are_equal_after_random_changes)
{
	struct pick random = { .state = (uint64_t)_i + 1 };

	for (int i = 0; i < FRONT_ENDS; i++)
		ASSERT_OK(open_front_end(i));
	for (int step = 0; step < 150; step++) {
		int who = (int)pick_below(&random, FRONT_ENDS);
		char value[16];

		switch (pick_below(&random, 8)) {
		case 0:
			snprintf(value, sizeof(value), "%d", step);
			ASSERT_OK(meta_put(metas[who], META_DB_USAGE, STR_LITERAL("waiting"), str_from(value), &err));
			break;
		case 1:
			ASSERT_OK(meta_commit(metas[who], &err));
			break;
		case 2:
			close_front_end(who);
			ASSERT_OK(open_front_end(who));
			break;
		default:
			change_randomly(&random, metas[who]);
		}
	}
	for (int i = 0; i < FRONT_ENDS; i++) {
		meta_abort(metas[i]);
		catch_up(metas[i]);
		check_copy(metas[i]);
	}
}
END_TEST

/* --- kill -9 --- */

/* Counts up in the catalog, and says each number that it has committed. */
static void count_up(int number, int to)
{
	struct buf value = { 0 };

	if (open_front_end(number) != 0)
		_exit(1);
	for (uint32_t i = (uint32_t)atoi(read_row(metas[number], META_DB_REPORTS, "counter")) + 1;; i++) {
		buf_clear(&value);
		buf_addf(&value, "%u", i);
		if (put_row(metas[number], META_DB_REPORTS, "counter", buf_cstr(&value)) != 0 ||
		    write(to, &i, sizeof(i)) != sizeof(i))
			_exit(1);
	}
}

START_TEST(what_was_acknowledged_outlives_kill_9)
{
	struct pick random = { .state = (uint64_t)_i + 1 };
	uint32_t acknowledged = 0, number;

	for (int round = 0; round < 8; round++) {
		int pipe_ends[2];

		ck_assert_int_eq(pipe(pipe_ends), 0);
		pid_t child = fork();
		if (child == 0)
			count_up(round % 2, pipe_ends[1]);
		close(pipe_ends[1]);
		ck_assert_int_eq(read(pipe_ends[0], &number, sizeof(number)), sizeof(number)); /* it has begun */
		acknowledged = number;
		usleep(pick_below(&random, 30000));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		while (read(pipe_ends[0], &number, sizeof(number)) == sizeof(number))
			acknowledged = number;
		close(pipe_ends[0]);
		/* the other one, and the one that was killed */
		for (int i = 0; i < 2; i++) {
			ASSERT_OK(open_front_end(i));
			uint32_t found = (uint32_t)atoi(read_row(metas[i], META_DB_REPORTS, "counter"));
			ck_assert_msg(found == acknowledged || found == acknowledged + 1, "%u, acknowledged %u", found,
			              acknowledged);
			acknowledged = found;
			check_copy(metas[i]);
			close_front_end(i);
		}
	}
}
END_TEST

/* As if the process had ended, or the disk had failed, between the two commits. */
static void commit_there_alone(struct meta *meta, const char *key, const char *value)
{
	struct shared *shared = meta_shared(meta);

	ASSERT_OK(shared_begin(shared, &err));
	shared_note(shared, META_DB_ACCOUNTS, str_from(key), str_from(value));
	ASSERT_OK(shared_commit(shared, &err));
	env_abort(meta_env(meta));
}

START_TEST(what_was_committed_there_alone_is_taken_in)
{
	ASSERT_OK(open_front_end(0));
	commit_there_alone(metas[0], "abcd1234", "there");
	ck_assert_str_eq(read_row(metas[0], META_DB_ACCOUNTS, "abcd1234"), "");
	catch_up(metas[0]);
	ck_assert_str_eq(read_row(metas[0], META_DB_ACCOUNTS, "abcd1234"), "there");
	commit_there_alone(metas[0], "efgh5678", "too");
	close_front_end(0);
	ASSERT_OK(open_front_end(0));
	ck_assert_str_eq(read_row(metas[0], META_DB_ACCOUNTS, "efgh5678"), "too");
	check_copy(metas[0]);
}
END_TEST

static void count_lost(void *arg, const char *why)
{
	ck_assert_msg(strstr(why, "given up"), "%s", why);
	++*(int *)arg;
}

/* Modules took it for a failure, so their memory is not what the catalog has. */
START_TEST(a_change_that_was_given_up_and_made_needs_a_new_start)
{
	int lost = 0;

	options.lease_us = LEASE_US;
	options.on_lost = count_lost;
	options.arg = &lost;
	ASSERT_OK(open_front_end(0));
	commit_there_alone(metas[0], "abcd1234", "there");
	ck_assert_int_eq(put_row(metas[0], META_DB_PRODUCERS, "switch", "x"), -1);
	ck_assert_int_eq((int)err.code, ERROR_UNAVAILABLE);
	ck_assert_int_eq(lost, 1);
	close_front_end(0);
	ASSERT_OK(open_front_end(0));
	ck_assert_str_eq(read_row(metas[0], META_DB_ACCOUNTS, "abcd1234"), "there");
	ASSERT_OK(put_row(metas[0], META_DB_PRODUCERS, "switch", "x"));
	check_copy(metas[0]);
}
END_TEST

/* --- PostgreSQL is gone --- */

static struct event_base *base;

static void wait_until_connected(struct meta *meta)
{
	char why[256];
	int64_t deadline_us = clock_monotonic_us() + LONG_TIMEOUT_US;

	while (meta_is_missing(meta, why, sizeof(why))) {
		ck_assert_msg(clock_monotonic_us() < deadline_us, "%s", why);
		event_base_loop(base, EVLOOP_ONCE);
	}
}

static void begin_watched(void)
{
	base = event_base_new();
	options.base = base;
	options.timeout_us = TIMEOUT_US;
	ASSERT_OK(open_front_end(0));
	ASSERT_OK(put_row(metas[0], META_DB_ACCOUNTS, "abcd1234", "before"));
}

static void check_refused(void)
{
	int64_t began_us = clock_monotonic_us();

	ck_assert_int_eq(put_row(metas[0], META_DB_ACCOUNTS, "abcd1234", "meanwhile"), -1);
	ck_assert_int_eq((int)err.code, ERROR_UNAVAILABLE);
	ck_assert_msg(strstr(err.message, "PostgreSQL"), "%s", err.message);
	ck_assert_int_lt(clock_monotonic_us() - began_us, 4 * TIMEOUT_US);
	ck_assert_str_eq(read_row(metas[0], META_DB_ACCOUNTS, "abcd1234"), "before");
}

static void check_healed(void)
{
	wait_until_connected(metas[0]);
	ASSERT_OK(put_row(metas[0], META_DB_ACCOUNTS, "abcd1234", "after"));
	ck_assert_str_eq(read_row(metas[0], META_DB_ACCOUNTS, "abcd1234"), "after");
	check_copy(metas[0]);
	close_front_end(0);
	event_base_free(base);
}

START_TEST(without_postgresql_reads_go_on_and_changes_fail)
{
	struct error failure;

	begin_watched();
	server_must("crash");
	check_refused();
	check_refused();
	ASSERT_OK(meta_put(metas[0], META_DB_USAGE, STR_LITERAL("waits"), STR_LITERAL("1"), &err));
	ck_assert_int_eq(meta_commit(metas[0], &err), -1);
	ck_assert_uint_eq(meta_aborts(metas[0]), 1);
	ck_assert_uint_eq(meta_commits_failed(metas[0], &failure), 0);
	ASSERT_OK(meta_set_number(metas[0], "format", 7, &err));
	server_must("start");
	check_healed();
}
END_TEST

START_TEST(a_server_that_hangs_is_given_up)
{
	begin_watched();
	server_must("stop");
	check_refused();
	int64_t began_us = clock_monotonic_us();
	check_refused();
	ck_assert_int_lt(clock_monotonic_us() - began_us, TIMEOUT_US / 2); /* it is not waited for again */
	server_must("resume");
	check_healed();
}
END_TEST

static void run_loop(int64_t us)
{
	struct timeval span = clock_timeval(us);

	event_base_loopexit(base, &span);
	event_base_dispatch(base);
}

/* As a full disk or a missing right is. */
START_TEST(what_postgresql_refuses_is_told_until_a_change_succeeds)
{
	char why[META_WHY_MAX];

	begin_watched();
	run_sql("ALTER TABLE cdrd_rows ADD CONSTRAINT full_disk CHECK (db <> 'usage')", NULL, NULL);
	ck_assert_int_eq(put_row(metas[0], META_DB_USAGE, "key", "1"), -1);
	run_loop(2 * CLOCK_US_PER_SECOND); /* it is connected again */
	ck_assert(meta_is_missing(metas[0], why, sizeof(why)));
	ck_assert_msg(strstr(why, "full_disk"), "%s", why);
	run_sql("ALTER TABLE cdrd_rows DROP CONSTRAINT full_disk", NULL, NULL);
	ASSERT_OK(put_row(metas[0], META_DB_USAGE, "key", "1"));
	ck_assert(!meta_is_missing(metas[0], why, sizeof(why)));
	check_healed();
}
END_TEST

/* It connects, and commits nothing. */
START_TEST(a_server_that_does_not_commit_is_waited_for_once)
{
	struct postgresql_options other = { .connection = connection, .password = "", .timeout_us = LONG_TIMEOUT_US };
	struct postgresql_statement lock[] = { { .sql = "BEGIN" }, { .sql = "SELECT * FROM cdrd_catalog FOR UPDATE" } };
	struct postgresql *postgresql = postgresql_new(&other, &err);
	int64_t blocked_us = 0;

	begin_watched();
	ck_assert_ptr_nonnull(postgresql);
	ASSERT_OK(postgresql_connect(postgresql, &err));
	ASSERT_OK(postgresql_exchange(postgresql, lock, 2, &err));
	check_refused();
	for (int i = 0; i < 30; i++) {
		run_loop(CLOCK_US_PER_SECOND / 10);
		int64_t began_us = clock_monotonic_us();
		check_refused();
		blocked_us += clock_monotonic_us() - began_us;
	}
	ck_assert_int_lt(blocked_us, TIMEOUT_US);
	postgresql_free(postgresql);
	check_healed();
}
END_TEST

/* --- one at a time --- */

static void take_lost(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

START_TEST(one_front_end_holds_the_catalog)
{
	options.lease_us = 10 * LEASE_US;
	options.on_lost = take_lost;
	ASSERT_OK(open_front_end(0));
	ck_assert_int_eq(open_front_end(1), -1);
	ck_assert_int_eq((int)err.code, ERROR_UNAVAILABLE);
	ck_assert_msg(strstr(err.message, "front-1"), "%s", err.message);
	ASSERT_OK(put_row(metas[0], META_DB_ACCOUNTS, "abcd1234", "first"));
	close_front_end(0);
	ASSERT_OK(open_front_end(1));
	ck_assert_str_eq(read_row(metas[1], META_DB_ACCOUNTS, "abcd1234"), "first");
}
END_TEST

START_TEST(who_is_not_heard_of_loses_it)
{
	options.lease_us = LEASE_US;
	ASSERT_OK(open_front_end(0));
	ASSERT_OK(put_row(metas[0], META_DB_ACCOUNTS, "abcd1234", "first"));
	usleep(LEASE_US + LEASE_US / 4);
	ASSERT_OK(open_front_end(1));
	ASSERT_OK(put_row(metas[1], META_DB_ACCOUNTS, "abcd1234", "second"));
	ck_assert_int_eq(put_row(metas[0], META_DB_ACCOUNTS, "abcd1234", "late"), -1);
	ck_assert_msg(strstr(err.message, "another front end"), "%s", err.message);
	ASSERT_OK(put_row(metas[1], META_DB_PRODUCERS, "switch", "third"));
	check_copy(metas[1]);
}
END_TEST

static void set_clock_ahead(void)
{
	run_sql("UPDATE cdrd_catalog SET holder_until = clock_timestamp() - interval '1 s'", NULL, NULL);
}

/* It is set, or another host has taken over whose clock is ahead: to the one that waits, the lease seems to be over. */
START_TEST(a_clock_of_postgresql_that_is_set_ahead_takes_the_catalog_from_nobody)
{
	const int64_t lease_us = 2 * LEASE_US; /* a busy machine takes its time for what is done in a half of it */
	struct shared_seen seen = { .since_us = 0 };

	options.lease_us = lease_us;
	options.seen = &seen;
	ASSERT_OK(open_front_end(0));
	ck_assert_int_eq(open_front_end(1), -1);
	set_clock_ahead();
	ck_assert_int_eq(open_front_end(1), -1);
	ck_assert_int_eq((int)err.code, ERROR_UNAVAILABLE);
	usleep(lease_us / 2);
	ck_assert_int_eq(open_front_end(1), -1);
	ASSERT_OK(meta_check_held(metas[0], &err));
	ASSERT_OK(put_row(metas[0], META_DB_ACCOUNTS, "abcd1234", "first"));
	usleep(lease_us / 2 + lease_us / 4);
	ck_assert_int_eq(meta_check_held(metas[0], &err), -1);
	ASSERT_OK(open_front_end(1));
	ck_assert_str_eq(read_row(metas[1], META_DB_ACCOUNTS, "abcd1234"), "first");
}
END_TEST

/* Whoever is cut off knows by its own clock when another one may have taken its place. */
START_TEST(what_was_not_confirmed_for_the_lease_is_not_held)
{
	char why[META_WHY_MAX];
	const int64_t lease_us = 2 * LEASE_US; /* a busy machine may sleep for longer */

	options.lease_us = lease_us;
	ASSERT_OK(open_front_end(0));
	ASSERT_OK(meta_check_held(metas[0], &err));
	usleep(lease_us / 2);
	ASSERT_OK(meta_hold(metas[0], &err));
	usleep(lease_us / 2 + lease_us / 8);
	ASSERT_OK(meta_check_held(metas[0], &err));
	usleep(lease_us / 2);
	ck_assert_int_eq(meta_check_held(metas[0], &err), -1);
	ck_assert_int_eq((int)err.code, ERROR_UNAVAILABLE);
	ck_assert(meta_is_missing(metas[0], why, sizeof(why)));
	ASSERT_OK(open_front_end(1));
	ck_assert_int_eq(meta_hold(metas[0], &err), -1);
}
END_TEST

START_TEST(a_copied_data_dir_is_another_front_end)
{
	struct buf command = { 0 };

	options.lease_us = 10 * LEASE_US;
	options.on_lost = take_lost;
	ASSERT_OK(open_front_end(0));
	close_front_end(0);
	buf_addf(&command, "cp -a %s/. %s", dirs[0], dirs[1]);
	ck_assert_int_eq(system(buf_cstr(&command)), 0);
	buf_free(&command);
	ASSERT_OK(open_front_end(0));
	ck_assert_int_eq(open_front_end(1), -1);
	ck_assert_int_eq((int)err.code, ERROR_UNAVAILABLE);
	ck_assert_msg(strstr(err.message, "holds the catalog"), "%s", err.message);
	ASSERT_OK(put_row(metas[0], META_DB_ACCOUNTS, "abcd1234", "first"));
}
END_TEST

START_TEST(who_says_that_it_is_there_keeps_it)
{
	const int64_t lease_us = 2 * LEASE_US; /* a busy machine takes its time for what is done in a part of it */

	base = event_base_new();
	options.base = base;
	options.lease_us = lease_us;
	ASSERT_OK(open_front_end(0));
	for (int64_t end_us = clock_monotonic_us() + lease_us + lease_us / 2; clock_monotonic_us() < end_us;)
		event_base_loop(base, EVLOOP_ONCE);
	options.base = NULL;
	ck_assert_int_eq(open_front_end(1), -1);
	ck_assert_int_eq((int)err.code, ERROR_UNAVAILABLE);
	ASSERT_OK(put_row(metas[0], META_DB_ACCOUNTS, "abcd1234", "still"));
	close_front_end(0);
	event_base_free(base);
}
END_TEST

/* --- following --- */

static uint32_t told_of; /* databases */

static void take_taken(void *arg, uint32_t dbs)
{
	(void)arg;
	told_of |= dbs;
}

/* Two front ends, the second of which follows. */
static void open_following(int64_t every_us)
{
	const struct meta_following following = { .every_us = every_us, .on_taken = take_taken };

	told_of = 0;
	base = event_base_new();
	ASSERT_OK(open_front_end(0));
	options.base = base;
	ASSERT_OK(open_front_end(1));
	options.base = NULL;
	ASSERT_OK(meta_follow(metas[1], &following, &err));
}

static void close_following(void)
{
	close_front_end(1);
	event_base_free(base);
}

START_TEST(what_others_commit_is_taken_in_from_the_loop)
{
	open_following(10000);
	ASSERT_OK(put_row(metas[0], META_DB_PRODUCERS, "switch", "first"));
	ASSERT_OK(put_row(metas[0], META_DB_ACCOUNTS, "abcd1234", "second"));
	ASSERT_OK(meta_put(metas[1], META_DB_VALUES, STR_LITERAL("of this host"), STR_LITERAL("waits"), &err));
	for (int i = 0; i < 2000 && meta_shared_number(metas[1]) < meta_shared_number(metas[0]); i++)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(meta_shared_number(metas[1]), meta_shared_number(metas[0]));
	ck_assert_str_eq(read_row(metas[1], META_DB_ACCOUNTS, "abcd1234"), "second");
	ck_assert_str_eq(read_row(metas[1], META_DB_VALUES, "of this host"), "waits");
	ck_assert_uint_eq(told_of, 1U << META_DB_ACCOUNTS | 1U << META_DB_PRODUCERS);
	check_copy(metas[1]);
	close_following();
}
END_TEST

/* Or what was erased meanwhile would be stored by it again. */
START_TEST(who_follows_is_told_of_what_a_change_of_its_own_takes_in)
{
	open_following(3600 * CLOCK_US_PER_SECOND);
	ASSERT_OK(put_row(metas[0], META_DB_ERASED, "abcd1234", "first"));
	ASSERT_OK(put_row(metas[1], META_DB_PRODUCERS, "switch", "second"));
	ck_assert_uint_eq(told_of, 1U << META_DB_ERASED);
	close_following();
}
END_TEST

/* Whoever is told of an answer may send at once, as what holds the catalog says that it is there, when it was the answer's turn. */
struct sending {
	struct postgresql *postgresql;
	int more, answers;
};

static int take_answer(void *arg, const struct str *values, int count, struct error *failure)
{
	(void)values;
	(void)count;
	(void)failure;
	((struct sending *)arg)->answers++;
	return 0;
}

static void on_sent_ended(void *arg, const struct error *failure)
{
	struct sending *sending = arg;
	const struct postgresql_statement again = { .sql = "SELECT 1", .row = take_answer, .arg = sending };

	ck_assert_ptr_null(failure);
	if (sending->more-- > 0)
		ck_assert_int_eq(postgresql_send(sending->postgresql, &again, on_sent_ended, sending), 1);
}

START_TEST(an_exchange_has_its_own_answer_after_what_was_sent_meanwhile)
{
	const struct postgresql_options own = { .connection = connection,
		                                .password = "",
		                                .timeout_us = LONG_TIMEOUT_US };
	struct sending sending = { .postgresql = postgresql_new(&own, &err), .more = 2 }, asked = { .more = 0 };
	const struct postgresql_statement first = { .sql = "SELECT 1", .row = take_answer, .arg = &sending };
	const struct postgresql_statement statements[] = { { .sql = "BEGIN" },
		                                           { .sql = "SELECT 2", .row = take_answer, .arg = &asked },
		                                           { .sql = "COMMIT" } };

	ck_assert_ptr_nonnull(sending.postgresql);
	ASSERT_OK(postgresql_connect(sending.postgresql, &err));
	base = event_base_new();
	ASSERT_OK(postgresql_watch(sending.postgresql, base, &err));
	ck_assert_int_eq(postgresql_send(sending.postgresql, &first, on_sent_ended, &sending), 1);
	ASSERT_OK(postgresql_exchange(sending.postgresql, statements, 3, &err));
	ck_assert_int_eq(asked.answers, 1);
	ck_assert_int_eq(sending.answers, 3);
	postgresql_free(sending.postgresql);
	event_base_free(base);
}
END_TEST

Suite *suite_shared(void)
{
	Suite *suite = suite_create("shared");

	if (!postgresql_is_built() || server_does("look") != 0) {
		fprintf(stderr, "shared: passed over, as libpq or PostgreSQL's server is not installed\n");
		return suite;
	}
	TCase *one = tcase_create("a catalog in PostgreSQL");
	tcase_add_unchecked_fixture(one, begin_server, end_server);
	tcase_add_checked_fixture(one, setup, teardown);
	tcase_set_timeout(one, 60);
	tcase_add_test(one, tables_that_are_missing_are_named);
	tcase_add_test(one, what_one_front_end_writes_another_reads);
	tcase_add_test(one, a_change_that_is_dropped_leaves_nothing);
	tcase_add_test(one, values_of_one_host_stay_there);
	tcase_add_test(one, entries_of_the_quarantine_have_numbers_of_their_own);
	tcase_add_test(one, a_catalog_of_before_begins_the_one_in_postgresql);
	tcase_add_test(one, a_copy_that_is_far_behind_is_made_anew);
	tcase_add_test(one, a_copy_of_another_past_is_made_anew);
	tcase_add_test(one, an_upload_that_was_interrupted_is_ended_by_the_next_start);
	tcase_add_loop_test(one, copies_are_equal_after_random_changes, 0, 4);
	tcase_add_loop_test(one, what_was_acknowledged_outlives_kill_9, 0, 2);
	tcase_add_test(one, what_was_committed_there_alone_is_taken_in);
	tcase_add_test(one, a_change_that_was_given_up_and_made_needs_a_new_start);
	tcase_add_test(one, without_postgresql_reads_go_on_and_changes_fail);
	tcase_add_test(one, a_server_that_hangs_is_given_up);
	tcase_add_test(one, one_front_end_holds_the_catalog);
	tcase_add_test(one, who_is_not_heard_of_loses_it);
	tcase_add_test(one, what_postgresql_refuses_is_told_until_a_change_succeeds);
	tcase_add_test(one, a_server_that_does_not_commit_is_waited_for_once);
	tcase_add_test(one, a_clock_of_postgresql_that_is_set_ahead_takes_the_catalog_from_nobody);
	tcase_add_test(one, what_was_not_confirmed_for_the_lease_is_not_held);
	tcase_add_test(one, a_copied_data_dir_is_another_front_end);
	tcase_add_test(one, who_says_that_it_is_there_keeps_it);
	tcase_add_test(one, what_others_commit_is_taken_in_from_the_loop);
	tcase_add_test(one, who_follows_is_told_of_what_a_change_of_its_own_takes_in);
	tcase_add_test(one, an_exchange_has_its_own_answer_after_what_was_sent_meanwhile);
	suite_add_tcase(suite, one);
	return suite;
}
