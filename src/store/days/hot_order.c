/* SPDX-License-Identifier: ISC */
/*
 * hot_order.c: see hot_order.h.
 */
#include "store/days/hot_order.h"

#include <stdlib.h>

#define GROWTH_MIN 4

static int compare(const void *a, const void *b)
{
	return hot_at_is_before(a, b) ? -1 : hot_at_is_before(b, a);
}

static int grow(struct hot_order *order, struct error *err)
{
	uint64_t cap = (uint64_t)order->cap + order->cap / 2 + GROWTH_MIN;
	struct hot_at *rows = cap <= UINT32_MAX ? realloc(order->rows, cap * sizeof(*rows)) : NULL;

	if (!rows)
		return error_set(err, ERROR_NOMEM, "order of %llu hot rows: out of memory", (unsigned long long)cap);
	order->rows = rows;
	order->cap = (uint32_t)cap;
	return 0;
}

int hot_order_add(struct hot_order *order, const struct position *position, struct error *err)
{
	struct hot_at at = { position->time_us, position->seq };

	if (order->count - order->sorted == HOT_LATE_MAX)
		hot_order_settle(order);
	if (order->count == order->cap && grow(order, err) != 0)
		return -1;
	bool follows = order->sorted == order->count &&
	               (order->count == 0 || hot_at_is_before(&order->rows[order->count - 1], &at));
	order->rows[order->count++] = at;
	order->sorted += follows;
	return 0;
}

/* Merges `late`, which are in order, into the first `count` rows, from the end on. */
static void merge(struct hot_at *rows, uint32_t count, const struct hot_at *late, uint32_t late_count)
{
	uint32_t to = count + late_count;

	while (late_count > 0) {
		bool is_late = count == 0 || hot_at_is_before(&rows[count - 1], &late[late_count - 1]);

		rows[--to] = is_late ? late[--late_count] : rows[--count];
	}
}

/* Drops what is there twice. */
static void drop_repeats(struct hot_order *order, uint32_t from)
{
	uint32_t to = from;

	for (uint32_t i = from; i < order->count; i++)
		if (to == 0 || hot_at_is_before(&order->rows[to - 1], &order->rows[i]))
			order->rows[to++] = order->rows[i];
	order->count = to;
}

void hot_order_settle(struct hot_order *order)
{
	struct hot_at late[HOT_LATE_MAX];
	uint32_t sorted = order->sorted, late_count = order->count - sorted;

	if (late_count == 0)
		return;
	memcpy(late, order->rows + sorted, late_count * sizeof(*late));
	qsort(late, late_count, sizeof(*late), compare);
	order->sorted = order->count = sorted;
	uint32_t first = hot_order_find(order, &(struct position){ .time_us = late[0].time_us, .seq = late[0].seq });
	merge(order->rows, sorted, late, late_count);
	order->count += late_count;
	drop_repeats(order, first);
	order->sorted = order->count;
}

uint32_t hot_order_find(const struct hot_order *order, const struct position *position)
{
	const struct hot_at at = { position->time_us, position->seq };
	uint32_t low = 0, high = order->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (hot_at_is_before(&order->rows[mid], &at))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void shrink(struct hot_order *order)
{
	if (order->count == 0) {
		hot_order_free(order);
		return;
	}
	if (order->count > order->cap / 4)
		return;
	struct hot_at *rows = realloc(order->rows, order->count * sizeof(*rows));
	if (!rows)
		return;
	order->rows = rows;
	order->cap = order->count;
}

void hot_order_drop(struct hot_order *order, const struct hot_at *gone, size_t count)
{
	size_t next = 0;

	if (count == 0 || order->count == 0)
		return;
	hot_order_settle(order);
	uint32_t at = hot_order_find(order, &(struct position){ .time_us = gone->time_us, .seq = gone->seq });
	uint32_t to = at;
	for (; at < order->count; at++) {
		while (next < count && hot_at_is_before(&gone[next], &order->rows[at]))
			next++;
		if (next == count)
			break;
		if (hot_at_is_before(&order->rows[at], &gone[next]))
			order->rows[to++] = order->rows[at];
	}
	memmove(order->rows + to, order->rows + at, (order->count - at) * sizeof(*order->rows));
	order->count = order->sorted = to + (order->count - at);
	shrink(order);
}

void hot_order_free(struct hot_order *order)
{
	free(order->rows);
	*order = (struct hot_order){ 0 };
}
