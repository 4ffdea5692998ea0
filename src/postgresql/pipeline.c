/* SPDX-License-Identifier: ISC */
/*
 * pipeline.c: see pipeline.h.
 */
#include "postgresql/pipeline.h"

#include <string.h>

int libpq_fail(struct error *err, const char *doing, const char *message)
{
	size_t len = strcspn(message, "\n");

	return error_set(err, ERROR_UNAVAILABLE, "PostgreSQL: %s: %.*s", doing, (int)(len < 200 ? len : 200), message);
}

/* --- sending --- */

static int send_statement(PGconn *conn, const struct postgresql_statement *statement)
{
	const char *values[POSTGRESQL_PARAMETERS_MAX];
	int lens[POSTGRESQL_PARAMETERS_MAX], formats[POSTGRESQL_PARAMETERS_MAX];

	for (int i = 0; i < statement->parameters_count; i++) {
		values[i] = statement->parameters[i].p;
		lens[i] = (int)statement->parameters[i].len;
		formats[i] = 1;
	}
	return PQsendQueryParams(conn, statement->sql, statement->parameters_count, NULL, values, lens, formats, 1);
}

int pipeline_send(PGconn *conn, const struct postgresql_statement *statements, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (!send_statement(conn, &statements[i]))
			return libpq_fail(err, "send", PQerrorMessage(conn));
	if (!PQpipelineSync(conn))
		return libpq_fail(err, "send", PQerrorMessage(conn));
	return 0;
}

/* --- reading --- */

static int give_rows(const struct postgresql_statement *statement, const PGresult *result, struct error *err)
{
	struct str values[POSTGRESQL_COLUMNS_MAX];
	int columns = PQnfields(result);

	if (columns > POSTGRESQL_COLUMNS_MAX)
		return error_set(err, ERROR_CORRUPT, "PostgreSQL: %d columns, at most %d expected", columns,
		                 POSTGRESQL_COLUMNS_MAX);
	for (int row = 0; row < PQntuples(result); row++) {
		for (int i = 0; i < columns; i++)
			values[i] = PQgetisnull(result, row, i) ? (struct str){ NULL, 0 } :
			                                          (struct str){ PQgetvalue(result, row, i),
				                                                (size_t)PQgetlength(result, row, i) };
		if (statement->row(statement->arg, values, columns, err) != 0)
			return -1;
	}
	return 0;
}

/* lock_not_available, query_canceled */
static bool is_late(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return state && (strcmp(state, "55P03") == 0 || strcmp(state, "57014") == 0);
}

/* Not what ends with a restart, a lock or another transaction. */
static bool is_refusal(const PGresult *result)
{
	static const char *const passing[] = { "08", "25P", "40", "55P", "57" };
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	for (size_t i = 0; state && i < sizeof(passing) / sizeof(passing[0]); i++)
		if (strncmp(state, passing[i], strlen(passing[i])) == 0)
			return false;
	return state != NULL;
}

static void take_result(struct pipeline_reading *reading, const PGresult *result)
{
	const struct postgresql_statement *statement = &reading->statements[reading->at];

	ExecStatusType status = PQresultStatus(result);

	reading->has_result = true;
	if (reading->err.code != ERROR_NONE || status == PGRES_COMMAND_OK || status == PGRES_PIPELINE_ABORTED)
		return;
	if (status != PGRES_TUPLES_OK) {
		(void)libpq_fail(&reading->err, "statement", PQresultErrorMessage(result));
		reading->is_refused = is_refusal(result);
		reading->is_late = is_late(result);
	} else if (statement->row)
		MAY_FAIL(give_rows(statement, result, &reading->err)); /* is in the error */
}

int pipeline_read(PGconn *conn, struct pipeline_reading *reading, struct error *err)
{
	if (!PQconsumeInput(conn))
		return libpq_fail(err, "read", PQerrorMessage(conn));
	while (!PQisBusy(conn)) {
		PGresult *result = PQgetResult(conn);

		if (!result && !reading->has_result)
			return PQstatus(conn) == CONNECTION_BAD ? libpq_fail(err, "read", PQerrorMessage(conn)) : 0;
		if (!result) {
			reading->has_result = false;
			reading->at += reading->at + 1 < reading->count;
			continue;
		}
		bool ends = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
		if (!ends)
			take_result(reading, result);
		PQclear(result);
		if (ends)
			return 1;
	}
	return 0;
}
