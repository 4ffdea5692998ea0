/* SPDX-License-Identifier: ISC */
/*
 * match_row.h: a row of either side, ours or the carrier's, in the one form in which both are sorted and compared;
 * private to reconcile/.
 *
 *	size 4 | serial 8 | hash 8 | check 8 | time 8 | lengths 2 each | texts
 *
 * All numbers are the machine's own: the files do not outlive a run.
 */
#ifndef CDRD_RECONCILE_MATCH_ROW_H
#define CDRD_RECONCILE_MATCH_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

enum match_text {
	MATCH_ID,
	MATCH_ACCOUNT,
	MATCH_FROM,
	MATCH_TO,
	MATCH_COUNTRY,
	MATCH_DURATION,
	MATCH_STATUS,
	MATCH_PRICE,
	MATCH_CURRENCY,
	MATCH_TEXTS,
};

#define MATCH_TEXT_MAX 1024 /* bytes that are kept of a text */

struct match_row {
	uint64_t serial; /* in the order of the file, or of the scan: from 1 on */
	uint64_t hash;   /* of the key by which rows are joined: */
	uint64_t check;  /* two of them, so that rows with both are taken for the same */
	int64_t time_us;
	struct str texts[MATCH_TEXTS];
};

static inline bool match_row_same_key(const struct match_row *a, const struct match_row *b)
{
	return a->hash == b->hash && a->check == b->check;
}

/* Appends the row's packed form. */
void match_row_pack(struct buf *out, const struct match_row *row);

/* Of the packed form: its whole size, given at least MATCH_ROW_SIZE_BYTES of it. */
#define MATCH_ROW_SIZE_BYTES sizeof(uint32_t)
size_t match_row_size(const char *packed);

/* The texts point into `packed`. */
void match_row_unpack(const char *packed, struct match_row *row);

/* What rows are sorted by: hash, then time, then serial. */
struct match_order {
	uint64_t hash;
	int64_t time_us;
	uint64_t serial;
};
struct match_order match_row_order(const char *packed);

static inline int match_order_compare(const struct match_order *a, const struct match_order *b)
{
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->time_us != b->time_us)
		return a->time_us < b->time_us ? -1 : 1;
	return a->serial < b->serial ? -1 : a->serial > b->serial;
}

#endif
