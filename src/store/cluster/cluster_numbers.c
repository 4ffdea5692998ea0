/* SPDX-License-Identifier: ISC */
/*
 * cluster_numbers.c: the numbers of a commit's changes (spans.h): from the list that is here, where this front end holds the
 * catalog, or from the front end that does (store_numbers_source).
 */
#include "store/cluster/cluster_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "store/changes/changes_note.h"

#define FRESH_US (10 * CLOCK_US_PER_SECOND) /* a commit of what was checked with a copy that is older fails */
#define NUMBERS_OF_A_PUT 4 /* a record leaves two places, and counts from one number on while its row has another */

/* --- the list --- */

static int take_numbers(void *arg, uint64_t count, uint64_t *from, struct error *err)
{
	struct cluster *cluster = arg;

	if (cluster_keep_doubts(cluster, err) != 0)
		return -1;
	return store_take_seqs(cluster->store, count, from, err);
}

void cluster_numbers_init(struct cluster *cluster)
{
	spans_init(&cluster->numbers.spans, take_numbers, cluster);
	TAILQ_INIT(&cluster->numbers.lent);
}

uint64_t cluster_first_open(const struct cluster *cluster)
{
	return spans_first(&cluster->numbers.spans);
}

void cluster_move_snapshot(struct cluster *cluster)
{
	struct error err;

	if (cluster->store->uncommitted == 0)
		cluster->store->snapshot = cluster->store->last_seq;
	else
		MAY_FAIL(days_commit(cluster->store, &err)); /* then what the daemon itself has put is put again */
}

/* --- what was checked with an older catalog --- */

void cluster_note_check(struct cluster *cluster, bool is_rejected)
{
	struct cluster_numbers *numbers = &cluster->numbers;
	struct cluster_checks *checks = cluster->commit_done ? &numbers->checks_next : &numbers->checks;
	uint64_t catalog = meta_shared_number(cluster->store->meta);

	if (checks->first == 0)
		checks->first = catalog;
	if (is_rejected && checks->rejected == 0)
		checks->rejected = catalog;
}

void cluster_next_checks(struct cluster *cluster)
{
	cluster->numbers.checks = cluster->numbers.checks_next;
	cluster->numbers.checks_next = (struct cluster_checks){ 0, 0 };
}

void cluster_forget_checks(struct cluster *cluster)
{
	cluster->numbers.checks = cluster->numbers.checks_next = (struct cluster_checks){ 0, 0 };
}

/* Who was revoked and what was erased must not come back through a front end that PostgreSQL does not reach. */
static int check_fresh(const struct cluster *cluster, struct error *err)
{
	if (clock_monotonic_us() - meta_fresh_us(cluster->store->meta) <= FRESH_US)
		return 0;
	return error_set(err, ERROR_UNAVAILABLE, "the copy of the catalog has not been fresh for %d seconds",
	                 (int)(FRESH_US / CLOCK_US_PER_SECOND));
}

/* --- of this front end's commit --- */

static void go_on(struct cluster *cluster)
{
	event_active(cluster->turn, EV_TIMEOUT, 0);
}

static void give(struct cluster *cluster, uint64_t from, uint64_t to)
{
	struct cluster_numbers *numbers = &cluster->numbers;

	numbers->state = CLUSTER_NUMBERS_GIVEN;
	numbers->next = numbers->first = from;
	numbers->to = to;
	go_on(cluster);
}

static void fail(struct cluster *cluster, const struct error *err)
{
	struct cluster_numbers *numbers = &cluster->numbers;

	numbers->failure = *err;
	go_on(cluster);
}

static void on_granted(void *arg, const struct error *err)
{
	struct cluster *cluster = arg;

	if (err)
		fail(cluster, err);
	else
		give(cluster, cluster->numbers.own.from, cluster->numbers.own.to);
}

static void on_settled(void *arg)
{
	struct cluster *cluster = arg;

	cluster_move_snapshot(cluster);
	cluster->numbers.state = CLUSTER_NUMBERS_SETTLED;
	go_on(cluster);
}

static int list_hashes(struct cluster *cluster, struct error *err)
{
	struct cluster_numbers *numbers = &cluster->numbers;
	struct cluster_put *put;
	size_t at = 0;

	free(numbers->hashes);
	numbers->hashes = malloc((cluster->gathered_count + 1) * sizeof(*numbers->hashes));
	if (!numbers->hashes)
		return error_set(err, ERROR_NOMEM, "ids of a commit: out of memory");
	TAILQ_FOREACH(put, &cluster->gathered, link)
		numbers->hashes[at++] = put->hash;
	INVARIANT(at == cluster->gathered_count);
	return 0;
}

static int begin_own(struct cluster *cluster, uint64_t needed, struct error *err)
{
	struct cluster_numbers *numbers = &cluster->numbers;

	numbers->own = (struct span){ .hashes = numbers->hashes,
		                      .count = cluster->gathered_count,
		                      .numbers_count = needed,
		                      .granted = on_granted,
		                      .settled = on_settled,
		                      .arg = cluster };
	int result = span_begin(&numbers->spans, &numbers->own, err);
	if (result > 0)
		give(cluster, numbers->own.from, numbers->own.to);
	return result < 0 ? -1 : 0;
}

static void on_given(void *arg, const struct store_numbers *given, const struct error *err)
{
	struct cluster *cluster = arg;
	struct cluster_numbers *numbers = &cluster->numbers;

	if (err) {
		numbers->asked = NULL;
		fail(cluster, err);
		return;
	}
	cluster->doubts = given->doubts;
	give(cluster, given->from, given->to);
}

static void on_ended(void *arg, const struct error *err)
{
	struct cluster *cluster = arg;

	cluster->numbers.asked = NULL;
	if (err) {
		fail(cluster, err);
		return;
	}
	cluster->numbers.state = CLUSTER_NUMBERS_SETTLED;
	go_on(cluster);
}

static int ask(struct cluster *cluster, uint64_t needed, struct error *err)
{
	static const struct store_numbers_calls calls = { on_given, on_ended };
	struct cluster_numbers *numbers = &cluster->numbers;
	const struct store_numbers_request request = { .hashes = numbers->hashes,
		                                       .count = cluster->gathered_count,
		                                       .numbers = needed,
		                                       .catalog = numbers->checks.first ?
		                                                          numbers->checks.first :
		                                                          meta_shared_number(cluster->store->meta),
		                                       .rejected = numbers->checks.rejected };

	if (check_fresh(cluster, err) != 0)
		return -1;
	memset(&numbers->changed, 0, sizeof(numbers->changed));
	numbers->given_up_us = clock_monotonic_us() + (CLUSTER_OPEN_PATIENCES - 1) * cluster->patience_us;
	numbers->asked = numbers->source->begin(numbers->source->arg, &request, &calls, cluster, err);
	return numbers->asked ? 0 : -1;
}

uint64_t cluster_numbers_needed(const struct cluster *cluster)
{
	return NUMBERS_OF_A_PUT * (uint64_t)cluster->gathered_count + 1;
}

int cluster_numbers_begin(struct cluster *cluster, uint64_t needed, struct error *err)
{
	struct cluster_numbers *numbers = &cluster->numbers;

	INVARIANT(numbers->state == CLUSTER_NUMBERS_NONE);
	numbers->failure.code = ERROR_NONE;
	if (list_hashes(cluster, err) != 0)
		return -1;
	int result = numbers->source ? ask(cluster, needed, err) : begin_own(cluster, needed, err);
	if (result == 0 && numbers->state == CLUSTER_NUMBERS_NONE)
		numbers->state = CLUSTER_NUMBERS_ASKED;
	return result;
}

uint64_t cluster_next_number(struct cluster *cluster)
{
	struct cluster_numbers *numbers = &cluster->numbers;

	INVARIANT(numbers->state == CLUSTER_NUMBERS_GIVEN && numbers->next <= numbers->to);
	return numbers->next++;
}

void cluster_note_change(struct cluster *cluster, const struct partition *partition, uint64_t version)
{
	if (cluster->numbers.source)
		changes_mark(&cluster->numbers.changed, partition);
	else
		changes_note(cluster->store, partition, version);
}

int cluster_numbers_check(const struct cluster *cluster, struct error *err)
{
	const struct cluster_numbers *numbers = &cluster->numbers;

	if (numbers->failure.code != ERROR_NONE) {
		*err = numbers->failure;
		return -1;
	}
	if (!numbers->source || clock_monotonic_us() < numbers->given_up_us)
		return 0;
	return error_set(err, ERROR_UNAVAILABLE, "a commit has taken so long that its numbers may be given up");
}

void cluster_numbers_stored(struct cluster *cluster)
{
	struct cluster_numbers *numbers = &cluster->numbers;

	INVARIANT(numbers->state == CLUSTER_NUMBERS_GIVEN);
	numbers->state = CLUSTER_NUMBERS_STORED;
	if (numbers->source)
		numbers->source->end(numbers->asked, true, &numbers->changed);
	else
		span_stored(&numbers->spans, &numbers->own);
}

void cluster_numbers_end(struct cluster *cluster, bool is_stored)
{
	struct cluster_numbers *numbers = &cluster->numbers;

	if (numbers->asked)
		numbers->source->end(numbers->asked, false, NULL);
	numbers->asked = NULL;
	/* Of another front end's numbers that one doubts them. */
	if (!is_stored && numbers->state >= CLUSTER_NUMBERS_GIVEN && !numbers->source)
		cluster_doubt_span(cluster, numbers->first, numbers->to);
	numbers->state = CLUSTER_NUMBERS_NONE;
	span_drop(&numbers->spans, &numbers->own);
	free(numbers->hashes);
	numbers->hashes = NULL;
}
