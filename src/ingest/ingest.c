/* SPDX-License-Identifier: ISC */
/*
 * ingest.c: the commit that batches share, and its event. See ingest.h; the queues are in ingest_private.h.
 */
#include "ingest/ingest.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"
#include "ingest/ingest_private.h"

/* Bytes of bodies after which a round is committed, however few records they hold: uncommitted records are in
 * memory. */
#define ROUND_BYTES_MAX ((size_t)32 << 20)

/* What may wait while another round is committed, before those who can should read no more. */
#define FULL_RECORDS ((size_t)16 << 10)
#define FULL_BYTES ((size_t)8 << 20)

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

/* Fails the batches with records of the round `from` or a later one. */
static int fail_queue(struct ingest_queue *queue, uint64_t from, const struct error *err)
{
	struct ingest_batch *batch;
	int failed = 0;

	TAILQ_FOREACH(batch, queue, link) {
		if (batch->round < from || batch->failure.code != ERROR_NONE)
			continue;
		batch->failure = *err;
		failed++;
	}
	return failed;
}

static void fail_from(struct ingest *ingest, uint64_t from, size_t records, const struct error *err)
{
	int failed = fail_queue(&ingest->feeding, from, err) + fail_queue(&ingest->waiting, from, err) +
	             fail_queue(&ingest->deciding, from, err);

	/* Otherwise entries of batches that are sent again would be there twice. */
	meta_abort(ingest->meta);
	ingest_drop_held(ingest, &ingest->held);
	if (from <= ingest->commit.round)
		ingest_drop_held(ingest, &ingest->commit.held);
	ingest_drop_held_of_failed(ingest);
	ingest->stats.commits_failed++;
	log_error("ingest", "%s: %d batches with %zu records fail", err->message, failed, records);
	round_begin(ingest);
}

void ingest_fail_round(struct ingest *ingest, const struct error *err)
{
	fail_from(ingest, ingest->round, ingest->round_records, err);
}

/* --- a commit --- */

/* It decides about all that the batches have put so far. */
static void note_deciding(const struct ingest_queue *queue)
{
	struct ingest_batch *batch;

	TAILQ_FOREACH(batch, queue, link)
		batch->deciding = batch->summary;
}

/* That is on disk. */
static void note_committed(const struct ingest *ingest, const struct ingest_queue *queue)
{
	struct ingest_batch *batch;

	TAILQ_FOREACH(batch, queue, link) {
		if (batch->round >= ingest->commit.round)
			batch->committed = batch->deciding;
	}
}

static void round_committed(struct ingest *ingest)
{
	struct ingest_stats *stats = &ingest->stats;
	const struct ingest_summary *pending = &ingest->commit.pending;

	stats->total.accepted += pending->accepted;
	stats->total.updated += pending->updated;
	stats->total.duplicates += pending->duplicates;
	stats->total.outdated += pending->outdated;
	stats->total.rejected += pending->rejected;
	if (ingest->commit.records > 0) {
		stats->commits++;
		histogram_add(&stats->commit_duration, clock_monotonic_us() - ingest->commit.begin_us);
	}
	note_committed(ingest, &ingest->feeding);
	note_committed(ingest, &ingest->waiting); /* batches that have ended meanwhile */
	note_committed(ingest, &ingest->deciding);
	for (struct ingest_watch *watch = ingest->watches; watch; watch = watch->next)
		if (watch->on_commit)
			watch->on_commit(watch->arg);
}

/* Batches that had a record rejected meanwhile wait for the commit that stores the rejection. */
static void settle(struct ingest *ingest)
{
	struct ingest_batch *batch;

	while ((batch = TAILQ_FIRST(&ingest->deciding))) {
		bool is_over = batch->round <= ingest->commit.round || batch->failure.code != ERROR_NONE;

		ingest_batch_move(batch, is_over ? &ingest->settled : &ingest->waiting);
		ingest->commit.again |= !is_over;
	}
}

/* After the records: what an answer calls rejected is in quarantine. */
static int commit_meta(struct ingest *ingest, struct error *err)
{
	for (struct ingest_watch *watch = ingest->watches; watch; watch = watch->next)
		if (watch->on_stored && watch->on_stored(watch->arg, err) != 0)
			return -1;
	if (ingest_put_held(ingest, err) != 0)
		return -1;
	return meta_commit(ingest->meta, err);
}

static void tell_of_room(const struct ingest *ingest)
{
	struct ingest_batch *batch;

	TAILQ_FOREACH(batch, &ingest->feeding, link) {
		void (*room)(void *) = batch->room;

		batch->room = NULL;
		if (room)
			room(batch->arg);
	}
}

static void on_committed(void *arg, const struct error *err)
{
	struct ingest *ingest = arg;
	struct ingest_commit *commit = &ingest->commit;
	struct error meta_err;

	INVARIANT(commit->under_way);
	if (!err && commit_meta(ingest, &meta_err) != 0)
		err = &meta_err;
	commit->under_way = false;
	commit->result = err ? -1 : 0;
	if (err && commit->err)
		*commit->err = *err;
	if (err) {
		fail_from(ingest, commit->round, commit->records + ingest->round_records, err);
		ingest_maintenance_rest(ingest);
	} else {
		round_committed(ingest);
	}
	settle(ingest);
	if (commit->is_late && !TAILQ_EMPTY(&ingest->settled))
		event_active(ingest->commit_event, EV_TIMEOUT, 0);
	if (commit->again)
		ingest_commit_soon(ingest);
	commit->again = false;
	tell_of_room(ingest);
}

/* Begins to commit what was put. If the commit ends within this call, *err (or NULL) gets its result. */
static void commit(struct ingest *ingest, struct error *err)
{
	struct ingest_batch *batch;

	INVARIANT(!ingest->commit.under_way);
	tasks_tell_of_long_work(ingest->tasks);
	ingest->commit = (struct ingest_commit){ .under_way = true,
		                                 .round = ingest->round,
		                                 .err = err,
		                                 .records = ingest->round_records,
		                                 .pending = ingest->pending,
		                                 .begin_us = clock_monotonic_us() };
	STAILQ_INIT(&ingest->commit.held);
	STAILQ_CONCAT(&ingest->commit.held, &ingest->held);
	for (struct ingest_watch *watch = ingest->watches; watch; watch = watch->next)
		if (watch->on_begin)
			watch->on_begin(watch->arg);
	note_deciding(&ingest->feeding);
	note_deciding(&ingest->waiting);
	while ((batch = TAILQ_FIRST(&ingest->waiting)))
		ingest_batch_move(batch, &ingest->deciding);
	round_begin(ingest);
	store_commit_begin(ingest->store, on_committed, ingest);
	ingest->commit.is_late = ingest->commit.under_way;
	ingest->commit.err = NULL;
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

	(void)fd;
	(void)what;
	if (ingest->commit.under_way)
		ingest->commit.again = true;
	else
		commit(ingest, NULL);
	answer_settled(ingest);
}

/* Commits from outside the commit event, which answers later. */
static void commit_now(struct ingest *ingest, struct error *err)
{
	commit(ingest, err);
	if (!TAILQ_EMPTY(&ingest->settled))
		event_active(ingest->commit_event, EV_TIMEOUT, 0);
}

void ingest_commit_if_large(struct ingest *ingest)
{
	if (ingest->round_records < (size_t)ingest->config->commit_records_max && ingest->round_bytes < ROUND_BYTES_MAX)
		return;
	if (ingest->commit.under_way)
		ingest->commit.again = true;
	else
		commit_now(ingest, NULL);
}

void ingest_commit_held(struct ingest *ingest, bool soon)
{
	ingest_commit_if_large(ingest);
	if (soon)
		ingest_commit_soon(ingest);
}

int ingest_commit(struct ingest *ingest, struct error *err)
{
	if (!ingest->commit.under_way)
		commit_now(ingest, err);
	if (ingest->commit.under_way)
		return error_set(err, ERROR_IO, "The store is still committing, and this cannot wait");
	return ingest->commit.result;
}

int ingest_commit_own(struct ingest *ingest, struct error *err)
{
	if (!store_ends_later(ingest->store))
		return ingest_commit(ingest, err);
	if (store_commit_own(ingest->store, err) == 0 && meta_commit(ingest->meta, err) == 0)
		return 0;
	ingest_fail_round(ingest, err);
	return -1;
}

uint64_t ingest_losses(const struct ingest *ingest)
{
	return store_aborts(ingest->store);
}

bool ingest_ends_later(const struct ingest *ingest)
{
	return store_ends_later(ingest->store);
}

bool ingest_is_full(const struct ingest *ingest)
{
	return ingest->commit.under_way && (ingest->round_records >= FULL_RECORDS || ingest->round_bytes >= FULL_BYTES);
}

void ingest_fail(struct ingest *ingest, const struct error *err)
{
	ingest_fail_round(ingest, err);
}

void ingest_commit_soon(struct ingest *ingest)
{
	struct timeval delay = clock_timeval(ingest->config->commit_delay);

	if (!event_pending(ingest->commit_event, EV_TIMEOUT, NULL))
		event_add(ingest->commit_event, &delay);
}

struct ingest *ingest_new(struct tasks *tasks, const struct config *config, struct meta *meta, struct store *store)
{
	struct event_base *base = tasks_base(tasks);
	struct error err;
	struct ingest *ingest = calloc(1, sizeof(*ingest));

	if (!ingest)
		return NULL;
	ingest->tasks = tasks;
	ingest->config = config;
	ingest->meta = meta;
	ingest->store = store;
	ingest->round = 1; /* batches begin at 0: in no round */
	STAILQ_INIT(&ingest->held);
	STAILQ_INIT(&ingest->commit.held);
	TAILQ_INIT(&ingest->feeding);
	TAILQ_INIT(&ingest->waiting);
	TAILQ_INIT(&ingest->deciding);
	LIST_INIT(&ingest->late);
	TAILQ_INIT(&ingest->settled);
	heavy_hitters_begin_day(&ingest->accounts, clock_now_us());
	ingest->commit_event = evtimer_new(base, on_commit, ingest);
	ingest->expiry_event = evtimer_new(base, ingest_on_expiry, ingest);
	if (!ingest->commit_event || !ingest->expiry_event ||
	    check_init(&ingest->check, config, meta, store, &err) != 0) {
		ingest_free(ingest);
		return NULL;
	}
	ingest_expiry_begin(ingest);
	ingest_maintenance_begin(ingest);
	return ingest;
}

void ingest_watch_commits(struct ingest *ingest, struct ingest_watch *watch)
{
	watch->next = ingest->watches;
	ingest->watches = watch;
}

void ingest_others_committed(struct ingest *ingest)
{
	for (struct ingest_watch *watch = ingest->watches; watch; watch = watch->next)
		if (watch->on_others)
			watch->on_others(watch->arg);
}

void ingest_unwatch_commits(struct ingest *ingest, struct ingest_watch *watch)
{
	struct ingest_watch **at = &ingest->watches;

	while (*at && *at != watch)
		at = &(*at)->next;
	if (*at)
		*at = watch->next;
}

void ingest_only_take_in(struct ingest *ingest)
{
	event_del(ingest->expiry_event);
	task_cancel(&ingest->maintenance);
	ingest->maintenance.tasks = NULL;
}

void ingest_use_mappings(struct ingest *ingest, struct mappings *mappings)
{
	ingest->mappings = mappings;
}

void ingest_watch_disk(struct ingest *ingest, const struct disk *disk)
{
	ingest->disk = disk;
}

/* Does not wait for a commit that ends later: the senders will send their records again. */
static void commit_last(struct ingest *ingest)
{
	struct error err;
	struct ingest_batch *batch;

	if (!ingest->commit.under_way)
		commit(ingest, NULL);
	error_set(&err, ERROR_IO, "The daemon ends before the store has committed");
	if (ingest->commit.under_way)
		on_committed(ingest, &err);
	if (!TAILQ_EMPTY(&ingest->waiting))
		fail_from(ingest, 0, 0, &err);
	while ((batch = TAILQ_FIRST(&ingest->waiting)))
		ingest_batch_move(batch, &ingest->settled);
}

void ingest_free(struct ingest *ingest)
{
	struct ingest_batch *batch;

	if (!ingest)
		return;
	commit_last(ingest);
	answer_settled(ingest);
	while ((batch = TAILQ_FIRST(&ingest->feeding)))
		ingest_batch_abandon(batch);
	if (ingest->commit_event)
		event_free(ingest->commit_event);
	if (ingest->expiry_event)
		event_free(ingest->expiry_event);
	if (ingest->maintenance.tasks)
		task_cancel(&ingest->maintenance);
	ingest_puts_free(ingest);
	ingest_drop_held(ingest, &ingest->held);
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

const struct heavy_hitters *ingest_accounts(struct ingest *ingest)
{
	heavy_hitters_begin_day(&ingest->accounts, clock_now_us());
	return &ingest->accounts;
}
