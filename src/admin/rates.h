/* SPDX-License-Identifier: ISC */
/*
 * rates.h: what the daemon does in a second; private to admin/.
 *
 * Looks at a few counters of the modules every second and keeps them for RATES_SECONDS, so that a rate is that of the
 * last so many seconds, whoever asks and however often.
 */
#ifndef CDRD_ADMIN_RATES_H
#define CDRD_ADMIN_RATES_H

#include "admin/context.h"

#define RATES_SECONDS 5

struct rates;
struct json;

/* `context` stays the caller's and must outlive it. NULL when out of memory. */
struct rates *rates_new(const struct admin_context *context);

/* Does nothing on NULL. */
void rates_free(struct rates *rates);

/* Writes an object: a number for each, with one decimal place, and over how many seconds ("over_seconds"). */
void rates_write(const struct rates *rates, struct json *j);

#endif
