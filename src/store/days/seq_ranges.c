/* SPDX-License-Identifier: ISC */
/*
 * seq_ranges.c: see seq_ranges.h.
 */
#include "store/days/seq_ranges.h"

#include <stdatomic.h>
#include <string.h>

void seq_ranges_clear(struct seq_ranges *ranges)
{
	memset(ranges, 0, sizeof(*ranges));
	ranges->gap = SEQ_RANGES_GAP;
}

/* The process may be killed between any two stores; they must reach the file in the order written here. */
static void set_busy(struct seq_ranges *ranges, uint32_t busy)
{
	atomic_signal_fence(memory_order_seq_cst);
	*(volatile uint32_t *)&ranges->busy = busy;
	atomic_signal_fence(memory_order_seq_cst);
}

/* Do numbers from `first` on, after a range that ends with `last`, belong to it? */
static bool is_near(const struct seq_ranges *ranges, uint64_t last, uint64_t first)
{
	return first <= last || first - last <= ranges->gap;
}

/* Makes near ranges one, with a wider notion of near, until there is room. */
static void thin_out(struct seq_ranges *ranges)
{
	while (ranges->count > SEQ_RANGES_MAX / 2) {
		uint32_t kept = 0;

		ranges->gap *= 4;
		for (uint32_t i = 1; i < ranges->count; i++) {
			if (is_near(ranges, ranges->list[kept].last, ranges->list[i].first))
				ranges->list[kept].last = ranges->list[i].last;
			else
				ranges->list[++kept] = ranges->list[i];
		}
		ranges->count = kept + 1;
	}
}

/* The first range that does not end, and is not near its end, before `first`. */
static uint32_t find(const struct seq_ranges *ranges, uint64_t first)
{
	uint32_t low = 0, high = ranges->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (is_near(ranges, ranges->list[mid].last, first))
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static void insert(struct seq_ranges *ranges, uint64_t first, uint64_t last)
{
	struct seq_range *list = ranges->list;

	if (ranges->count == SEQ_RANGES_MAX)
		thin_out(ranges);
	uint32_t begin = find(ranges, first), end = begin;
	while (end < ranges->count && is_near(ranges, last, list[end].first)) {
		first = list[end].first < first ? list[end].first : first;
		last = list[end].last > last ? list[end].last : last;
		end++;
	}
	memmove(&list[begin + 1], &list[end], (ranges->count - end) * sizeof(*list));
	list[begin] = (struct seq_range){ first, last };
	ranges->count -= end - begin;
	ranges->count++;
}

void seq_ranges_add(struct seq_ranges *ranges, uint64_t first, uint64_t last)
{
	struct seq_range *newest = ranges->count > 0 ? &ranges->list[ranges->count - 1] : NULL;

	if (newest && first >= newest->first && is_near(ranges, newest->last, first)) {
		if (last > newest->last)
			newest->last = last;
		return;
	}
	set_busy(ranges, 1);
	insert(ranges, first, last);
	set_busy(ranges, 0);
}

uint64_t seq_ranges_next(const struct seq_ranges *ranges, uint64_t after)
{
	uint32_t low = 0, high = ranges->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (ranges->list[mid].last <= after)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == ranges->count)
		return UINT64_MAX;
	return ranges->list[low].first > after ? ranges->list[low].first : after + 1;
}

bool seq_ranges_are_sound(const struct seq_ranges *ranges)
{
	if (ranges->busy || ranges->count > SEQ_RANGES_MAX || ranges->gap < SEQ_RANGES_GAP)
		return false;
	for (uint32_t i = 0; i < ranges->count; i++) {
		if (ranges->list[i].first > ranges->list[i].last)
			return false;
		if (i > 0 && ranges->list[i].first <= ranges->list[i - 1].last)
			return false;
	}
	return true;
}
