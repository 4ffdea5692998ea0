/* SPDX-License-Identifier: ISC */
/*
 * account_csv.h: a file of accounts, row by row into an import; private to admin/.
 *
 *	id,parent,name,plan,secret,secret_hash	the header names the columns, in any order; only id is required
 *	abcd1234,,"Acme, Ltd",basic,,
 *
 * Values are quoted as in RFC 4180 where they hold commas or quotes; none holds a line end. A value left empty is not
 * given.
 */
#ifndef CDRD_ADMIN_ACCOUNT_CSV_H
#define CDRD_ADMIN_ACCOUNT_CSV_H

#include "base/buf.h"
#include "base/error.h"
#include "meta/account_import.h"

#define ACCOUNT_CSV_COLUMNS 6

struct account_csv {
	struct account_import *import;
	struct buf line;                   /* the one that is not complete */
	uint32_t lines;                    /* complete ones */
	size_t names_count;                /* of the header; 0 before it */
	size_t names[ACCOUNT_CSV_COLUMNS]; /* which column each value of a row is */
};

/* The import stays the caller's, and must outlive it. */
void account_csv_init(struct account_csv *csv, struct account_import *import);
void account_csv_free(struct account_csv *csv);

/* The next bytes of the file, and its end. A faulty row becomes a fault of the import; ERROR_INVALID for a header that
 * cannot be used, ERROR_LIMIT and ERROR_NOMEM as account_import_take. */
MUST_CHECK int account_csv_feed(struct account_csv *csv, const char *data, size_t len, struct error *err);
MUST_CHECK int account_csv_end(struct account_csv *csv, struct error *err);

#endif
