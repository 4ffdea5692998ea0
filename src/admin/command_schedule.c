/* SPDX-License-Identifier: ISC */
/*
 * command_schedule.c: `schedule list`, `schedule show`, `schedule add`, `schedule remove`, `schedule pause`, `schedule
 * resume` and `schedule run`.
 */
#include <stdlib.h>

#include "admin/command.h"
#include "schedule/schedule.h"

#define LIST_DEFAULT 1000
#define LIST_MAX 10000

/* --- schedule list --- */

struct listing {
	struct json *json;
	uint64_t left;
};

static void write_given(struct json *j, const struct schedule *schedule, const char *name)
{
	struct str value = query_params_get(&schedule->params, name);

	json_member_str(j, name, value.p ? value : STR_LITERAL(""));
}

static bool list_schedule(void *arg, const struct schedule *schedule)
{
	struct listing *listing = arg;
	struct json *j = listing->json;
	const struct schedule_run *last = &schedule->runs[0];

	json_object_begin(j);
	json_member_text(j, "id", schedule->id);
	json_member_text(j, "account", schedule->account);
	write_given(j, schedule, "product");
	write_given(j, schedule, "cron");
	write_given(j, schedule, "range");
	write_given(j, schedule, "time_zone");
	json_key(j, "next");
	if (schedule->due_us)
		admin_write_time(j, schedule->due_us);
	else
		json_null(j);
	json_key(j, "last");
	if (schedule->runs_count > 0)
		admin_write_time(j, last->made_us);
	else
		json_null(j);
	json_member_text(j, "last_error", schedule->runs_count > 0 ? last->error : "");
	write_given(j, schedule, "name");
	json_object_end(j);
	return --listing->left > 0;
}

void admin_schedule_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct listing listing = { .json = admin_reply_result(reply), .left = LIST_DEFAULT };
	struct error err;
	int result = args_get_number(args, "limit", 1, LIST_MAX, &listing.left, &err);

	json_array_begin(listing.json);
	if (result == 0)
		result = schedules_each(context->schedules, args_get(args, "account"), list_schedule, &listing, &err);
	json_array_end(listing.json);
	admin_reply_end(reply, result, &err);
}

/* --- schedule show --- */

static void reply_schedule(const struct admin_context *context, struct str id, struct admin_reply *reply)
{
	struct schedule schedule;
	struct error err;

	if (schedules_get(context->schedules, id, &schedule, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	schedule_write(context->schedules, &schedule, (struct str){ NULL, 0 }, true, admin_reply_result(reply));
	schedule_free(&schedule);
	admin_reply_send(reply);
}

void admin_schedule_show(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	reply_schedule(context, str_from(args_get(args, "id")), reply);
}

/* --- schedule add --- */

/* PARAMETER=VALUE, as many as there are. */
static int read_params(const struct args *args, struct query_params *params, struct error *err)
{
	for (size_t i = 0; i < args_count(args, "parameter"); i++) {
		const char *text = args_get_at(args, "parameter", i), *mark = strchr(text, '=');

		if (!mark || mark == text)
			return error_set(err, ERROR_INVALID, "'%.100s' is not NAME=VALUE", text);
		if (query_params_add(params, (struct str){ text, (size_t)(mark - text) }, str_from(mark + 1), err) != 0)
			return -1;
	}
	if (query_params_get(params, "account_id").p)
		return 0;
	return query_params_add(params, STR_LITERAL("account_id"), str_from(args_get(args, "account")), err);
}

struct adding {
	struct account account;
	struct query_params params;
	struct query_problems problems;
};

static int add(const struct admin_context *context, const struct args *args, struct adding *adding,
               struct schedule *schedule, struct error *err)
{
	struct schedule_request request = {
		.account = &adding->account,
		.params = &adding->params,
		.base_url = str_from(context->config->public_url),
	};

	if (accounts_get(context->meta, str_from(args_get(args, "account")), &adding->account, err) != 0 ||
	    read_params(args, &adding->params, err) != 0)
		return -1;
	return schedules_create(context->schedules, &request, &adding->problems, schedule, err);
}

void admin_schedule_add(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct adding *adding = calloc(1, sizeof(*adding));
	struct schedule schedule;
	struct error err;
	int result = adding ? add(context, args, adding, &schedule, &err) :
	                      error_set(&err, ERROR_NOMEM, "Out of memory for a schedule");

	if (adding)
		query_params_free(&adding->params);
	free(adding);
	if (result != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "schedule %s of account %s added", schedule.id, schedule.account);
	reply_schedule(context, str_from(schedule.id), reply);
	schedule_free(&schedule);
}

/* --- schedule remove, pause, resume and run --- */

void admin_schedule_remove(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *id = args_get(args, "id");
	struct error err;

	if (schedules_remove(context->schedules, str_from(id), &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "schedule %s removed", id);
	admin_reply_send(reply);
}

static void set_paused(const struct admin_context *context, const struct args *args, struct admin_reply *reply,
                       bool paused)
{
	const char *id = args_get(args, "id");
	struct error err;

	if (schedules_set_paused(context->schedules, str_from(id), paused, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "schedule %s %s", id, paused ? "paused" : "resumed");
	reply_schedule(context, str_from(id), reply);
}

void admin_schedule_pause(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	set_paused(context, args, reply, true);
}

void admin_schedule_resume(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	set_paused(context, args, reply, false);
}

void admin_schedule_run(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *id = args_get(args, "id");
	char report[ID_UUID_LEN + 1];
	struct error err;

	if (schedules_run(context->schedules, str_from(id), report, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "schedule %s run, report %s", id, report);
	struct json *j = admin_reply_result(reply);
	json_object_begin(j);
	json_member_text(j, "report", report);
	json_object_end(j);
	admin_reply_send(reply);
}
