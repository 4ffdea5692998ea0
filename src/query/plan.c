/* SPDX-License-Identifier: ISC */
/*
 * plan.c: the view of a finished plan, and the hash that ties a cursor to it.
 *
 * The hash covers meanings, not texts: neither the order of parameters nor their encoding changes it, and dates count
 * only if given, since default windows move while a client turns pages.
 */
#include "query/query_private.h"

#include "base/id.h"

struct record_view query_plan_view(const struct query_plan *plan)
{
	return (struct record_view){
		.direction = plan->product->partition_direction ? plan->direction : CATALOG_NO_DIRECTION,
		.include_message = plan->include_message,
		.show_concatenated = plan->show_concatenated,
	};
}

static uint64_t hash_number(int64_t number, uint64_t seed)
{
	return id_hash64(&number, sizeof(number), seed);
}

static uint64_t hash_date(const struct query_params *params, struct str name, int64_t time_us, uint64_t seed)
{
	bool given = query_given(params, name).p != NULL;

	return hash_number(given ? time_us : INT64_MIN, seed);
}

uint64_t query_plan_fingerprint(const struct query_plan *plan, const struct query_params *params)
{
	uint64_t seed = plan->product->number | (plan->kind == QUERY_CHANGES ? UINT64_C(1) << 8 : 0) |
	                (plan->include_subaccounts ? UINT64_C(1) << 9 : 0);
	uint64_t hash = id_hash64(plan->account, strlen(plan->account), seed);
	uint64_t filters = 0;

	hash = hash_number(plan->direction, hash);
	hash = hash_number(plan->include_message, hash);
	hash = hash_number(plan->show_concatenated, hash);
	hash = hash_date(params, STR_LITERAL("date_start"), plan->from_us, hash);
	hash = hash_date(params, STR_LITERAL("date_end"), plan->to_us, hash);
	/* a sum, because filters are in the order they were sent */
	for (size_t i = 0; i < plan->filters_count; i++)
		filters += id_hash64(plan->filters[i].value.p, plan->filters[i].value.len, plan->filters[i].column);
	return hash_number((int64_t)filters, hash);
}
