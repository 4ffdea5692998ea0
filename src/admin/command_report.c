/* SPDX-License-Identifier: ISC */
/*
 * command_report.c: `report list`, `report show`, `report watch` and `report cancel`.
 */
#include <stdlib.h>

#include "admin/command.h"
#include "report/report.h"

#define LIST_DEFAULT 100
#define LIST_MAX 10000

static void write_time(struct json *j, const char *key, int64_t time_us)
{
	if (time_us == 0)
		return;
	json_key(j, key);
	admin_write_time(j, time_us);
}

static void write_percent(struct json *j, const struct report *report)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%.1f", report->share * 100);
	json_key(j, "percent");
	json_raw(j, str_from(text));
}

/* The members that the list and a single report have in common. */
static void write_brief(struct json *j, const struct report *report)
{
	json_member_text(j, "id", report->id);
	json_member_text(j, "account", report->account);
	json_member_str(j, "product", query_params_get(&report->params, "product"));
	json_member_text(j, "state", report_state_name(report->state));
	write_percent(j, report);
	json_member_uint(j, "rows", report->rows);
	json_member_uint(j, "file_bytes", report->bytes);
	admin_member_time(j, "received", report->received_us);
	if (report_has_callback(report))
		json_member_text(j, "callback", report_callback_state(&report->callback));
	if (report_has_delivery(report))
		json_member_text(j, "delivery", report_callback_state(&report->delivery));
}

/* --- report list --- */

struct listing {
	struct json *json;
	uint64_t left;
	bool any_state;
	enum report_state state;
};

static bool list_report(void *arg, const struct report *report)
{
	struct listing *listing = arg;
	struct json *j = listing->json;

	if (!listing->any_state && report->state != listing->state)
		return true;
	json_object_begin(j);
	write_brief(j, report);
	write_time(j, "ended", report->ended_us);
	json_member_str(j, "reason", buf_str(&report->reason));
	json_object_end(j);
	return --listing->left > 0;
}

static int read_state(const struct args *args, struct listing *listing, struct error *err)
{
	const char *name = args_get(args, "state");

	listing->any_state = !name;
	if (!name || report_state_parse(str_from(name), &listing->state))
		return 0;
	return error_set(err, ERROR_INVALID,
	                 "--state %.40s: not one of PENDING, PROCESSING, SUCCESS, TRUNCATED, FAILED, "
	                 "ABORTED",
	                 name);
}

static int list_reports(const struct admin_context *context, const struct args *args, struct listing *listing,
                        struct error *err)
{
	const char *id = args_get(args, "account");
	struct account account;

	if (args_get_number(args, "limit", 1, LIST_MAX, &listing->left, err) != 0 ||
	    read_state(args, listing, err) != 0)
		return -1;
	if (id && accounts_get(context->meta, str_from(id), &account, err) != 0)
		return -1;
	return reports_each(context->reports, id ? &account.key : NULL, INT64_MIN, INT64_MAX, list_report, listing,
	                    err);
}

void admin_report_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct listing listing = { .json = admin_reply_result(reply), .left = LIST_DEFAULT };
	struct error err;

	json_array_begin(listing.json);
	int result = list_reports(context, args, &listing, &err);
	json_array_end(listing.json);
	admin_reply_end(reply, result, &err);
}

/* --- report show --- */

static void write_parameters(struct json *j, const struct report *report)
{
	json_key(j, "parameters");
	json_object_begin(j);
	for (size_t i = 0; i < report->params.count; i++) {
		json_key_str(j, report->params.list[i].name);
		json_str(j, report->params.list[i].value);
	}
	write_time(j, "from", report->from_us);
	write_time(j, "to", report->to_us);
	json_object_end(j);
}

static void write_sums(struct json *j, const struct report *report)
{
	json_key(j, "total_price");
	json_array_begin(j);
	for (size_t i = 0; i < report->sums_count; i++) {
		struct buf sum = { 0 };

		decimal_format(&sum, report->sums[i].total_price);
		json_object_begin(j);
		json_member_text(j, "currency", report->sums[i].currency);
		json_member_str(j, "sum", buf_str(&sum));
		json_member_uint(j, "rows", report->sums[i].rows);
		json_object_end(j);
		buf_free(&sum);
	}
	json_array_end(j);
}

/* How the attempts of a callback or a delivery went. */
static void write_attempts(struct json *j, const char *key, const struct report_callback *callback)
{
	json_key(j, key);
	json_object_begin(j);
	json_member_uint(j, "attempts", (uint64_t)callback->attempts);
	write_time(j, "last_attempt", callback->last_us);
	if (callback->status)
		json_member_uint(j, "last_status", (uint64_t)callback->status);
	if (callback->error.len > 0)
		json_member_str(j, "last_error", buf_str(&callback->error));
	write_time(j, "next_attempt", callback->next_us);
	json_object_end(j);
}

static void write_whole(struct json *j, const struct report *report)
{
	json_object_begin(j);
	write_brief(j, report);
	json_member_text(j, "asked_by", report->creator);
	write_time(j, "started", report->started_us);
	write_time(j, "ended", report->ended_us);
	if (report->reason.len > 0) {
		json_member_str(j, "reason", buf_str(&report->reason));
	}
	if (report->has_file) {
		json_member_text(j, "file_id", report->file_id);
		json_member_text(j, "sha256", report->sha256);
		write_time(j, "first_record", report->first_us);
		write_time(j, "last_record", report->last_us);
	}
	if (report_has_callback(report))
		write_attempts(j, "callback_attempts", &report->callback);
	if (report_has_delivery(report))
		write_attempts(j, "delivery_attempts", &report->delivery);
	write_parameters(j, report);
	if (report->sums_count > 0)
		write_sums(j, report);
	if (report->unsummed > 0)
		json_member_uint(j, "rows_in_no_sum", report->unsummed);
	json_object_end(j);
}

static void reply_report(const struct admin_context *context, struct str id, struct admin_reply *reply)
{
	struct report report;
	struct error err;

	if (reports_get(context->reports, id, &report, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	write_whole(admin_reply_result(reply), &report);
	report_free(&report);
	admin_reply_send(reply);
}

void admin_report_show(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	reply_report(context, str_from(args_get(args, "id")), reply);
}

/* --- report watch --- */

struct watch {
	const struct admin_context *context;
	struct admin_reply *reply;
	struct event *timer;
	char id[ID_UUID_LEN + 1];
};

static void watch_free(void *arg)
{
	struct watch *watch = arg;

	event_free(watch->timer);
	free(watch);
}

static void write_progress(struct admin_reply *reply, const struct report *report)
{
	char share[16];
	struct json *j = admin_reply_progress_begin(reply);

	(void)snprintf(share, sizeof(share), "%.4f", report->share);
	json_member_text(j, "state", report_state_name(report->state));
	json_key(j, "share");
	json_raw(j, str_from(share));
	json_member_uint(j, "rows", report->rows);
	json_member_uint(j, "file_bytes", report->bytes);
	admin_reply_progress_end(reply);
}

/* True if the job is still running and the watch continues. */
static bool look(struct watch *watch)
{
	struct report report;
	struct error err;
	bool goes_on;

	if (reports_get(watch->context->reports, str_from(watch->id), &report, &err) != 0)
		return false; /* the answer says why */
	goes_on = !report_state_ended(report.state);
	if (goes_on && admin_reply_progress_due(watch->reply))
		write_progress(watch->reply, &report);
	report_free(&report);
	return goes_on;
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = { 0, 200000 };
	struct watch *watch = arg;

	(void)fd;
	(void)what;
	if (look(watch) && event_add(watch->timer, &pause) == 0)
		return;
	const struct admin_context *context = watch->context;
	struct admin_reply *reply = watch->reply;
	char id[ID_UUID_LEN + 1];
	memcpy(id, watch->id, sizeof(id));
	watch_free(watch);
	reply_report(context, str_from(id), reply);
}

void admin_report_watch(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	struct error err;

	if (watch)
		watch->timer = evtimer_new(context->base, on_watch, watch);
	if (!watch || !watch->timer) {
		free(watch);
		error_set(&err, ERROR_NOMEM, "Out of memory for a watch");
		admin_reply_error(reply, &err);
		return;
	}
	watch->context = context;
	watch->reply = reply;
	(void)snprintf(watch->id, sizeof(watch->id), "%s", args_get(args, "id"));
	admin_reply_on_close(reply, watch_free, watch);
	event_active(watch->timer, EV_TIMEOUT, 0);
}

/* --- report cancel --- */

void admin_report_cancel(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct str id = str_from(args_get(args, "id"));
	struct error err;

	if (reports_cancel(context->reports, id, "the operator", &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "report %.*s cancelled", STR_ARGS(id));
	reply_report(context, id, reply);
}
