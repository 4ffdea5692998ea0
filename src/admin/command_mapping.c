/* SPDX-License-Identifier: ISC */
/*
 * command_mapping.c: `mapping list` and `mapping try`, which shows what a mapping makes of a file's rows.
 *
 * The file is the body, and is mapped as it arrives; nothing of it is stored.
 */
#include <stdlib.h>

#include "admin/command.h"
#include "admin/ingest_args.h"
#include "ingest/ingest.h"
#include "mapping/mapping.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000

/* --- list --- */

static bool write_mapping(void *arg, const struct mapping *mapping)
{
	struct json *j = arg;

	json_object_begin(j);
	json_member_text(j, "name", mapping_name(mapping));
	json_member_text(j, "form", mapping_form(mapping));
	json_member_text(j, "time_zone", mapping_time_zone(mapping));
	json_member_text(j, "about", mapping_about(mapping));
	json_object_end(j);
	return true;
}

void admin_mapping_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct json *j = admin_reply_result(reply);

	(void)args;
	json_array_begin(j);
	mappings_each(context->mappings, write_mapping, j);
	json_array_end(j);
	admin_reply_send(reply);
}

/* --- try --- */

struct trial {
	struct admin_reply *reply;
	struct ingest_trial *trial;
	struct buf rows; /* elements of the result's array */
	uint64_t shown, limit;
	uint64_t stored, rejected;
	bool failed;
	struct error err; /* why the file could not be read to its end */
};

static void trial_free(void *arg)
{
	struct trial *trial = arg;

	ingest_trial_free(trial->trial);
	buf_free(&trial->rows);
	free(trial);
}

static void write_record(struct json *j, const struct record *record)
{
	json_key(j, "record");
	json_object_begin(j);
	json_member_str(j, "product", record->product->name);
	for (uint8_t i = 0; i < record->product->columns_count; i++)
		if (record->values[i].len > 0) {
			json_key_str(j, record->product->columns[i].name);
			json_str(j, record->values[i]);
		}
	json_object_end(j);
}

static void write_faults(struct json *j, const struct ingest_trial_row *row)
{
	json_key(j, "errors");
	json_array_begin(j);
	for (size_t i = 0; i < row->faults_count; i++) {
		json_object_begin(j);
		json_member_text(j, "field", row->faults[i].field);
		json_member_text(j, "reason", row->faults[i].reason);
		json_object_end(j);
	}
	json_array_end(j);
}

static void on_row(void *arg, const struct ingest_trial_row *row)
{
	struct trial *trial = arg;
	struct json j = json_to(&trial->rows);

	trial->stored += row->record != NULL;
	trial->rejected += row->record == NULL;
	if (trial->shown == trial->limit)
		return;
	if (trial->shown++ > 0)
		buf_add_char(&trial->rows, ',');
	json_object_begin(&j);
	json_member_uint(&j, "line", row->line);
	if (row->updates) {
		json_member_bool(&j, "updates", true);
	}
	if (row->record)
		write_record(&j, row->record);
	else
		write_faults(&j, row);
	json_object_end(&j);
}

static void on_data(void *arg, const char *data, size_t len)
{
	struct trial *trial = arg;

	if (!trial->failed && ingest_trial_feed(trial->trial, (struct str){ data, len }, &trial->err) != 0)
		trial->failed = true;
}

static void answer(struct trial *trial, uint64_t skipped)
{
	struct json *j = trial->failed ? admin_reply_result_with_error(trial->reply, &trial->err) :
	                                 admin_reply_result(trial->reply);

	if (j) {
		json_object_begin(j);
		json_member_uint(j, "stored", trial->stored);
		json_member_uint(j, "rejected", trial->rejected);
		json_member_uint(j, "skipped", skipped);
		json_key(j, "rows");
		json_array_begin(j);
		if (trial->rows.len > 0)
			json_raw(j, buf_str(&trial->rows));
		json_array_end(j);
		json_object_end(j);
		j->out->failed |= trial->rows.failed;
	}
	admin_reply_send(trial->reply);
}

static void on_end(void *arg)
{
	struct trial *trial = arg;
	uint64_t skipped = 0;

	if (!trial->failed && ingest_trial_finish(trial->trial, &skipped, &trial->err) != 0)
		trial->failed = true;
	answer(trial, skipped);
	trial_free(trial);
}

static int find_limit(const struct args *args, uint64_t *limit, struct error *err)
{
	*limit = LIMIT_DEFAULT;
	return args_get(args, "limit") ? args_get_number(args, "limit", 1, LIMIT_MAX, limit, err) : 0;
}

static struct trial *trial_new(const struct admin_context *context, const struct args *args, struct admin_reply *reply,
                               struct error *err)
{
	struct ingest_settings settings = { 0 };
	uint64_t limit;

	if (find_limit(args, &limit, err) != 0 || ingest_args_read(args, &settings, err) != 0)
		return NULL;
	if (!ingest_settings_load(&settings, INGEST_SETTING_MAPPING, str_from(args_get(args, "name")))) {
		error_set(err, ERROR_NOT_FOUND, "\"%.64s\": there is no such mapping in mappings_dir",
		          args_get(args, "name"));
		return NULL;
	}
	struct trial *trial = calloc(1, sizeof(*trial));
	if (!trial) {
		error_set(err, ERROR_NOMEM, "Out of memory for a trial");
		return NULL;
	}
	trial->reply = reply;
	trial->limit = limit;
	trial->rows.max_bytes = ADMIN_RESULT_MAX;
	trial->trial = ingest_trial_new(context->ingest, &settings, on_row, trial, err);
	if (trial->trial)
		return trial;
	trial_free(trial);
	return NULL;
}

void admin_mapping_try(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	static const struct admin_body body = { on_data, on_end };
	struct error err;
	struct trial *trial = trial_new(context, args, reply, &err);

	/* Declare the body before an error, so that the connection is closed after it. */
	admin_reply_body(reply, &body, trial);
	if (trial)
		admin_reply_on_close(reply, trial_free, trial);
	else
		admin_reply_error(reply, &err);
}
