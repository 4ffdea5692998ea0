/* SPDX-License-Identifier: ISC */
/*
 * command_verify.c: `verify`, every checksum and index, in slices.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "admin/job.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/verify.h"

#define FAULTS_SHOWN 1000

struct checking {
	struct admin_job job;
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

static int checking_step(void *arg, int64_t deadline_us, bool *done, struct error *err)
{
	struct checking *checking = arg;

	return verify_step(checking->verify, deadline_us, done, err);
}

static void write_progress(void *arg, struct json *j)
{
	struct checking *checking = arg;
	struct verify_counts counts;

	verify_counts(checking->verify, &counts);
	json_member_uint(j, "done", counts.days);
	json_member_uint(j, "total", counts.days_total);
	json_member_uint(j, "records", counts.rows);
}

static struct json *begin_result(struct admin_reply *reply, uint64_t faults)
{
	struct error err;

	if (faults == 0)
		return admin_reply_result(reply);
	error_set(&err, ERROR_CORRUPT, "verify: %" PRIu64 " fault%s found", faults, faults == 1 ? "" : "s");
	return admin_reply_result_with_error(reply, &err);
}

static void write_result(void *arg, struct admin_reply *reply)
{
	struct checking *checking = arg;
	struct verify_counts counts;
	struct json *j;

	verify_counts(checking->verify, &counts);
	j = begin_result(reply, counts.faults);
	json_object_begin(j);
	json_member_bool(j, "sound", counts.faults == 0);
	json_member_uint(j, "days", counts.days);
	json_member_uint(j, "blocks", counts.blocks);
	json_member_uint(j, "records", counts.rows);
	json_member_uint(j, "faults_count", counts.faults);
	json_key(j, "faults");
	json_array_begin(j);
	if (checking->faults_count > 0)
		json_raw(j, buf_str(&checking->faults));
	json_array_end(j);
	json_object_end(j);
}

static const struct admin_job_kind kind = { checking_step, write_progress, write_result, checking_free };

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
	admin_job_begin(&checking->job, &kind, reply);
}
