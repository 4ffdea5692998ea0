/* SPDX-License-Identifier: ISC */
/*
 * command_replay.c: `quarantine replay`, which ingests rejected records again.
 *
 * Each record is a batch of its own, whose answer tells its outcome; all of a slice share one commit. When the last of
 * a slice is answered, those now in the store are dropped from quarantine in one change. Records rejected again stay
 * unchanged, under their numbers. After a crash between the two, an entry remains although its record is in the store;
 * replayed again it is a duplicate.
 *
 * If the client disconnects, the current slice is completed and no further one is started.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "admin/pick.h"
#include "admin/replay_body.h"
#include "admin/tree.h"
#include "base/clock.h"

#define SLICE_ENTRIES 64
#define SLICE_BYTES ((size_t)256 << 10)
#define ERRORS_MAX 100

struct replay;

struct replay_item {
	struct replay *replay;
	uint64_t number;
	bool settled; /* its record is in the store */
};

struct replay {
	struct meta *meta;
	struct ingest *ingest;
	struct admin_reply *reply; /* NULL when the client has gone away */
	struct pick pick;
	bool picked_all;
	struct replay_mending mending;

	struct replay_item items[SLICE_ENTRIES];
	size_t items_count;
	size_t items_waiting; /* for their batch's answer */
	size_t slice_bytes;

	struct ingest_summary summary;
	struct buf errors; /* elements of an array */
	int errors_count;
	struct error last_error; /* of a record, for the answer when there is only one */
	struct error failure;    /* of the replay; code ERROR_NONE while all is well */
};

static void replay_free(struct replay *replay)
{
	replay_mending_free(&replay->mending);
	buf_free(&replay->errors);
	free(replay);
}

/* --- the answer --- */

static void add_rejected(struct replay *replay, uint64_t number, const char *field, const char *reason)
{
	struct json j = json_to(&replay->errors);

	replay->summary.rejected++;
	error_set(&replay->last_error, ERROR_INVALID, "quarantine %llu: %s%s%s", (unsigned long long)number, field,
	          field[0] ? ": " : "", reason);
	if (replay->errors_count == ERRORS_MAX)
		return;
	j.comma = replay->errors_count++ > 0;
	json_object_begin(&j);
	json_member_uint(&j, "number", number);
	json_member_text(&j, "field", field);
	json_member_text(&j, "reason", reason);
	json_object_end(&j);
}

static void write_result(const struct replay *replay, struct json *j)
{
	json_object_begin(j);
	ingest_summary_write(&replay->summary, j);
	json_key(j, "errors");
	json_array_begin(j);
	if (replay->errors_count > 0)
		json_raw(j, buf_str(&replay->errors));
	json_array_end(j);
	json_object_end(j);
}

static void answer(struct replay *replay)
{
	struct admin_reply *reply = replay->reply;
	bool failed = replay->failure.code != ERROR_NONE;

	if (failed) {
		admin_reply_error(reply, &replay->failure);
	} else if (replay->pick.only != 0 && replay->summary.rejected > 0) {
		admin_reply_error(reply, &replay->last_error);
	} else {
		admin_reply_log(reply, "quarantine: %llu replayed, %llu still rejected",
		                (unsigned long long)replay->pick.found, (unsigned long long)replay->summary.rejected);
		write_result(replay, admin_reply_result(reply));
		admin_reply_send(reply);
	}
	replay_free(replay);
}

static void write_progress(struct replay *replay)
{
	if (!admin_reply_progress_due(replay->reply))
		return;
	struct json *j = admin_reply_progress_begin(replay->reply);
	pick_write_progress(&replay->pick, j);
	json_member_uint(j, "rejected", replay->summary.rejected);
	admin_reply_progress_end(replay->reply);
}

/* --- slices --- */

static void slice(void *arg, int64_t deadline_us);

static void drop_settled(struct replay *replay)
{
	uint64_t numbers[SLICE_ENTRIES];
	size_t count = 0;
	struct error err;

	for (size_t i = 0; i < replay->items_count; i++)
		if (replay->items[i].settled)
			numbers[count++] = replay->items[i].number;
	if (count > 0 && quarantine_drop_each(replay->meta, numbers, count, &err) != 0 &&
	    replay->failure.code == ERROR_NONE)
		replay->failure = err;
}

static void end_slice(struct replay *replay)
{
	drop_settled(replay);
	if (!replay->reply) {
		replay_free(replay);
	} else if (replay->failure.code != ERROR_NONE || replay->picked_all) {
		answer(replay);
	} else {
		write_progress(replay);
		admin_reply_later(replay->reply, slice, replay);
	}
}

/* Takes the reason for a rejection from the batch's answer. */
static void take_rejection(struct replay *replay, uint64_t number, struct buf *answer_json)
{
	struct error err;
	struct tree *tree = buf_cstr(answer_json) ? tree_parse(buf_str(answer_json), &err) : NULL;
	const struct tree *first = tree_first(tree_array(tree_get(tree, "errors")));
	const char *field = tree_text(tree_get(first, "field"));
	const char *reason = tree_text(tree_get(first, "reason"));

	add_rejected(replay, number, field ? field : "", reason ? reason : "rejected");
	tree_free(tree);
}

/* The replacement of an entry may hold several records, but at least one. */
static bool has_record(const struct ingest_summary *summary)
{
	return summary->accepted + summary->updated + summary->duplicates + summary->outdated > 0;
}

static void on_done(void *arg, const struct ingest_summary *summary, struct buf *answer_json, const struct error *err)
{
	struct replay_item *item = arg;
	struct replay *replay = item->replay;

	if (err && err->code == ERROR_INVALID) { /* this one is unreadable, but others may be valid */
		add_rejected(replay, item->number, "", err->message);
	} else if (err) {
		replay->failure = *err;
	} else if (summary->rejected > 0) {
		take_rejection(replay, item->number, answer_json);
	} else if (!has_record(summary)) {
		add_rejected(replay, item->number, "", "There is no record in it");
	} else {
		item->settled = true;
		replay->summary.accepted += summary->accepted;
		replay->summary.updated += summary->updated;
		replay->summary.duplicates += summary->duplicates;
		replay->summary.outdated += summary->outdated;
	}
	if (--replay->items_waiting == 0)
		end_slice(replay);
}

static void begin_item(struct replay *replay, struct replay_item *item, const struct quarantine_entry *entry)
{
	struct replay_body body;
	struct error err;

	if (replay_body_make(&replay->mending, entry, &body, &err) != 0) {
		if (err.code == ERROR_NOMEM)
			replay->failure = err;
		else
			add_rejected(replay, item->number, "", err.message);
		return;
	}
	struct ingest_batch *batch = ingest_batch_new(replay->ingest, body.format, NULL, body.product_name,
	                                              &body.settings, on_done, item, &err);
	if (!batch) {
		if (err.code == ERROR_INVALID)
			add_rejected(replay, item->number, "", err.message);
		else
			replay->failure = err;
		return;
	}
	replay->items_waiting++;
	ingest_batch_feed(batch, body.bytes.p, body.bytes.len);
	ingest_batch_finish(batch);
}

static bool take_entry(void *arg, const struct quarantine_entry *entry)
{
	struct replay *replay = arg;
	struct replay_item *item = &replay->items[replay->items_count++];

	*item = (struct replay_item){ .replay = replay, .number = entry->number };
	begin_item(replay, item, entry);
	replay->slice_bytes += entry->raw.len;
	return replay->failure.code == ERROR_NONE && replay->items_count < SLICE_ENTRIES &&
	       replay->slice_bytes < SLICE_BYTES;
}

static void slice(void *arg, int64_t deadline_us)
{
	struct replay *replay = arg;
	struct error err;

	replay->items_count = 0;
	replay->slice_bytes = 0;
	int result = pick_slice(&replay->pick, deadline_us, take_entry, replay, &replay->picked_all, &err);
	if (result != 0 && replay->failure.code == ERROR_NONE)
		replay->failure = err;
	if (replay->items_waiting == 0)
		end_slice(replay);
}

static void on_close(void *arg)
{
	struct replay *replay = arg;

	replay->reply = NULL;
	if (replay->items_waiting == 0)
		replay_free(replay);
}

/* --- the replacement record: the request's body --- */

static void on_data(void *arg, const char *data, size_t len)
{
	struct replay *replay = arg;
	struct error err;

	buf_add(&replay->mending.replacement, data, len);
	if (!replay->mending.replacement.failed)
		return;
	error_set(&err, ERROR_LIMIT, "--replace-with: longer than the %zu bytes that a record may have (line_max)",
	          replay->mending.replacement.max_bytes);
	admin_reply_error(replay->reply, &err);
	replay_free(replay);
}

static void on_end(void *arg)
{
	struct replay *replay = arg;

	admin_reply_later(replay->reply, slice, replay);
}

static int check_replacement(const struct replay *replay, const struct args *args, struct error *err)
{
	if (!replay->mending.replaces)
		return 0;
	if (replay->pick.only == 0)
		return error_set(err, ERROR_INVALID, "--replace-with: it takes the one NUMBER of what it replaces");
	if (args_count(args, "set") + args_count(args, "unset") > 0)
		return error_set(err, ERROR_INVALID, "--replace-with: is the whole record, without --set and --unset");
	return 0;
}

/* --- the command --- */

static struct replay *replay_new(const struct admin_context *context, const struct args *args,
                                 struct admin_reply *reply, struct error *err)
{
	struct replay *replay = calloc(1, sizeof(*replay));

	if (!replay) {
		error_set(err, ERROR_NOMEM, "Out of memory for a replay");
		return NULL;
	}
	replay->meta = context->meta;
	replay->ingest = context->ingest;
	replay->reply = reply;
	replay->mending.replacement.max_bytes = (size_t)context->config->line_max;
	if (replay_mending_read(&replay->mending, args, err) == 0 &&
	    pick_begin(&replay->pick, context->meta, args, err) == 0 && check_replacement(replay, args, err) == 0)
		return replay;
	replay_free(replay);
	return NULL;
}

void admin_quarantine_replay(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	static const struct admin_body body = { on_data, on_end };
	bool replaces = args_count(args, "replace_with") > 0;
	struct error err;
	struct replay *replay = replay_new(context, args, reply, &err);

	if (replaces) /* declare the body before an error, so that the connection is closed after it */
		admin_reply_body(reply, &body, replay);
	if (!replay) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_on_close(reply, on_close, replay);
	if (!replaces)
		admin_reply_later(reply, slice, replay);
}
