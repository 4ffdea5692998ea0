/* SPDX-License-Identifier: ISC */
/*
 * cluster_lent.c: numbers for commits of front ends that do not hold the catalog: see store_span_begin in store/cluster.h.
 *
 * All that is told to the other one is told from the loop. One that is not heard of any more keeps its numbers open until servers
 * have ended what it may have sent them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/changes/changes_note.h"
#include "store/cluster/cluster_private.h"

/* As long as a server waits for a quorum. An insert may take longer, and its rows come later than this: they are of doubtful
 * numbers, so what was not acknowledged is put anew when it is sent again. */
#define LOST_US (5 * CLOCK_US_PER_SECOND)

struct store_span {
	TAILQ_ENTRY(store_span) link;
	struct cluster *cluster;
	struct span span;
	uint64_t *hashes;
	const struct store_span_calls *calls; /* NULL: it has gone */
	void *arg;
	struct event *event;
	int64_t until_us; /* monotonic: then it is given up */
	bool is_told;     /* its numbers */
	bool is_settled;
	struct cluster_checks checks;
	struct error failure;
};

static void free_span(struct store_span *span)
{
	TAILQ_REMOVE(&span->cluster->numbers.lent, span, link);
	span_drop(&span->cluster->numbers.spans, &span->span);
	event_free(span->event);
	free(span->hashes);
	free(span);
}

/* It is not stored, as far as anybody was told. */
static void give_up(struct store_span *span)
{
	struct cluster *cluster = span->cluster;

	if (span->is_told && span->span.state != SPAN_NONE)
		cluster_doubt_span(cluster, span->span.from, span->span.to);
	free_span(span);
	cluster_move_snapshot(cluster);
}

static void look_at(struct store_span *span, int64_t after_us)
{
	struct timeval after = clock_timeval(after_us);

	span->until_us = clock_monotonic_us() + after_us;
	evtimer_add(span->event, &after); /* it was added before and is not freed, so that this finds its memory */
}

static void tell_numbers(struct store_span *span)
{
	struct cluster *cluster = span->cluster;
	const struct store_numbers numbers = { .from = span->span.from,
		                               .to = span->span.to,
		                               .doubts = cluster->doubts };

	if (!span->calls) { /* it knows of none, so nothing is on its way */
		give_up(span);
		return;
	}
	span->is_told = true;
	look_at(span, CLUSTER_OPEN_PATIENCES * cluster->patience_us);
	span->calls->granted(span->arg, &numbers);
}

/* Ends it, with the call. */
static void end(struct store_span *span, const struct error *err)
{
	const struct store_span_calls *calls = span->calls;
	void *arg = span->arg;

	if (err)
		give_up(span);
	else
		free_span(span);
	if (calls)
		calls->settled(arg, err);
}

static void look_whether_late(struct store_span *span)
{
	int64_t left_us = span->until_us - clock_monotonic_us();
	struct timeval left = clock_timeval(left_us);
	struct error err;

	if (left_us > 0) {
		evtimer_add(span->event, &left);
		return;
	}
	log_warn("cluster", "a commit of another front end is given up, as it was not heard of any more");
	error_set(&err, ERROR_UNAVAILABLE, "a commit was not heard of for too long, and its numbers were given up");
	end(span, &err);
}

/* What was rejected may be of an account that was added meanwhile, and nothing comes in with a number that was erased. */
static int check_catalog(const struct cluster *cluster, const struct cluster_checks *checks, struct error *err)
{
	if (checks->first >= cluster->numbers.catalog_least &&
	    (checks->rejected == 0 || checks->rejected >= meta_accounts_number(cluster->store->meta)))
		return 0;
	return error_set(err, ERROR_UNAVAILABLE,
	                 "the records were checked with an older catalog, and are to be sent again");
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct store_span *span = arg;
	struct error err;

	(void)fd;
	(void)what;
	if (span->failure.code != ERROR_NONE) {
		err = span->failure;
		end(span, &err);
	} else if (span->is_settled) {
		cluster_move_snapshot(span->cluster);
		/* Under the snapshot of another front end, nobody would be told of them. */
		end(span, meta_check_held(span->cluster->store->meta, &err) != 0 ? &err : NULL);
	} else if (span->span.state == SPAN_OPEN && !span->is_told) {
		/* A number may have been erased while it waited for others' ids. */
		if (check_catalog(span->cluster, &span->checks, &err) == 0)
			tell_numbers(span);
		else
			end(span, &err);
	} else if (span->span.state != SPAN_STORED) {
		look_whether_late(span);
	}
}

static void on_granted(void *arg, const struct error *err)
{
	struct store_span *span = arg;

	if (err)
		span->failure = *err;
	event_active(span->event, EV_TIMEOUT, 0);
}

static void on_settled(void *arg)
{
	struct store_span *span = arg;

	span->is_settled = true;
	event_active(span->event, EV_TIMEOUT, 0);
}

static struct store_span *new_span(struct cluster *cluster, const struct store_numbers_request *request)
{
	struct store_span *span = calloc(1, sizeof(*span));
	struct timeval first = clock_timeval(CLUSTER_OPEN_PATIENCES * cluster->patience_us);

	if (!span)
		return NULL;
	span->cluster = cluster;
	span->hashes = malloc((request->count + 1) * sizeof(*span->hashes));
	span->event = evtimer_new(cluster->base, on_event, span);
	if (!span->hashes || !span->event || evtimer_add(span->event, &first) != 0) {
		if (span->event)
			event_free(span->event);
		free(span->hashes);
		free(span);
		return NULL;
	}
	span->until_us = clock_monotonic_us() + CLUSTER_OPEN_PATIENCES * cluster->patience_us;
	if (request->count > 0)
		memcpy(span->hashes, request->hashes, request->count * sizeof(*span->hashes));
	TAILQ_INSERT_TAIL(&cluster->numbers.lent, span, link);
	return span;
}

struct store_span *store_span_begin(struct store *store, const struct store_numbers_request *request,
                                    const struct store_span_calls *calls, void *arg, struct error *err)
{
	const struct cluster_checks checks = { request->catalog, request->rejected };
	struct cluster *cluster = store->cluster;

	if (!cluster || cluster->numbers.source) {
		error_set(err, ERROR_UNAVAILABLE, "this front end has no numbers for others");
		return NULL;
	}
	if (!cluster->is_ready) {
		MAY_FAIL(cluster_refuse(cluster, err));
		return NULL;
	}
	if (meta_check_held(store->meta, err) != 0)
		return NULL;
	if (check_catalog(cluster, &checks, err) != 0)
		return NULL;
	struct store_span *span = new_span(cluster, request);
	if (!span) {
		error_set(err, ERROR_NOMEM, "numbers for another front end: out of memory");
		return NULL;
	}
	span->calls = calls;
	span->arg = arg;
	span->checks = checks;
	span->span = (struct span){ .hashes = span->hashes,
		                    .count = request->count,
		                    .numbers_count = request->numbers,
		                    .granted = on_granted,
		                    .settled = on_settled,
		                    .arg = span };
	int result = span_begin(&cluster->numbers.spans, &span->span, err);
	if (result > 0)
		event_active(span->event, EV_TIMEOUT, 0);
	if (result >= 0)
		return span;
	free_span(span);
	return NULL;
}

bool store_span_end(struct store *store, uint64_t from, bool is_stored, const struct store_changed *changed)
{
	struct cluster *cluster = store->cluster;
	struct store_span *span;

	if (!cluster)
		return false;
	TAILQ_FOREACH(span, &cluster->numbers.lent, link)
		if (span->span.from == from && span->span.state == SPAN_OPEN && span->is_told)
			break;
	if (!span)
		return false;
	if (is_stored) {
		changes_note_marked(store, changed, span->span.to);
		span_stored(&cluster->numbers.spans, &span->span);
	} else {
		error_set(&span->failure, ERROR_UNAVAILABLE, "it was not stored");
		event_active(span->event, EV_TIMEOUT, 0);
	}
	return true;
}

void store_span_leave(struct store_span *span)
{
	span->calls = NULL;
	if (span->span.state == SPAN_WAITS || !span->is_told)
		give_up(span);
	else if (span->span.state == SPAN_OPEN && span->failure.code == ERROR_NONE)
		look_at(span, LOST_US); /* one that has failed ends in this turn: its event would not be added anew */
}

void cluster_free_lent(struct cluster *cluster)
{
	struct store_span *span;

	while ((span = TAILQ_FIRST(&cluster->numbers.lent)))
		free_span(span);
}
