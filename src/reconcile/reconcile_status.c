/* SPDX-License-Identifier: ISC */
/*
 * reconcile_status.c: a reconciliation as JSON, for the status and the list alike.
 *
 *	{"_links":{"self":{"href":...}},"request_id":...,"request_status":"SUCCESS",<the parameters>,"receive_time":...,
 *	 "start_time":...,"end_time":...,"file_bytes":...,"progress":{"rows_ours":...,"rows_theirs":...,"share":...} while it
 *	 runs, "result":{...} and "files":[{"class":...,"rows":...,"bytes":...,"sha256":...,"href":...}...] after SUCCESS,
 *	 "reason":... otherwise}
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "reconcile/reconcile_private.h"

static void write_time(struct json *json, const char *key, int64_t time_us)
{
	struct buf text = { 0 };

	if (time_us == 0)
		return;
	clock_format_record(&text, time_us - time_us % CLOCK_US_PER_SECOND);
	json_member_str(json, key, buf_str(&text));
	json->out->failed |= text.failed;
	buf_free(&text);
}

static void write_link(struct json *json, struct str base_url, const char *path, struct str id)
{
	struct buf url = { 0 };

	buf_add_str(&url, base_url);
	buf_add_text(&url, path);
	buf_add_str(&url, id);
	json_member_str(json, "href", buf_str(&url));
	json->out->failed |= url.failed;
	buf_free(&url);
}

static void write_progress(const struct reconciliation *job, struct json *json)
{
	char share[16];

	(void)snprintf(share, sizeof(share), "%.3f", job->progress.share);
	json_key(json, "progress");
	json_object_begin(json);
	json_member_uint(json, "rows_ours", job->progress.rows_ours);
	json_member_uint(json, "rows_theirs", job->progress.rows_theirs);
	json_key(json, "share");
	json_raw(json, str_from(share));
	json_object_end(json);
}

void reconcile_file_name(const struct reconciliation *job, enum reconciler_class class, struct buf *out)
{
	static const char *const endings[] = {
		[ARCHIVE_ZIP] = "zip", [ARCHIVE_GZIP] = "csv.gz", [ARCHIVE_ZSTD] = "csv.zst"
	};

	buf_addf(out, "reconcile_%.*s_%.*s_%s.%s", STR_ARGS(job->request.product->name),
	         STR_ARGS(query_params_get(&job->params, "month")), reconciler_class_name(class),
	         endings[job->request.compression]);
}

static void write_files(const struct reconciliation *job, struct str base_url, struct json *json)
{
	json_key(json, "files");
	json_array_begin(json);
	for (int i = 0; i < RECONCILER_CLASSES; i++) {
		const struct reconcile_file *file = &job->files[i];

		json_object_begin(json);
		json_member_text(json, "class", reconciler_class_name((enum reconciler_class)i));
		json_member_uint(json, "rows", file->made.rows);
		json_member_uint(json, "bytes", file->made.bytes);
		json_member_text(json, "sha256", file->made.sha256);
		json_member_text(json, "file_id", file->id);
		if (base_url.len > 0)
			write_link(json, base_url, "/v3/media/", str_from(file->id));
		json_object_end(json);
	}
	json_array_end(json);
}

static int write_result(const struct reconciles *reconciles, const struct reconciliation *job, struct json *json,
                        struct error *err)
{
	struct buf result = { 0 };
	int done = reconcile_read_file(reconciles, job->id, "result", &result, err);

	if (done == 0) {
		json_key(json, "result");
		json_raw(json, buf_str(&result));
	}
	buf_free(&result);
	return done;
}

static void write_head(const struct reconciliation *job, struct str base_url, struct json *json)
{
	if (base_url.len > 0) {
		json_key(json, "_links");
		json_object_begin(json);
		json_key(json, "self");
		json_object_begin(json);
		write_link(json, base_url, "/v2/reports/reconcile/", str_from(job->id));
		json_object_end(json);
		json_object_end(json);
	}
	json_member_text(json, "request_id", job->id);
	json_member_text(json, "request_status", report_state_name(job->state));
	for (size_t i = 0; i < job->params.count; i++) {
		json_key_str(json, job->params.list[i].name);
		json_str(json, job->params.list[i].value);
	}
	write_time(json, "receive_time", job->received_us);
	write_time(json, "start_time", job->started_us);
	write_time(json, "end_time", job->ended_us);
	json_member_uint(json, "file_bytes", job->upload_bytes);
}

int reconcile_write_status(const struct reconciles *reconciles, const struct reconciliation *job, struct str base_url,
                           struct buf *out, struct error *err)
{
	struct json json = json_to(out);
	int result = 0;

	json_object_begin(&json);
	write_head(job, base_url, &json);
	if (job->state == REPORT_PROCESSING)
		write_progress(job, &json);
	if (job->state == REPORT_SUCCESS) {
		result = write_result(reconciles, job, &json, err);
		write_files(job, base_url, &json);
	}
	if (job->reason[0])
		json_member_text(&json, "reason", job->reason);
	json_object_end(&json);
	return result == 0 && out->failed ? error_set(err, ERROR_NOMEM, "Out of memory for a status") : result;
}

int reconcile_write_listed(const struct reconciles *reconciles, const struct reconciliation *job, struct str base_url,
                           struct buf *out)
{
	struct json json = json_to(out);
	struct error err;

	if (reconcile_write_status(reconciles, job, base_url, out, &err) == 0)
		return 0;
	if (err.code == ERROR_NOMEM)
		return -1;
	log_error("reconcile", "%s: its result cannot be read: %s", job->id, err.message);
	buf_clear(out);
	json_object_begin(&json);
	write_head(job, base_url, &json);
	write_files(job, base_url, &json);
	json_member_text(&json, "reason", "The server cannot read the result");
	json_object_end(&json);
	return out->failed ? -1 : 0;
}
