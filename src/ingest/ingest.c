/* SPDX-License-Identifier: ISC */
/*
 * ingest.c: the commit that batches share, and its event. See ingest.h; the queues are in ingest_private.h.
 */
#include "ingest/ingest.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ingest/ingest_private.h"

/* Bytes of bodies after which a round is committed, however few records they hold: what is uncommitted is in memory. */
#define ROUND_BYTES_MAX ((size_t)32 << 20)

static struct timeval timeval_of(int64_t us)
{
	return (struct timeval){ us / CLOCK_US_PER_SECOND, us % CLOCK_US_PER_SECOND };
}

void ingest_batch_move(struct ingest_batch *batch, struct ingest_queue *to)
{
	if (batch->queue)
		TAILQ_REMOVE(batch->queue, batch, link);
	if (to)
		TAILQ_INSERT_TAIL(to, batch, link);
	batch->queue = to;
}

static void round_begin(struct ingest *ingest)
{
	ingest->round++;
	ingest->round_records = 0;
	ingest->round_bytes = 0;
	ingest->pending = (struct ingest_summary){ 0 };
}

static int fail_queue(const struct ingest *ingest, struct ingest_queue *queue, const struct error *err)
{
	struct ingest_batch *batch;
	int failed = 0;
	TAILQ_FOREACH(batch, queue, link) {
		if (batch->round != ingest->round || batch->failure.code != ERROR_NONE)
			continue;
		batch->failure = *err;
		failed++;
	}
	return failed;
}

void ingest_fail_round(struct ingest *ingest, const struct error *err)
{
	int failed = fail_queue(ingest, &ingest->feeding, err) + fail_queue(ingest, &ingest->waiting, err);
	ingest->stats.commits_failed++;
	log_error("ingest", "%s: %d batches with %zu records fail", err->message, failed, ingest->round_records);
	round_begin(ingest);
}

/* What the batches of the round have come to is on disk. */
static void note_committed(const struct ingest *ingest, const struct ingest_queue *queue)
{
	struct ingest_batch *batch;
	TAILQ_FOREACH(batch, queue, link) {
		if (batch->round == ingest->round)
			batch->committed = batch->summary;
	}
}

static void round_committed(struct ingest *ingest, int64_t took_us)
{
	struct ingest_stats *stats = &ingest->stats;
	const struct ingest_summary *pending = &ingest->pending;
	stats->total.accepted += pending->accepted;
	stats->total.updated += pending->updated;
	stats->total.duplicates += pending->duplicates;
	stats->total.outdated += pending->outdated;
	stats->total.rejected += pending->rejected;
	if (ingest->round_records > 0) {
		stats->commits++;
		histogram_add(&stats->commit_duration, took_us);
	}
	note_committed(ingest, &ingest->feeding);
	note_committed(ingest, &ingest->waiting);
	round_begin(ingest);
	for (struct ingest_watch *watch = ingest->watches; watch; watch = watch->next)
		watch->on_commit(watch->arg);
}

static int commit(struct ingest *ingest, struct error *err)
{
	struct ingest_batch *batch;
	int64_t begin_us = clock_monotonic_us();
	int result = store_commit(ingest->store, err);
	int64_t took_us = clock_monotonic_us() - begin_us;
	ingest->long_commit |= took_us > LONG_TURN_US;
	if (result == 0)
		round_committed(ingest, took_us);
	else
		ingest_fail_round(ingest, err);
	while ((batch = TAILQ_FIRST(&ingest->waiting)))
		ingest_batch_move(batch, &ingest->settled);
	return result;
}

static void answer_settled(struct ingest *ingest)
{
	struct ingest_batch *batch;
	while ((batch = TAILQ_FIRST(&ingest->settled))) {
		ingest_batch_move(batch, NULL);
		ingest_batch_answer(batch);
	}
}

static void on_commit(evutil_socket_t fd, short what, void *arg)
{
	struct ingest *ingest = arg;
	struct error err;
	(void)fd;
	(void)what;
	(void)commit(ingest, &err);
	answer_settled(ingest);
}

void ingest_commit_if_large(struct ingest *ingest)
{
	struct error err;
	if (ingest->round_records >= (size_t)ingest->config->commit_records_max || ingest->round_bytes >= ROUND_BYTES_MAX)
		MAY_FAIL(ingest_commit(ingest, &err)); /* its batches have been told */
}

int ingest_commit(struct ingest *ingest, struct error *err)
{
	int result = commit(ingest, err);
	if (!TAILQ_EMPTY(&ingest->settled))
		event_active(ingest->commit_event, EV_TIMEOUT, 0);
	return result;
}

void ingest_fail(struct ingest *ingest, const struct error *err)
{
	ingest_fail_round(ingest, err);
}

void ingest_commit_soon(struct ingest *ingest)
{
	struct timeval delay = timeval_of(ingest->config->commit_delay);
	if (!event_pending(ingest->commit_event, EV_TIMEOUT, NULL))
		event_add(ingest->commit_event, &delay);
}

struct ingest *ingest_new(struct event_base *base, const struct config *config, struct store *store)
{
	struct error err;
	struct ingest *ingest = calloc(1, sizeof(*ingest));
	if (!ingest)
		return NULL;
	ingest->config = config;
	ingest->store = store;
	ingest->round = 1; /* batches begin at 0: in no round */
	TAILQ_INIT(&ingest->feeding);
	TAILQ_INIT(&ingest->waiting);
	TAILQ_INIT(&ingest->settled);
	ingest->commit_event = evtimer_new(base, on_commit, ingest);
	ingest->expiry_event = evtimer_new(base, ingest_on_expiry, ingest);
	ingest->upkeep_event = evtimer_new(base, ingest_on_upkeep, ingest);
	if (!ingest->commit_event || !ingest->expiry_event || !ingest->upkeep_event ||
	    check_init(&ingest->check, config, store, &err) != 0) {
		ingest_free(ingest);
		return NULL;
	}
	ingest_expiry_begin(ingest);
	ingest_upkeep_begin(ingest);
	return ingest;
}

void ingest_watch_commits(struct ingest *ingest, struct ingest_watch *watch)
{
	watch->next = ingest->watches;
	ingest->watches = watch;
}

void ingest_unwatch_commits(struct ingest *ingest, struct ingest_watch *watch)
{
	struct ingest_watch **at = &ingest->watches;
	while (*at && *at != watch)
		at = &(*at)->next;
	if (*at)
		*at = watch->next;
}

void ingest_watch_disk(struct ingest *ingest, const struct disk *disk)
{
	ingest->disk = disk;
}

void ingest_free(struct ingest *ingest)
{
	struct ingest_batch *batch;
	struct error err;
	if (!ingest)
		return;
	(void)commit(ingest, &err);
	answer_settled(ingest);
	while ((batch = TAILQ_FIRST(&ingest->feeding)))
		ingest_batch_abandon(batch);
	if (ingest->commit_event)
		event_free(ingest->commit_event);
	if (ingest->expiry_event)
		event_free(ingest->expiry_event);
	if (ingest->upkeep_event)
		event_free(ingest->upkeep_event);
	check_free(&ingest->check);
	buf_free(&ingest->raw);
	buf_free(&ingest->header);
	buf_free(&ingest->reason);
	buf_free(&ingest->text);
	free(ingest);
}

void ingest_stats(const struct ingest *ingest, struct ingest_stats *stats)
{
	*stats = ingest->stats;
	stats->erased = ingest->check.erased;
	memcpy(stats->unknown_values, ingest->check.unknown_values, sizeof(stats->unknown_values));
}
