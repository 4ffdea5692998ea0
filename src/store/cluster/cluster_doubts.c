/* SPDX-License-Identifier: ISC */
/*
 * cluster_doubts.c: numbers of which rows may be there that nobody was told of. Such a record, when it is sent again, is put anew,
 * as the feed of changes may have passed over it.
 *
 * What a process may have had under way when it ended is doubted by the one after it, and by some more: a producer may send
 * again only after several front ends have died. So is what commits that failed were given. In `meta`, beside the numbers
 * that are reserved:
 *
 *	"cluster_doubts"    from, to of each of the last starts, the newest last, as numbers of 8 bytes, little-endian
 *	"cluster_failed"    the same of commits that failed since the oldest of these, the least first
 */
#include <string.h>

#include "base/invariant.h"
#include "meta/change.h"
#include "store/cluster/cluster_mend.h"

#define NAME_OF_STARTS "cluster_doubts"
#define NAME_OF_FAILED "cluster_failed"
#define STARTS 8
#define FAILED (STORE_DOUBTS_MAX - STARTS)

static struct store_doubt *failed_of(struct cluster *cluster)
{
	return cluster->doubts.list + cluster->doubts_of_starts;
}

static size_t failed_count(const struct cluster *cluster)
{
	return cluster->doubts.count - cluster->doubts_of_starts;
}

bool cluster_is_doubtful(const struct cluster *cluster, uint64_t version)
{
	const struct store_doubts *doubts = &cluster->doubts;

	for (size_t i = 0; i < doubts->count; i++)
		if (version >= doubts->list[i].from && version <= doubts->list[i].to)
			return true;
	return false;
}

/* --- of commits that failed --- */

/* Those two with the fewest numbers between them become one, and what is between is doubted, too. */
static void join_nearest(struct cluster *cluster)
{
	struct store_doubt *failed = failed_of(cluster);
	size_t count = failed_count(cluster), nearest = 0;

	for (size_t i = 1; i + 1 < count; i++)
		if (failed[i + 1].from - failed[i].to < failed[nearest + 1].from - failed[nearest].to)
			nearest = i;
	failed[nearest].to = failed[nearest + 1].to;
	memmove(&failed[nearest + 1], &failed[nearest + 2], (count - nearest - 2) * sizeof(*failed));
	cluster->doubts.count--;
}

/* Spans of numbers have none in common. */
void cluster_doubt_span(struct cluster *cluster, uint64_t from, uint64_t to)
{
	struct store_doubt *failed = failed_of(cluster);
	size_t count = failed_count(cluster), at = count;

	cluster->has_new_doubts = true;
	cluster_mend_later(cluster, false);
	while (at > 0 && failed[at - 1].from > from)
		at--;
	if (at > 0 && failed[at - 1].to + 1 >= from) { /* they follow each other, as while all fail */
		failed[at - 1].to = to > failed[at - 1].to ? to : failed[at - 1].to;
		return;
	}
	if (count == FAILED) {
		join_nearest(cluster);
		cluster_doubt_span(cluster, from, to);
		return;
	}
	memmove(&failed[at + 1], &failed[at], (count - at) * sizeof(*failed));
	failed[at] = (struct store_doubt){ from, to };
	cluster->doubts.count++;
}

static void add_failed(struct cluster *cluster, struct str text)
{
	const struct store_doubt *oldest = cluster->doubts.list;
	struct store_doubt doubt;

	while (cluster_take_number(&text, 8, &doubt.from) && cluster_take_number(&text, 8, &doubt.to))
		if (cluster->doubts_of_starts < STARTS || doubt.to > oldest->to)
			cluster_doubt_span(cluster, doubt.from, doubt.to);
}

/* --- of starts --- */

/* One that begins where the last one does is the same doubt, of more numbers. */
static void add_start(struct cluster *cluster, const struct store_doubt *start)
{
	struct store_doubts *doubts = &cluster->doubts;
	struct store_doubt *last = doubts->count > 0 ? &doubts->list[doubts->count - 1] : NULL;

	INVARIANT(failed_count(cluster) == 0);
	if (last && last->from == start->from) {
		last->to = start->to;
		return;
	}
	if (doubts->count == STARTS) {
		memmove(doubts->list, doubts->list + 1, (STARTS - 1) * sizeof(doubts->list[0]));
		doubts->count--;
	}
	doubts->list[doubts->count++] = *start;
	cluster->doubts_of_starts = doubts->count;
}

static void add_starts(struct cluster *cluster, struct str text)
{
	struct store_doubt doubt;

	while (cluster_take_number(&text, 8, &doubt.from) && cluster_take_number(&text, 8, &doubt.to))
		add_start(cluster, &doubt);
}

/* --- in the catalog --- */

static int write_list(struct change *change, struct str name, const struct store_doubt *list, size_t count,
                      struct error *err)
{
	uint64_t numbers[2 * STORE_DOUBTS_MAX];

	for (size_t i = 0; i < count; i++) {
		numbers[2 * i] = htole64(list[i].from);
		numbers[2 * i + 1] = htole64(list[i].to);
	}
	return change_put(change, META_DB_VALUES, name,
	                  (struct str){ (const char *)numbers, count * sizeof(struct store_doubt) }, err);
}

static int write_failed(struct cluster *cluster, struct change *change, struct error *err)
{
	return write_list(change, STR_LITERAL(NAME_OF_FAILED), failed_of(cluster), failed_count(cluster), err);
}

int cluster_keep_doubts(struct cluster *cluster, struct error *err)
{
	struct change change;

	if (!cluster->has_new_doubts)
		return 0;
	if (change_begin(&change, cluster->store->meta, err) != 0 ||
	    change_end(&change, write_failed(cluster, &change, err), err) != 0)
		return -1;
	cluster->has_new_doubts = false;
	return 0;
}

/* Calls `add` with what is there. */
static int read_list(struct cluster *cluster, struct change *change, struct str name,
                     void (*add)(struct cluster *cluster, struct str text), struct error *err)
{
	struct str text;
	int found = change_get(change, META_DB_VALUES, name, &text, err);

	if (found > 0)
		add(cluster, text);
	return found < 0 ? -1 : 0;
}

static int begin_anew(struct cluster *cluster, const struct store_doubt *start, struct change *change,
                      struct error *err)
{
	if (read_list(cluster, change, STR_LITERAL(NAME_OF_STARTS), add_starts, err) != 0)
		return -1;
	add_start(cluster, start);
	if (read_list(cluster, change, STR_LITERAL(NAME_OF_FAILED), add_failed, err) != 0)
		return -1;
	if (write_list(change, STR_LITERAL(NAME_OF_STARTS), cluster->doubts.list, cluster->doubts_of_starts, err) != 0)
		return -1;
	return write_failed(cluster, change, err);
}

int cluster_doubt_at_start(struct cluster *cluster, struct error *err)
{
	uint64_t newest = cluster->newest;
	const struct store_doubt start = { newest > CLUSTER_DOUBTED_AT_START ? newest - CLUSTER_DOUBTED_AT_START : 0,
		                           cluster->store->last_seq };
	struct change change;

	cluster->doubts.count = cluster->doubts_of_starts = 0;
	if (cluster->numbers.source || cluster->is_target) { /* doubts come with numbers; or there are none */
		add_start(cluster, &start);
		return 0;
	}
	if (change_begin(&change, cluster->store->meta, err) != 0 ||
	    change_end(&change, begin_anew(cluster, &start, &change, err), err) != 0)
		return -1;
	cluster->has_new_doubts = false;
	cluster_mend_later(cluster, true);
	return 0;
}
