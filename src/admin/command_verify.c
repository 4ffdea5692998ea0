/*
 * command_verify.c: `verify`, every checksum and index, in slices.
 */
#include <stdlib.h>

#include "admin/command.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/verify.h"

#define SLICE_US 5000
#define FAULTS_SHOWN 1000

struct checking {
	struct admin_reply *reply;
	struct verify *verify;
	struct buf faults; /* elements of an array */
	uint64_t faults_count;
};

static void checking_free(void *arg)
{
	struct checking *checking = arg;
	verify_free(checking->verify);
	buf_free(&checking->faults);
	free(checking);
}

static void on_fault(void *arg, const char *fault)
{
	struct checking *checking = arg;
	struct json j = json_to(&checking->faults);
	log_error("verify", "%s", fault);
	if (checking->faults_count == FAULTS_SHOWN)
		return;
	j.comma = checking->faults_count++ > 0;
	json_text(&j, fault);
}

static void write_counts(struct json *j, const struct verify_counts *counts)
{
	json_member_uint(j, "days", counts->days);
	json_member_uint(j, "blocks", counts->blocks);
	json_member_uint(j, "records", counts->rows);
	json_member_uint(j, "faults_count", counts->faults);
}

static void finish(struct checking *checking)
{
	struct json *j = admin_reply_result(checking->reply);
	struct verify_counts counts;
	verify_counts(checking->verify, &counts);
	json_object_begin(j);
	json_key(j, "sound");
	json_bool(j, counts.faults == 0);
	write_counts(j, &counts);
	json_key(j, "faults");
	json_array_begin(j);
	if (checking->faults_count > 0)
		json_raw(j, buf_str(&checking->faults));
	json_array_end(j);
	json_object_end(j);
	admin_reply_send(checking->reply);
	checking_free(checking);
}

static void show_progress(struct checking *checking)
{
	struct verify_counts counts;
	struct json *j = admin_reply_progress_begin(checking->reply);
	verify_counts(checking->verify, &counts);
	json_member_uint(j, "done", counts.days);
	json_member_uint(j, "total", counts.days_total);
	json_member_uint(j, "records", counts.rows);
	admin_reply_progress_end(checking->reply);
}

static void go_on(void *arg)
{
	struct checking *checking = arg;
	struct error err;
	bool done;
	if (verify_step(checking->verify, clock_monotonic_us() + SLICE_US, &done, &err) != 0) {
		admin_reply_error(checking->reply, &err);
		checking_free(checking);
		return;
	}
	if (done) {
		finish(checking);
		return;
	}
	if (admin_reply_progress_due(checking->reply))
		show_progress(checking);
	admin_reply_later(checking->reply, go_on, checking);
}

void admin_verify(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct checking *checking = calloc(1, sizeof(*checking));
	const char *text = args_get(args, "day");
	struct error err;
	int32_t day;
	if (!checking)
		error_set(&err, ERROR_NOMEM, "verify: out of memory");
	else if (text && !clock_parse_day(str_from(text), &day))
		error_set(&err, ERROR_INVALID, "day \"%.64s\": must be yyyy-mm-dd", text);
	else
		checking->verify = verify_new(context->store, text ? &day : NULL, on_fault, checking, &err);
	if (!checking || !checking->verify) {
		admin_reply_error(reply, &err);
		free(checking);
		return;
	}
	checking->reply = reply;
	admin_reply_on_close(reply, checking_free, checking);
	go_on(checking);
}
