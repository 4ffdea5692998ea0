/* SPDX-License-Identifier: ISC */
/*
 * retention.h: deletes days that have become too old.
 *
 * A day is deleted when all of it is more than retention_months calendar months old. Checked when the daemon starts and
 * every few seconds, together with the clock (store/clock_watch.h): after the clock has jumped, no day is deleted. One
 * day per slice, so that deleting a year at once delays nobody.
 */
#ifndef CDRD_DAEMON_RETENTION_H
#define CDRD_DAEMON_RETENTION_H

#include <event2/event.h>
#include <stdint.h>

#include "base/config.h"
#include "report/report.h"
#include "store/store.h"

struct retention;

/* `config` is read at each check. All stay the caller's and must outlive it. Reports are told which days are kept, now and
 * before each removal. NULL when out of memory. */
struct retention *retention_new(struct event_base *base, const struct config *config, struct store *store,
                                struct reports *reports);

/* Does nothing on NULL. */
void retention_free(struct retention *retention);

#endif
