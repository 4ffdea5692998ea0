/* SPDX-License-Identifier: ISC */
/*
 * lag.h: how late the loop is.
 *
 * A timer is due every LAG_PERIOD_US; how much later it fires is what a request that came in at that moment had to
 * wait before the loop looked at it. When a callback blocks the loop over several due times, each of them counts with
 * its own lateness, as requests that came in then would have.
 */
#ifndef CDRD_BASE_LAG_H
#define CDRD_BASE_LAG_H

#include <event2/event.h>
#include <stdint.h>

#include "base/histogram.h"

#define LAG_PERIOD_US 5000

struct lag;

/* Begins to measure; NULL when out of memory. */
struct lag *lag_new(struct event_base *base);

/* Does nothing on NULL. */
void lag_free(struct lag *lag);

/* All lateness since the start; belongs to `lag`. */
const struct histogram *lag_histogram(const struct lag *lag);

/* The greatest lateness of the last 5 to 10 seconds. */
int64_t lag_recent_max_us(const struct lag *lag);

/* How long the turn of the loop that is under way has taken so far, by the wall clock: negative when that was set back.
 * 0 when it cannot be told. */
int64_t lag_turn_us(struct event_base *base);

#endif
