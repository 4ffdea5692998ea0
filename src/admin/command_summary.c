/* SPDX-License-Identifier: ISC */
/*
 * command_summary.c: `summary`: what the records of all accounts, or of one and its subaccounts, cost in a month.
 *
 *	{"product":"SMS","month":"2026-11","from":...,"until":...,
 *	 "lines":[{"account":...,"parent":...,"name":...,"country":"GB","records":3,"unpriced":0,"unreadable":0,
 *	           "currency":"EUR","total_price":"0.12"},...],
 *	 "totals":[{"currency":"EUR","records":3,...}]}
 *
 * A line has the records of an account in one currency. Unpriced ones have no price; unreadable ones have a price or a
 * duration that is no number; neither kind is in the sum. Accounts without records have no line.
 */
#include <stdlib.h>

#include "admin/command.h"
#include "admin/sums_by_account.h"
#include "base/clock.h"
#include "billing/statement.h"
#include "query/query.h"

/* For the plan, which needs an account; which ones are read is not its business. */
#define ANY_ACCOUNT STR_LITERAL("all")

struct summing {
	struct admin_reply *reply;
	struct sums *sums;
	struct json *json;
	const char *month;          /* as given, or NULL */
	struct zone zone;           /* of the month, and of the times shown */
	struct account account;     /* whose family it is of; its id is "" for all accounts */
	struct query_params params; /* of the plan */
	struct query_plan plan;
	struct sums_query query;
};

static void summing_free(void *arg)
{
	struct summing *summing = arg;

	sums_free(summing->sums);
	query_params_free(&summing->params);
	zone_free(&summing->zone);
	free(summing);
}

/* --- the arguments --- */

/* Which argument a parameter of the plan comes from. */
static const char *argument_of(const char *parameter)
{
	static const char *const names[][2] = {
		{ "date_start", "--from" },
		{ "date_end", "--to" },
		{ "group_by", "--group-by" },
		{ "product", "--product" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i][0], parameter) == 0)
			return names[i][1];
	return parameter;
}

static int add_moment(struct summing *summing, const char *parameter, int64_t time_us, struct error *err)
{
	struct buf text = { 0 };
	int result;

	zone_format(&summing->zone, &text, time_us);
	result = query_params_add(&summing->params, str_from(parameter), buf_str(&text), err);
	buf_free(&text);
	return result;
}

/* The zone's table is made for the time around now, or for the month. */
static int load_zone(struct summing *summing, const char *name, int64_t from_us, int64_t to_us, struct error *err)
{
	struct error why;

	zone_free(&summing->zone);
	if (zone_load(&summing->zone, str_from(name ? name : "UTC"), from_us, to_us, &why) == 0)
		return 0;
	return error_set(err, why.code, "--time-zone %.64s: %s", name ? name : "UTC", why.message);
}

static int read_month(struct summing *summing, const struct args *args, struct error *err)
{
	const char *zone = args_get(args, "time_zone"), *month = args_get(args, "month");
	int64_t now_us = clock_now_us(), from_us, to_us;

	if (load_zone(summing, zone, now_us, now_us, err) != 0)
		return -1;
	if (!statement_month(month, now_us + zone_offset_us(&summing->zone, now_us), &from_us, &to_us))
		return error_set(err, ERROR_INVALID, "--month %.40s: must be a month such as 2026-11", month);
	if (load_zone(summing, zone, from_us, to_us, err) != 0 ||
	    add_moment(summing, "date_start", zone_moment_us(&summing->zone, from_us), err) != 0)
		return -1;
	return add_moment(summing, "date_end", zone_moment_us(&summing->zone, to_us), err);
}

static int read_times(struct summing *summing, const struct args *args, struct error *err)
{
	const char *from = args_get(args, "from"), *to = args_get(args, "to");

	if (!from && !to)
		return read_month(summing, args, err);
	if (!from || !to)
		return error_set(err, ERROR_INVALID, "%s is missing: --from and --to are given together",
		                 from ? "--to" : "--from");
	if (args_get(args, "month"))
		return error_set(err, ERROR_INVALID, "--month and --from: only one of them may be given");
	if (query_params_add(&summing->params, STR_LITERAL("date_start"), str_from(from), err) != 0)
		return -1;
	return query_params_add(&summing->params, STR_LITERAL("date_end"), str_from(to), err);
}

static int add_text(struct summing *summing, const char *parameter, const char *text, struct error *err)
{
	return text ? query_params_add(&summing->params, str_from(parameter), str_from(text), err) : 0;
}

/* The rules for products, times and columns are those of the API's summaries. */
static int make_plan(struct summing *summing, const struct admin_context *context, const struct args *args,
                     struct error *err)
{
	const struct query_limits limits = { .window_max_us = context->config->summary_window_max };
	struct query_problems problems = { 0 };

	if (add_text(summing, "product", args_get(args, "product"), err) != 0 ||
	    query_params_add(&summing->params, STR_LITERAL("account_id"), ANY_ACCOUNT, err) != 0 ||
	    add_text(summing, "group_by", args_get(args, "group_by"), err) != 0 || read_times(summing, args, err) != 0)
		return -1;
	if (query_plan_make(&summing->plan, QUERY_SUMMARY, &summing->params, &limits, clock_now_us(), &problems))
		return 0;
	return error_set(err, ERROR_INVALID, "%s: %s", argument_of(problems.list[0].name), problems.list[0].reason);
}

/* The account's column, those asked for, the currency's. */
static void choose_keys(struct sums_query *query, const struct query_plan *plan)
{
	const struct catalog_product *product = plan->product;
	uint8_t currency = catalog_column_find(product, STR_LITERAL("currency"));

	query->keys[query->keys_count++] = product->account_column;
	for (size_t i = 0; i < plan->groups_count; i++)
		if (plan->groups[i] != product->account_column && plan->groups[i] != currency)
			query->keys[query->keys_count++] = plan->groups[i];
	if (currency != CATALOG_NONE)
		query->keys[query->keys_count++] = currency;
}

static int read_account(struct summing *summing, const struct admin_context *context, const struct args *args,
                        struct error *err)
{
	const char *id = args_get(args, "account");
	bool subaccounts = args_count(args, "subaccounts") > 0;

	if (!id && subaccounts)
		return error_set(err, ERROR_INVALID, "--subaccounts: only with --account");
	return id ? accounts_get(context->meta, str_from(id), &summing->account, err) : 0;
}

/* --- the result --- */

/* What lines and totals end with. */
static void write_sums(struct json *j, const struct aggregate_groups *groups, const struct aggregate_group *group)
{
	const struct aggregate_amount *amount = sums_amount(groups, group);

	json_member_uint(j, "records", group->count);
	if (groups->paid != CATALOG_NONE)
		json_member_uint(j, "unpriced", group->unpriced);
	json_member_uint(j, "unreadable", group->unreadable);
	if (groups->duration != CATALOG_NONE)
		json_member_decimal(j, "duration", group->duration);
	if (groups->paid == CATALOG_NONE || !amount)
		return;
	json_member_str(j, "currency", aggregate_currency(groups, amount));
	if (groups->paid == groups->total_price)
		json_member_decimal(j, "total_price", amount->total_price);
	else
		json_member_decimal(j, "price", amount->price);
}

static void on_group(void *arg, const struct sums_account *account, const struct aggregate_groups *groups,
                     const struct aggregate_group *group)
{
	struct summing *summing = arg;
	const struct catalog_product *product = summing->plan.product;
	struct str key = { groups->texts.data + group->key_at, group->key_len };
	struct json *j = summing->json;

	json_object_begin(j);
	json_member_text(j, "account", account->id);
	json_member_text(j, "parent", account->parent);
	json_member_text(j, "name", account->name);
	for (size_t i = 0; i < groups->columns_count; i++) {
		uint8_t column = groups->columns[i];
		struct str value = aggregate_key_next(&key);

		if (column == product->account_column || column == groups->currency)
			continue;
		json_key_str(j, product->columns[column].name);
		json_str(j, value);
	}
	write_sums(j, groups, group);
	json_object_end(j);
}

static void write_moment(struct summing *summing, const char *key, int64_t time_us)
{
	struct buf text = { 0 };

	zone_format(&summing->zone, &text, time_us);
	json_member_str(summing->json, key, buf_str(&text));
	buf_free(&text);
}

static void write_beginning(struct summing *summing)
{
	struct json *j = summing->json;

	json_object_begin(j);
	json_member_str(j, "product", summing->plan.product->name);
	if (summing->account.id[0]) {
		json_member_text(j, "account", summing->account.id);
		json_member_text(j, "name", summing->account.name);
	}
	if (summing->month)
		json_member_text(j, "month", summing->month);
	write_moment(summing, "from", summing->plan.from_us);
	write_moment(summing, "until", summing->plan.to_us);
	json_key(j, "lines");
	json_array_begin(j);
}

static void write_end(struct summing *summing)
{
	const struct aggregate_groups *totals = sums_totals(summing->sums);
	struct json *j = summing->json;

	json_array_end(j);
	json_key(j, "totals");
	json_array_begin(j);
	for (size_t i = 0; i < totals->count; i++) {
		json_object_begin(j);
		write_sums(j, totals, aggregate_group_at(totals, i));
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

/* --- its course --- */

static void show_progress(struct summing *summing)
{
	if (!admin_reply_progress_due(summing->reply))
		return;
	json_member_uint(admin_reply_progress_begin(summing->reply), "done", sums_accounts_done(summing->sums));
	admin_reply_progress_end(summing->reply);
}

static void go_on(void *arg, int64_t deadline_us)
{
	struct summing *summing = arg;
	struct admin_reply *reply = summing->reply;
	enum scan_end end;
	struct error err;

	if (sums_step(summing->sums, deadline_us, &end, &err) != 0) {
		summing_free(summing);
		admin_reply_error(reply, &err);
		return;
	}
	if (summing->json->out->failed) { /* too large a result: sending it says so, and reading on would be in vain */
		summing_free(summing);
		admin_reply_send(reply);
		return;
	}
	if (end == SCAN_DONE) {
		write_end(summing);
		summing_free(summing);
		admin_reply_send(reply);
		return;
	}
	show_progress(summing);
	if (end != SCAN_WAITS)
		admin_reply_later(reply, go_on, summing);
}

static void on_ready(void *arg)
{
	struct summing *summing = arg;

	admin_reply_later(summing->reply, go_on, summing);
}

static int begin(struct summing *summing, const struct admin_context *context, const struct args *args,
                 struct error *err)
{
	struct sums_query *query = &summing->query;

	if (read_account(summing, context, args, err) != 0 || make_plan(summing, context, args, err) != 0 ||
	    load_zone(summing, args_get(args, "time_zone"), summing->plan.from_us, summing->plan.to_us, err) != 0)
		return -1;
	summing->month = args_get(args, "month");
	*query = (struct sums_query){
		.product = summing->plan.product,
		.from_us = summing->plan.from_us,
		.to_us = summing->plan.to_us,
		.account = summing->account.id[0] ? summing->account.id : NULL,
		.subaccounts = args_count(args, "subaccounts") > 0,
		.groups_max = (size_t)context->config->summary_groups_max,
		.on_group = on_group,
		.on_ready = on_ready,
		.arg = summing,
	};
	choose_keys(query, &summing->plan);
	summing->sums = sums_begin(context->meta, context->store, query, err);
	return summing->sums ? 0 : -1;
}

void admin_summary(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct summing *summing = calloc(1, sizeof(*summing));
	struct error err;

	if (!summing) {
		error_set(&err, ERROR_NOMEM, "Out of memory for a summary");
		admin_reply_error(reply, &err);
		return;
	}
	summing->reply = reply;
	if (begin(summing, context, args, &err) != 0) {
		summing_free(summing);
		admin_reply_error(reply, &err);
		return;
	}
	summing->json = admin_reply_result(reply);
	write_beginning(summing);
	admin_reply_on_close(reply, summing_free, summing);
	admin_reply_later(reply, go_on, summing);
}
