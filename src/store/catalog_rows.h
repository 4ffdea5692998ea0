/* SPDX-License-Identifier: ISC */
/*
 * catalog_rows.h: reading the catalog as it was last committed; private to store/. Changes are change.h's.
 */
#ifndef CDRD_STORE_CATALOG_ROWS_H
#define CDRD_STORE_CATALOG_ROWS_H

#include "store/catalog_env.h"

enum catalog_rows_next { CATALOG_ROWS_GO_ON, CATALOG_ROWS_STOP, CATALOG_ROWS_FAILED };

/* Takes a row; key and value die when it returns. Fills *err when it answers CATALOG_ROWS_FAILED. */
typedef enum catalog_rows_next (*catalog_rows_fn)(void *arg, struct str key, struct str value, struct error *err);

/* Gives the row with this key, if there is one, to fn (unless that is NULL). 1 if there is, 0 if not, -1. */
int catalog_rows_find(struct store *store, enum catalog_db db, struct str key, catalog_rows_fn fn, void *arg,
                      struct error *err);

/* Gives each row to fn, in order of keys, from the first that is not before `from` (empty: from the first). */
int catalog_rows_each(struct store *store, enum catalog_db db, struct str from, catalog_rows_fn fn, void *arg,
                      struct error *err);

#endif
