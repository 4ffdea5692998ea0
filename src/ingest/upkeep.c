/* SPDX-License-Identifier: ISC */
/*
 * upkeep.c: the store's background work (sealing, merging), in slices between requests.
 *
 * What a slice writes is committed with the next group commit, which is why it lives here. While there is more to do, a
 * slice follows a turn of the loop, in which what is ready is served first.
 */
#include "base/clock.h"
#include "base/lag.h"
#include "base/log.h"
#include "ingest/ingest_private.h"

#define SLICE_US 4000
#define SLICE_BEHIND_US 6000 /* when records come faster than they are sealed */
#define SLICE_LEAST_US 2000

static const struct timeval idle = { 0, 500000 }, after_error = { 10, 0 };

void ingest_upkeep_begin(struct ingest *ingest)
{
	event_add(ingest->upkeep_event, &idle);
}

/* Runs an event in the next turn, behind all that is due by now. libevent counts from the begin of this turn, and would
 * have it overtake what has become due since. */
static void run_soon(struct event *event)
{
	int64_t us = lag_turn_us(event_get_base(event));
	struct timeval rest = { 0, us > 0 && us < CLOCK_US_PER_SECOND ? us : 0 }; /* unless the clock was set */
	event_add(event, &rest);
}

/* Has this turn of the loop been long already, or has a commit before it? Then upkeep lets another turn begin, in which
 * what has come meanwhile is served, but not twice in a row: under load all turns are long. */
static bool gives_way(struct ingest *ingest, int64_t turn_us)
{
	bool is_long = turn_us > LONG_TURN_US || ingest->long_commit;
	ingest->long_commit = false;
	ingest->upkeep_gave_way = is_long && !ingest->upkeep_gave_way;
	return ingest->upkeep_gave_way;
}

void ingest_on_upkeep(evutil_socket_t fd, short what, void *arg)
{
	struct ingest *ingest = arg;
	struct event_base *base = event_get_base(ingest->upkeep_event);
	int64_t begin_us = clock_monotonic_us();
	bool more, dirty;
	struct error err;
	(void)fd;
	(void)what;
	if (gives_way(ingest, lag_turn_us(base))) {
		run_soon(ingest->upkeep_event);
		return;
	}
	int64_t wanted_us = store_is_behind(ingest->store) ? SLICE_BEHIND_US : SLICE_US;
	int64_t deadline_us = begin_us + lag_slice_us(base, wanted_us, SLICE_LEAST_US);
	if (store_upkeep(ingest->store, deadline_us, &more, &dirty, &err) != 0) {
		/* Whatever waits for a commit has been lost with it, if it came that far. */
		if (store_uncommitted(ingest->store) == 0 && ingest->round_records > 0)
			ingest_fail_round(ingest, &err);
		log_error("ingest", "upkeep: %s", err.message);
		ingest->stats.upkeep_failed++;
		event_add(ingest->upkeep_event, &after_error);
		return;
	}
	if (more || dirty)
		histogram_add(&ingest->stats.upkeep_duration, clock_monotonic_us() - begin_us);
	if (dirty)
		/* Much has been written, so waiting for more gains nothing; but its fsync gets a turn of its own. */
		run_soon(ingest->commit_event);
	if (more)
		run_soon(ingest->upkeep_event);
	else
		event_add(ingest->upkeep_event, &idle);
}
