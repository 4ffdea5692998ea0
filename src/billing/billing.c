/* SPDX-License-Identifier: ISC */
/*
 * billing.c: the module's life and settings. See billing.h.
 */
#include "billing/billing.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "billing/billing_private.h"

static struct plans *read_plans(const struct config *config, struct error *err)
{
	struct plans *plans = malloc(sizeof(*plans));

	if (!plans) {
		error_set(err, ERROR_NOMEM, "plans: out of memory");
		return NULL;
	}
	if (plans_read(plans, config->plans, config->plan_default, config->currency, err) == 0)
		return plans;
	free(plans);
	return NULL;
}

/* The daemon starts all the same: ingest must go on. */
static void warn_of_missing(const struct billing *billing)
{
	struct error err;

	if (plans_check_in_use(billing->meta, billing->plans, &err) != 0)
		log_error("billing", "%s; they have plan_default until it is there again", err.message);
}

struct billing *billing_new(struct event_base *base, const struct config *config, struct meta *meta,
                            struct store *store, struct ingest *ingest, struct error *err)
{
	struct billing *billing = calloc(1, sizeof(*billing));

	if (!billing) {
		error_set(err, ERROR_NOMEM, "billing: out of memory");
		return NULL;
	}
	billing->config = config;
	billing->meta = meta;
	billing->store = store;
	billing->ingest = ingest;
	billing->generation = 1;
	heavy_hitters_begin_day(&billing->accounts, clock_now_us());
	tenants_init(billing);
	billing->plans = read_plans(config, err);
	if (billing->plans && usage_init(billing, base, err) == 0) {
		warn_of_missing(billing);
		return billing;
	}
	billing_free(billing);
	return NULL;
}

void billing_free(struct billing *billing)
{
	struct error err;

	if (!billing)
		return;
	if (billing->flush && billing_flush(billing, &err) != 0)
		log_error("billing", "%zu usage records are lost: %s", billing->queue_count, err.message);
	usage_free(billing);
	recent_free(&billing->tenants);
	free(billing->plans);
	free(billing);
}

static bool keeps_all(const struct plans *before, const struct plans *after)
{
	for (size_t i = 0; i < before->count; i++)
		if (!plans_find(after, str_from(before->list[i].name)))
			return false;
	return true;
}

int billing_check_reload(const struct billing *billing, const struct config *fresh, struct error *err)
{
	struct plans *plans = read_plans(fresh, err);
	int result = plans ? 0 : -1;

	if (plans && !keeps_all(billing->plans, plans))
		result = plans_check_in_use(billing->meta, plans, err);
	free(plans);
	return result;
}

void billing_reload(struct billing *billing)
{
	struct error err;
	struct plans *fresh = read_plans(billing->config, &err);

	if (!fresh) {
		log_error("billing", "reload: %s; the plans stay as they were", err.message);
		return;
	}
	free(billing->plans);
	billing->plans = fresh;
	billing->generation++; /* pointers to the old plans are no longer followed */
}

const struct plans *billing_plans(const struct billing *billing)
{
	return billing->plans;
}

void billing_stats(const struct billing *billing, struct billing_stats *stats)
{
	*stats = billing->stats;
	stats->waiting = billing->queue_count;
}

const struct heavy_hitters *billing_accounts(struct billing *billing)
{
	heavy_hitters_begin_day(&billing->accounts, clock_now_us());
	return &billing->accounts;
}
