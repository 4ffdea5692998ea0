/* SPDX-License-Identifier: ISC */
/*
 * seq_ranges.h: which numbers of changes a day may hold, in a few ranges; private to store/.
 *
 * The feed of changes (changes.h) asks it which of 400 days to read. Numbers grow, so a day written to for a
 * while has one range, and a late record adds a small one. When there are too many, near ones become one: the ranges
 * never miss a number, but may hold numbers that are not there. Pure; lies in a mapped file (bloom_filter.h).
 */
#ifndef CDRD_STORE_DAYS_SEQ_RANGES_H
#define CDRD_STORE_DAYS_SEQ_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#define SEQ_RANGES_MAX 200
#define SEQ_RANGES_GAP 1024 /* nearer ones are one from the beginning: about a page of changes */

struct seq_ranges {
	uint32_t count;
	uint32_t busy; /* being changed: a file found like this is not trusted */
	uint64_t gap;  /* ranges with no more between them are one */
	struct seq_range {
		uint64_t first; /* both inclusive, ascending */
		uint64_t last;
	} list[SEQ_RANGES_MAX];
};

void seq_ranges_clear(struct seq_ranges *ranges);

/* Adds the numbers from `first` to `last`. Nanoseconds for numbers that continue the last range. */
void seq_ranges_add(struct seq_ranges *ranges, uint64_t first, uint64_t last);

/* The smallest number greater than `after` that may be there, or UINT64_MAX. */
uint64_t seq_ranges_next(const struct seq_ranges *ranges, uint64_t after);

/* Is what a file says possible? */
bool seq_ranges_are_sound(const struct seq_ranges *ranges);

#endif
