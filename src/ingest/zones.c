/* SPDX-License-Identifier: ISC */
/*
 * zones.c: the time zones that producers' times are in. See zones.h.
 */
#include "ingest/zones.h"

#include <string.h>

#include "base/clock.h"

static struct zones_slot *find(struct zones *zones, const char *name)
{
	for (size_t i = 0; i < ZONES_MAX; i++)
		if (strcmp(zones->slots[i].name, name) == 0)
			return &zones->slots[i];
	return NULL;
}

static void clear(struct zones_slot *slot)
{
	zone_free(&slot->zone);
	*slot = (struct zones_slot){ 0 };
}

static struct zones_slot *load(struct zones_slot *slot, const char *name, int64_t from_us, int64_t to_us, int32_t day,
                               struct error *err)
{
	struct error why;

	clear(slot);
	if (zone_load(&slot->zone, str_from(name), from_us, to_us, &why) != 0) {
		clear(slot);
		error_set(err, why.code, "time_zone %s: %s", name, why.message);
		return NULL;
	}
	strncpy(slot->name, name, ZONE_NAME_MAX);
	slot->day = day;
	slot->from_us = from_us;
	slot->to_us = to_us;
	return slot;
}

struct zones_slot *zones_get(struct zones *zones, const char *name, int64_t from_us, int64_t to_us, struct error *err)
{
	int32_t day = clock_day_of(clock_now_us());
	struct zones_slot *slot = find(zones, name);

	if (slot && slot->day == day && slot->from_us <= from_us && slot->to_us >= to_us)
		return slot;
	if (!slot) {
		slot = &zones->slots[zones->next];
		zones->next = (zones->next + 1) % ZONES_MAX;
	}
	/* A day more on both sides, so that it serves the next batch too. */
	return load(slot, name, from_us - CLOCK_US_PER_DAY, to_us + CLOCK_US_PER_DAY, day, err);
}

void zones_free(struct zones *zones)
{
	for (size_t i = 0; i < ZONES_MAX; i++)
		clear(&zones->slots[i]);
}
