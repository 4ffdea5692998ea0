/* SPDX-License-Identifier: ISC */
/*
 * tenants.c: what is known of each account that has asked for something. See meter_private.h.
 *
 * At most TENANTS_MAX are kept; then the one that has been quiet longest makes room. Its volume is on disk and its
 * buckets are full again by then.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "meter/meter_private.h"

static struct tenant **slot_of(struct meter *meter, const char *account)
{
	return &meter->slots[id_hash64(account, ACCOUNT_ID_LEN, 0) % TENANT_SLOTS];
}

static void forget(struct meter *meter, struct tenant *tenant)
{
	struct tenant **at = slot_of(meter, tenant->id);

	while (*at != tenant)
		at = &(*at)->next;
	*at = tenant->next;
	TAILQ_REMOVE(&meter->used, tenant, used);
	if (tenant->is_dirty)
		TAILQ_REMOVE(&meter->dirty, tenant, dirty);
	meter->tenants_count--;
	free(tenant);
}

static void make_room(struct meter *meter)
{
	struct tenant *tenant;

	if (meter->tenants_count < TENANTS_MAX)
		return;
	TAILQ_FOREACH(tenant, &meter->used, used) {
		if (tenant->is_dirty || tenant->downloads > 0)
			continue;
		forget(meter, tenant);
		return;
	}
}

static struct tenant *tenant_make(struct meter *meter, const char *account)
{
	struct tenant **slot = slot_of(meter, account);
	struct tenant *tenant;
	struct error err;

	make_room(meter);
	tenant = calloc(1, sizeof(*tenant));
	if (!tenant) {
		log_error("meter", "account %s: out of memory", account);
		return NULL;
	}
	memcpy(tenant->id, account, ACCOUNT_ID_LEN);
	if (volume_load(meter->store, tenant, &err) != 0)
		log_error("meter", "account %s: its volume cannot be read: %s", account, err.message);
	tenant->next = *slot;
	*slot = tenant;
	TAILQ_INSERT_TAIL(&meter->used, tenant, used);
	meter->tenants_count++;
	return tenant;
}

struct tenant *tenant_find(const struct meter *meter, const char *account)
{
	struct tenant *tenant = *slot_of((struct meter *)(uintptr_t)meter, account);

	while (tenant && memcmp(tenant->id, account, ACCOUNT_ID_LEN) != 0)
		tenant = tenant->next;
	return tenant;
}

/* --- plans --- */

/* A subaccount without a plan of its own has its parent's. */
static const struct plan *look_up_plan(const struct meter *meter, const struct account *account)
{
	const struct plans *plans = meter->plans;
	const struct plan *plan;
	struct account parent;
	struct error err;
	const char *name = account->plan;

	if (!name[0] && account->parent[0] && accounts_get(meter->store, str_from(account->parent), &parent, &err) == 0)
		name = parent.plan;
	if (!name[0])
		return &plans->list[plans->fallback];
	plan = plans_find(plans, str_from(name));
	if (plan)
		return plan;
	log_warn("meter", "account %s: its plan %s is none of the setting plans; it has plan_default", account->id, name);
	return &plans->list[plans->fallback];
}

struct tenant *tenant_get(struct meter *meter, const struct account *account)
{
	struct tenant *tenant = tenant_find(meter, account->id);
	uint64_t accounts_now = accounts_generation(meter->store);

	if (!tenant)
		tenant = tenant_make(meter, account->id);
	if (!tenant)
		return NULL;
	if (tenant->plan_of != meter->generation || tenant->accounts_of != accounts_now) {
		tenant->plan = look_up_plan(meter, account);
		tenant->plan_of = meter->generation;
		tenant->accounts_of = accounts_now;
	}
	if (TAILQ_NEXT(tenant, used)) {
		TAILQ_REMOVE(&meter->used, tenant, used);
		TAILQ_INSERT_TAIL(&meter->used, tenant, used);
	}
	return tenant;
}

/* --- volumes --- */

uint64_t tenant_volume(struct tenant *tenant, int64_t now_us)
{
	int32_t month = volume_month(now_us);

	if (tenant->month != month) {
		tenant->month = month;
		tenant->volume = 0;
	}
	return tenant->volume;
}

void tenant_add_volume(struct meter *meter, struct tenant *tenant, uint64_t items)
{
	tenant->volume += items;
	if (tenant->is_dirty || items == 0)
		return;
	tenant->is_dirty = true;
	TAILQ_INSERT_TAIL(&meter->dirty, tenant, dirty);
}

void tenants_free(struct meter *meter)
{
	struct tenant *tenant;

	while ((tenant = TAILQ_FIRST(&meter->used)))
		forget(meter, tenant);
}
