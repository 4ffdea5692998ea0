/* SPDX-License-Identifier: ISC */
/*
 * meter.c: the module's life and settings. See meter.h.
 */
#include "meter/meter.h"

#include <stdlib.h>

#include "base/log.h"
#include "meter/meter_private.h"

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

/* A start goes ahead all the same: records must be taken in. */
static void warn_of_missing(const struct meter *meter)
{
	struct error err;

	if (plans_check_in_use(meter->store, meter->plans, &err) != 0)
		log_error("meter", "%s; they have plan_default until it is there again", err.message);
}

struct meter *meter_new(struct event_base *base, const struct config *config, struct store *store,
                        struct ingest *ingest, struct error *err)
{
	struct meter *meter = calloc(1, sizeof(*meter));

	if (!meter) {
		error_set(err, ERROR_NOMEM, "meter: out of memory");
		return NULL;
	}
	meter->config = config;
	meter->store = store;
	meter->ingest = ingest;
	meter->generation = 1;
	TAILQ_INIT(&meter->used);
	TAILQ_INIT(&meter->dirty);
	meter->guard = guard_new(base, config);
	meter->logins = logins_new();
	if (!meter->guard || !meter->logins) {
		error_set(err, ERROR_NOMEM, "meter: out of memory");
	} else {
		meter->plans = read_plans(config, err);
		if (meter->plans && usage_init(meter, base, err) == 0) {
			warn_of_missing(meter);
			return meter;
		}
	}
	meter_free(meter);
	return NULL;
}

void meter_free(struct meter *meter)
{
	struct error err;

	if (!meter)
		return;
	if (meter->flush && meter_flush(meter, &err) != 0)
		log_error("meter", "%zu usage records are lost: %s", meter->queue_count, err.message);
	usage_free(meter);
	tenants_free(meter);
	guard_free(meter->guard);
	logins_free(meter->logins);
	free(meter->plans);
	free(meter);
}

static bool keeps_all(const struct plans *before, const struct plans *after)
{
	for (size_t i = 0; i < before->count; i++)
		if (!plans_find(after, str_from(before->list[i].name)))
			return false;
	return true;
}

int meter_check_reload(const struct meter *meter, const struct config *fresh, struct error *err)
{
	struct plans *plans = read_plans(fresh, err);
	int result = plans ? 0 : -1;

	if (plans && !keeps_all(meter->plans, plans))
		result = plans_check_in_use(meter->store, plans, err);
	free(plans);
	return result;
}

void meter_reload(struct meter *meter)
{
	struct error err;
	struct plans *fresh = read_plans(meter->config, &err);

	if (!fresh) {
		log_error("meter", "reload: %s; the plans stay as they were", err.message);
		return;
	}
	free(meter->plans);
	meter->plans = fresh;
	meter->generation++; /* nobody's pointer to the old ones is followed any more */
}

const struct plans *meter_plans(const struct meter *meter)
{
	return meter->plans;
}

struct guard *meter_guard(struct meter *meter)
{
	return meter->guard;
}

struct logins *meter_logins(struct meter *meter)
{
	return meter->logins;
}

void meter_stats(const struct meter *meter, struct meter_stats *stats)
{
	*stats = meter->stats;
	stats->waiting = meter->queue_count;
}
