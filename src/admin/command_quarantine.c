/* SPDX-License-Identifier: ISC */
/*
 * command_quarantine.c: `quarantine list`, `show` and `drop`. Replaying is in command_replay.c.
 */
#include "admin/command_quarantine.h"

#include <stdlib.h>

#include "admin/job.h"
#include "admin/pick.h"

#define LIST_DEFAULT 1000
#define LIST_MAX 100000
#define DROP_SLICE 500 /* in one change, which is an fsync */

/* A command that picks entries and processes them, in slices. */
struct picking {
	struct admin_job job;
	struct pick pick;
	struct json *json;         /* list: where the array is written, once begun */
	uint64_t left;             /* list: how many may still be listed */
	uint64_t drop[DROP_SLICE]; /* drop: numbers of this slice */
	size_t drop_count;
	uint64_t dropped;
};

static void begin_picking(const struct admin_context *context, const struct args *args, struct admin_reply *reply,
                          const struct admin_job_kind *kind)
{
	struct picking *picking = calloc(1, sizeof(*picking));
	struct error err;

	if (!picking)
		error_set(&err, ERROR_NOMEM, "Out of memory");
	if (!picking || pick_begin(&picking->pick, context->meta, args, &err) != 0) {
		free(picking);
		admin_reply_error(reply, &err);
		return;
	}
	picking->left = LIST_DEFAULT;
	if (args_get_number(args, "limit", 1, LIST_MAX, &picking->left, &err) != 0) {
		free(picking);
		admin_reply_error(reply, &err);
		return;
	}
	admin_job_begin(&picking->job, kind, reply);
}

static void write_progress(void *arg, struct json *j)
{
	struct picking *picking = arg;

	pick_write_progress(&picking->pick, j);
}

/* --- list --- */

static bool list_entry(void *arg, const struct quarantine_entry *entry)
{
	struct picking *picking = arg;

	json_object_begin(picking->json);
	quarantine_write_columns(picking->json, entry);
	json_object_end(picking->json);
	return --picking->left > 0;
}

static int list_step(void *arg, int64_t deadline_us, bool *done, struct error *err)
{
	struct picking *picking = arg;

	if (!picking->json) {
		picking->json = admin_reply_result(picking->job.reply);
		json_array_begin(picking->json);
	}
	if (pick_slice(&picking->pick, deadline_us, list_entry, picking, done, err) != 0)
		return -1;
	*done = *done || picking->left == 0;
	return 0;
}

static void write_list_end(void *arg, struct admin_reply *reply)
{
	struct picking *picking = arg;

	(void)reply;
	json_array_end(picking->json);
}

void admin_quarantine_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	static const struct admin_job_kind kind = { list_step, write_progress, write_list_end, free };

	begin_picking(context, args, reply, &kind);
}

/* --- show --- */

struct showing {
	uint64_t number;
	struct json *json;
	bool raw;
	bool found;
};

static bool show_entry(void *arg, const struct quarantine_entry *entry)
{
	struct showing *showing = arg;

	if (entry->number != showing->number)
		return false;
	showing->found = true;
	(showing->raw ? quarantine_write_raw : quarantine_write_entry)(showing->json, entry);
	return false;
}

void admin_quarantine_show(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct showing showing = { .json = admin_reply_result(reply), .raw = args_count(args, "raw") > 0 };
	struct error err;
	int result = args_get_number(args, "number", 1, UINT64_MAX, &showing.number, &err);

	if (result == 0)
		result = quarantine_each(context->meta, showing.number, show_entry, &showing, &err);
	if (result == 0 && !showing.found)
		result = error_set(&err, ERROR_NOT_FOUND, "quarantine %llu: no such entry",
		                   (unsigned long long)showing.number);
	admin_reply_end(reply, result, &err);
}

/* --- drop --- */

static bool drop_entry(void *arg, const struct quarantine_entry *entry)
{
	struct picking *picking = arg;

	picking->drop[picking->drop_count++] = entry->number;
	return picking->drop_count < DROP_SLICE;
}

static int drop_step(void *arg, int64_t deadline_us, bool *done, struct error *err)
{
	struct picking *picking = arg;

	picking->drop_count = 0;
	if (pick_slice(&picking->pick, deadline_us, drop_entry, picking, done, err) != 0)
		return -1;
	if (picking->drop_count > 0 &&
	    quarantine_drop_each(picking->pick.meta, picking->drop, picking->drop_count, err) != 0)
		return -1;
	picking->dropped += picking->drop_count;
	return 0;
}

static void write_dropped(void *arg, struct admin_reply *reply)
{
	struct picking *picking = arg;
	struct json *j = admin_reply_result(reply);

	admin_reply_log(reply, "quarantine: %llu dropped", (unsigned long long)picking->dropped);
	json_object_begin(j);
	json_member_uint(j, "dropped", picking->dropped);
	json_object_end(j);
}

void admin_quarantine_drop(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	static const struct admin_job_kind kind = { drop_step, write_progress, write_dropped, free };

	begin_picking(context, args, reply, &kind);
}
