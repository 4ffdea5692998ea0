/* SPDX-License-Identifier: ISC */
/*
 * tables.h: the tables in PostgreSQL that have the catalog which front ends share (meta/shared_catalog.h).
 *
 *	cdrd_catalog  its only row: which catalog this is, the number of the last transaction, and who may write
 *	cdrd_rows     the rows as they are now: database of meta.h, key, value
 *	cdrd_commits  the last transactions: number, when, a random id, of which front end
 *	cdrd_changes  their changes in order: number, place in the transaction, database, key, value (NULL: removed)
 *
 * The id tells a copy whether the transaction that it has last is one of this database: after a backup was put back, or a replica
 * that lagged took over, another one may have its number.
 *
 * A transaction locks the row of cdrd_catalog first, so that there is one at a time, and numbers have no gaps.
 */
#ifndef CDRD_POSTGRESQL_TABLES_H
#define CDRD_POSTGRESQL_TABLES_H

#include <stddef.h>

/* What `format` of cdrd_catalog is. */
#define POSTGRESQL_FORMAT 1

/* Statements that make what is not there yet, in order. */
extern const char *const postgresql_tables[];
extern const size_t postgresql_tables_count;

#endif
