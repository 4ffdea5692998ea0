/* SPDX-License-Identifier: ISC */
/*
 * cluster_doubts.c: numbers of which rows may be there that nobody was told of. Such a record, when it is sent again, is put anew,
 * as the feed of changes may have passed over it.
 *
 * What a process may have had under way when it ended is doubted by the one after it, and by some more: a producer may send again
 * only after several front ends have died. In `meta`, beside the numbers that are reserved:
 *
 *	"cluster_doubts"    from, to of each of the last starts, the newest last, as numbers of 8 bytes, little-endian
 */
#include <string.h>

#include "meta/change.h"
#include "store/cluster/cluster_private.h"

#define NAME "cluster_doubts"
#define STARTS 8 /* of which doubts are kept; the rest of STORE_DOUBTS_MAX is for commits that fail */

void cluster_doubt_span(struct cluster *cluster, uint64_t from, uint64_t to)
{
	struct store_doubts *doubts = &cluster->doubts;

	if (doubts->count == STORE_DOUBTS_MAX) { /* the last one grows, and what is between is doubted, too */
		struct store_doubt *last = &doubts->list[STORE_DOUBTS_MAX - 1];

		last->from = from < last->from ? from : last->from;
		last->to = to > last->to ? to : last->to;
		return;
	}
	doubts->list[doubts->count++] = (struct store_doubt){ from, to };
}

bool cluster_is_doubtful(const struct cluster *cluster, uint64_t version)
{
	const struct store_doubts *doubts = &cluster->doubts;

	for (size_t i = 0; i < doubts->count; i++)
		if (version >= doubts->list[i].from && version <= doubts->list[i].to)
			return true;
	return false;
}

/* --- of starts --- */

static void read_starts(struct store_doubts *doubts, struct str text)
{
	struct store_doubt doubt;

	while (doubts->count < STARTS && cluster_take_number(&text, 8, &doubt.from) &&
	       cluster_take_number(&text, 8, &doubt.to))
		doubts->list[doubts->count++] = doubt;
}

static int write_starts(const struct store_doubts *doubts, struct change *change, struct error *err)
{
	uint64_t numbers[2 * STARTS];

	for (size_t i = 0; i < doubts->count; i++) {
		numbers[2 * i] = htole64(doubts->list[i].from);
		numbers[2 * i + 1] = htole64(doubts->list[i].to);
	}
	return change_put(change, META_DB_VALUES, STR_LITERAL(NAME),
	                  (struct str){ (const char *)numbers, doubts->count * sizeof(struct store_doubt) }, err);
}

/* One that begins where the last one does is the same doubt, of more numbers. */
static void add_start(struct store_doubts *doubts, const struct store_doubt *start)
{
	struct store_doubt *last = doubts->count > 0 ? &doubts->list[doubts->count - 1] : NULL;

	if (last && last->from == start->from) {
		last->to = start->to;
		return;
	}
	if (doubts->count == STARTS) {
		memmove(doubts->list, doubts->list + 1, (STARTS - 1) * sizeof(doubts->list[0]));
		doubts->count--;
	}
	doubts->list[doubts->count++] = *start;
}

int cluster_doubt_at_start(struct cluster *cluster, struct error *err)
{
	struct store_doubts *doubts = &cluster->doubts;
	uint64_t newest = cluster->newest;
	const struct store_doubt start = { newest > CLUSTER_DOUBTED_AT_START ? newest - CLUSTER_DOUBTED_AT_START : 0,
		                           cluster->store->last_seq };
	struct change change;
	struct str text;

	doubts->count = 0;
	if (cluster->numbers.source || cluster->is_target) { /* doubts come with numbers; or there are none */
		add_start(doubts, &start);
		return 0;
	}
	if (change_begin(&change, cluster->store->meta, err) != 0)
		return -1;
	int found = change_get(&change, META_DB_VALUES, STR_LITERAL(NAME), &text, err);
	if (found > 0)
		read_starts(doubts, text);
	add_start(doubts, &start);
	return change_end(&change, found < 0 ? -1 : write_starts(doubts, &change, err), err);
}
