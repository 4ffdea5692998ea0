/* SPDX-License-Identifier: ISC */
/*
 * spans.h: the numbers of changes, where several front ends take records in.
 *
 * Each commit has a span of numbers of its own, which it is given before it looks up what is stored. Spans settle in the order of
 * their numbers, so that all numbers below the first one that is open are of changes that are stored, or of none: that is the
 * snapshot. A commit is acknowledged when its span has settled, so what was acknowledged is in the next snapshot, and the feed of
 * changes passes over none that comes later.
 *
 * A span locks the ids of its records, as hashes, until they are stored: another one that has the same id gets its numbers after
 * that, and so finds it when it looks up. An id that is sent through two front ends at once is then one record, and a duplicate.
 *
 * The one that holds the catalog has the only list, in memory: what it is told of a commit of another one, and how that ends.
 */
#ifndef CDRD_STORE_CLUSTER_SPANS_H
#define CDRD_STORE_CLUSTER_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/error.h"

enum span_state { SPAN_NONE, SPAN_WAITS, SPAN_OPEN, SPAN_STORED };

struct spans;

/* The caller's, and where it is as long as it is not SPAN_NONE; zeros at first. */
struct span {
	TAILQ_ENTRY(span) link;
	enum span_state state;
	uint64_t from, to;      /* its numbers, from SPAN_OPEN on */
	const uint64_t *hashes; /* of ids; the caller's, until it is stored or dropped */
	size_t count;
	uint64_t numbers_count; /* that it needs, at least 1 */
	uint64_t *set;          /* of hashes; NULL: not made yet */
	size_t set_slots;
	/* It has its numbers, or why it cannot have them, and then it is SPAN_NONE; only if it had to wait. May not call
	 * spans_*. */
	void (*granted)(void *arg, const struct error *err);
	/* It was stored and has settled, and is SPAN_NONE; also from within span_stored. May not call spans_*. */
	void (*settled)(void *arg);
	void *arg;
};

struct spans {
	TAILQ_HEAD(span_queue, span) open, waiting; /* by their numbers, and in the order they came */
	/* Takes so many numbers that follow each other, greater than all before. */
	int (*take)(void *arg, uint64_t count, uint64_t *from, struct error *err);
	void *arg;
};

void spans_init(struct spans *spans, int (*take)(void *arg, uint64_t count, uint64_t *from, struct error *err),
                void *arg);

/* 1 with its numbers; 0 if it waits for another one's ids; -1. */
MUST_CHECK int span_begin(struct spans *spans, struct span *span, struct error *err);

/* All of it is stored: it settles, now or when all before it have. */
void span_stored(struct spans *spans, struct span *span);

/* It will not be stored, or nobody waits for it: those after it wait for it no more. Does nothing of SPAN_NONE. */
void span_drop(struct spans *spans, struct span *span);

/* The first number of those that have not settled; 0: there are none. */
uint64_t spans_first(const struct spans *spans);

#endif
