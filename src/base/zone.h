/* SPDX-License-Identifier: ISC */
/*
 * zone.h: a time zone over a range of time: which hour, day or month in it a moment falls in.
 *
 * "UTC", "+02:00", or a name of the system's time zone database (tzdata), "Europe/Berlin". The zone becomes a table of
 * spans with one offset each, made once and used for every record.
 */
#ifndef CDRD_BASE_ZONE_H
#define CDRD_BASE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#define ZONE_NAME_MAX 64

struct zone_span {
	int64_t from_us;   /* until the next span's */
	int64_t offset_us; /* local time less UTC */
};

struct zone {
	struct buf spans; /* struct zone_span each, ascending; the first begins before everything */
	size_t at;        /* the span that answered last */
};

/* Before other threads begin: sets TZ if it is not set, as variables that come and go are a danger to threads of libraries
 * that read others meanwhile. */
void zone_init(void);

/* Makes the table for moments from `from_us` to `to_us`, and some days around them. ERROR_INVALID: no such zone; or
 * ERROR_NOMEM. */
MUST_CHECK int zone_load(struct zone *zone, struct str name, int64_t from_us, int64_t to_us, struct error *err);
void zone_free(struct zone *zone);

/* Local time less UTC at a moment. */
int64_t zone_offset_us(struct zone *zone, int64_t time_us);

/* The first moment whose local time is not before `local_us` (microseconds since 1970-01-01 00:00 local time). */
int64_t zone_moment_us(struct zone *zone, int64_t local_us);

/* The moment of a local time: of two, where a clock was set back, the first. False where there is none, because it was set
 * forward. */
bool zone_find_moment(struct zone *zone, int64_t local_us, int64_t *time_us);

enum zone_interval { ZONE_WHOLE, ZONE_HOUR, ZONE_DAY, ZONE_MONTH };

/* The first moment of the interval that `time_us` falls in; INT64_MIN for ZONE_WHOLE. All moments from `time_us` on and
 * before *until_us fall in it, too. An hour that a clock set back repeats is two of them. */
int64_t zone_interval_start_us(struct zone *zone, enum zone_interval interval, int64_t time_us, int64_t *until_us);

/* Appends local time with its offset: 2026-03-29T00:00:00+01:00. */
void zone_format(struct zone *zone, struct buf *out, int64_t time_us);

#endif
