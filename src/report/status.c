/* SPDX-License-Identifier: ISC */
/*
 * status.c: a job as JSON, for the status answer, the list and the callback alike.
 *
 *	{"_links":{"self":{"href":...},"download_report":{"href":...}},"request_id":...,"request_status":"SUCCESS",
 *	 <the parameters>,"receive_time":...,"start_time":...,"end_time":...,"items_count":...,
 *	 "callback":{"state":...,"attempts":...,...} with a callback_url, when ended,
 *	 "delivery":{the same of the file} with a destination, when there is one,
 *	 "progress":{"bytes":...,"share":...} while it runs, "manifest":{...} with a file, "reason":... without}
 */
#include "report/report.h"

#include <string.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "report/report_private.h"

static const char *const state_names[REPORT_STATES] = {
	[REPORT_PENDING] = "PENDING",     [REPORT_PROCESSING] = "PROCESSING", [REPORT_SUCCESS] = "SUCCESS",
	[REPORT_TRUNCATED] = "TRUNCATED", [REPORT_FAILED] = "FAILED",         [REPORT_ABORTED] = "ABORTED",
};

const char *report_state_name(enum report_state state)
{
	return state_names[state];
}

bool report_state_parse(struct str name, enum report_state *state)
{
	for (int i = 0; i < REPORT_STATES; i++) {
		if (str_is(name, state_names[i])) {
			*state = (enum report_state)i;
			return true;
		}
	}
	return false;
}

/* A report that is remade returns from its end to PENDING. */
void report_set_state(struct report *report, enum report_state state)
{
	static const unsigned ends =
		1U << REPORT_SUCCESS | 1U << REPORT_TRUNCATED | 1U << REPORT_FAILED | 1U << REPORT_ABORTED;
	static const unsigned allowed[REPORT_STATES] = {
		[REPORT_PENDING] = 1U << REPORT_PROCESSING | 1U << REPORT_FAILED | 1U << REPORT_ABORTED,
		[REPORT_PROCESSING] = 1U << REPORT_PROCESSING | ends,
		[REPORT_SUCCESS] = 1U << REPORT_PENDING,
		[REPORT_TRUNCATED] = 1U << REPORT_PENDING,
	};

	INVARIANT_STEP(allowed, report->state, state);
	report->state = state;
}

/* --- names --- */

static const char *const inner_endings[] = {
	[REPORT_CSV] = ".csv", [REPORT_NDJSON] = ".ndjson", [REPORT_PARQUET] = ".parquet"
};

bool report_is_parquet(const struct report *report)
{
	return str_is(query_params_get(&report->params, "format"), "parquet");
}

static const char *inner_ending(const struct report *report)
{
	bool is_ndjson = str_is(query_params_get(&report->params, "format"), "ndjson");

	return inner_endings[report_is_parquet(report) ? REPORT_PARQUET : is_ndjson ? REPORT_NDJSON : REPORT_CSV];
}

void report_file_name(const struct report *report, struct buf *out)
{
	struct str compression = query_params_get(&report->params, "compression");
	struct str product = query_params_get(&report->params, "product");

	buf_add_str(out, product);
	buf_addf(out, "_%s", report->id);
	if (report_is_parquet(report))
		buf_add_text(out, inner_ending(report));
	else if (str_is(compression, "gzip"))
		buf_addf(out, "%s.gz", inner_ending(report));
	else if (str_is(compression, "zstd"))
		buf_addf(out, "%s.zst", inner_ending(report));
	else
		buf_add_text(out, ".zip");
}

/* Of the report's own time zone, when it was asked for. False when that cannot be known now. */
static bool find_offset(const struct report *report, int64_t *offset_us)
{
	struct str name = query_params_get(&report->params, "time_zone");
	struct zone zone;
	struct error err;

	*offset_us = 0;
	if (name.len == 0)
		return true;
	bool loaded = zone_load(&zone, name, report->received_us, report->received_us, &err) == 0;
	if (loaded)
		*offset_us = zone_offset_us(&zone, report->received_us);
	zone_free(&zone);
	return loaded || err.code == ERROR_INVALID;
}

void report_inner_name(const struct report *report, struct buf *out)
{
	struct buf day = { 0 };
	int64_t offset_us;

	out->failed |= !find_offset(report, &offset_us);
	clock_format_day(&day, clock_day_of(report->received_us + offset_us));
	buf_add_text(out, "report_");
	buf_add_str(out, query_params_get(&report->params, "product"));
	buf_addf(out, "_%s_", report->account);
	for (size_t i = 0; i < day.len; i++) {
		if (day.data[i] != '-')
			buf_add_char(out, day.data[i]);
	}
	buf_add_text(out, inner_ending(report));
	if (day.failed)
		out->failed = true;
	buf_free(&day);
}

/* --- the plan --- */

bool report_make_plan(const struct report *report, struct query_plan *plan)
{
	static const struct query_limits no_limits = { .window_max_us = INT64_MAX, .any_values = true };
	struct query_problems problems = { 0 };
	bool right = query_plan_make(plan, QUERY_ASYNC, &report->params, &no_limits, report->received_us, &problems);

	plan->account_key = report->account_key;
	plan->from_us = report->from_us;
	plan->to_us = report->to_us;
	return right;
}

/* --- JSON --- */

static void write_time(struct json *json, const char *key, int64_t time_us)
{
	struct buf text = { 0 };

	clock_format_record(&text, time_us - time_us % CLOCK_US_PER_SECOND);
	json_member_str(json, key, buf_str(&text));
	buf_free(&text);
}

static void write_link(struct json *json, const char *name, struct str base_url, const char *path, const char *id)
{
	struct buf url = { 0 };

	buf_add_str(&url, base_url);
	buf_add_text(&url, path);
	buf_add_text(&url, id);
	json_key(json, name);
	json_object_begin(json);
	json_member_str(json, "href", buf_str(&url));
	json_object_end(json);
	if (url.failed)
		json->out->failed = true;
	buf_free(&url);
}

static void write_links(const struct report *report, struct str base_url, struct json *json)
{
	json_key(json, "_links");
	json_object_begin(json);
	write_link(json, "self", base_url, "/v2/reports/", report->id);
	if (report->has_file)
		write_link(json, "download_report", base_url, "/v3/media/", report->file_id);
	json_object_end(json);
}

static void write_parameters(const struct report *report, struct json *json)
{
	struct query_plan plan;

	/* A product unknown to this build: everything else is still written. */
	if (report_make_plan(report, &plan)) {
		query_plan_echo(&plan, &report->params, json);
		return;
	}
	json_member_str(json, "account_id", str_from(report->account));
	json_member_str(json, "product", query_params_get(&report->params, "product"));
}

static void write_times(const struct report *report, struct json *json)
{
	write_time(json, "receive_time", report->received_us);
	/* clients expect the member in every state */
	write_time(json, "start_time", report->started_us ? report->started_us : report->received_us);
	if (report->ended_us)
		write_time(json, "end_time", report->ended_us);
}

static void write_progress(const struct report *report, struct json *json)
{
	char share[16];

	(void)snprintf(share, sizeof(share), "%.4f", report->share);
	json_key(json, "progress");
	json_object_begin(json);
	json_member_uint(json, "bytes", report->bytes);
	json_key(json, "share");
	json_raw(json, str_from(share));
	json_object_end(json);
}

/* Sums by currency; records without one are under "". */
static void write_sums(const struct report *report, struct json *json)
{
	json_key(json, "total_price");
	json_object_begin(json);
	for (size_t i = 0; i < report->sums_count; i++) {
		struct buf sum = { 0 };

		decimal_format(&sum, report->sums[i].total_price);
		json_member_str(json, report->sums[i].currency, buf_str(&sum));
		buf_free(&sum);
	}
	json_object_end(json);
}

static void write_record_time(struct json *json, const char *key, int64_t time_us)
{
	struct buf text = { 0 };

	clock_format_record(&text, time_us);
	json_member_str(json, key, buf_str(&text));
	buf_free(&text);
}

static void write_manifest(const struct report *report, struct json *json)
{
	json_key(json, "manifest");
	json_object_begin(json);
	json_member_uint(json, "rows", report->rows);
	write_sums(report, json);
	if (report->unsummed > 0)
		json_member_uint(json, "rows_in_no_sum", report->unsummed);
	if (report->rows > 0) {
		write_record_time(json, "first_time", report->first_us);
		write_record_time(json, "last_time", report->last_us);
	}
	json_member_uint(json, "bytes", report->bytes);
	json_member_str(json, "sha256", str_from(report->sha256));
	json_object_end(json);
}

bool report_has_callback(const struct report *report)
{
	return report_state_ended(report->state) && query_params_get(&report->params, "callback_url").len > 0;
}

bool report_has_delivery(const struct report *report)
{
	return report->has_file && query_params_get(&report->params, "destination").len > 0;
}

const char *report_callback_state(const struct report_callback *callback)
{
	if (callback->delivered)
		return "delivered";
	return callback->attempts == 0 || callback->next_us != 0 ? "waiting" : "failed";
}

static void write_callback(const struct report_callback *callback, const char *key, struct json *json)
{
	json_key(json, key);
	json_object_begin(json);
	json_member_text(json, "state", report_callback_state(callback));
	json_member_uint(json, "attempts", (uint64_t)callback->attempts);
	if (callback->last_us)
		write_time(json, "last_attempt", callback->last_us);
	if (callback->status)
		json_member_uint(json, "last_status", (uint64_t)callback->status);
	if (callback->error.len > 0)
		json_member_str(json, "last_error", buf_str(&callback->error));
	if (callback->next_us)
		write_time(json, "next_attempt", callback->next_us);
	json_object_end(json);
}

int report_write_status(const struct report *report, struct str base_url, struct buf *out, struct error *err)
{
	struct json json = json_to(out);

	json_object_begin(&json);
	write_links(report, base_url, &json);
	json_member_str(&json, "request_id", str_from(report->id));
	json_member_str(&json, "request_status", str_from(report_state_name(report->state)));
	write_parameters(report, &json);
	write_times(report, &json);
	json_member_uint(&json, "items_count", report->rows);
	if (report->state == REPORT_PROCESSING)
		write_progress(report, &json);
	if (report->state == REPORT_SUCCESS || report->state == REPORT_TRUNCATED)
		write_manifest(report, &json);
	if (report_has_callback(report))
		write_callback(&report->callback, "callback", &json);
	if (report_has_delivery(report))
		write_callback(&report->delivery, "delivery", &json);
	if (report->reason.len > 0)
		json_member_str(&json, "reason", buf_str(&report->reason));
	json_object_end(&json);
	return out->failed ? error_set(err, ERROR_NOMEM, "report %s: out of memory", report->id) : 0;
}
