/*
 * upkeep.c: the store's background work (sealing, merging), in slices between requests.
 *
 * What a slice writes is committed with the next group commit, which is why it lives here. While there is more to do, a
 * slice follows a turn of the loop, in which what is ready is served first.
 */
#include "base/clock.h"
#include "base/log.h"
#include "ingest/ingest_private.h"

#define SLICE_US 4000

static const struct timeval at_once = { 0, 0 }, idle = { 0, 500000 }, after_error = { 10, 0 };

void ingest_upkeep_begin(struct ingest *ingest)
{
	event_add(ingest->upkeep_event, &idle);
}

void ingest_on_upkeep(evutil_socket_t fd, short what, void *arg)
{
	struct ingest *ingest = arg;
	int64_t begin_us = clock_monotonic_us();
	bool more, dirty;
	struct error err;
	(void)fd;
	(void)what;
	if (store_upkeep(ingest->store, clock_monotonic_us() + SLICE_US, &more, &dirty, &err) != 0) {
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
		ingest_commit_now(ingest); /* much has been written: waiting for more gains nothing */
	event_add(ingest->upkeep_event, more ? &at_once : &idle);
}
