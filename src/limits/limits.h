/* SPDX-License-Identifier: ISC */
/*
 * limits.h: how many requests an account, and all together, may make.
 *
 * They are counted in memory: requests with token buckets (bucket.h), downloads and unread answers while they last. An
 * account's limits come from its plan (billing/plans.h) or the settings. 0 means no limit.
 */
#ifndef CDRD_LIMITS_LIMITS_H
#define CDRD_LIMITS_LIMITS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/error.h"
#include "billing/billing.h"
#include "limits/load_shedding.h"
#include "limits/key_uses.h"
#include "limits/logins.h"

struct limits;

/* All stay the caller's and must outlive it; `billing` knows the plans of accounts. ERROR_NOMEM. */
MUST_CHECK struct limits *limits_new(struct event_base *base, const struct config *config, struct billing *billing,
                                     struct error *err);

/* Does nothing on NULL. */
void limits_free(struct limits *limits);

/* For the RateLimit headers. */
struct limits_rate {
	const char *name;
	int64_t quota; /* a second; 0: no limit, and the rest means nothing */
	int64_t left;
	int64_t reset_s; /* until the full quota is available again */
};

/* May the account make a request of this rate, PLAN_SYNC or PLAN_ASYNC, now? Takes a token if so. Fills *rate either way. */
bool limits_take(struct limits *limits, const struct account *account, enum plan_limit limit, struct limits_rate *rate);

/* What an account has for a while, and at most so many of at a time. */
enum limits_use {
	LIMITS_DOWNLOADS, /* in progress: PLAN_DOWNLOADS */
	LIMITS_UNREAD, /* answers that wait in memory until its clients read them: LIMITS_UNREAD_TIMES sync_concurrent_max */
	LIMITS_USES
};
#define LIMITS_UNREAD_TIMES 10

/* May there be one more? *most: how many there may be. */
bool limits_may_use(struct limits *limits, const struct account *account, enum limits_use use, int64_t *most);

/* Counts one more. Pass the result to limits_use_end once, while `limits` lives; NULL, which may be passed too, when out of
 * memory to count it. */
void *limits_use_begin(struct limits *limits, const struct account *account, enum limits_use use);
void limits_use_end(void *begun);

/* How much of something an account may have, and what of it is left now, without taking any. */
struct limits_left {
	const char *name; /* as a plan names it: sync, async, downloads, queued */
	int64_t most;     /* 0: no limit, and the rest means nothing */
	int64_t left; /* of sync and async: requests in this second; not known of what limits do not count (queued) */
};
void limits_look(struct limits *limits, const struct account *account, enum plan_limit limit, struct limits_left *left);

/* How many reports of the account may wait. */
uint64_t limits_queued_max(struct limits *limits, const struct account *account);

/* The guards that belong to no account. */
struct load_shedding *limits_load_shedding(struct limits *limits);
struct logins *limits_logins(struct limits *limits);
struct key_uses *limits_key_uses(struct limits *limits);

/* Requests over a limit, since the start. */
uint64_t limits_exceeded(const struct limits *limits);

#endif
