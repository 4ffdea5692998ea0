/* SPDX-License-Identifier: ISC */
/*
 * columns.c: `columns`, the columns that a report contains, in the order given: "id,to,status".
 *
 * Which exist depends on the product, the direction and the switches, so they are read when these are known. A column
 * that the view leaves out is refused with the reason rather than written empty.
 */
#include "query/query_private.h"

#define OWN_NAME STR_LITERAL("columns")

static void refuse_unknown(struct query_making *making, struct str name)
{
	query_problems_add(making->problems, OWN_NAME, "'%.*s' is not a column of %.*s",
	                   STR_ARGS(query_clip(name, QUERY_VALUE_SHOWN)), STR_ARGS(making->plan->product->name));
}

static void refuse_hidden(struct query_making *making, const struct catalog_column *column)
{
	const char *why = column->shown == CATALOG_WITH_MESSAGE      ? "needs include_message" :
	                  column->shown == CATALOG_WITH_CONCATENATED ? "needs show_concatenated and outbound records" :
	                  column->shown == CATALOG_NEVER             ? "is never shown" :
	                                                               "is for outbound records only";

	query_problems_add(making->problems, OWN_NAME, "'%.*s' %s", STR_ARGS(column->name), why);
}

static void take_column(struct query_making *making, uint64_t shown, uint64_t *taken, struct str name)
{
	struct query_plan *plan = making->plan;
	uint8_t place = catalog_column_find(plan->product, name);
	uint64_t bit = place == CATALOG_NONE ? 0 : UINT64_C(1) << place;

	if (place == CATALOG_NONE) {
		refuse_unknown(making, name);
	} else if (!(shown & bit)) {
		refuse_hidden(making, &plan->product->columns[place]);
	} else if (*taken & bit) {
		query_problems_add(making->problems, OWN_NAME, "'%.*s' is given more than once", STR_ARGS(name));
	} else {
		*taken |= bit;
		plan->columns[plan->columns_count++] = place;
	}
}

void query_settle_columns(struct query_making *making)
{
	struct query_plan *plan = making->plan;
	struct str rest = query_given(making->params, OWN_NAME);
	uint64_t taken = 0;
	struct str name;

	if (!rest.p || !plan->product)
		return;
	struct record_view view = query_plan_view(plan);
	uint64_t shown = record_view_columns(plan->product, &view);

	while (query_list_next(&rest, &name))
		take_column(making, shown, &taken, name);
}
