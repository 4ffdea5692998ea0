/* SPDX-License-Identifier: ISC */
/*
 * pipeline.h: statements sent together over a connection that is in libpq's pipeline mode, and their answers. Private to
 * postgresql/.
 *
 * The statements are followed by a synchronisation point, up to which their results are read. Nothing here waits:
 *
 *	pipeline_send(conn, statements, count, &err)
 *	struct pipeline_reading reading = { .statements = statements, .count = count };
 *	while (PQflush(conn) >= 0 && (rc = pipeline_read(conn, &reading, &err)) == 0)
 *		...until the socket is ready: readable, or writable if PQflush has not sent all...
 *
 * At the synchronisation point reading.err says whether the statements have succeeded.
 */
#ifndef CDRD_POSTGRESQL_PIPELINE_H
#define CDRD_POSTGRESQL_PIPELINE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "postgresql/sql_statement.h"

/* The answers that are being read; all but the statements, which stay the caller's, are zeros at first. */
struct pipeline_reading {
	const struct postgresql_statement *statements;
	size_t count, at;
	bool has_result;  /* of the statement that is read */
	bool is_refused;  /* by the server, whatever the connection */
	bool is_late;     /* the server has waited for too long itself */
	struct error err; /* the first one */
};

/* Sets ERROR_UNAVAILABLE: what was being done, and the first line of what libpq says of it. Always -1. */
int libpq_fail(struct error *err, const char *doing, const char *message);

/* Puts the statements and a synchronisation point into libpq's memory. ERROR_UNAVAILABLE: the connection is lost. */
MUST_CHECK int pipeline_send(PGconn *conn, const struct postgresql_statement *statements, size_t count,
                             struct error *err);

/* Reads what has come, and calls the statements' row functions. 1 at the synchronisation point, 0 if more must come, -1 with
 * ERROR_UNAVAILABLE: the connection is lost. */
MUST_CHECK int pipeline_read(PGconn *conn, struct pipeline_reading *reading, struct error *err);

#endif
