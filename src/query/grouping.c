/* SPDX-License-Identifier: ISC */
/*
 * grouping.c: what a summary is grouped by: "group_by=country,status&interval=day&time_zone=Europe/Berlin".
 *
 * Columns with few distinct values can be grouped by: catalog_column_groups says which.
 */
#include "query/query_private.h"

#include <stdio.h>

#define GROUP_NAME STR_LITERAL("group_by")
#define ZONE_PARAMETER STR_LITERAL("time_zone")

static void refuse_group(struct query_making *making, struct str name)
{
	const struct catalog_product *product = making->plan->product;
	struct buf allowed = { 0 };

	for (uint8_t i = 0; i < product->columns_count; i++) {
		if (catalog_column_groups(&product->columns[i]))
			query_list_add(&allowed, product->columns[i].name);
	}
	query_problems_add(making->problems, GROUP_NAME, "'%.*s' is not one of: %.*s",
	                   STR_ARGS(query_clip(name, QUERY_VALUE_SHOWN)), STR_ARGS(buf_str(&allowed)));
	buf_free(&allowed);
}

static void take_group(struct query_making *making, struct str name)
{
	struct query_plan *plan = making->plan;
	uint8_t place = catalog_column_find(plan->product, name);

	if (place == CATALOG_NONE || !catalog_column_groups(&plan->product->columns[place])) {
		refuse_group(making, name);
		return;
	}
	for (size_t i = 0; i < plan->groups_count; i++) {
		if (plan->groups[i] == place) {
			query_problems_add(making->problems, GROUP_NAME, "'%.*s' is given more than once",
			                   STR_ARGS(name));
			return;
		}
	}
	if (plan->groups_count == QUERY_GROUPS_MAX)
		query_problems_add(making->problems, GROUP_NAME, "More than %d columns", QUERY_GROUPS_MAX);
	else
		plan->groups[plan->groups_count++] = place;
}

void query_take_group_by(struct query_making *making, struct str value)
{
	struct str rest = value, name;

	if (!making->plan->product)
		return;
	while (making->problems->count < QUERY_PROBLEMS_MAX && query_list_next(&rest, &name))
		take_group(making, name);
}

void query_take_interval(struct query_making *making, struct str value)
{
	static const char *const words[] = { "hour", "day", "month", NULL };

	making->plan->interval = (enum zone_interval)(
		(int)ZONE_HOUR + (int)query_take_word(making, STR_LITERAL("interval"), value, words));
}

void query_take_time_zone(struct query_making *making, struct str value)
{
	struct zone zone;
	struct error err;

	if (zone_load(&zone, value, making->now_us, making->now_us, &err) == 0)
		making->plan->time_zone = value;
	else {
		char reason[QUERY_VALUE_SHOWN + sizeof(err.message) + 8];

		snprintf(reason, sizeof(reason), "'%.*s': %s", STR_ARGS(query_clip(value, QUERY_VALUE_SHOWN)),
		         err.message);
		query_problems_add_error(making->problems, ZONE_PARAMETER, &err, reason);
	}
	zone_free(&zone);
}
