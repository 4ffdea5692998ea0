/*
 * command_replay.c: `quarantine replay`, rejected records to ingest again.
 *
 * Each record is a batch of its own, so that its answer says what became of it; all of a slice share one commit. When
 * the last of a slice is answered, those that are now in the store are dropped from quarantine in one change. What is
 * rejected again stays as it was, under its number. After a crash between the two an entry is still there whose
 * record is in the store; replayed again it is a duplicate.
 *
 * If the client goes away, the slice at work is brought to its end and nothing more is begun.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/command_quarantine.h"
#include "admin/tree.h"

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
	struct store *store;
	struct ingest *ingest;
	const struct args *args;   /* of the reply */
	struct admin_reply *reply; /* NULL when the client has gone away */
	uint64_t only;             /* number of the entry; 0: all */
	uint64_t next;             /* number to go on from */
	uint64_t total, left;      /* of those that were there at the beginning */

	struct replay_item items[SLICE_ENTRIES];
	size_t items_count;
	size_t items_waiting; /* for their batch's answer */
	size_t slice_bytes;
	struct buf line;

	struct ingest_summary summary;
	struct buf errors; /* elements of an array */
	int errors_count;
	struct error last_error; /* of a record, for the answer when there is but one */
	struct error failure;    /* of the replay; code ERROR_NONE while all is well */
};

static void replay_free(struct replay *replay)
{
	buf_free(&replay->line);
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
	json_key(&j, "number");
	json_uint(&j, number);
	json_key(&j, "field");
	json_text(&j, field);
	json_key(&j, "reason");
	json_text(&j, reason);
	json_object_end(&j);
}

static void write_result(const struct replay *replay, struct json *j)
{
	json_object_begin(j);
	json_key(j, "accepted");
	json_uint(j, replay->summary.accepted);
	json_key(j, "updated");
	json_uint(j, replay->summary.updated);
	json_key(j, "duplicates");
	json_uint(j, replay->summary.duplicates);
	json_key(j, "outdated");
	json_uint(j, replay->summary.outdated);
	json_key(j, "rejected");
	json_uint(j, replay->summary.rejected);
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
	} else if (replay->only != 0 && replay->summary.rejected > 0) {
		admin_reply_error(reply, &replay->last_error);
	} else {
		admin_reply_log(reply, "quarantine: %llu replayed, %llu still rejected",
		                (unsigned long long)(replay->total - replay->left),
		                (unsigned long long)replay->summary.rejected);
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
	json_key(j, "done");
	json_uint(j, replay->total - replay->left);
	json_key(j, "total");
	json_uint(j, replay->total);
	json_key(j, "rejected");
	json_uint(j, replay->summary.rejected);
	admin_reply_progress_end(replay->reply);
}

/* --- mending --- */

/* The value that --set gives a field, which is `len` long; NULL if none does. */
static const char *set_value(const struct args *args, const char *field, size_t len)
{
	const char *found = NULL;
	for (size_t i = 0; i < args_count(args, "set"); i++) {
		const char *set = args_get_at(args, "set", i);
		if (strncmp(set, field, len) == 0 && set[len] == '=')
			found = set + len + 1;
	}
	return found;
}

static void write_mended(struct json *j, yajl_val record, const struct args *args)
{
	json_object_begin(j);
	for (size_t i = 0; i < record->u.object.len; i++) {
		const char *key = record->u.object.keys[i];
		if (set_value(args, key, strlen(key)))
			continue;
		json_key(j, key);
		tree_write(record->u.object.values[i], j);
	}
	for (size_t i = 0; i < args_count(args, "set"); i++) {
		const char *set = args_get_at(args, "set", i);
		size_t len = strcspn(set, "=");
		if (set_value(args, set, len) != set + len + 1)
			continue; /* a later one sets the same */
		json_key_str(j, (struct str){ set, len });
		json_text(j, set + len + 1);
	}
	json_object_end(j);
}

/* The record as one line of NDJSON in replay->line; what is no JSON is left to the parser to refuse. */
static bool make_line(struct replay *replay, struct str raw, struct error *err)
{
	struct buf *line = &replay->line;
	buf_clear(line);
	buf_add_str(line, raw);
	if (args_count(replay->args, "set") > 0) {
		yajl_val record = buf_cstr(line) ? tree_parse(buf_str(line), err) : NULL;
		if (!YAJL_IS_OBJECT(record)) {
			yajl_tree_free(record);
			return false;
		}
		struct json j = json_to(line);
		buf_clear(line);
		write_mended(&j, record, replay->args);
		yajl_tree_free(record);
	}
	/* Outside of strings a line's end is white space, and inside it is an error either way. */
	for (size_t i = 0; i < line->len; i++)
		if (line->data[i] == '\n' || line->data[i] == '\r')
			line->data[i] = ' ';
	if (line->len == strspn(buf_cstr(line) ? line->data : "", " \t"))
		buf_add_text(line, "{}"); /* an empty line would be no record at all */
	buf_add_char(line, '\n');
	return !line->failed;
}

static int check_sets(const struct args *args, struct error *err)
{
	for (size_t i = 0; i < args_count(args, "set"); i++) {
		const char *set = args_get_at(args, "set", i);
		const char *equals = strchr(set, '=');
		if (!equals || equals == set)
			return error_set(err, ERROR_INVALID, "--set: \"%.64s\": must be FIELD=VALUE", set);
	}
	return 0;
}

/* --- slices --- */

static void slice(void *arg);

static void drop_settled(struct replay *replay)
{
	uint64_t numbers[SLICE_ENTRIES];
	size_t count = 0;
	struct error err;
	for (size_t i = 0; i < replay->items_count; i++)
		if (replay->items[i].settled)
			numbers[count++] = replay->items[i].number;
	if (count > 0 && quarantine_drop_each(replay->store, numbers, count, &err) != 0 &&
	    replay->failure.code == ERROR_NONE)
		replay->failure = err;
}

static void end_slice(struct replay *replay)
{
	drop_settled(replay);
	if (!replay->reply) {
		replay_free(replay);
	} else if (replay->failure.code != ERROR_NONE || replay->left == 0) {
		answer(replay);
	} else {
		write_progress(replay);
		admin_reply_later(replay->reply, slice, replay);
	}
}

/* Why a record was rejected, out of its batch's answer. */
static void take_rejection(struct replay *replay, uint64_t number, struct buf *answer_json)
{
	struct error err;
	yajl_val tree = buf_cstr(answer_json) ? tree_parse(buf_str(answer_json), &err) : NULL;
	yajl_val errors = tree_get(tree, "errors");
	yajl_val first = YAJL_IS_ARRAY(errors) && errors->u.array.len > 0 ? errors->u.array.values[0] : NULL;
	const char *field = YAJL_GET_STRING(tree_get(first, "field"));
	const char *reason = YAJL_GET_STRING(tree_get(first, "reason"));
	add_rejected(replay, number, field ? field : "", reason ? reason : "rejected");
	yajl_tree_free(tree);
}

static void on_done(void *arg, const struct ingest_summary *summary, struct buf *answer_json, const struct error *err)
{
	struct replay_item *item = arg;
	struct replay *replay = item->replay;
	if (err) {
		replay->failure = *err;
	} else if (summary->rejected > 0) {
		take_rejection(replay, item->number, answer_json);
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

static void begin_item(struct replay *replay, struct replay_item *item, struct str raw)
{
	struct error err = { 0 };
	if (!make_line(replay, raw, &err)) {
		add_rejected(replay, item->number, "", "It is not a JSON object, so there is nothing to --set");
		return;
	}
	struct ingest_batch *batch =
		ingest_batch_new(replay->ingest, PARSE_NDJSON, NULL, NULL, NULL, on_done, item, &replay->failure);
	if (!batch)
		return;
	replay->items_waiting++;
	ingest_batch_feed(batch, replay->line.data, replay->line.len);
	ingest_batch_finish(batch);
}

static bool take_entry(void *arg, const struct quarantine_entry *entry)
{
	struct replay *replay = arg;
	if (replay->only != 0 && entry->number != replay->only)
		return false;
	struct replay_item *item = &replay->items[replay->items_count++];
	*item = (struct replay_item){ .replay = replay, .number = entry->number };
	begin_item(replay, item, entry->raw);
	replay->next = entry->number + 1;
	replay->left--;
	replay->slice_bytes += entry->raw.len;
	return replay->failure.code == ERROR_NONE && replay->left > 0 && replay->items_count < SLICE_ENTRIES &&
	       replay->slice_bytes < SLICE_BYTES;
}

static void slice(void *arg)
{
	struct replay *replay = arg;
	struct error err;
	replay->items_count = 0;
	replay->slice_bytes = 0;
	if (quarantine_each(replay->store, replay->next, take_entry, replay, &err) != 0)
		replay->failure = err;
	else if (replay->items_count == 0 && replay->only != 0)
		quarantine_not_found(replay->only, &replay->failure);
	if (replay->items_count == 0)
		replay->left = 0; /* the others have expired meanwhile */
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

static struct replay *replay_new(const struct admin_context *context, const struct args *args,
                                 struct admin_reply *reply, struct error *err)
{
	struct quarantine_stats stats;
	uint64_t number;
	if (quarantine_number(args, &number, err) != 0 || check_sets(args, err) != 0 ||
	    quarantine_stats(context->store, &stats, err) != 0)
		return NULL;
	struct replay *replay = calloc(1, sizeof(*replay));
	if (!replay) {
		error_set(err, ERROR_NOMEM, "Out of memory for a replay");
		return NULL;
	}
	replay->store = context->store;
	replay->ingest = context->ingest;
	replay->args = args;
	replay->reply = reply;
	replay->only = number;
	replay->next = number;
	replay->total = replay->left = number != 0 ? 1 : stats.entries;
	return replay;
}

void admin_quarantine_replay(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct error err;
	struct replay *replay = replay_new(context, args, reply, &err);
	if (!replay) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_on_close(reply, on_close, replay);
	slice(replay);
}
