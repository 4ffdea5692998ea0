/* SPDX-License-Identifier: ISC */
/*
 * heavy_hitters.h: which accounts have the most of something today, in a table of a fixed size.
 *
 * Each account has a sum; with up to HEAVY_HITTERS_MAX accounts, all sums are exact. With more, the table is cut when it
 * is full: about the median of the sums is taken from each of them, and accounts that have nothing left are dropped (the
 * frequent-items sketch of Misra and Gries). A sum is then too low by at most `reduced`, and whoever has more than that
 * is in the table. Adding costs a hash and a look into the table, and next to nothing for the same account again. Pure.
 *
 * Zeroed is empty. A day is one of UTC; heavy_hitters_begin_day empties the table when another one has begun.
 */
#ifndef CDRD_BASE_HEAVY_HITTERS_H
#define CDRD_BASE_HEAVY_HITTERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/decimal.h"
#include "base/str.h"

#define HEAVY_HITTERS_MAX 1024
#define HEAVY_HITTERS_SLOTS 4096
#define HEAVY_HITTERS_ID_MAX 64 /* bytes of an id; longer ones are not counted */
#define HEAVY_HITTERS_KIND_MAX 8

struct heavy_hitter {
	char id[HEAVY_HITTERS_ID_MAX + 1];
	char kind[HEAVY_HITTERS_KIND_MAX +
	          1]; /* what tells sums of one account apart that cannot be added: a currency */
	uint8_t id_len;
	decimal_units sum; /* a number, or the units of a struct decimal */
	uint64_t count;    /* how often something was added, since it came into the table */
};

struct heavy_hitters {
	int32_t day;
	int64_t since_us;      /* when the counting began */
	decimal_units reduced; /* by how much a sum may be too low */
	size_t count;
	struct heavy_hitter *last;           /* the one that was added to, or NULL */
	uint16_t slots[HEAVY_HITTERS_SLOTS]; /* places in `list`, from 1; 0 is free */
	struct heavy_hitter list[HEAVY_HITTERS_MAX];
};

/* Empties the table if now_us is of another day than what it holds. */
void heavy_hitters_begin_day(struct heavy_hitters *table, int64_t now_us);

/* Adds to the sum of an account and a kind, "" if there are no kinds. Nothing for an empty id. */
void heavy_hitters_add(struct heavy_hitters *table, struct str id, const char *kind, decimal_units more);

/* Fills `top` with the `max` greatest, the greatest first, equal ones in order of id. Returns how many. */
size_t heavy_hitters_top(const struct heavy_hitters *table, const struct heavy_hitter **top, size_t max);

#endif
