/* SPDX-License-Identifier: ISC */
/*
 * tenants.c: the plan and the volume of each account that has made requests. See billing_private.h.
 */
#include <string.h>

#include "base/log.h"
#include "billing/billing_private.h"

static bool is_busy(const struct recent_entry *entry)
{
	return ((const struct tenant *)entry)->is_dirty;
}

void tenants_init(struct billing *billing)
{
	recent_init(&billing->tenants, sizeof(struct tenant), is_busy);
	TAILQ_INIT(&billing->dirty);
}

struct tenant *tenant_find(const struct billing *billing, const char *account)
{
	return recent_find(&billing->tenants, account);
}

/* --- plans --- */

/* A subaccount without its own plan has its parent's. */
static const struct plan *look_up_plan(const struct billing *billing, const struct account *account)
{
	const struct plans *plans = billing->plans;
	const struct plan *plan;
	struct account parent;
	struct error err;
	const char *name = account->plan;

	if (!name[0] && account->parent[0] &&
	    accounts_get(billing->meta, str_from(account->parent), &parent, &err) == 0)
		name = parent.plan;
	if (!name[0])
		return &plans->list[plans->fallback];
	plan = plans_find(plans, str_from(name));
	if (plan)
		return plan;
	log_warn("billing", "account %s: its plan %s is none of the setting plans; it has plan_default", account->id,
	         name);
	return &plans->list[plans->fallback];
}

struct tenant *tenant_get(struct billing *billing, const struct account *account)
{
	uint64_t accounts_now = accounts_generation(billing->meta);
	struct tenant *tenant;
	struct error err;
	bool is_new;

	tenant = recent_get(&billing->tenants, account->id, &is_new);
	if (!tenant) {
		log_error("billing", "account %s: out of memory", account->id);
		return NULL;
	}
	if (is_new && volume_load(billing->meta, tenant, &err) != 0)
		log_error("billing", "account %s: its volume cannot be read: %s", account->id, err.message);
	if (tenant->plan_of != billing->generation || tenant->accounts_of != accounts_now) {
		tenant->plan = look_up_plan(billing, account);
		tenant->plan_of = billing->generation;
		tenant->accounts_of = accounts_now;
	}
	return tenant;
}

const struct plan *billing_plan(struct billing *billing, const struct account *account)
{
	const struct tenant *tenant = tenant_get(billing, account);

	return tenant ? tenant->plan : &billing->plans->list[billing->plans->fallback];
}

/* --- volumes --- */

uint64_t tenant_volume(struct tenant *tenant, int64_t time_us)
{
	int32_t month = volume_month(time_us);
	struct volume *volumes = tenant->volumes, found = { .month = month };
	size_t at = 0;

	if (volumes[0].month == month)
		return volumes[0].records;
	while (at < VOLUME_MONTHS - 1 && volumes[at].month != month)
		at++;
	if (volumes[at].month == month)
		found = volumes[at];
	memmove(&volumes[1], &volumes[0], at * sizeof(volumes[0]));
	volumes[0] = found;
	return found.records;
}

void tenant_add_volume(struct billing *billing, struct tenant *tenant, uint64_t items)
{
	tenant->volumes[0].records += items;
	if (tenant->is_dirty || items == 0)
		return;
	tenant->is_dirty = true;
	TAILQ_INSERT_TAIL(&billing->dirty, tenant, dirty);
}
