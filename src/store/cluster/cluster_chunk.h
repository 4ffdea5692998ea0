/* SPDX-License-Identifier: ISC */
/*
 * cluster_chunk.h: the rows of an answer, as a scan shows them; private to store/cluster/.
 */
#ifndef CDRD_STORE_CLUSTER_CLUSTER_CHUNK_H
#define CDRD_STORE_CLUSTER_CLUSTER_CHUNK_H

#include "store/cluster/cluster_private.h"

/* Rows in order of day, account and time. */
struct cluster_place {
	int32_t day;
	uint64_t account;
	int64_t time_us;
};

/* Takes one off the front of *text, as RowBinary has it. */
bool cluster_place_read(struct str *text, struct cluster_place *place);

struct cluster_chunk_rows {
	struct buf text; /* what the rows point into */
	struct cluster_row *list;
	size_t count, cap, at;
};

/* Takes over an answer whose rows are in order of day, account, time, id, newest first, each with a byte after it: not 0 if
 * it passes the filters. What remains of them are the newest of each key that pass and were there at the snapshot, those
 * with one time in order of their numbers. `answer` gets the memory of the rows before, and is empty. ERROR_CORRUPT,
 * ERROR_NOMEM. */
MUST_CHECK int cluster_chunk_take(struct cluster_chunk_rows *rows, struct buf *answer, uint64_t snapshot,
                                  struct error *err);
void cluster_chunk_rows_free(struct cluster_chunk_rows *rows);

#endif
