/* SPDX-License-Identifier: ISC */
/*
 * command_overview.c: `overview`, what an operator looks at first, and again every second (`cdrctl top`).
 *
 * All of it comes from counters and tables of a fixed size: what it takes does not grow with accounts, days or records.
 */
#include "admin/command.h"
#include "admin/rates.h"
#include "admin/status_parts.h"
#include "backup/backup.h"
#include "base/clock.h"

#define ACCOUNTS_DEFAULT 10
#define ACCOUNTS_MAX 1000

static void begin_section(struct json *j, const char *key)
{
	json_key(j, key);
	json_object_begin(j);
}

/* null for a time that is not known. */
static void write_time(struct json *j, const char *key, int64_t time_us)
{
	json_key(j, key);
	if (time_us == 0)
		json_null(j);
	else
		admin_write_time(j, time_us);
}

static void write_disk(struct json *j, const struct admin_context *context)
{
	struct disk_room room;

	disk_room(context->disk, &room);
	begin_section(j, "disk");
	json_member_uint(j, "size_bytes", room.total_bytes);
	json_member_uint(j, "free_bytes", room.free_bytes);
	json_member_uint(j, "keep_free_bytes", room.limit_bytes);
	json_member_bool(j, "low", room.low);
	write_time(j, "low_at", disk_low_at_us(context->disk));
	json_object_end(j);
}

static void write_store(struct json *j, const struct admin_context *context)
{
	struct store_metrics metrics;

	store_metrics(context->store, &metrics);
	begin_section(j, "store");
	json_member_uint(j, "days", metrics.days);
	json_member_uint(j, "days_open", metrics.open_days.count);
	json_member_uint(j, "hot_rows", metrics.hot_rows);
	json_member_bool(j, "sealing_lags", store_is_behind(context->store));
	json_member_uint(j, "seals", metrics.sealing.seals);
	json_member_uint(j, "merges", metrics.sealing.merges);
	status_write_health(j, context);
	json_object_end(j);
}

static void write_reports(struct json *j, const struct admin_context *context)
{
	struct reports_stats stats;

	reports_stats(context->reports, &stats);
	begin_section(j, "reports");
	json_member_uint(j, "pending", stats.pending);
	json_member_uint(j, "processing", stats.processing);
	json_object_end(j);
}

static void write_loop(struct json *j, const struct admin_context *context)
{
	struct http_stats stats;

	http_server_stats(context->http, &stats);
	begin_section(j, "loop");
	status_write_lag(j, context->lag);
	json_member_uint(j, "connections", stats.connections);
	json_object_end(j);
}

/* If the catalog cannot be read, the rest must still be shown. */
static void write_backup(struct json *j, const struct admin_context *context)
{
	int64_t last_us = 0;
	struct error err;
	int result = backup_last_us(context->meta, &last_us, &err);

	begin_section(j, "backup");
	if (result != 0)
		json_member_text(j, "error", err.message);
	write_time(j, "last", last_us);
	json_key(j, "age_seconds");
	if (last_us == 0)
		json_null(j);
	else
		json_int(j, (clock_now_us() - last_us) / CLOCK_US_PER_SECOND);
	json_object_end(j);
}

/* --- accounts --- */

static void write_sum(struct json *j, const char *key, decimal_units sum, bool money)
{
	struct buf text = { 0 };

	json_key(j, key);
	if (money) {
		decimal_format(&text, (struct decimal){ sum });
		json_str(j, buf_str(&text));
	} else {
		json_uint(j, (uint64_t)sum);
	}
	buf_free(&text);
}

static void write_hitter(struct json *j, const struct heavy_hitter *hitter, bool money)
{
	json_object_begin(j);
	json_member_text(j, "account", hitter->id);
	write_sum(j, money ? "charged" : "records", hitter->sum, money);
	if (money) {
		json_member_text(j, "currency", hitter->kind);
		json_member_uint(j, "requests", hitter->count);
	}
	json_object_end(j);
}

/* What is counted of today, and how exactly; then the accounts with the most of it. */
static void write_hitters(struct json *j, const char *key, const struct heavy_hitters *table, size_t max, bool money)
{
	const struct heavy_hitter *top[HEAVY_HITTERS_MAX];
	size_t count = heavy_hitters_top(table, top, max);

	begin_section(j, key);
	write_time(j, "since", table->since_us);
	write_sum(j, "low_by_at_most", table->reduced, money);
	json_key(j, "accounts");
	json_array_begin(j);
	for (size_t i = 0; i < count; i++)
		write_hitter(j, top[i], money);
	json_array_end(j);
	json_object_end(j);
}

static void write_overview(struct json *j, const struct admin_context *context, size_t max)
{
	json_object_begin(j);
	write_time(j, "time", clock_now_us());
	status_write_process(j, context);
	json_key(j, "rates");
	rates_write(context->rates, j);
	write_loop(j, context);
	write_store(j, context);
	write_disk(j, context);
	write_reports(j, context);
	status_write_callbacks(j, context);
	status_write_quarantine(j, context);
	write_backup(j, context);
	write_hitters(j, "records_today", ingest_accounts(context->ingest), max, false);
	write_hitters(j, "charges_today", billing_accounts(context->billing), max, true);
	json_object_end(j);
}

void admin_overview(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	uint64_t max = ACCOUNTS_DEFAULT;
	struct error err;

	if (args_get_number(args, "accounts", 0, ACCOUNTS_MAX, &max, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	write_overview(admin_reply_result(reply), context, (size_t)max);
	admin_reply_send(reply);
}

void admin_top(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct error err;

	(void)context;
	(void)args;
	error_set(&err, ERROR_INVALID, "top: cdrctl does that by itself, from the overview");
	admin_reply_error(reply, &err);
}
