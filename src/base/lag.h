/* SPDX-License-Identifier: ISC */
/*
 * lag.h: how late the loop is.
 *
 * A timer is due every LAG_PERIOD_US; how late it fires is how long a request that arrived at that moment had to wait
 * for the loop. When a callback blocks the loop past several due times, each counts with its own lateness, like
 * requests that arrived then.
 */
#ifndef CDRD_BASE_LAG_H
#define CDRD_BASE_LAG_H

#include <event2/event.h>
#include <stdint.h>

#include "base/histogram.h"

#define LAG_PERIOD_US 5000

struct lag;

/* Starts measuring; NULL when out of memory. */
struct lag *lag_new(struct event_base *base);

/* Does nothing on NULL. */
void lag_free(struct lag *lag);

/* All lateness since the start; belongs to `lag`. */
const struct histogram *lag_histogram(const struct lag *lag);

/* The greatest lateness in the last 5 to 10 seconds. */
int64_t lag_recent_max_us(const struct lag *lag);

/* How long the current turn of the loop has taken so far, by the wall clock: negative when that was set back. 0 if
 * unknown. */
int64_t lag_turn_us(struct event_base *base);

#endif
