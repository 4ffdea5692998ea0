/* SPDX-License-Identifier: ISC */
/*
 * fold.h: adding up rows by the columns parts of their blocks, without reading a line. Private to store/aggregates/.
 *
 *	fold_begin(fold, &reader->columns, &err)               for each block; 0: its rows must be read
 *	fold_rows(fold, start_us, first, end, deleted, &err)   counts rows of the block, which are of one interval
 *	fold_end(fold, &rows, &seen, &err)                     adds what was counted to the groups
 *
 * Rows of many blocks are counted together; see fold_private.h.
 */
#ifndef CDRD_STORE_AGGREGATES_FOLD_H
#define CDRD_STORE_AGGREGATES_FOLD_H

#include "store/blocks/block_columns.h"
#include "store/engine.h"

struct fold;

/* For one aggregate, which must outlive it. Rows are added to `groups`, unless they are only counted. Some 3 MiB, of
 * which a query touches what it needs; freed with free(). NULL with ERROR_NOMEM. */
MUST_CHECK struct fold *fold_new(const struct aggregate *aggregate, struct aggregate_groups *groups, struct error *err);

/* Prepares for a block; *columns must live as long as its rows are counted. 1, 0 if the columns part does not have all
 * that the query needs, or too many combinations; -1 with errors as of aggregate_add_batch. */
MUST_CHECK int fold_begin(struct fold *fold, const struct block_columns *columns, struct error *err);

/* Counts the rows [first, end) of the block but those of the bitmap `deleted`. They are of the interval that begins at
 * start_us. Errors as of aggregate_add_batch, and ERROR_CORRUPT if rows have codes that no value has. */
MUST_CHECK int fold_rows(struct fold *fold, int64_t start_us, uint32_t first, uint32_t end, struct str deleted,
                         struct error *err);

/* Adds what was counted to the groups. *rows becomes the number of rows that pass the filters, *seen that of all, since
 * the last time. Errors as of aggregate_add_batch. */
MUST_CHECK int fold_end(struct fold *fold, uint64_t *rows, uint64_t *seen, struct error *err);

#endif
