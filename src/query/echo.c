/* SPDX-License-Identifier: ISC */
/*
 * echo.c: the parameters of a query as its answers repeat them.
 */
#include "query/query_private.h"

#include "base/clock.h"

static void write_time(struct json *json, const char *key, int64_t time_us)
{
	struct buf text = { 0 };

	clock_format_record(&text, time_us);
	json_member_str(json, key, buf_str(&text));
	if (text.failed)
		json->out->failed = true;
	buf_free(&text);
}

static void write_given(struct json *json, const struct query_params *params, const char *name)
{
	struct str value = query_given(params, str_from(name));

	if (value.p)
		json_member_str(json, name, value);
}

static void write_switch(struct json *json, const struct query_params *params, const char *name, bool on)
{
	if (!query_given(params, str_from(name)).p)
		return;
	json_key(json, name);
	json_bool(json, on);
}

/* A plus that was not encoded has become a space. */
static void write_number(struct json *json, struct str value)
{
	struct buf text = { 0 };

	buf_add_str(&text, value);
	if (text.len > 0 && text.data[0] == ' ')
		text.data[0] = '+';
	json_str(json, buf_str(&text));
	if (text.failed)
		json->out->failed = true;
	buf_free(&text);
}

static void write_filters(const struct query_plan *plan, const struct query_params *params, struct json *json)
{
	for (size_t i = 0; i < params->count; i++) {
		const struct query_param *param = &params->list[i];
		const struct catalog_filter *filter = catalog_filter_find(plan->product, param->name);

		if (param->value.len == 0 || !filter)
			continue;
		json_key_str(json, param->name);
		if (plan->product->columns[filter->column].kind == CATALOG_NUMBER)
			write_number(json, param->value);
		else
			json_str(json, param->value);
	}
}

void query_plan_echo(const struct query_plan *plan, const struct query_params *params, struct json *json)
{
	json_member_str(json, "account_id", str_from(plan->account));
	json_member_str(json, "product", plan->product_name);
	if (plan->type.p)
		json_member_str(json, "type", plan->type);
	write_filters(plan, params, json);
	write_switch(json, params, "include_message", plan->include_message);
	write_switch(json, params, "show_concatenated", plan->show_concatenated);
	write_switch(json, params, "include_subaccounts", plan->include_subaccounts);
	write_given(json, params, "format");
	write_given(json, params, "compression");
	write_given(json, params, "columns");
	write_given(json, params, "dialect");
	write_given(json, params, "callback_url");
	write_given(json, params, "destination");
	write_given(json, params, "group_by");
	write_given(json, params, "interval");
	write_given(json, params, "time_zone");
	if (plan->by_id || plan->kind == QUERY_CHANGES)
		return;
	if (plan->limit > 0)
		json_member_uint(json, "limit", plan->limit);
	write_time(json, "date_start", plan->from_us);
	write_time(json, "date_end", plan->to_us);
}
