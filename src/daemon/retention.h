/* SPDX-License-Identifier: ISC */
/*
 * retention.h: deletes the days that have become too old.
 *
 * A day goes when all of it lies more than retention_months calendar months back. Looked at when the daemon starts and
 * every few seconds, which is also when the clock is looked at (store/clock_watch.h): while that has jumped, no day goes.
 * One day a slice, so that deleting a year at once holds nobody up.
 */
#ifndef CDRD_DAEMON_RETENTION_H
#define CDRD_DAEMON_RETENTION_H

#include <event2/event.h>
#include <stdint.h>

#include "base/config.h"
#include "store/store.h"

struct retention;

/* `config` is read at each look. Both stay the caller's and must outlive it. NULL when out of memory. */
struct retention *retention_new(struct event_base *base, const struct config *config, struct store *store);

/* Does nothing on NULL. */
void retention_free(struct retention *retention);

/* The oldest day that is kept at a time. */
int32_t retention_first_day(const struct config *config, int64_t now_us);

#endif
