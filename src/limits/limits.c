/* SPDX-License-Identifier: ISC */
/*
 * limits.c: an account's buckets and counts. See limits.h.
 */
#include "limits/limits.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/recent.h"
#include "limits/bucket.h"

/* An account that has made requests. A forgotten one has no downloads or unread answers, and its buckets are full by then. */
struct tenant {
	struct recent_entry entry;
	struct bucket buckets[LIMITS_KINDS];
	uint64_t downloads, unread;
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

	return tenant->downloads > 0 || tenant->unread > 0;
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

/* A rate's row. */
static const enum plan_limit rates[LIMITS_KINDS] = {
	[LIMIT_NONE] = PLAN_LIMITS,
	[LIMIT_SYNC] = PLAN_SYNC,
	[LIMIT_ASYNC] = PLAN_ASYNC,
	[LIMIT_DOWNLOAD] = PLAN_LIMITS,
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

bool limits_take(struct limits *limits, const struct account *account, enum limit limit, struct limits_rate *rate)
{
	enum plan_limit row = rates[limit];
	struct tenant *tenant;
	bool taken;

	rate->quota = 0;
	if (row == PLAN_LIMITS)
		return true;
	tenant = tenant_get(limits, account);
	rate->quota = tenant ? limit_of(limits, account, row) : 0;
	if (rate->quota == 0)
		return true;
	taken = bucket_take(&tenant->buckets[limit], rate->quota, clock_monotonic_us());
	rate->name = plan_limits[row].name;
	rate->left = bucket_left(&tenant->buckets[limit]);
	rate->reset_s = 1; /* a bucket fills up within a second */
	if (!taken)
		limits->exceeded++;
	return taken;
}

bool limits_may_download(struct limits *limits, const struct account *account, int64_t *most)
{
	const struct tenant *tenant = tenant_get(limits, account);

	*most = tenant ? limit_of(limits, account, PLAN_DOWNLOADS) : 0;
	if (*most == 0 || tenant->downloads < (uint64_t)*most)
		return true;
	limits->exceeded++;
	return false;
}

bool limits_may_answer(struct limits *limits, const struct account *account, int64_t *most)
{
	const struct tenant *tenant = tenant_get(limits, account);

	*most = limits->config->sync_concurrent_max * LIMITS_UNREAD_TIMES;
	if (*most == 0 || !tenant || tenant->unread < (uint64_t)*most)
		return true;
	limits->exceeded++;
	return false;
}

void *limits_unread_begin(struct limits *limits, const struct account *account)
{
	struct tenant *tenant = tenant_get(limits, account);

	if (tenant)
		tenant->unread++;
	return tenant;
}

void limits_unread_end(void *unread)
{
	struct tenant *tenant = unread;

	if (tenant->unread > 0)
		tenant->unread--;
}

void *limits_download_begin(struct limits *limits, const struct account *account)
{
	struct tenant *tenant = tenant_get(limits, account);

	/* Busy from now on, so it stays where it is. */
	if (tenant)
		tenant->downloads++;
	return tenant;
}

void limits_download_end(void *download)
{
	struct tenant *tenant = download;

	if (tenant && tenant->downloads > 0)
		tenant->downloads--;
}

static int64_t tokens_left(struct tenant *tenant, enum limit limit, int64_t rate)
{
	bucket_fill(&tenant->buckets[limit], rate, clock_monotonic_us());
	return bucket_left(&tenant->buckets[limit]);
}

void limits_look(struct limits *limits, const struct account *account, enum plan_limit limit, struct limits_left *left)
{
	struct tenant *tenant = tenant_get(limits, account);

	left->name = plan_limits[limit].name;
	left->most = limit_of(limits, account, limit);
	left->left = left->most;
	if (!tenant || left->most == 0)
		return;
	if (limit == PLAN_SYNC || limit == PLAN_ASYNC)
		left->left = tokens_left(tenant, limit == PLAN_SYNC ? LIMIT_SYNC : LIMIT_ASYNC, left->most);
	else if (limit == PLAN_DOWNLOADS)
		left->left -= (int64_t)tenant->downloads;
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
