/* SPDX-License-Identifier: ISC */
/*
 * sqlite.c: SQLite at the benchmark's three jobs, in one process and without a network in between.
 *
 *	sqlite ingest DATABASE BATCH CSV     every record of a report-like CSV, BATCH a durable transaction
 *	sqlite pages DATABASE SECONDS FILE   a page of 1000 as JSON from each time of FILE on
 *	sqlite ids DATABASE SECONDS FILE     the record of each id of FILE, as JSON
 *
 * Tuned as one would for this: write-ahead log, synchronous=FULL so that a commit is on disk as cdrd's is, a page
 * cache of 256 MiB, prepared statements. It finds no duplicates and checks nothing, which cdrd does.
 */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

#define COLUMNS_MAX 64
#define LINE_MAX_BYTES 65536
#define SAMPLES_MAX 10000000

struct csv_line {
	char text[LINE_MAX_BYTES];
	size_t count;
	const char *values[COLUMNS_MAX];
};

static void fail(sqlite3 *db, const char *what)
{
	fprintf(stderr, "sqlite: %s: %s\n", what, db ? sqlite3_errmsg(db) : "failed");
	exit(EXIT_FAILURE);
}

static void execute(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail(db, sql);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail(db, sql);
	return statement;
}

static sqlite3 *open_database(const char *path)
{
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		fail(db, path);
	execute(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-262144;"
	            "PRAGMA mmap_size=8589934592; PRAGMA wal_autocheckpoint=10000;");
	return db;
}

/* Reads a line and splits it in place; values are all quoted and hold no line ends. */
static bool read_line(FILE *file, struct csv_line *line)
{
	char *in = line->text;

	if (!fgets(line->text, sizeof(line->text), file))
		return false;
	for (line->count = 0; *in == '"' && line->count < COLUMNS_MAX; line->count++) {
		char *out = ++in;

		line->values[line->count] = out;
		for (; *in && (*in != '"' || in[1] == '"'); in++) {
			in += *in == '"';
			*out++ = *in;
		}
		in += *in ? 2 : 0; /* the quote and the comma or line end */
		*out = '\0';
	}
	return line->count > 0;
}

static void make_table(sqlite3 *db, const struct csv_line *names)
{
	char sql[8192] = "CREATE TABLE cdr(product TEXT";

	for (size_t i = 0; i < names->count; i++) {
		size_t len = strlen(sql);

		snprintf(sql + len, sizeof(sql) - len - 2, ",\"%s\" TEXT", names->values[i]);
	}
	execute(db, strcat(sql, ")"));
	execute(db, "CREATE INDEX cdr_id ON cdr(id)");
	execute(db, "CREATE INDEX cdr_time ON cdr(account_id, product, direction, date_received)");
}

static sqlite3_stmt *prepare_insert(sqlite3 *db, const struct csv_line *names)
{
	char sql[1024] = "INSERT INTO cdr VALUES('SMS'";

	for (size_t i = 0; i < names->count; i++)
		strcat(sql, ",?");
	return prepare(db, strcat(sql, ")"));
}

static void insert(sqlite3 *db, sqlite3_stmt *statement, const struct csv_line *line)
{
	for (size_t i = 0; i < line->count; i++)
		sqlite3_bind_text(statement, (int)i + 1, line->values[i], -1, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_DONE)
		fail(db, "INSERT");
	sqlite3_reset(statement);
}

static int ingest(sqlite3 *db, uint64_t batch, const char *path)
{
	static struct csv_line line;
	FILE *file = fopen(path, "r");

	sqlite3_stmt *statement;
	uint64_t records = 0;
	int64_t begun_us;

	if (!file || !read_line(file, &line))
		fail(NULL, path);
	make_table(db, &line);
	statement = prepare_insert(db, &line);
	begun_us = client_now_us();
	while (read_line(file, &line)) {
		if (records % batch == 0)
			execute(db, records > 0 ? "COMMIT; BEGIN" : "BEGIN");
		insert(db, statement, &line);
		records++;
	}
	execute(db, "COMMIT");
	printf("records %" PRIu64 "\nrecords_per_s %.0f\n", records,
	       (double)records / ((double)(client_now_us() - begun_us) / 1e6));
	sqlite3_finalize(statement);
	fclose(file);
	return EXIT_SUCCESS;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Runs the statement with each line of the file as ?1, over and over, for so many seconds. */
static int query(sqlite3 *db, sqlite3_stmt *statement, int64_t seconds, const char *path)
{
	static int64_t took_us[SAMPLES_MAX];
	size_t count = 0;
	FILE *file = fopen(path, "r");
	int64_t begun_us = client_now_us();
	int64_t now_us = begun_us;
	char line[256];

	if (!file)
		fail(NULL, path);
	while (now_us < begun_us + seconds * 1000000 && count < SAMPLES_MAX) {
		int64_t start_us = now_us;

		if (!fgets(line, sizeof(line), file)) {
			rewind(file);
			continue;
		}
		sqlite3_bind_text(statement, 1, line, (int)strcspn(line, "\n"), SQLITE_STATIC);
		if (sqlite3_step(statement) != SQLITE_ROW || sqlite3_column_bytes(statement, 0) < 3)
			fail(db, "the query found nothing");
		sqlite3_reset(statement);
		now_us = client_now_us();
		took_us[count++] = now_us - start_us;
	}
	qsort(took_us, count, sizeof(*took_us), compare);
	printf("requests_per_s %.1f\np50_ms %.3f\np99_ms %.3f\n", (double)count / ((double)(now_us - begun_us) / 1e6),
	       (double)took_us[count / 2] / 1000, (double)took_us[count * 99 / 100] / 1000);
	sqlite3_finalize(statement);
	fclose(file);
	return EXIT_SUCCESS;
}

/* A statement that gives all columns of what `from` selects as JSON; `form` is applied to the object. */
static sqlite3_stmt *prepare_json(sqlite3 *db, const char *form, const char *from)
{
	sqlite3_stmt *names = prepare(db, "SELECT * FROM cdr LIMIT 0");
	char object[8192] = "json_object(";
	char sql[16384];

	for (int i = 1; i < sqlite3_column_count(names); i++) {
		size_t len = strlen(object);

		snprintf(object + len, sizeof(object) - len, "%s'%s',\"%s\"", i > 1 ? "," : "",
		         sqlite3_column_name(names, i), sqlite3_column_name(names, i));
	}
	strcat(object, ")");
	sqlite3_finalize(names);
	snprintf(sql, sizeof(sql), "SELECT %s(%s) FROM %s", form, object, from);
	return prepare(db, sql);
}

int main(int argc, char **argv)
{
	sqlite3 *db;

	if (argc != 5) {
		fprintf(stderr, "Usage: sqlite ingest DATABASE BATCH CSV | sqlite pages|ids DATABASE SECONDS FILE\n");
		return 2;
	}
	db = open_database(argv[2]);
	if (strcmp(argv[1], "ingest") == 0)
		return ingest(db, strtoull(argv[3], NULL, 10), argv[4]);
	if (strcmp(argv[1], "pages") == 0)
		return query(db,
		             prepare_json(db, "json_group_array",
		                          "(SELECT * FROM cdr WHERE account_id = 'bench001' AND product = 'SMS' AND "
		                          "direction = 'outbound' AND date_received >= ?1 "
		                          "ORDER BY date_received LIMIT 1000)"),
		             strtoll(argv[3], NULL, 10), argv[4]);
	return query(db, prepare_json(db, "json_group_array", "cdr WHERE id = ?1"), strtoll(argv[3], NULL, 10),
	             argv[4]);
}
