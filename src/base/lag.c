/* SPDX-License-Identifier: ISC */
/*
 * lag.c: the timer that measures the loop. See lag.h.
 *
 * The timer keeps its own due times: libevent would count the next one from when it fired, by a clock read at the
 * beginning of the turn. So the timer can also fire too early; it then waits for the rest.
 */
#include "base/lag.h"

#include <stdlib.h>

#include "base/clock.h"

#define RECENT_US (5 * CLOCK_US_PER_SECOND)

/* libevent keeps the wall clock's distance from its own clock, and looks at it every few seconds: meanwhile its times
 * may be ahead by as much as the wall clock is being slowed down, or by the microsecond that rounding makes. */
#define AHEAD_MAX_US 3000

/* A loop that was stopped for longer (a debugger, a stopped process) counts no more missed due times than these. */
#define LATE_MAX_US (60 * CLOCK_US_PER_SECOND)

struct lag {
	struct event *timer;
	struct histogram histogram;
	int64_t due_us;
	int64_t recent_from_us; /* when current_max_us began */
	int64_t current_max_us;
	int64_t previous_max_us; /* of the RECENT_US before that */
};

static void schedule(struct lag *lag, int64_t now_us)
{
	int64_t rest_us = lag->due_us - now_us;
	struct timeval rest = clock_timeval(rest_us);

	evtimer_add(lag->timer, &rest);
}

static void count(struct lag *lag, int64_t late_us, int64_t now_us)
{
	if (now_us - lag->recent_from_us >= RECENT_US) {
		lag->previous_max_us = now_us - lag->recent_from_us < 2 * RECENT_US ? lag->current_max_us : 0;
		lag->current_max_us = 0;
		lag->recent_from_us = now_us;
	}
	if (late_us > lag->current_max_us)
		lag->current_max_us = late_us;
	histogram_add(&lag->histogram, late_us);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct lag *lag = arg;
	int64_t now_us = clock_monotonic_us();

	(void)fd;
	(void)what;
	if (now_us - lag->due_us > LATE_MAX_US)
		lag->due_us = now_us - LATE_MAX_US;
	for (; lag->due_us <= now_us; lag->due_us += LAG_PERIOD_US)
		count(lag, now_us - lag->due_us, now_us);
	schedule(lag, now_us);
}

struct lag *lag_new(struct event_base *base)
{
	struct lag *lag = calloc(1, sizeof(*lag));
	int64_t now_us = clock_monotonic_us();

	if (!lag)
		return NULL;
	lag->timer = evtimer_new(base, on_timer, lag);
	if (!lag->timer) {
		free(lag);
		return NULL;
	}
	lag->recent_from_us = now_us;
	lag->due_us = now_us + LAG_PERIOD_US;
	schedule(lag, now_us);
	return lag;
}

void lag_free(struct lag *lag)
{
	if (!lag)
		return;
	event_free(lag->timer);
	free(lag);
}

const struct histogram *lag_histogram(const struct lag *lag)
{
	return &lag->histogram;
}

int64_t lag_recent_max_us(const struct lag *lag)
{
	return lag->current_max_us > lag->previous_max_us ? lag->current_max_us : lag->previous_max_us;
}

int64_t lag_turn_us(struct event_base *base)
{
	struct timeval begun, now;
	int64_t us;

	if (event_base_gettimeofday_cached(base, &begun) != 0 || evutil_gettimeofday(&now, NULL) != 0)
		return 0;
	us = (int64_t)(now.tv_sec - begun.tv_sec) * CLOCK_US_PER_SECOND + now.tv_usec - begun.tv_usec;
	return us < 0 && us >= -AHEAD_MAX_US ? 0 : us;
}
