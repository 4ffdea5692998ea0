/* SPDX-License-Identifier: ISC */
/*
 * rows.h: reading the rows of meta.h as they were last committed. Changes are change.h's.
 */
#ifndef CDRD_META_ROWS_H
#define CDRD_META_ROWS_H

#include "meta/meta.h"

enum meta_next { META_GO_ON, META_STOP, META_FAILED };

/* Takes a row; key and value die when it returns. Fills *err when it answers META_FAILED. */
typedef enum meta_next (*meta_row_fn)(void *arg, struct str key, struct str value, struct error *err);

/* Gives the row with this key, if there is one, to fn (unless that is NULL). 1 if there is, 0 if not, -1. */
MUST_CHECK int meta_find(struct meta *meta, enum meta_db db, struct str key, meta_row_fn fn, void *arg,
                         struct error *err);

/* Gives each row to fn, in order of keys, from the first that is not before `from` (empty: from the first). */
MUST_CHECK int meta_each(struct meta *meta, enum meta_db db, struct str from, meta_row_fn fn, void *arg,
                         struct error *err);

/* The same in reverse, from the last row whose key is before `before`. */
MUST_CHECK int meta_each_back(struct meta *meta, enum meta_db db, struct str before, meta_row_fn fn, void *arg,
                              struct error *err);

#endif
