/* SPDX-License-Identifier: ISC */
/*
 * limits.c: an account's buckets and counts. See meter.h.
 */
#include <stddef.h>

#include "base/clock.h"
#include "meter/meter_private.h"

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
static const enum plan_limit rates[METER_LIMITS] = {
	[METER_LIMIT_NONE] = PLAN_LIMITS,
	[METER_LIMIT_SYNC] = PLAN_SYNC,
	[METER_LIMIT_ASYNC] = PLAN_ASYNC,
	[METER_LIMIT_DOWNLOAD] = PLAN_LIMITS,
};

static int64_t limit_of(const struct meter *meter, const struct tenant *tenant, enum plan_limit limit)
{
	const char *config = (const char *)meter->config;

	if (tenant->plan->limits[limit] >= 0)
		return tenant->plan->limits[limit];
	return *(const int64_t *)(const void *)(config + plan_limits[limit].setting);
}

bool meter_take(struct meter *meter, const struct account *account, enum meter_limit limit, struct meter_rate *rate)
{
	enum plan_limit row = rates[limit];
	struct tenant *tenant;
	bool taken;

	rate->quota = 0;
	if (row == PLAN_LIMITS)
		return true;
	tenant = tenant_get(meter, account);
	rate->quota = tenant ? limit_of(meter, tenant, row) : 0;
	if (rate->quota == 0)
		return true;
	taken = bucket_take(&tenant->buckets[limit], rate->quota, clock_monotonic_us());
	rate->name = plan_limits[row].name;
	rate->left = bucket_left(&tenant->buckets[limit]);
	rate->reset_s = 1; /* a bucket fills up within a second */
	if (!taken)
		meter->stats.limited++;
	return taken;
}

bool meter_may_download(struct meter *meter, const struct account *account, int64_t *most)
{
	const struct tenant *tenant = tenant_get(meter, account);

	*most = tenant ? limit_of(meter, tenant, PLAN_DOWNLOADS) : 0;
	if (*most == 0 || tenant->downloads < (uint64_t)*most)
		return true;
	meter->stats.limited++;
	return false;
}

void meter_download_begun(struct meter *meter, const struct account *account)
{
	struct tenant *tenant = tenant_get(meter, account);

	if (tenant)
		tenant->downloads++;
}

void meter_download_ended(struct meter *meter, const char *account)
{
	struct tenant *tenant = tenant_find(meter, account);

	if (tenant && tenant->downloads > 0)
		tenant->downloads--;
}

uint64_t meter_queued_max(struct meter *meter, const struct account *account)
{
	const struct tenant *tenant = tenant_get(meter, account);

	int64_t most = tenant ? limit_of(meter, tenant, PLAN_QUEUED) : meter->config->reports_pending_max;

	return most > 0 ? (uint64_t)most : UINT64_MAX;
}
