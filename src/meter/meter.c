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
		if (meter->plans && usage_init(meter, base, err) == 0)
			return meter;
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
