/* SPDX-License-Identifier: ISC */
/*
 * takeover_round.c: a round copies all days that have changed since the round before, in order. See takeover_private.h.
 */
#include "base/clock.h"
#include "base/log.h"
#include "store/takeover/takeover_private.h"

#define RESTS_A_ROUND 4                        /* a rest is as many times as long as the round took, */
#define REST_US_MAX (60 * CLOCK_US_PER_SECOND) /* at most so long: a round may have waited for a server for days */
#define SAVE_US (2 * CLOCK_US_PER_SECOND)      /* between two notes of the place */

/* --- days --- */

/* May the day have changes after this one? 1, 0, -1. */
int takeover_has_changed(const struct takeover *takeover, struct day *day, uint64_t since, struct error *err)
{
	if (store_day_filter(takeover->store, day, err) != 0)
		return -1;
	return bloom_filter_next_change(day->filter, since) <= takeover->store->last_seq;
}

/* Those that the round has, from place.day on. -1 where that cannot be told. */
static int count_days(struct takeover *takeover, struct error *err)
{
	struct store *store = takeover->store;

	takeover->days = takeover->days_total = 0;
	for (size_t i = 0; i < store->days_count; i++) {
		int changed = takeover_has_changed(takeover, store->days[i], takeover->place.since, err);

		if (changed < 0)
			return -1;
		takeover->days_total += (size_t)changed;
		takeover->days += changed && store->day_numbers[i] < takeover->place.day;
	}
	return 0;
}

/* Makes place.day the first day from there on that has changed. 1, 0 if there is none, -1. */
static int find_day(struct takeover *takeover, struct error *err)
{
	struct store *store = takeover->store;

	for (size_t i = store_day_index(store, takeover->place.day); i < store->days_count; i++) {
		int changed = takeover_has_changed(takeover, store->days[i], takeover->place.since, err);

		if (changed == 0)
			continue;
		if (store->day_numbers[i] != takeover->place.day)
			takeover->place.at = (struct takeover_at){ 0 };
		takeover->place.day = store->day_numbers[i];
		return changed;
	}
	return 0;
}

/* --- a round --- */

int takeover_begin_round(struct takeover *takeover, struct error *err)
{
	struct takeover_place *place = &takeover->place;

	if (place->until == 0) {
		place->until = takeover->store->snapshot;
		place->day = INT32_MIN;
		place->at = (struct takeover_at){ 0 };
	}
	if (count_days(takeover, err) != 0)
		return -1;
	takeover->walk.since = place->since;
	takeover->walk.day = INT32_MIN;
	buf_clear(&takeover->walk.left);
	takeover->is_last_walked = false;
	takeover->round_began_us = clock_monotonic_us();
	takeover->work = TAKEOVER_WORK_ROUND;
	return 0;
}

int64_t takeover_rest_us(int64_t round_took_us)
{
	int64_t rest_us = RESTS_A_ROUND * round_took_us;

	return rest_us < TAKEOVER_REST_US ? TAKEOVER_REST_US : rest_us > REST_US_MAX ? REST_US_MAX : rest_us;
}

static void end_round(struct takeover *takeover)
{
	struct takeover_place *place = &takeover->place;

	takeover->round_took_us = clock_monotonic_us() - takeover->round_began_us;
	if (place->since == 0)
		log_info("cluster", "move: all records are copied once; what has changed meanwhile follows");
	place->since = place->until;
	place->until = 0;
	place->at = (struct takeover_at){ 0 };
	takeover_save(takeover);
	takeover->rest_until_us = clock_monotonic_us() + takeover_rest_us(takeover->round_took_us);
	takeover->work = TAKEOVER_WORK_NONE;
}

/* Reads on. 0, -1. */
static int walk(struct takeover *takeover, int64_t deadline_us, struct error *err)
{
	struct takeover_place *place = &takeover->place;

	if (takeover->walk.day == INT32_MIN) {
		int found = find_day(takeover, err);

		if (found < 0)
			return -1;
		takeover->is_last_walked = found == 0;
		if (found == 0)
			return 0;
		takeover->walk.day = place->day;
		takeover->walk.at = place->at;
	}
	int result = takeover_walk_step(&takeover->walk, deadline_us, err);

	if (result < 0)
		return -1;
	place->at = takeover->walk.at;
	if (result > 0) {
		takeover->days++;
		place->day++;
		place->at = (struct takeover_at){ 0 };
		takeover->walk.day = INT32_MIN;
	}
	return 0;
}

/* What was sent is there: so far everything is copied. */
static void reach(struct takeover *takeover)
{
	struct takeover_place now = takeover->place;

	if (!takeover->has_after || takeover_copy_sends(&takeover->copy))
		return;
	takeover->has_after = false;
	if (clock_monotonic_us() - takeover->saved_us < SAVE_US)
		return;
	takeover->place = takeover->copy.after;
	takeover_save(takeover);
	now.copied = takeover->place.copied;
	takeover->place = now;
}

/* Has the next insert begun when that is due. False: none can be begun before *pause_us. */
static bool send_lot(struct takeover *takeover, int64_t *pause_us)
{
	struct takeover_copy *copy = &takeover->copy;
	int64_t now_us = clock_monotonic_us();
	struct error err;

	reach(takeover);
	if (!takeover_copy_sends(copy) && copy->rows > 0 && (copy->is_full || takeover->is_last_walked)) {
		takeover_copy_send(copy, &takeover->place);
		takeover->has_after = true;
	}
	if (copy->inserted != takeover->inserted)
		takeover_clear_failure(takeover);
	takeover->inserted = copy->inserted;
	if (!takeover_copy_sends(copy) || copy->insert)
		return true;
	if (copy->failure.code != ERROR_NONE) {
		takeover_note_failure(takeover, &copy->failure);
		takeover->retry_us = now_us + TAKEOVER_RETRY_US;
		copy->failure.code = ERROR_NONE;
	}
	*pause_us = takeover->retry_us - now_us;
	if (*pause_us > 0)
		return false;
	if (takeover_copy_go_on(copy, &err) == 0)
		return true;
	takeover_note_failure(takeover, &err);
	takeover->retry_us = now_us + TAKEOVER_RETRY_US;
	*pause_us = TAKEOVER_RETRY_US;
	return false;
}

int takeover_step_round(struct takeover *takeover, int64_t deadline_us, int64_t *pause_us, struct error *err)
{
	struct takeover_copy *copy = &takeover->copy;
	bool sends = send_lot(takeover, pause_us);

	if (takeover->is_last_walked || copy->is_full) {
		if (takeover->is_last_walked && copy->rows == 0 && !takeover_copy_sends(copy))
			end_round(takeover);
		else if (sends) /* until the insert has ended */
			*pause_us = TAKEOVER_FOREVER_US;
		return 0;
	}
	*pause_us = 0;
	return walk(takeover, deadline_us, err);
}
