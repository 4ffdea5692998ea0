/* SPDX-License-Identifier: ISC */
/*
 * takeover.c: the life of a move to a cluster, and how it finishes. See takeover.h.
 *
 * To finish, rounds are made until one is short; then the days that are at rest are compared; then nothing is let in, for a
 * last round and a comparison of the other days.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/cluster.h"
#include "store/putting/moves.h"
#include "store/takeover/takeover_private.h"

#define NOT_READY_US (CLOCK_US_PER_SECOND / 5)
#define SHORT_US (2 * CLOCK_US_PER_SECOND) /* of a round, after which nothing is let in */
#define ROUNDS_MAX 5                       /* that are waited for to become short */
#define HELD_FAILS_US (20 * CLOCK_US_PER_SECOND)
#define PATIENCE_US \
	(60 * CLOCK_US_PER_SECOND) /* with a query, at least: nobody waits for it, and inserts may have many days */

void takeover_wake(void *arg)
{
	struct takeover *takeover = arg;

	if (takeover->on_ready)
		takeover->on_ready(takeover->arg);
}

/* Tells of it once. */
void takeover_note_failure(struct takeover *takeover, const struct error *err)
{
	if (err->code != ERROR_NONE && strcmp(takeover->failure.message, err->message) != 0)
		log_warn("cluster", "move: %s", err->message);
	if (takeover->failure.code == ERROR_NONE)
		takeover->failed_us = clock_monotonic_us();
	takeover->failure = *err;
}

void takeover_clear_failure(struct takeover *takeover)
{
	takeover->failure = (struct error){ .code = ERROR_NONE };
}

void takeover_save(struct takeover *takeover)
{
	struct error err;

	takeover->place.copied = takeover->copy.inserted;
	takeover->saved_us = clock_monotonic_us();
	if (takeover_place_save(takeover->store->meta, &takeover->place, &err) != 0)
		log_error("cluster", "move: the place is not noted: %s",
		          err.message); /* more is copied again, that is all */
}

/* --- finishing --- */

static void end_finishing(struct takeover *takeover)
{
	takeover->finishing = TAKEOVER_FINISHING_NOT;
	takeover->was_compared = true;
	log_error("cluster",
	          "move: not finished: counts or sums of %llu accounts and days differ from those of the cluster",
	          (unsigned long long)takeover->differences_count);
}

static int finish(struct takeover *takeover, struct error *err)
{
	if (takeover_place_done(takeover->store->meta, &takeover->place, err) != 0)
		return -1;
	takeover->place.kind = PLACE_DONE;
	takeover->finishing = TAKEOVER_FINISHING_DONE;
	log_info("cluster", "move: the records are in the cluster: start with store = clickhouse");
	return 0;
}

static int end_compare(struct takeover *takeover, struct error *err)
{
	takeover_free_check(takeover);
	takeover->work = TAKEOVER_WORK_NONE;
	if (takeover->differences_count > 0) {
		end_finishing(takeover);
		return 0;
	}
	if (!takeover_is_final(takeover)) {
		takeover_clear_failure(takeover); /* of before: what counts is what fails from now on */
		takeover->finishing = TAKEOVER_FINISHING_HOLD;
		return 0;
	}
	return finish(takeover, err);
}

/* Producers are not kept waiting for a cluster that does not serve. */
static void give_up_finishing(struct takeover *takeover)
{
	if (takeover->finishing < TAKEOVER_FINISHING_HOLD || takeover->failure.code == ERROR_NONE ||
	    clock_monotonic_us() - takeover->failed_us < HELD_FAILS_US)
		return;
	if (takeover->work == TAKEOVER_WORK_COMPARE) {
		takeover_free_check(takeover);
		takeover->work = TAKEOVER_WORK_NONE;
	}
	takeover->finishing = TAKEOVER_FINISHING_NOT;
	log_error("cluster", "move: not finished, records are taken in again: %s", takeover->failure.message);
}

/* What is next, as nothing is under way. */
static int decide(struct takeover *takeover, int64_t *pause_us, struct error *err)
{
	static const struct error unfinished = {
		.code = ERROR_UNAVAILABLE,
		.message = "records on their way from one day to another cannot be written: the log says why",
	};
	int64_t now_us = clock_monotonic_us();
	bool is_behind = takeover->place.until != 0 || takeover->store->snapshot > takeover->place.since;

	/* A record that was on its way from one day to another is in both, or in none, until that is finished. */
	if (moves_are_left(takeover->store)) {
		*pause_us = TAKEOVER_REST_US / 10;
		if (takeover->finishing == TAKEOVER_FINISHING_HOLD)
			takeover_note_failure(takeover, &unfinished);
		return 0;
	}
	switch (takeover->finishing) {
	case TAKEOVER_FINISHING_NOT:
		*pause_us = takeover->rest_until_us - now_us;
		if (*pause_us > 0)
			return 0;
		*pause_us = is_behind ? 0 : TAKEOVER_REST_US;
		return is_behind ? takeover_begin_round(takeover, err) : 0;
	case TAKEOVER_FINISHING_ROUNDS:
		if (takeover->rounds++ == 0 ||
		    (is_behind && takeover->round_took_us > SHORT_US && takeover->rounds <= ROUNDS_MAX))
			return takeover_begin_round(takeover, err);
		takeover->finishing = TAKEOVER_FINISHING_COMPARE;
		return 0;
	case TAKEOVER_FINISHING_COMPARE:
		return takeover_begin_check(takeover, err);
	case TAKEOVER_FINISHING_HOLD:
		/* Nothing is put any more; what was put before is committed. */
		*pause_us = TAKEOVER_REST_US / 100;
		if (takeover->store->uncommitted > 0)
			return 0;
		takeover_clear_failure(takeover);
		takeover->finishing = TAKEOVER_FINISHING_LAST_ROUND;
		*pause_us = 0;
		return takeover_begin_round(takeover, err);
	case TAKEOVER_FINISHING_LAST_ROUND:
		takeover->finishing = TAKEOVER_FINISHING_COMPARE_REST;
		return 0;
	case TAKEOVER_FINISHING_COMPARE_REST:
		return takeover_begin_check(takeover, err);
	case TAKEOVER_FINISHING_DONE:
		break;
	}
	*pause_us = TAKEOVER_FOREVER_US;
	return 0;
}

static int step(struct takeover *takeover, int64_t deadline_us, int64_t *pause_us, struct error *err)
{
	if (takeover->work == TAKEOVER_WORK_NONE)
		return decide(takeover, pause_us, err);
	if (takeover->work == TAKEOVER_WORK_ROUND)
		return takeover_step_round(takeover, deadline_us, pause_us, err);
	int result = takeover_step_check(takeover, deadline_us, pause_us, err);

	return result > 0 ? end_compare(takeover, err) : result;
}

int takeover_step(struct store *store, int64_t deadline_us, int64_t *pause_us, struct error *err)
{
	struct takeover *takeover = store->takeover;

	*pause_us = TAKEOVER_FOREVER_US;
	if (!takeover || takeover->place.kind == PLACE_NONE || takeover->place.kind == PLACE_DONE)
		return 0;
	if (!takeover->cluster->is_ready) {
		takeover->was_ready = false;
		takeover_note_failure(takeover, &takeover->cluster->why_not);
		*pause_us = NOT_READY_US;
		return 0;
	}
	*pause_us = 0;
	if (!takeover->was_ready)
		takeover_clear_failure(takeover);
	takeover->was_ready = true;
	if (takeover->place.kind == PLACE_WANTED) { /* its tables are empty, and from now on they may not be */
		takeover->place.kind = PLACE_BEGUN;
		takeover_save(takeover);
	}
	give_up_finishing(takeover);
	if (step(takeover, deadline_us, pause_us, err) == 0)
		return 0;
	takeover_note_failure(takeover, err);
	return -1;
}

/* --- commands --- */

/* Whatever was under way is begun again from the place that was noted. */
static void forget_work(struct takeover *takeover)
{
	takeover_copy_forget(&takeover->copy);
	takeover_walk_free(&takeover->walk);
	takeover_free_check(takeover);
	takeover->has_after = false;
	takeover->work = TAKEOVER_WORK_NONE;
	takeover->finishing = TAKEOVER_FINISHING_NOT;
	takeover->rest_until_us = takeover->retry_us = 0;
}

static void forget_differences(struct takeover *takeover)
{
	buf_clear(&takeover->differences);
	takeover->differences_count = 0;
	takeover->was_compared = false;
}

static void name_target(const struct takeover *takeover, struct takeover_place *place)
{
	const struct cluster *cluster = takeover->cluster;

	place->shards = clickhouse_shards(cluster->clickhouse);
	snprintf(place->database, sizeof(place->database), "%s", cluster->database);
}

int takeover_begin(struct store *store, struct error *err)
{
	struct takeover *takeover = store->takeover;
	struct takeover_place fresh;

	if (store->cluster)
		return error_set(err, ERROR_CONFLICT, "move: records are in the cluster already");
	if (!takeover)
		return error_set(err, ERROR_INVALID, "move: the setting clickhouse says where to: it is empty");
	if (store->erasing)
		return error_set(err, ERROR_CONFLICT, "move: a number is being erased: begin when that is done");
	if (takeover->place.kind == PLACE_DONE)
		return error_set(err, ERROR_CONFLICT, "move: it is done: start with store = clickhouse");
	fresh = (struct takeover_place){ .kind = takeover->place.kind, .copied = takeover->place.copied };
	name_target(takeover, &fresh);
	if (fresh.kind != PLACE_BEGUN)
		fresh.kind = PLACE_WANTED;
	/* One that is under way goes on where it is, but after differences. */
	if (takeover->place.kind != PLACE_NONE && takeover->differences_count == 0)
		return 0;
	if (takeover_place_save(store->meta, &fresh, err) != 0)
		return -1;
	forget_work(takeover);
	forget_differences(takeover);
	buf_clear(&takeover->compared);
	takeover->place = fresh;
	takeover->copy.inserted = fresh.copied;
	takeover->cluster->is_begun = fresh.kind == PLACE_BEGUN;
	if (!takeover->cluster->is_ready)
		cluster_check(takeover->cluster);
	takeover_wake(takeover);
	return 0;
}

int takeover_finish(struct store *store, struct error *err)
{
	struct takeover *takeover = store->takeover;

	if (!takeover || takeover->place.kind == PLACE_NONE)
		return error_set(err, ERROR_INVALID, "move: none is under way");
	if (takeover->finishing != TAKEOVER_FINISHING_NOT)
		return 0;
	forget_differences(takeover);
	takeover->finishing = TAKEOVER_FINISHING_ROUNDS;
	takeover->rounds = 0;
	takeover_wake(takeover);
	return 0;
}

/* Of all that is acknowledged until the next start nothing would be here, so nothing more is let in. */
static int stop_of_cluster(struct store *store, bool loses, uint64_t *lost, struct error *err)
{
	struct takeover_place place;

	if (meta_is_shared(store->meta))
		return error_set(err, ERROR_CONFLICT, "move: the catalog is in PostgreSQL: there is no way back");
	if (takeover_place_load(store->meta, &place, err) != 0)
		return -1;
	if (place.kind != PLACE_DONE)
		return error_set(err, ERROR_INVALID, "move: none is under way");
	*lost = (store->last_seq > place.since ? store->last_seq - place.since : 0) + store_uncommitted(store);
	if (*lost > 0 && !loses)
		return error_set(err, ERROR_CONFLICT,
		                 "move: up to %llu changes may have been taken in since the move; they are in the "
		                 "cluster alone, and would be lost: cdrctl move --stop --lose-records, if they may be",
		                 (unsigned long long)*lost);
	if (takeover_place_forget(store->meta, err) != 0)
		return -1;
	store->cluster->is_given_up = true;
	return 0;
}

int takeover_stop(struct store *store, bool loses, uint64_t *lost, struct error *err)
{
	struct takeover *takeover = store->takeover;

	*lost = 0;
	if (store->cluster)
		return stop_of_cluster(store, loses, lost, err);
	if (!takeover || takeover->place.kind == PLACE_NONE)
		return error_set(err, ERROR_INVALID, "move: none is under way");
	if (takeover_place_forget(store->meta, err) != 0)
		return -1;
	forget_work(takeover);
	forget_differences(takeover);
	buf_clear(&takeover->compared);
	takeover_clear_failure(takeover);
	takeover->place = (struct takeover_place){ .kind = PLACE_NONE };
	takeover->copy.inserted = 0;
	takeover->cluster->is_begun = false;
	cluster_forget_check(takeover->cluster); /* the next move looks whether the tables are empty */
	takeover->was_ready = false;
	takeover_wake(takeover);
	return 0;
}

/* --- what it tells --- */

bool takeover_is_under_way(const struct store *store)
{
	return store->takeover && store->takeover->place.kind != PLACE_NONE;
}

static bool is_given_up(const struct store *store)
{
	return store->cluster && store->cluster->is_given_up;
}

bool takeover_wants_hold(const struct store *store)
{
	return is_given_up(store) || (store->takeover && store->takeover->finishing >= TAKEOVER_FINISHING_HOLD);
}

int takeover_check_hold(const struct store *store, struct error *err)
{
	if (!takeover_wants_hold(store))
		return 0;
	return error_set(err, ERROR_UNAVAILABLE,
	                 is_given_up(store) ? "the move to a cluster was given up: no records are taken in before "
	                                      "the restart with store = lmdb" :
	                                      "records are being moved to a cluster: none are taken in meanwhile");
}

int takeover_refuse(const struct store *store, const char *what, struct error *err)
{
	if (!takeover_is_under_way(store))
		return 0;
	return error_set(err, ERROR_CONFLICT,
	                 "%s: records are being moved to the cluster; do it when that is done, or cdrctl move --stop",
	                 what);
}

static bool has_copied_once(const struct takeover *takeover)
{
	const struct takeover_place *place = &takeover->place;

	return place->since > 0 || (place->kind == PLACE_BEGUN && takeover->store->snapshot == 0);
}

void takeover_state(const struct store *store, struct takeover_state *state)
{
	const struct takeover *takeover = store->takeover;

	*state = (struct takeover_state){ .phase = is_given_up(store) ? TAKEOVER_IS_GIVEN_UP : TAKEOVER_NONE,
		                          .is_held = takeover_wants_hold(store) };
	if (!takeover || takeover->place.kind == PLACE_NONE)
		return;
	bool compares = takeover->work == TAKEOVER_WORK_COMPARE;

	state->phase = takeover->place.kind == PLACE_DONE ? TAKEOVER_IS_DONE :
	               compares                           ? TAKEOVER_COMPARES :
	               has_copied_once(takeover)          ? TAKEOVER_FOLLOWS :
	                                                    TAKEOVER_COPIES;
	state->copied = takeover->copy.inserted;
	state->behind = store->snapshot > takeover->place.since ? store->snapshot - takeover->place.since : 0;
	state->days = compares ? takeover->list_at : takeover->days;
	state->days_total = compares ? takeover->list.len / sizeof(int32_t) : takeover->days_total;
	state->finishes =
		takeover->finishing != TAKEOVER_FINISHING_NOT && takeover->finishing != TAKEOVER_FINISHING_DONE;
	state->was_compared = takeover->was_compared;
	state->differences = takeover->differences_count;
	state->failure = takeover->failure;
}

const struct takeover_difference *takeover_differences(const struct store *store, size_t *count)
{
	const struct takeover *takeover = store->takeover;

	*count = takeover ? takeover->differences.len / sizeof(struct takeover_difference) : 0;
	return takeover ? (const struct takeover_difference *)(const void *)takeover->differences.data : NULL;
}

void takeover_on_ready(struct store *store, void (*fn)(void *arg), void *arg)
{
	if (!store->takeover)
		return;
	store->takeover->on_ready = fn;
	store->takeover->arg = arg;
}

/* --- its life --- */

static struct takeover *new_takeover(struct store *store, const struct store_cluster *options, struct error *err)
{
	struct takeover *takeover = calloc(1, sizeof(*takeover));
	struct store_cluster patient = *options;

	if (!takeover) {
		error_set(err, ERROR_NOMEM, "move: out of memory");
		return NULL;
	}
	if (patient.patience_us < PATIENCE_US)
		patient.patience_us = PATIENCE_US;
	takeover->cluster = cluster_new(store, &patient, err);
	if (!takeover->cluster) {
		free(takeover);
		return NULL;
	}
	takeover->cluster->is_target = true;
	takeover->store = store;
	takeover->first_day = INT32_MIN;
	takeover->copy =
		(struct takeover_copy){ .cluster = takeover->cluster, .ended = takeover_wake, .arg = takeover };
	TAILQ_INIT(&takeover->copy.filling);
	TAILQ_INIT(&takeover->copy.sending);
	takeover->walk = (struct takeover_walk){
		.store = store, .day = INT32_MIN, .fn = takeover_copy_add, .arg = &takeover->copy
	};
	takeover->compare = (struct takeover_compare){
		.cluster = takeover->cluster, .day = INT32_MIN, .ended = takeover_wake, .arg = takeover
	};
	takeover->summing = (struct takeover_summing){ .store = store, .compare = &takeover->compare };
	return takeover;
}

/* An account's rows are looked for on the shard that it has by how many there are. */
static int check_target(const struct store *store, const struct takeover_place *place, struct error *err)
{
	struct takeover_place now = { 0 };

	name_target(store->takeover, &now);
	if (place->kind == PLACE_NONE || (place->shards == now.shards && strcmp(place->database, now.database) == 0))
		return 0;
	return error_set(
		err, ERROR_INVALID,
		"clickhouse: %zu shards, database %s, but records of data_dir %s are being moved to database %s "
		"on %zu shards: set it as it was, and give up with cdrctl move --stop before it is changed",
		now.shards, now.database, store->options.data_dir, place->database, place->shards);
}

int takeover_open(struct store *store, const struct store_cluster *cluster, struct error *err)
{
	struct takeover_place place;

	if (takeover_place_load(store->meta, &place, err) != 0)
		return -1;
	if (!cluster)
		return place.kind == PLACE_NONE ?
		               0 :
		               error_set(
				       err, ERROR_INVALID,
				       "clickhouse: empty, but records of data_dir %s are being moved to a cluster: set it as "
				       "it was, or give up with cdrctl move --stop before it is removed",
				       store->options.data_dir);
	store->takeover = new_takeover(store, cluster, err);
	if (!store->takeover)
		return -1;
	if (check_target(store, &place, err) != 0) {
		takeover_close(store);
		return -1;
	}
	store->takeover->place = place;
	store->takeover->copy.inserted = place.copied;
	store->takeover->cluster->is_begun = place.kind == PLACE_BEGUN;
	if (place.kind != PLACE_NONE)
		cluster_check(store->takeover->cluster);
	return 0;
}

void takeover_close(struct store *store)
{
	struct takeover *takeover = store->takeover;

	if (!takeover)
		return;
	takeover->on_ready = NULL;
	forget_work(takeover);
	buf_free(&takeover->list);
	buf_free(&takeover->compared);
	buf_free(&takeover->differences);
	cluster_free(takeover->cluster);
	free(takeover);
	store->takeover = NULL;
}

void takeover_drop_days_before(const struct store *store, int32_t day)
{
	if (!store->takeover)
		return;
	store->takeover->first_day = day;
	if (store->takeover->place.kind == PLACE_BEGUN)
		cluster_drop_days_before(store->takeover->cluster, day);
}
