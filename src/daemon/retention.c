/* SPDX-License-Identifier: ISC */
/*
 * retention.c: the timer; see retention.h.
 */
#include "daemon/retention.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "store/clock_watch.h"
#include "store/health.h"

#define DAYS_A_SLICE 1

struct retention {
	const struct config *config;
	struct store *store;
	struct reports *reports;
	struct event *timer;
	int32_t kept_from; /* as far as a clock has said that is right; 0 */
	int removed;       /* in the slices since the last pause */
};

static const struct timeval first_look = { 0, 100000 };
static const struct timeval next_slice = { 0, 20000 };
static const struct timeval next_look = { 5, 0 };

/* The oldest day that is kept at the given time. */
static int32_t first_day_at(const struct config *config, int64_t now_us)
{
	return clock_day_of(clock_months_before(now_us, (int)config->retention_months));
}

/* May days be removed? Reports, and what else is read, leave them out before they are. */
static bool prepare(struct retention *retention, int32_t first_day)
{
	bool may = store_clock_allows_deletion(retention->store);

	if (may)
		retention->kept_from = first_day;
	store_keep_from(retention->store, retention->kept_from);
	reports_keep_from(retention->reports, store_kept_from_us(retention->store));
	return may;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct retention *retention = arg;
	int32_t first_day = first_day_at(retention->config, clock_now_us());
	int removed = 0;

	(void)fd;
	(void)what;
	store_tend(retention->store);
	if (prepare(retention, first_day))
		removed = store_remove_days_before(retention->store, first_day, DAYS_A_SLICE);
	retention->removed += removed;
	if (removed == DAYS_A_SLICE) {
		evtimer_add(retention->timer, &next_slice);
		return;
	}
	if (retention->removed > 0)
		log_info("retention", "removed %d days older than %lld months", retention->removed,
		         (long long)retention->config->retention_months);
	retention->removed = 0;
	evtimer_add(retention->timer, &next_look);
}

struct retention *retention_new(struct event_base *base, const struct config *config, struct store *store,
                                struct reports *reports)
{
	struct retention *retention = calloc(1, sizeof(*retention));

	if (!retention)
		return NULL;
	retention->config = config;
	retention->store = store;
	retention->reports = reports;
	retention->timer = evtimer_new(base, on_timer, retention);
	if (!retention->timer) {
		free(retention);
		return NULL;
	}
	MAY_FAIL(prepare(retention, first_day_at(config, clock_now_us()))); /* before a report is resumed */
	evtimer_add(retention->timer, &first_look);
	return retention;
}

void retention_free(struct retention *retention)
{
	if (!retention)
		return;
	event_free(retention->timer);
	free(retention);
}
