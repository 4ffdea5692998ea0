/* SPDX-License-Identifier: ISC */
/*
 * command_account_import.c: `account import`, many accounts from a file, in one change.
 *
 * The body is the file. Rows are read as they arrive; the work begins with the end of the body.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/account_csv.h"
#include "admin/command.h"
#include "admin/job.h"
#include "meta/account_import.h"

struct importing {
	struct admin_job job;
	struct admin_reply *reply;
	char *name; /* of the file, for the log */
	struct account_import *import;
	struct account_csv csv;
	bool failed;
	struct error err; /* why, if so */
};

static void importing_free(void *arg)
{
	struct importing *importing = arg;

	account_csv_free(&importing->csv);
	account_import_free(importing->import);
	free(importing->name);
	free(importing);
}

static bool has_plan(void *arg, struct str plan)
{
	return plans_find(billing_plans(arg), plan);
}

static struct importing *importing_new(const struct admin_context *context, const struct args *args,
                                       struct admin_reply *reply, struct error *err)
{
	struct importing *importing = calloc(1, sizeof(*importing));

	if (importing) {
		importing->reply = reply;
		importing->name = strdup(args_get(args, "file"));
		importing->import = account_import_new(context->meta, has_plan, context->billing, err);
		account_csv_init(&importing->csv, importing->import);
	}
	if (importing && importing->name && importing->import)
		return importing;
	if (importing)
		importing_free(importing);
	error_set(err, ERROR_NOMEM, "Out of memory for an import of accounts");
	return NULL;
}

/* --- the work --- */

/* Faults are a finding, which is answered with a list. */
static int step(void *arg, int64_t deadline_us, bool *done, struct error *err)
{
	struct importing *importing = arg;
	size_t shown;
	uint64_t faults;

	if (account_import_step(importing->import, deadline_us, done, err) == 0)
		return 0;
	account_import_faults(importing->import, &shown, &faults);
	if (faults == 0)
		return -1;
	importing->failed = true;
	importing->err = *err;
	*done = true;
	return 0;
}

static void write_progress(void *arg, struct json *j)
{
	const struct importing *importing = arg;
	uint64_t total, done = account_import_progress(importing->import, &total);

	json_member_uint(j, "done", done);
	json_member_uint(j, "total", total);
}

static void write_faults(const struct importing *importing, struct json *j)
{
	size_t count;
	uint64_t all;
	const struct account_fault *faults = account_import_faults(importing->import, &count, &all);

	json_array_begin(j);
	for (size_t i = 0; i < count; i++) {
		json_object_begin(j);
		json_member_uint(j, "line", faults[i].line);
		json_member_text(j, "column", faults[i].column);
		json_member_text(j, "fault", faults[i].message);
		json_object_end(j);
	}
	json_array_end(j);
}

static void write_result(void *arg, struct admin_reply *reply)
{
	const struct importing *importing = arg;
	size_t accounts = account_import_count(importing->import), secrets = account_import_secrets(importing->import);

	if (importing->failed) {
		write_faults(importing, admin_reply_result_with_error(reply, &importing->err));
		return;
	}
	admin_reply_log(reply, "%zu accounts added from %s, %zu with a secret", accounts, importing->name, secrets);
	struct json *j = admin_reply_result(reply);
	json_object_begin(j);
	json_member_uint(j, "accounts", accounts);
	json_member_uint(j, "with_secret", secrets);
	json_object_end(j);
}

static const struct admin_job_kind kind = { step, write_progress, write_result, importing_free };

/* --- the body --- */

static void give_up(struct importing *importing, const struct error *err)
{
	struct admin_reply *reply = importing->reply;

	importing_free(importing);
	admin_reply_error(reply, err);
}

static void on_data(void *arg, const char *data, size_t len)
{
	struct importing *importing = arg;
	struct error err;

	if (account_csv_feed(&importing->csv, data, len, &err) != 0)
		give_up(importing, &err);
}

static void on_end(void *arg)
{
	struct importing *importing = arg;
	struct error err;

	if (account_csv_end(&importing->csv, &err) != 0)
		give_up(importing, &err);
	else
		admin_job_begin(&importing->job, &kind, importing->reply);
}

void admin_account_import(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	static const struct admin_body body = { on_data, on_end };
	struct error err;
	struct importing *importing = importing_new(context, args, reply, &err);

	/* Declare the body before an error, so that the connection is closed after it. */
	admin_reply_body(reply, &body, importing);
	if (!importing) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_on_close(reply, importing_free, importing);
}
