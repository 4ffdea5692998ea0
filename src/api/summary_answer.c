/* SPDX-License-Identifier: ISC */
/*
 * summary_answer.c: a summary as JSON.
 *
 *	{"_links":{"self":...},"request_id":...,"request_status":"SUCCESS",...,"groups_count":2,"groups":[
 *	 {"start":"2026-03-01T00:00:00+01:00","country":"DE","count":3,"duration":"180",
 *	  "amounts":[{"currency":"EUR","count":3,"total_price":"0.12","price":"0.04"}]},...],
 *	 "total":{"count":...,"amounts":[...]}}
 *
 * Sums are texts, as values of records are, so that no client reads them into a double. Members that the product has no
 * column for are left out.
 */
#include "base/clock.h"
#include "api/link.h"
#include "api/summary.h"

static void write_amount(const struct aggregate_groups *groups, const struct aggregate_amount *amount,
                         struct json *json)
{
	json_object_begin(json);
	json_member_str(json, "currency", aggregate_currency(groups, amount));
	json_member_uint(json, "count", amount->count);
	if (groups->total_price != CATALOG_NONE)
		json_member_decimal(json, "total_price", amount->total_price);
	if (groups->price != CATALOG_NONE)
		json_member_decimal(json, "price", amount->price);
	json_object_end(json);
}

/* The members that groups and the total have. */
static void write_sums(const struct aggregate_groups *groups, const struct aggregate_group *group, struct json *json)
{
	json_member_uint(json, "count", group->count);
	if (group->unreadable > 0)
		json_member_uint(json, "unreadable", group->unreadable);
	if (group->unpriced > 0)
		json_member_uint(json, "unpriced", group->unpriced);
	if (groups->duration != CATALOG_NONE)
		json_member_decimal(json, "duration", group->duration);
	if (groups->total_price == CATALOG_NONE && groups->price == CATALOG_NONE)
		return;
	json_key(json, "amounts");
	json_array_begin(json);
	for (uint32_t at = group->amounts; at;) {
		const struct aggregate_amount *amount = aggregate_amount_at(groups, at - 1);

		write_amount(groups, amount, json);
		at = amount->next;
	}
	json_array_end(json);
}

static void write_group(struct api_summary *summary, const struct aggregate_groups *groups,
                        const struct aggregate_group *group, struct json *json, struct buf *scratch)
{
	const struct query_plan *plan = &summary->plan;
	struct str key = { groups->texts.data + group->key_at, group->key_len };

	json_object_begin(json);
	if (plan->interval != ZONE_WHOLE) {
		buf_clear(scratch);
		zone_format(&summary->zone, scratch, group->start_us);
		json_member_str(json, "start", buf_str(scratch));
	}
	for (size_t i = 0; i < plan->groups_count; i++) {
		json_key_str(json, plan->product->columns[plan->groups[i]].name);
		json_str(json, aggregate_key_next(&key));
	}
	write_sums(groups, group, json);
	json_object_end(json);
}

/* The groups' sums, added up, are a summary with one group. */
static int add_up(const struct aggregate_groups *groups, struct aggregate_groups *total, struct error *err)
{
	*total = *groups;
	total->columns_count = total->count = 0;
	total->groups = total->amounts = total->texts = total->key = (struct buf){ 0 };
	total->slots = NULL;
	total->slots_count = total->last = 0;
	for (size_t i = 0; i < groups->count; i++) {
		const struct aggregate_group *group = aggregate_group_at(groups, i);

		if (aggregate_add_group(total, INT64_MIN, groups, group, err) < 0)
			return -1;
	}
	aggregate_groups_sort(total);
	return 0;
}

static void write_total(const struct aggregate_groups *total, struct json *json)
{
	static const struct aggregate_group nothing;

	json_key(json, "total");
	json_object_begin(json);
	write_sums(total, total->count > 0 ? aggregate_group_at(total, 0) : &nothing, json);
	json_object_end(json);
}

static void write_answer(struct api_summary *summary, const struct aggregate_groups *groups,
                         const struct aggregate_groups *total, struct buf *out)
{
	struct json json = json_to(out);
	struct buf scratch = { 0 };
	int64_t received_us = summary->received_us - summary->received_us % CLOCK_US_PER_SECOND;

	json_object_begin(&json);
	json_key(&json, "_links");
	json_object_begin(&json);
	http_request_url(summary->request, &scratch);
	api_link_write(&json, "self", &scratch);
	json_object_end(&json);
	json_member_str(&json, "request_id", str_from(summary->request_id));
	json_member_str(&json, "request_status", STR_LITERAL("SUCCESS"));
	buf_clear(&scratch);
	clock_format_record(&scratch, received_us);
	json_member_str(&json, "received_at", buf_str(&scratch));
	query_plan_echo(&summary->plan, &summary->params, &json);
	json_member_uint(&json, "groups_count", groups->count);
	json_key(&json, "groups");
	json_array_begin(&json);
	for (size_t i = 0; i < groups->count; i++)
		write_group(summary, groups, aggregate_group_at(groups, i), &json, &scratch);
	json_array_end(&json);
	write_total(total, &json);
	json_object_end(&json);
	if (scratch.failed)
		out->failed = true;
	buf_free(&scratch);
}

int api_summary_answer(struct api_summary *summary, struct error *err)
{
	struct aggregate_groups *groups = aggregate_groups(summary->aggregate), total;
	struct buf out = { 0 };
	int result = add_up(groups, &total, err);

	if (result == 0) {
		aggregate_groups_sort(groups);
		write_answer(summary, groups, &total, &out);
	}
	aggregate_groups_free(&total);
	if (result == 0 && out.failed)
		result = error_set(err, ERROR_NOMEM, "Out of memory for a summary");
	if (result == 0)
		http_reply(summary->request, 200, "application/json", &out);
	buf_free(&out);
	return result;
}
