/* SPDX-License-Identifier: ISC */
/*
 * query.c: which parameters there are, which may be combined, and how they become a plan.
 *
 * parameters.def holds those that are no product's filter; a product's filters are rows of the catalog. Adding a
 * parameter is one row there, one function in values.c and its description in api/api.json. The product is found first,
 * since what else may be given depends on it; then every parameter is taken in the order sent, so that problems are
 * listed in that order; what is missing is listed last.
 */
#include "query/query_private.h"

#include <stdio.h>

enum {
	SYNC = 1 << QUERY_SYNC,
	ASYNC = 1 << QUERY_ASYNC,
	SUMMARY = 1 << QUERY_SUMMARY,
	CHANGES = 1 << QUERY_CHANGES,
	ALL = SYNC | ASYNC | SUMMARY | CHANGES,
};

struct parameter {
	const char *name;
	int kinds;           /* of queries that accept it */
	bool with_id;        /* may be given with `id` */
	query_take_fn *take; /* NULL: read elsewhere */
};

static const struct parameter parameters[] = {
#define PARAMETER(name, kinds, with_id, take) { name, kinds, with_id, take },
#include "query/parameters.def"
#undef PARAMETER
};

/* Parameters of other versions of the API or of clients that these queries do not take. */
static const struct {
	const char *name;
	const char *why;
} elsewhere[] = {
	{ "api_key", QUERY_KNOWN ": credentials belong in the Authorization header" },
	{ "api_secret", QUERY_KNOWN ": credentials belong in the Authorization header" },
	{ "date_from", "Taken by GET /v2/reports alone; here it is date_start" },
	{ "date_to", "Taken by GET /v2/reports alone; here it is date_end" },
};

static const char *const endpoints[] = {
	[QUERY_SYNC] = "GET /v2/reports/records",
	[QUERY_ASYNC] = "POST /v2/reports",
	[QUERY_SUMMARY] = "GET /v2/reports/summary",
	[QUERY_CHANGES] = "GET /v2/reports/changes",
};

static const struct parameter *parameter_find(enum query_kind kind, struct str name)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		if ((parameters[i].kinds & 1 << kind) != 0 && str_is(name, parameters[i].name))
			return &parameters[i];
	}
	return NULL;
}

struct str query_given(const struct query_params *params, struct str name)
{
	for (size_t i = 0; i < params->count; i++) {
		if (params->list[i].value.len > 0 && str_equal(params->list[i].name, name))
			return params->list[i].value;
	}
	return (struct str){ NULL, 0 };
}

static void refuse_product(struct query_making *making, struct str name)
{
	struct buf known = { 0 };

	for (size_t i = 0; i < catalog_products_count; i++)
		query_list_add(&known, catalog_products[i].name);
	query_problems_add(making->problems, STR_LITERAL("product"), "'%.*s' is not one of: %.*s",
	                   STR_ARGS(query_clip(name, QUERY_VALUE_SHOWN)), STR_ARGS(buf_str(&known)));
	buf_free(&known);
}

static void refuse_type(struct query_making *making, struct str alias, struct str type)
{
	struct buf known = { 0 };

	for (size_t i = 0; i < catalog_aliases_count; i++) {
		if (str_equal(catalog_aliases[i].name, alias))
			query_list_add(&known, catalog_aliases[i].type);
	}
	query_problems_add(making->problems, STR_LITERAL("type"), "'%.*s' is not one of: %.*s",
	                   STR_ARGS(query_clip(type, QUERY_VALUE_SHOWN)), STR_ARGS(buf_str(&known)));
	buf_free(&known);
}

/* Sets plan->product, which stays NULL if there is a problem with it. */
static void resolve_product(struct query_making *making)
{
	struct query_plan *plan = making->plan;
	struct str name = query_given(making->params, STR_LITERAL("product"));
	struct str type = query_given(making->params, STR_LITERAL("type"));
	struct str type_name = STR_LITERAL("type");

	if (!name.p)
		return;
	plan->product_name = name;
	if (!catalog_is_alias(name)) {
		plan->product = catalog_product_find(name);
		if (!plan->product)
			refuse_product(making, name);
		return;
	}
	plan->type = type;
	if (!type.p) {
		query_problems_add(making->problems, type_name, QUERY_MISSING);
		return;
	}
	plan->product = catalog_alias_find(name, type);
	if (!plan->product)
		refuse_type(making, name, type);
}

static bool is_filter_of_any(struct str name)
{
	for (size_t i = 0; i < catalog_products_count; i++) {
		if (catalog_filter_find(&catalog_products[i], name))
			return true;
	}
	return false;
}

/* `type` belongs to a deprecated product name, which means nothing without it. */
static bool is_misplaced_type(const struct query_plan *plan, struct str name)
{
	return str_is(name, "type") && plan->product_name.p && !catalog_is_alias(plan->product_name);
}

static bool may_stand_with_id(const struct query_plan *plan, const struct parameter *parameter, struct str name)
{
	if (is_misplaced_type(plan, name))
		return false;
	return parameter ? parameter->with_id : str_is(name, "direction");
}

/* How often the parameter at `index` was given earlier. */
static size_t times_before(const struct query_params *params, size_t index)
{
	size_t times = 0;

	for (size_t i = 0; i < index; i++) {
		if (params->list[i].value.len > 0 && str_equal(params->list[i].name, params->list[index].name))
			times++;
	}
	return times;
}

static void add_endpoints(struct buf *reason, int kinds)
{
	struct buf list = { 0 };

	for (size_t kind = 0; kind < sizeof(endpoints) / sizeof(endpoints[0]); kind++) {
		if ((kinds & 1 << kind) != 0)
			query_list_add(&list, str_from(endpoints[kind]));
	}
	buf_addf(reason, "Not taken here, but by: %.*s", STR_ARGS(buf_str(&list)));
	buf_free(&list);
}

void query_unknown_reason(struct buf *reason, struct str name)
{
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		if (str_is(name, elsewhere[i].name)) {
			buf_add_text(reason, elsewhere[i].why);
			return;
		}
	}
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		if (str_is(name, parameters[i].name)) {
			add_endpoints(reason, parameters[i].kinds);
			return;
		}
	}
	buf_add_text(reason, is_filter_of_any(name) ? "Filters records, not reports" : "Unknown parameter");
}

static void refuse_unknown(struct query_making *making, struct str name)
{
	struct buf reason = { 0 };

	query_unknown_reason(&reason, name);
	query_problems_add(making->problems, name, "%.*s", STR_ARGS(buf_str(&reason)));
	buf_free(&reason);
}

static void take_parameter(struct query_making *making, const struct parameter *parameter, struct str name,
                           struct str value)
{
	const struct query_plan *plan = making->plan;
	const struct catalog_filter *filter = plan->product ? catalog_filter_find(plan->product, name) : NULL;

	if (is_misplaced_type(plan, name)) {
		query_problems_add(making->problems, name, "Valid only with product %.*s",
		                   STR_ARGS(catalog_aliases[0].name));
	} else if (parameter) {
		if (parameter->take)
			parameter->take(making, value);
	} else if (filter && making->kind != QUERY_CHANGES) {
		query_take_filter(making, filter, value);
	} else if (!is_filter_of_any(name)) {
		refuse_unknown(making, name);
	} else if (making->kind == QUERY_CHANGES) {
		query_problems_add(making->problems, name, "Changes cannot be filtered");
	} else if (plan->product) {
		query_refuse_filter(making, name);
	}
}

static void take_all(struct query_making *making, struct buf *unsupported)
{
	const struct query_params *params = making->params;

	for (size_t i = 0; i < params->count; i++) {
		const struct query_param *param = &params->list[i];
		const struct parameter *parameter = parameter_find(making->kind, param->name);
		size_t before = param->value.len > 0 ? times_before(params, i) : 0;

		if (param->value.len == 0 || before > 1)
			continue;
		if (before == 1)
			query_problems_add(making->problems, param->name, "Given more than once");
		else if (making->plan->by_id && !may_stand_with_id(making->plan, parameter, param->name))
			query_list_add(unsupported, param->name);
		else
			take_parameter(making, parameter, param->name, param->value);
	}
}

static void require(struct query_making *making, struct str name)
{
	if (!query_given(making->params, name).p)
		query_problems_add(making->problems, name, QUERY_MISSING);
}

static void require_filters(struct query_making *making)
{
	const struct catalog_product *product = making->plan->product;

	for (size_t i = 0; product && i < product->filters_count; i++) {
		if (product->filters[i].required)
			require(making, product->filters[i].name);
	}
}

static bool was_sent(const struct query_params *params, struct str name)
{
	for (size_t i = 0; i < params->count; i++) {
		if (str_equal(params->list[i].name, name))
			return true;
	}
	return false;
}

/* Empty values count as not given. A client's empty id must not return, and charge, a whole day: only with dates is it
 * clear that records by dates are meant. */
static void check_empty_id(struct query_making *making)
{
	const struct query_params *params = making->params;

	if (was_sent(params, STR_LITERAL("id")) && !query_given(params, STR_LITERAL("date_start")).p &&
	    !query_given(params, STR_LITERAL("date_end")).p)
		query_problems_add(making->problems, STR_LITERAL("id"), "Empty: give ids, or date_start and date_end");
}

static void check_whole(struct query_making *making)
{
	const struct query_plan *plan = making->plan;

	require(making, STR_LITERAL("product"));
	require(making, STR_LITERAL("account_id"));
	if (making->kind == QUERY_SYNC && !plan->by_id)
		check_empty_id(making);
	if (plan->by_id || making->kind == QUERY_CHANGES)
		return;
	if (making->kind != QUERY_SUMMARY) /* summaries may cover both directions */
		require_filters(making);
	query_settle_range(making);
	if (making->kind == QUERY_ASYNC)
		query_settle_columns(making);
	if (plan->dialect == QUERY_EXCEL && plan->format != QUERY_CSV)
		query_problems_add(making->problems, STR_LITERAL("dialect"), "excel: only with format csv");
	if (plan->format == QUERY_PARQUET && query_given(making->params, STR_LITERAL("compression")).p &&
	    plan->compression != QUERY_ZSTD)
		query_problems_add(making->problems, STR_LITERAL("compression"),
		                   "only zstd with format parquet, whose pages it compresses");
	if (making->kind == QUERY_SUMMARY && plan->time_zone.p)
		require(making, STR_LITERAL("interval"));
	if (plan->cursor.p)
		require(making, STR_LITERAL("iv"));
	if (plan->iv.p)
		require(making, STR_LITERAL("cursor"));
}

static void refuse_beside_id(struct query_problems *problems, struct str names)
{
	problems->invalid_filter = true;
	snprintf(problems->detail, sizeof(problems->detail),
	         "When using id, the following parameters are not supported: [%.*s]",
	         STR_ARGS(query_clip(names, sizeof(problems->detail) - 80)));
}

bool query_plan_make(struct query_plan *plan, enum query_kind kind, const struct query_params *params,
                     const struct query_limits *limits, int64_t now_us, struct query_problems *problems)
{
	struct query_making making = {
		.plan = plan,
		.kind = kind,
		.params = params,
		.limits = limits,
		.now_us = now_us,
		.problems = problems,
	};
	struct buf unsupported = { 0 };

	memset(plan, 0, offsetof(struct query_plan, ids));
	plan->kind = kind;
	plan->by_id = kind == QUERY_SYNC && query_given(params, STR_LITERAL("id")).p;
	resolve_product(&making);
	take_all(&making, &unsupported);
	check_whole(&making);
	if (unsupported.len > 0 || unsupported.failed)
		refuse_beside_id(problems, buf_str(&unsupported));
	buf_free(&unsupported);
	return problems->count == 0 && !problems->invalid_filter;
}
