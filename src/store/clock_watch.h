/* SPDX-License-Identifier: ISC */
/*
 * clock_watch.h: can the clock be trusted, before it decides what is old enough to delete?
 *
 * The catalog keeps the *last seen time*: the newest time at which the clock was believed, brought up to date every ten
 * minutes. A clock that is more than a day ahead of it has jumped, or the daemon was not running for as long: nothing
 * on this machine can tell which. So whatever deletes by age asks here first, and deletes nothing until the clock is
 * back or an operator confirms it (`cdrctl clock accept`).
 *
 * A clock that is behind deletes less than it might, and needs no such care; but what is noted by it would seem old when it is
 * right again (store_clock_stamp_us), and a record is not from the future then only because the clock is wrong
 * (store_clock_span).
 */
#ifndef CDRD_STORE_CLOCK_WATCH_H
#define CDRD_STORE_CLOCK_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

struct store;

#define CLOCK_WATCH_AHEAD_MAX_US CLOCK_US_PER_DAY

struct clock_watch {
	int64_t seen_us;    /* the last seen time */
	int64_t written_us; /* as the catalog has it */
	bool held;          /* the clock is too far ahead of it: nothing is deleted */
};

/* Takes a reading of the clock into account: true if it can be trusted. Changes nothing but the struct. */
bool clock_watch_look(struct clock_watch *watch, int64_t now_us);

/* Looks at the clock now, says in the log what has changed, and writes the last seen time when that is due. True if
 * what is too old may be deleted. */
bool store_clock_allows_deletion(struct store *store);

/* As last looked at. */
void store_clock_watch(const struct store *store, struct clock_watch *watch);

/* The earliest and the latest time that it may be now, `now_us` being what the clock says. */
void store_clock_span(const struct store *store, int64_t now_us, int64_t *earliest_us, int64_t *latest_us);

/* The time to note of what is deleted when it has some age: not before the last seen time, as what a clock that is behind for a
 * while had noted would be too old as soon as the clock is right again. */
int64_t store_clock_stamp_us(const struct store *store);

/* Trusts the clock as it is, durably. */
MUST_CHECK int store_clock_accept(struct store *store, struct error *err);

/* Writes the last seen time now. */
MUST_CHECK int store_clock_write(struct store *store, struct error *err);

/* For store_open: what the catalog says, or, where it says nothing yet, the end of the newest day that is stored. */
MUST_CHECK int store_clock_load(struct store *store, struct error *err);

#endif
