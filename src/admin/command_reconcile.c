/* SPDX-License-Identifier: ISC */
/*
 * command_reconcile.c: `reconcile`, `reconcile list`, `reconcile show`, `reconcile cancel` and `reconcile get`.
 *
 * The body of `reconcile` is the carrier's file. When it is complete, the client is shown the progress until there is a
 * result; one that leaves before keeps nothing from being done. `reconcile get` sends each file as
 *
 *	{"file":"reconcile_SMS_2026-11_matched.zip"}
 *	{"data":65536}<bytes> ...
 *	{"data":0}
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/command.h"
#include "reconcile/reconcile.h"

#define LIST_DEFAULT 100
#define LIST_MAX 10000
#define PIECE_BYTES ((size_t)64 << 10)

/* --- the status --- */

static const struct reconciliation *find(const struct admin_context *context, const char *id, struct error *err)
{
	const struct reconciliation *job = reconciles_get(context->reconciles, str_from(id));

	if (!job)
		error_set(err, ERROR_NOT_FOUND, "reconciliation %.64s: there is none", id);
	return job;
}

static void reply_status(const struct admin_context *context, const char *id, struct admin_reply *reply)
{
	struct buf status = { 0 };
	struct error err;
	const struct reconciliation *job = find(context, id, &err);

	if (job && reconcile_write_status(context->reconciles, job, STR_LITERAL(""), &status, &err) == 0) {
		json_raw(admin_reply_result(reply), buf_str(&status));
		admin_reply_send(reply);
	} else {
		admin_reply_error(reply, &err);
	}
	buf_free(&status);
}

void admin_reconcile_show(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	reply_status(context, args_get(args, "id"), reply);
}

void admin_reconcile_cancel(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *id = args_get(args, "id");
	struct error err;

	if (reconciles_cancel(context->reconciles, str_from(id), "the operator", &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "reconciliation %s cancelled", id);
	reply_status(context, id, reply);
}

/* --- reconcile list --- */

struct listing {
	struct json *json;
	const char *account; /* NULL: any */
	uint64_t left;
};

static void write_param(struct json *j, const struct reconciliation *job, const char *name)
{
	struct str value = query_params_get(&job->params, name);

	json_member_str(j, name, value.p ? value : STR_LITERAL(""));
}

static bool list_job(void *arg, const struct reconciliation *job)
{
	struct listing *listing = arg;
	struct json *j = listing->json;

	if (listing->account && strcmp(listing->account, job->request.account) != 0)
		return true;
	json_object_begin(j);
	json_member_text(j, "id", job->id);
	json_member_text(j, "account", job->request.account);
	json_member_text(j, "asked_by", job->creator);
	write_param(j, job, "product");
	write_param(j, job, "month");
	write_param(j, job, "mapping");
	json_member_text(j, "state", report_state_name(job->state));
	for (int i = 0; i < RECONCILER_CLASSES; i++)
		json_member_uint(j, reconciler_class_name((enum reconciler_class)i), job->files[i].made.rows);
	admin_member_time(j, "received", job->received_us);
	json_member_text(j, "reason", job->reason);
	json_object_end(j);
	return --listing->left > 0;
}

void admin_reconcile_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct listing listing = { admin_reply_result(reply), args_get(args, "account"), LIST_DEFAULT };
	struct error err;
	int result = args_get_number(args, "limit", 1, LIST_MAX, &listing.left, &err);

	json_array_begin(listing.json);
	if (result == 0)
		reconciles_each(context->reconciles, list_job, &listing);
	json_array_end(listing.json);
	admin_reply_end(reply, result, &err);
}

/* --- reconcile --- */

struct work {
	const struct admin_context *context;
	struct admin_reply *reply;
	struct reconcile_upload *upload; /* NULL: it is complete */
	struct event *timer;
	uint64_t bytes;
	char id[ID_UUID_LEN + 1];
};

static void work_free(void *arg)
{
	struct work *work = arg;

	reconcile_upload_drop(work->upload);
	if (work->timer)
		event_free(work->timer);
	free(work);
}

static void answer_error(struct work *work, const struct error *err)
{
	admin_reply_error(work->reply, err);
	work_free(work);
}

static void answer(struct work *work)
{
	const struct admin_context *context = work->context;
	struct admin_reply *reply = work->reply;
	struct error err;
	const struct reconciliation *job = find(context, work->id, &err);
	char id[ID_UUID_LEN + 1];

	if (job && job->state == REPORT_SUCCESS) {
		memcpy(id, work->id, sizeof(id));
		work_free(work);
		reply_status(context, id, reply);
		return;
	}
	if (job)
		error_set(&err, ERROR_INVALID, "reconciliation %s: %s: %s", job->id, report_state_name(job->state),
		          job->reason);
	answer_error(work, &err);
}

static void write_progress(struct work *work, const struct reconciliation *job)
{
	char share[16];
	struct json *j = admin_reply_progress_begin(work->reply);

	(void)snprintf(share, sizeof(share), "%.4f", job->progress.share);
	json_member_text(j, "state", report_state_name(job->state));
	json_key(j, "share");
	json_raw(j, str_from(share));
	json_member_uint(j, "rows", job->progress.rows_ours + job->progress.rows_theirs);
	admin_reply_progress_end(work->reply);
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = { 0, 50000 };
	struct work *work = arg;
	const struct reconciliation *job = reconciles_get(work->context->reconciles, str_from(work->id));

	(void)fd;
	(void)what;
	if (job && !report_state_ended(job->state)) {
		if (admin_reply_progress_due(work->reply))
			write_progress(work, job);
		if (event_add(work->timer, &pause) == 0)
			return;
	}
	answer(work);
}

static void on_data(void *arg, const char *data, size_t len)
{
	struct work *work = arg;
	struct error err;

	work->bytes += len;
	if (reconcile_upload_feed(work->upload, (struct str){ data, len }, &err) != 0) {
		answer_error(work, &err);
		return;
	}
	if (!admin_reply_progress_due(work->reply))
		return;
	struct json *j = admin_reply_progress_begin(work->reply);
	json_member_uint(j, "done_bytes", work->bytes);
	admin_reply_progress_end(work->reply);
}

static void on_end(void *arg)
{
	struct work *work = arg;
	struct error err;
	const struct reconciliation *job = reconcile_upload_finish(work->upload, &err);

	work->upload = NULL;
	if (!job) {
		answer_error(work, &err);
		return;
	}
	memcpy(work->id, job->id, sizeof(work->id));
	admin_reply_log(work->reply, "reconciliation %s begun", job->id);
	event_active(work->timer, EV_TIMEOUT, 0);
}

/* The options as parameters of POST /v2/reports/reconcile. */
static int read_args(const struct args *args, struct query_params *params, struct error *err)
{
	static const struct {
		const char *option, *name;
	} rows[] = {
		{ "product", "product" },
		{ "month", "month" },
		{ "mapping", "mapping" },
		{ "account", "account_id" },
		{ "direction", "direction" },
		{ "match", "match" },
		{ "time_tolerance", "time_tolerance" },
		{ "duration_tolerance", "duration_tolerance" },
		{ "price_tolerance", "price_tolerance" },
		{ "compare", "compare" },
		{ "time_zone", "time_zone" },
		{ "encoding", "encoding" },
		{ "compression", "compression" },
		{ "file", "file_name" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *value = args_get(args, rows[i].option);

		if (value && query_params_add(params, str_from(rows[i].name), str_from(value), err) != 0)
			return -1;
	}
	if (args_count(args, "subaccounts") == 0)
		return 0;
	return query_params_add(params, STR_LITERAL("include_subaccounts"), STR_LITERAL("true"), err);
}

static int begin(struct work *work, const struct args *args, struct error *err)
{
	struct query_problems *problems = calloc(1, sizeof(*problems));
	struct query_params params = { 0 };
	int result = problems ? 0 : error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation");

	if (result == 0)
		result = read_args(args, &params, err);
	if (result == 0)
		work->upload = reconcile_upload_begin(work->context->reconciles, NULL, &params, problems, err);
	query_params_free(&params);
	free(problems);
	return work->upload ? 0 : -1;
}

void admin_reconcile(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	static const struct admin_body body = { on_data, on_end };
	struct work *work = calloc(1, sizeof(*work));
	struct error err;

	/* Declare the body before an error, so that the connection is closed after it. */
	admin_reply_body(reply, &body, work);
	if (work)
		work->timer = evtimer_new(context->base, on_watch, work);
	if (!work || !work->timer) {
		free(work);
		error_set(&err, ERROR_NOMEM, "Out of memory for a reconciliation");
		admin_reply_error(reply, &err);
		return;
	}
	work->context = context;
	work->reply = reply;
	if (begin(work, args, &err) == 0)
		admin_reply_on_close(reply, work_free, work);
	else
		answer_error(work, &err);
}

/* --- reconcile get --- */

struct sending {
	const struct admin_context *context;
	struct admin_reply *reply;
	char id[ID_UUID_LEN + 1];
	int class;
	int fd;        /* of the file that is being sent, or -1 */
	uint64_t left; /* bytes of it that are to come */
	char piece[PIECE_BYTES];
};

static void sending_free(void *arg)
{
	struct sending *sending = arg;

	if (sending->fd >= 0)
		close(sending->fd);
	free(sending);
}

static int begin_file(struct sending *sending, struct error *err)
{
	const struct reconciliation *job = find(sending->context, sending->id, err);
	struct buf name = { 0 };

	if (!job)
		return -1;
	sending->fd =
		reconcile_open_file(sending->context->reconciles, job, (enum reconciler_class)sending->class, err);
	if (sending->fd < 0)
		return -1;
	sending->left = job->files[sending->class].made.bytes;
	reconcile_file_name(job, (enum reconciler_class)sending->class, &name);
	json_member_str(admin_reply_line_begin(sending->reply), "file", buf_str(&name));
	admin_reply_line_end(sending->reply, (struct str){ NULL, 0 });
	buf_free(&name);
	return 0;
}

static int send_piece(struct sending *sending, struct error *err)
{
	ssize_t got = read(sending->fd, sending->piece, sizeof(sending->piece));

	if (got < 0 && errno == EINTR)
		return 0;
	if (got < 0)
		return error_set_errno(err, errno, "reconciliation %s: read", sending->id);
	if (got == 0 ? sending->left > 0 : (uint64_t)got > sending->left)
		return error_set(err, ERROR_CORRUPT,
		                 "reconciliation %s: the file `%s` has not the length that it was made with",
		                 sending->id, reconciler_class_name((enum reconciler_class)sending->class));
	sending->left -= (uint64_t)got;
	json_member_uint(admin_reply_line_begin(sending->reply), "data", (uint64_t)got);
	admin_reply_line_end(sending->reply, (struct str){ sending->piece, (size_t)got });
	if (got > 0)
		return 0;
	close(sending->fd);
	sending->fd = -1;
	sending->class ++;
	return 0;
}

static void on_send(void *arg, int64_t deadline_us)
{
	struct sending *sending = arg;
	struct admin_reply *reply = sending->reply;
	struct error err;

	(void)deadline_us;
	if (sending->class == RECONCILER_CLASSES) {
		sending_free(sending);
		admin_reply_send(reply);
	} else if ((sending->fd < 0 ? begin_file(sending, &err) : send_piece(sending, &err)) == 0) {
		admin_reply_when_read(reply, on_send, sending);
	} else {
		sending_free(sending);
		admin_reply_error(reply, &err);
	}
}

void admin_reconcile_get(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct sending *sending = NULL;
	struct error err;
	const struct reconciliation *job = find(context, args_get(args, "id"), &err);

	if (job && job->state != REPORT_SUCCESS)
		error_set(&err, ERROR_CONFLICT, "reconciliation %s: is %s, and has no files", job->id,
		          report_state_name(job->state));
	else if (job && !(sending = calloc(1, sizeof(*sending))))
		error_set(&err, ERROR_NOMEM, "Out of memory for files");
	if (!sending) {
		admin_reply_error(reply, &err);
		return;
	}
	sending->context = context;
	sending->reply = reply;
	sending->fd = -1;
	memcpy(sending->id, job->id, sizeof(sending->id));
	admin_reply_on_close(reply, sending_free, sending);
	admin_reply_when_read(reply, on_send, sending);
}
