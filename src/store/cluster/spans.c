/* SPDX-License-Identifier: ISC */
/*
 * spans.c: see spans.h.
 */
#include "store/cluster/spans.h"

#include <stdlib.h>

#include "base/invariant.h"

void spans_init(struct spans *spans, int (*take)(void *arg, uint64_t count, uint64_t *from, struct error *err),
                void *arg)
{
	TAILQ_INIT(&spans->open);
	TAILQ_INIT(&spans->waiting);
	spans->take = take;
	spans->arg = arg;
}

uint64_t spans_first(const struct spans *spans)
{
	const struct span *first = TAILQ_FIRST(&spans->open);

	return first ? first->from : 0;
}

/* --- the ids of one --- */

static size_t slot_of(const struct span *span, uint64_t hash)
{
	size_t at = (size_t)(hash & (span->set_slots - 1));

	while (span->set[at] != 0 && span->set[at] != hash)
		at = (at + 1) & (span->set_slots - 1);
	return at;
}

/* Zero is a free slot, so a hash of zero is another one; that two ids then count as the same only makes one wait. */
static uint64_t nonzero(uint64_t hash)
{
	return hash ? hash : 1;
}

/* Made when another span is compared with it: where there is one front end, never. */
static int make_set(struct span *span, struct error *err)
{
	size_t slots = 64;

	if (span->set)
		return 0;
	while (slots < 2 * span->count)
		slots *= 2;
	span->set = calloc(slots, sizeof(*span->set));
	if (!span->set)
		return error_set(err, ERROR_NOMEM, "ids of a commit: out of memory");
	span->set_slots = slots;
	for (size_t i = 0; i < span->count; i++)
		span->set[slot_of(span, nonzero(span->hashes[i]))] = nonzero(span->hashes[i]);
	return 0;
}

static void free_set(struct span *span)
{
	free(span->set);
	span->set = NULL;
}

/* Is an id of `span` one of an open one? 1, 0 or -1. */
static int is_locked(const struct spans *spans, const struct span *span, struct error *err)
{
	struct span *other;

	TAILQ_FOREACH(other, &spans->open, link) {
		if (other->state != SPAN_OPEN || other->count == 0 || span->count == 0)
			continue;
		if (make_set(other, err) != 0)
			return -1;
		for (size_t i = 0; i < span->count; i++)
			if (other->set[slot_of(other, nonzero(span->hashes[i]))] != 0)
				return 1;
	}
	return 0;
}

/* --- begin and end --- */

static int open_span(struct spans *spans, struct span *span, struct error *err)
{
	int locked = is_locked(spans, span, err);

	if (locked != 0)
		return locked < 0 ? -1 : 0;
	if (spans->take(spans->arg, span->numbers_count, &span->from, err) != 0)
		return -1;
	span->to = span->from + span->numbers_count - 1;
	span->state = SPAN_OPEN;
	TAILQ_INSERT_TAIL(&spans->open, span, link);
	return 1;
}

int span_begin(struct spans *spans, struct span *span, struct error *err)
{
	INVARIANT(span->state == SPAN_NONE && span->numbers_count > 0);
	int result = open_span(spans, span, err);
	if (result == 0) {
		span->state = SPAN_WAITS;
		TAILQ_INSERT_TAIL(&spans->waiting, span, link);
	}
	return result;
}

/* Those whose ids are free now get their numbers. */
static void open_waiting(struct spans *spans)
{
	struct span *next;

	for (struct span *span = TAILQ_FIRST(&spans->waiting); span; span = next) {
		struct error err;

		next = TAILQ_NEXT(span, link);
		TAILQ_REMOVE(&spans->waiting, span, link);
		int result = open_span(spans, span, &err);
		if (result == 0) {
			if (next)
				TAILQ_INSERT_BEFORE(next, span, link);
			else
				TAILQ_INSERT_TAIL(&spans->waiting, span, link);
			continue;
		}
		if (result < 0)
			span->state = SPAN_NONE;
		span->granted(span->arg, result < 0 ? &err : NULL);
	}
}

static void settle(struct spans *spans)
{
	struct span *span;

	while ((span = TAILQ_FIRST(&spans->open)) && span->state == SPAN_STORED) {
		TAILQ_REMOVE(&spans->open, span, link);
		span->state = SPAN_NONE;
		span->settled(span->arg);
	}
}

void span_stored(struct spans *spans, struct span *span)
{
	INVARIANT(span->state == SPAN_OPEN);
	span->state = SPAN_STORED;
	free_set(span);
	settle(spans);
	open_waiting(spans);
}

void span_drop(struct spans *spans, struct span *span)
{
	if (span->state == SPAN_NONE)
		return;
	TAILQ_REMOVE(span->state == SPAN_WAITS ? &spans->waiting : &spans->open, span, link);
	span->state = SPAN_NONE;
	free_set(span);
	settle(spans);
	open_waiting(spans);
}
