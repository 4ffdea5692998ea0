/* SPDX-License-Identifier: ISC */
/*
 * limits.c: an account's buckets and counts. See limits.h.
 */
#include "limits/limits.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/recent.h"
#include "limits/bucket.h"

#define RATES 2 /* PLAN_SYNC and PLAN_ASYNC, the first of plan_limit */

static_assert(PLAN_SYNC < RATES && PLAN_ASYNC < RATES, "a rate has a bucket");

/* An account that has made requests. A forgotten one uses nothing, and its buckets are full by then. */
struct tenant {
	struct recent_entry entry;
	struct bucket buckets[RATES];
	uint64_t uses[LIMITS_USES];
};

struct limits {
	const struct config *config;
	struct billing *billing;
	struct load_shedding *guard;
	struct logins *logins;
	struct key_uses *key_uses;
	struct recent tenants;
	uint64_t exceeded;
};

static bool is_busy(const struct recent_entry *entry)
{
	const struct tenant *tenant = (const struct tenant *)entry;

	for (int i = 0; i < LIMITS_USES; i++)
		if (tenant->uses[i] > 0)
			return true;
	return false;
}

struct limits *limits_new(struct event_base *base, const struct config *config, struct billing *billing,
                          struct error *err)
{
	struct limits *limits = calloc(1, sizeof(*limits));

	if (limits) {
		limits->config = config;
		limits->billing = billing;
		recent_init(&limits->tenants, sizeof(struct tenant), is_busy);
		limits->guard = load_shedding_new(base, config);
		limits->logins = logins_new();
		limits->key_uses = key_uses_new();
		if (limits->guard && limits->logins && limits->key_uses)
			return limits;
	}
	limits_free(limits);
	error_set(err, ERROR_NOMEM, "limits: out of memory");
	return NULL;
}

void limits_free(struct limits *limits)
{
	if (!limits)
		return;
	recent_free(&limits->tenants);
	load_shedding_free(limits->guard);
	logins_free(limits->logins);
	key_uses_free(limits->key_uses);
	free(limits);
}

static struct tenant *tenant_get(struct limits *limits, const struct account *account)
{
	bool is_new;
	struct tenant *tenant = recent_get(&limits->tenants, account->id, &is_new);

	if (!tenant)
		log_error("limits", "account %s: out of memory", account->id);
	return tenant;
}

static const struct limit_row {
	size_t setting; /* offset in struct config */
	const char *name;
} plan_limits[PLAN_LIMITS] = {
	[PLAN_SYNC] = { offsetof(struct config, sync_rate_max), "sync" },
	[PLAN_ASYNC] = { offsetof(struct config, async_rate_max), "async" },
	[PLAN_DOWNLOADS] = { offsetof(struct config, downloads_max), "downloads" },
	[PLAN_QUEUED] = { offsetof(struct config, reports_pending_max), "queued" },
};

/* The limit of the account's plan, or else the setting. */
static int64_t limit_of(struct limits *limits, const struct account *account, enum plan_limit limit)
{
	const struct plan *plan = billing_plan(limits->billing, account);
	const char *config = (const char *)limits->config;

	if (plan->limits[limit] >= 0)
		return plan->limits[limit];
	return *(const int64_t *)(const void *)(config + plan_limits[limit].setting);
}

bool limits_take(struct limits *limits, const struct account *account, enum plan_limit limit, struct limits_rate *rate)
{
	struct tenant *tenant = tenant_get(limits, account);
	bool taken;

	INVARIANT(limit < RATES);
	rate->quota = tenant ? limit_of(limits, account, limit) : 0;
	if (rate->quota == 0)
		return true;
	taken = bucket_take(&tenant->buckets[limit], rate->quota, clock_monotonic_us());
	rate->name = plan_limits[limit].name;
	rate->left = bucket_left(&tenant->buckets[limit]);
	rate->reset_s = 1; /* a bucket fills up within a second */
	if (!taken)
		limits->exceeded++;
	return taken;
}

bool limits_may_use(struct limits *limits, const struct account *account, enum limits_use use, int64_t *most)
{
	const struct tenant *tenant = tenant_get(limits, account);

	*most = use == LIMITS_DOWNLOADS ? limit_of(limits, account, PLAN_DOWNLOADS) :
	                                  limits->config->sync_concurrent_max * LIMITS_UNREAD_TIMES;
	if (*most == 0 || !tenant || tenant->uses[use] < (uint64_t)*most)
		return true;
	limits->exceeded++;
	return false;
}

void *limits_use_begin(struct limits *limits, const struct account *account, enum limits_use use)
{
	struct tenant *tenant = tenant_get(limits, account);

	if (!tenant)
		return NULL;
	tenant->uses[use]++;
	return &tenant->uses[use]; /* the tenant is busy from now on, so it stays where it is */
}

void limits_use_end(void *begun)
{
	uint64_t *uses = begun;

	if (!uses)
		return;
	INVARIANT(*uses > 0);
	--*uses;
}

void limits_look(struct limits *limits, const struct account *account, enum plan_limit limit, struct limits_left *left)
{
	struct tenant *tenant = tenant_get(limits, account);

	left->name = plan_limits[limit].name;
	left->most = limit_of(limits, account, limit);
	left->left = left->most;
	if (!tenant || left->most == 0)
		return;
	if (limit < RATES) {
		bucket_fill(&tenant->buckets[limit], left->most, clock_monotonic_us());
		left->left = bucket_left(&tenant->buckets[limit]);
	} else if (limit == PLAN_DOWNLOADS) {
		left->left -= (int64_t)tenant->uses[LIMITS_DOWNLOADS];
	}
}

uint64_t limits_queued_max(struct limits *limits, const struct account *account)
{
	int64_t most = limit_of(limits, account, PLAN_QUEUED);

	return most > 0 ? (uint64_t)most : UINT64_MAX;
}

struct load_shedding *limits_load_shedding(struct limits *limits)
{
	return limits->guard;
}

struct logins *limits_logins(struct limits *limits)
{
	return limits->logins;
}

struct key_uses *limits_key_uses(struct limits *limits)
{
	return limits->key_uses;
}

uint64_t limits_exceeded(const struct limits *limits)
{
	return limits->exceeded;
}
