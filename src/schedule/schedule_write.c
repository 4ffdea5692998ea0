/* SPDX-License-Identifier: ISC */
/*
 * schedule_write.c: a schedule as JSON, for the API and for cdrctl.
 *
 *	{"_links":{"self":{"href":...}},"schedule_id":...,"creator":...,"name":...,"cron":...,"range":...,"time_zone":...,
 *	 "paused":false,"created":...,"next_run":..., "waits_for":... while the run that is due cannot be made,
 *	 whole: "next_runs":[...],"report":{what the next run will ask for},
 *	 "runs":[{"due":...,"missed_since":...,"made":...,"request_id":...,"request_status":...,"error":...}]}
 */
#include "base/clock.h"
#include "schedule/schedule_private.h"

static void write_text(struct json *json, const char *key, struct buf *text)
{
	json_member_str(json, key, buf_str(text));
	if (text->failed)
		json->out->failed = true;
	buf_free(text);
}

static void write_time(struct json *json, const char *key, int64_t time_us)
{
	struct buf text = { 0 };

	clock_format_record(&text, time_us - time_us % CLOCK_US_PER_SECOND);
	write_text(json, key, &text);
}

/* In the schedule's time zone, as its fields are. */
static void write_local(struct json *json, const char *key, struct str zone_name, int64_t time_us)
{
	struct buf text = { 0 };
	struct zone zone;
	struct error err;

	if (zone_load(&zone, zone_name, time_us, time_us, &err) == 0)
		zone_format(&zone, &text, time_us);
	else
		clock_format_record(&text, time_us);
	zone_free(&zone);
	if (key) {
		write_text(json, key, &text);
		return;
	}
	json_str(json, buf_str(&text));
	if (text.failed)
		json->out->failed = true;
	buf_free(&text);
}

static void write_links(const struct schedule *schedule, struct str base_url, struct json *json)
{
	struct buf url = { 0 };

	if (!base_url.p)
		return;
	buf_add_str(&url, base_url);
	buf_addf(&url, "/v2/reports/schedules/%s", schedule->id);
	json_key(json, "_links");
	json_object_begin(json);
	json_key(json, "self");
	json_object_begin(json);
	write_text(json, "href", &url);
	json_object_end(json);
	json_object_end(json);
}

static void write_given(const struct schedule *schedule, const char *name, struct json *json)
{
	struct str value = query_params_get(&schedule->params, name);

	if (value.len > 0)
		json_member_str(json, name, value);
}

static void write_next_runs(const struct schedule *schedule, struct json *json)
{
	struct cron cron;
	struct str zone;
	struct error err = { 0 };
	int64_t next_us = clock_now_us();

	json_key(json, "next_runs");
	json_array_begin(json);
	if (!schedule->paused && schedule_read_cron(&schedule->params, &cron, &zone, &err) == 0)
		for (int i = 0; i < SCHEDULE_NEXT_SHOWN && cron_next(&cron, zone, next_us, &next_us, &err) == 0; i++)
			write_local(json, NULL, zone, next_us);
	if (err.code != ERROR_NONE && err.code != ERROR_INVALID)
		json->out->failed = true;
	json_array_end(json);
}

/* What a run would ask for: the next one, or if it is paused one now. Nothing if it could not. */
static void write_report(const struct schedules *schedules, const struct schedule *schedule, struct json *json)
{
	struct schedule_asked *asked = schedule_asked_new();
	struct query_problems problems;
	struct error err;
	int64_t now_us = clock_now_us();

	if (!asked) {
		json->out->failed = true;
		return;
	}
	int result = schedule_ask(schedules->context.reports, schedule->account, &schedule->params,
	                          schedule->due_us > 0 ? schedule->due_us : now_us - now_us % CLOCK_US_PER_SECOND,
	                          asked, &problems, &err);
	bool failed = result == 0 ? problems.failure.code != ERROR_NONE : err.code != ERROR_INVALID;

	json->out->failed |= failed;
	if (result == 0 && problems.count == 0) {
		json_key(json, "report");
		json_object_begin(json);
		query_plan_echo(&asked->plan, &asked->params, json);
		json_object_end(json);
	}
	schedule_asked_free(asked);
}

static void write_run(const struct schedules *schedules, const struct schedule_run *run, struct json *json)
{
	struct report report;
	struct error err;

	json_object_begin(json);
	write_time(json, "due", run->due_us);
	if (run->missed_us)
		write_time(json, "missed_since", run->missed_us);
	write_time(json, "made", run->made_us);
	if (run->report[0]) {
		json_member_text(json, "request_id", run->report);
		/* It may have expired. */
		if (reports_get(schedules->context.reports, str_from(run->report), &report, &err) == 0) {
			json_member_text(json, "request_status", report_state_name(report.state));
			report_free(&report);
		}
	} else {
		json_member_text(json, "error", run->error);
	}
	json_object_end(json);
}

void schedule_write(struct schedules *schedules, const struct schedule *schedule, struct str base_url, bool whole,
                    struct json *json)
{
	struct str zone = query_params_get(&schedule->params, "time_zone");

	if (zone.len == 0)
		zone = STR_LITERAL("UTC");
	json_object_begin(json);
	write_links(schedule, base_url, json);
	json_member_text(json, "schedule_id", schedule->id);
	json_member_text(json, "creator", schedule->account);
	write_given(schedule, "name", json);
	write_given(schedule, "account_id", json);
	write_given(schedule, "product", json);
	write_given(schedule, "cron", json);
	write_given(schedule, "range", json);
	json_member_str(json, "time_zone", zone);
	json_member_bool(json, "paused", schedule->paused);
	write_time(json, "created", schedule->created_us);
	if (schedule->due_us)
		write_local(json, "next_run", zone, schedule->due_us);
	if (schedule->waits_for.len > 0)
		json_member_str(json, "waits_for", buf_str(&schedule->waits_for));
	if (whole) {
		write_next_runs(schedule, json);
		write_report(schedules, schedule, json);
		json_key(json, "runs");
		json_array_begin(json);
		for (size_t i = 0; i < schedule->runs_count; i++)
			write_run(schedules, &schedule->runs[i], json);
		json_array_end(json);
	}
	json_object_end(json);
}
