/* SPDX-License-Identifier: ISC */
/*
 * hot_order.h: the positions of a partition's hot rows, in order; private to store/.
 *
 * Rows are kept by arrival (hot_rows.h), and most come in the order of time: a position is appended. Those that come
 * late stand in a tail without order, which is merged in before anything is read, and whenever it is full: of n
 * positions, a late one costs n / HOT_LATE_MAX moves at most.
 *
 * A position may lead to no row that a transaction sees: the row is not committed yet, or was removed. One that was
 * put again while its removal was not committed may be there twice until the tail is merged.
 */
#ifndef CDRD_STORE_DAYS_HOT_ORDER_H
#define CDRD_STORE_DAYS_HOT_ORDER_H

#include <stdint.h>

#include "base/error.h"
#include "base/prefetch.h"
#include "store/blocks/position.h"

#define HOT_LATE_MAX 1024

/* 16 bytes a row: the direction is the partition's. */
struct hot_at {
	int64_t time_us;
	uint64_t seq;
};

static inline bool hot_at_is_before(const struct hot_at *a, const struct hot_at *b)
{
	return a->time_us != b->time_us ? a->time_us < b->time_us : a->seq < b->seq;
}

/* All zeros: none. */
struct hot_order {
	struct hot_at *rows;
	uint32_t count;
	uint32_t sorted; /* so many are in order; the late ones follow */
	uint32_t cap;
};

/* Prefetches what hot_order_add reads and writes. */
PREFETCH_INLINE void hot_order_prefetch(const struct hot_order *order)
{
	if (order->count > 0)
		prefetch_before(&order->rows[order->count] + 1, 2 * sizeof(*order->rows));
}

MUST_CHECK int hot_order_add(struct hot_order *order, const struct position *position, struct error *err);

/* Merges late ones in: `sorted` becomes `count`. */
void hot_order_settle(struct hot_order *order);

/* Of a settled one: the number of the first row at or after a position; `count` if there is none. */
uint32_t hot_order_find(const struct hot_order *order, const struct position *position);

/* Drops positions, which are in order. Those that are not there are passed over. */
void hot_order_drop(struct hot_order *order, const struct hot_at *gone, size_t count);

void hot_order_free(struct hot_order *order);

#endif
