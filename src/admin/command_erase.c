/* SPDX-License-Identifier: ISC */
/*
 * command_erase.c: `erase`, which erases a person's number from everything, in slices, and the list of erased numbers.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "admin/job.h"
#include "base/clock.h"
#include "privacy/erasure.h"
#include "store/erased.h"

#define LIST_DEFAULT 1000
#define LIST_MAX 100000

struct erasing {
	struct admin_job job;
	struct erasure *erasure;
	struct store *store;
	char account[ACCOUNT_ID_MAX + 1];
	char *number;
	bool lasting;
	int64_t begun_us;
};

static void erasing_free(void *arg)
{
	struct erasing *job = arg;

	erasure_free(job->erasure);
	free(job->number);
	free(job);
}

static int erasing_step(void *arg, int64_t deadline_us, bool *done, struct error *err)
{
	struct erasing *job = arg;
	int result = erasure_step(job->erasure, deadline_us, done, err);

	if (result != 0)
		admin_reply_log(job->job.reply, "a number erased in part from account %s: %s", job->account,
		                err->message);
	else
		job->job.waits = erasure_waits(job->erasure);
	return result;
}

static void on_ready(void *arg)
{
	struct erasing *job = arg;

	if (job->job.waits) /* two things may be waited for */
		admin_job_go_on(&job->job);
}

static void write_progress(void *arg, struct json *j)
{
	struct erasing *job = arg;
	struct erasure_counts counts;

	erasure_counts(job->erasure, &counts);
	json_member_uint(j, "done", counts.records.days_done);
	json_member_uint(j, "total", counts.records.days_total);
	json_member_uint(j, "pass", (uint64_t)counts.records.pass);
	json_member_uint(j, "records", counts.records.records);
}

static void write_hash(struct json *j, const struct siphash *hash)
{
	char text[2 * sizeof(hash->word) + 1];

	str_write_hex(text, hash->word, sizeof(hash->word));
	json_member_text(j, "hash", text);
}

/* The head of the receipt. */
static void write_head(struct json *j, const struct erasing *job)
{
	struct siphash hash = erased_hash(job->store, str_from(job->number));
	struct buf masked = { 0 };

	admin_mask_number(&masked, job->number);
	json_member_text(j, "account", job->account);
	json_member_str(j, "number", buf_str(&masked));
	write_hash(j, &hash);
	json_member_bool(j, "lasting", job->lasting);
	json_member_uint(j, "by_uid", admin_reply_uid(job->job.reply));
	admin_member_time(j, "begun", job->begun_us);
	admin_member_time(j, "ended", clock_now_us());
	buf_free(&masked);
}

static void write_counts(struct json *j, const struct erasure_counts *counts)
{
	const struct erase_counts *records = &counts->records;

	json_member_bool(j, "nothing_left", records->left == 0);
	json_member_uint(j, "records", records->records);
	json_member_uint(j, "runs_written_anew", records->runs);
	json_member_uint(j, "days_written_anew", records->days_packed);
	json_member_uint(j, "passes", (uint64_t)records->pass);
	json_member_uint(j, "accounts", counts->accounts);
	json_member_uint(j, "reports_made_anew", counts->reports_anew);
	json_member_uint(j, "report_files_removed", counts->report_files);
	json_member_uint(j, "reports_begun_again", counts->reports_again);
	json_member_uint(j, "reports_cancelled", counts->reports_cancelled);
	json_member_uint(j, "reconciliations_removed", counts->reconciliations);
	json_member_uint(j, "schedules_removed", counts->schedules);
	json_member_uint(j, "callbacks", counts->callbacks);
	json_member_uint(j, "quarantine_dropped", counts->quarantine);
}

static void write_result(void *arg, struct admin_reply *reply)
{
	struct erasing *job = arg;
	struct erasure_counts counts;

	erasure_counts(job->erasure, &counts);
	struct json *j = admin_reply_result(reply);
	json_object_begin(j);
	write_head(j, job);
	write_counts(j, &counts);
	json_object_end(j);
	admin_reply_log(reply, "a number erased from account %s: %" PRIu64 " records, %" PRIu64 " report files%s",
	                job->account, counts.records.records, counts.report_files + counts.reports_anew,
	                counts.records.left ? "; records with it keep arriving" : "");
}

static const struct admin_job_kind kind = { erasing_step, write_progress, write_result, erasing_free };

static struct erasure_request request_of(const struct args *args, const struct admin_reply *reply)
{
	return (struct erasure_request){
		.account = args_get(args, "account"),
		.subaccounts = args_count(args, "subaccounts") > 0,
		.number = args_get(args, "number"),
		.lasting = args_count(args, "lasting") > 0,
		.uid = admin_reply_uid(reply),
	};
}

void admin_erase(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct erasing *job = calloc(1, sizeof(*job));
	struct erasure_context own = { context->meta,      context->store,     context->ingest,    context->reports,
		                       context->schedules, context->callbacks, context->reconciles };
	struct erasure_request request = request_of(args, reply);
	struct error err;

	request.on_ready = on_ready;
	request.arg = job;
	if (job)
		job->number = strdup(request.number);
	if (job && job->number)
		job->erasure = erasure_new(&own, &request, &err);
	else
		error_set(&err, ERROR_NOMEM, "erase: out of memory");
	if (!job || !job->erasure) {
		admin_reply_error(reply, &err);
		if (job)
			free(job->number);
		free(job);
		return;
	}
	job->store = context->store;
	job->lasting = request.lasting;
	job->begun_us = clock_now_us();
	str_copy(job->account, sizeof(job->account), request.account); /* there is such an account */
	admin_job_begin(&job->job, &kind, reply);
}

/* --- erase list --- */

struct listing {
	struct json *json;
	struct meta *meta;
	const char *account;
	uint64_t left;
};

static bool list_entry(void *arg, const struct erased_entry *entry)
{
	struct listing *listing = arg;
	struct json *j = listing->json;

	char id[ACCOUNT_ID_MAX + 1];
	struct error err;

	if (accounts_id_of_key(listing->meta, &entry->account, id, &err) <= 0 ||
	    (listing->account && strcmp(listing->account, id) != 0))
		return true;
	json_object_begin(j);
	json_member_text(j, "account", id);
	write_hash(j, &entry->hash);
	admin_member_time(j, "erased", entry->erased_us);
	json_member_bool(j, "lasting", entry->until_us == ERASED_LASTS);
	json_member_uint(j, "by_uid", entry->uid);
	json_object_end(j);
	return --listing->left > 0;
}

void admin_erase_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct listing listing = { admin_reply_result(reply), context->meta, args_get(args, "account"), LIST_DEFAULT };
	struct error err;
	int result = args_get_number(args, "limit", 1, LIST_MAX, &listing.left, &err);

	json_array_begin(listing.json);
	if (result == 0)
		result = erased_each(context->store, list_entry, &listing, &err);
	json_array_end(listing.json);
	admin_reply_end(reply, result, &err);
}

/* --- erase revoke --- */

void admin_erase_revoke(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct erasure_request request = request_of(args, reply);
	struct error err;
	size_t count;

	if (erasure_revoke(context->meta, context->store, &request, &count, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "an erasure of account %s revoked, %zu accounts", request.account, count);
	struct json *j = admin_reply_result(reply);
	json_object_begin(j);
	json_member_uint(j, "accounts", count);
	json_object_end(j);
	admin_reply_send(reply);
}
