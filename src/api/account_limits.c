/* SPDX-License-Identifier: ISC */
/*
 * account_limits.c: see account_limits.h.
 *
 * "most" is null where there is no limit. Amounts are texts, exact to the last digit.
 */
#include "api/account_limits.h"

#include <string.h>

#include "base/clock.h"

/* --- the plan --- */

static void write_tier(struct json *json, const struct plan_tier *tier)
{
	json_object_begin(json);
	json_key(json, "to");
	if (tier->to == UINT64_MAX)
		json_null(json);
	else
		json_uint(json, tier->to);
	json_member_decimal(json, "price", tier->price);
	json_object_end(json);
}

void api_account_write_plan(const struct api *app, const struct account *account, struct json *json)
{
	const struct plan *plan = billing_plan(app->billing, account);
	struct billing_price price;

	billing_quote(app->billing, account, 0, clock_now_us(), &price);
	json_key(json, "plan");
	json_object_begin(json);
	json_member_text(json, "name", plan->name);
	json_member_text(json, "currency", plan->currency);
	json_member_decimal(json, "month", plan->month);
	json_member_uint(json, "free", plan->free);
	json_key(json, "tiers");
	json_array_begin(json);
	for (size_t i = 0; i < plan->tiers_count; i++)
		write_tier(json, &plan->tiers[i]);
	json_array_end(json);
	json_member_uint(json, "volume", price.volume);
	json_member_decimal(json, "next_price", price.unit);
	json_object_end(json);
}

/* --- limits --- */

static void write_limit(struct json *json, const char *name, int64_t most, int64_t left)
{
	json_key(json, name);
	json_object_begin(json);
	json_key(json, "most");
	if (most == 0)
		json_null(json);
	else
		json_int(json, most);
	json_key(json, "left");
	if (most == 0)
		json_null(json);
	else
		json_int(json, left > 0 ? left : 0);
	json_object_end(json);
}

void api_account_write_limits(const struct api *app, const struct account *account, struct json *json)
{
	int64_t concurrent = app->config->sync_concurrent_max;

	json_key(json, "limits");
	json_object_begin(json);
	for (int i = 0; i < PLAN_LIMITS; i++) {
		struct limits_left limit;

		limits_look(app->limits, account, (enum plan_limit)i, &limit);
		if (i == PLAN_QUEUED)
			limit.left -= (int64_t)reports_pending(app->reports, account->id);
		write_limit(json, limit.name, limit.most, limit.left);
	}
	write_limit(json, "concurrent", concurrent, concurrent - (int64_t)tasks_count(app->tasks, account->id));
	json_object_end(json);
}

/* --- settings --- */

/* Those that a client has to know to ask for what it may have. */
static const char *const shown[] = {
	"sync_window_max",    "page_max",         "ids_max",          "filter_values",        "summary_window_max",
	"summary_groups_max", "changes_page_max", "data_settle",      "report_window_max",    "report_max_rows",
	"report_max_bytes",   "report_file_keep", "report_keep",      "retention_months",     "body_max",
	"callback_keep",      "callbacks",        "callback_timeout", "callback_failed_keep", "callback_secret_overlap",
};

static const struct config_row *find_row(const char *key)
{
	size_t i = 0;

	while (i < config_rows_count && strcmp(config_rows[i].key, key) != 0)
		i++;
	return i < config_rows_count ? &config_rows[i] : NULL;
}

static void write_number(struct json *json, const struct config_row *row, int64_t value)
{
	if (row->type == CONFIG_BOOL)
		json_bool(json, value != 0);
	else if (row->type == CONFIG_DURATION)
		json_int(json, value / CLOCK_US_PER_SECOND);
	else
		json_int(json, value);
}

static void write_setting(struct json *json, const struct config_row *row, const char *config)
{
	const void *value = config + row->offset;

	json_key(json, row->key);
	if (row->type == CONFIG_TEXT || row->type == CONFIG_CHOICE)
		json_text(json, *(char *const *)value);
	else
		write_number(json, row, *(const int64_t *)value);
}

void api_account_write_settings(const struct api *app, struct json *json)
{
	json_key(json, "settings");
	json_object_begin(json);
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		const struct config_row *row = find_row(shown[i]);

		if (row)
			write_setting(json, row, (const char *)app->config);
	}
	json_object_end(json);
}
