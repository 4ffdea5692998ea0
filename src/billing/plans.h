/* SPDX-License-Identifier: ISC */
/*
 * plans.h: the plans and what records cost under them.
 *
 * The setting `plans` holds them all, separated by |:
 *
 *	NAME: ITEM, ITEM, ...
 *
 *	record PRICE [to COUNT]   what a record costs, up to the COUNT-th of a month; several make tiers, of which the
 *	                          last has no COUNT
 *	free COUNT                the first COUNT records of a month cost nothing
 *	month PRICE               a fee for each calendar month (UTC)
 *	currency CODE             of both prices; without it, that of the setting `currency`
 *	sync, async RATE          requests a second, instead of sync_rate_max and async_rate_max
 *	downloads COUNT           instead of downloads_max
 *	queued COUNT              instead of reports_pending_max
 *
 * A plan without `record` charges nothing for records. COUNT in a tier counts the free records, too: with
 * `free 1000, record 0.0004 to 100000, record 0.0003` records 1001 to 100000 cost 0.0004 each. Pure.
 */
#ifndef CDRD_BILLING_PLANS_H
#define CDRD_BILLING_PLANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/decimal.h"
#include "base/error.h"
#include "base/str.h"

#define PLAN_NAME_MAX 32
#define PLAN_CURRENCY_MAX 7
#define PLAN_TIERS_MAX 16
#define PLANS_MAX 64

enum plan_limit { PLAN_SYNC, PLAN_ASYNC, PLAN_DOWNLOADS, PLAN_QUEUED, PLAN_LIMITS };

struct plan {
	char name[PLAN_NAME_MAX + 1];
	char currency[PLAN_CURRENCY_MAX + 1];
	struct decimal month; /* the fee; 0 for none */
	uint64_t free;
	size_t tiers_count;
	struct plan_tier {
		uint64_t to; /* the last record of a month in this tier; UINT64_MAX in the last tier */
		struct decimal price;
	} tiers[PLAN_TIERS_MAX];
	int64_t limits[PLAN_LIMITS]; /* -1: the setting's */
};

struct plans {
	size_t count;
	struct plan list[PLANS_MAX];
	size_t fallback; /* the plan of accounts without one */
};

/* Reads the settings `plans`, `plan_default` and `currency`. ERROR_INVALID names the setting, the plan, the value and
 * what is allowed. */
MUST_CHECK int plans_read(struct plans *plans, const char *text, const char *fallback, const char *currency,
                          struct error *err);

/* As plans_read, but only checks. */
MUST_CHECK int plans_check(const char *text, const char *fallback, const char *currency, struct error *err);

/* NULL if there is none of that name. */
const struct plan *plans_find(const struct plans *plans, struct str name);

/*
 * What `items` records cost an account that has had `volume` in this month. *unit is the price of the last of them (of
 * the next one when there are none), *total the exact sum over all.
 */
void plan_price(const struct plan *plan, uint64_t volume, uint64_t items, struct decimal *unit, struct decimal *total);

#endif
