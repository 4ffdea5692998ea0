/* SPDX-License-Identifier: ISC */
/*
 * nearest.c: see nearest.h.
 *
 * The distance is how many letters have to be put in, taken out, replaced, or exchanged with their neighbour.
 */
#include "ctl/nearest.h"

#define LEN_MAX 32

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Three rows of the table of distances between all beginnings of both. */
static unsigned distance_of(struct str a, struct str b)
{
	unsigned rows[3][LEN_MAX + 1] = { 0 };

	for (unsigned j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned same = a.p[i - 1] == b.p[j - 1] ? 0 : 1;

			now[j] = least(last[j - 1] + same, least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
	}
	return rows[a.len % 3][b.len];
}

void nearest_try(struct nearest *nearest, struct str word)
{
	if (nearest->typed.len > LEN_MAX || word.len > LEN_MAX)
		return;
	unsigned distance = distance_of(nearest->typed, word);
	unsigned most = nearest->typed.len > 4 ? 2 : 1;

	if (distance > most || (nearest->word.p && distance >= nearest->distance))
		return;
	nearest->word = word;
	nearest->distance = distance;
}
