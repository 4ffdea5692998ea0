/* SPDX-License-Identifier: ISC */
/*
 * sql_statement.h: a statement for PostgreSQL, with its parameters and whoever takes the rows of its answer.
 */
#ifndef CDRD_POSTGRESQL_SQL_STATEMENT_H
#define CDRD_POSTGRESQL_SQL_STATEMENT_H

#include "base/error.h"
#include "base/str.h"

#define POSTGRESQL_PARAMETERS_MAX 8
#define POSTGRESQL_COLUMNS_MAX 8

/* A row of an answer, in binary form; p NULL is NULL. The values die when the function returns. -1 ends the exchange. */
typedef int (*postgresql_row_fn)(void *arg, const struct str *values, int count, struct error *err);

struct postgresql_statement {
	const char *sql;                                  /* one statement */
	struct str parameters[POSTGRESQL_PARAMETERS_MAX]; /* in binary form: a text is its bytes; p NULL is NULL */
	int parameters_count;
	postgresql_row_fn row; /* or NULL */
	void *arg;
};

#endif
