/*
 * command_quarantine.c: `quarantine list`, `show` and `drop`. Replaying is in command_replay.c.
 */
#include "admin/command_quarantine.h"

#include <stdlib.h>
#include <string.h>

#include "admin/tree.h"

#define SLICE_ENTRIES 500
#define LIST_DEFAULT 1000
#define LIST_MAX 100000

int quarantine_number(const struct args *args, uint64_t *number, struct error *err)
{
	*number = 0;
	if (strcmp(args_get(args, "number"), "all") == 0)
		return 0;
	return args_get_number(args, "number", 1, UINT64_MAX, number, err);
}

int quarantine_not_found(uint64_t number, struct error *err)
{
	return error_set(err, ERROR_NOT_FOUND, "quarantine %llu: no such entry", (unsigned long long)number);
}

/* --- list --- */

struct listing {
	struct store *store;
	struct admin_reply *reply;
	struct json *json;
	uint64_t next; /* number to go on from */
	uint64_t left; /* that may still be listed */
	int slice_left;
};

static void write_entry(struct json *j, const struct quarantine_entry *entry)
{
	json_key(j, "number");
	json_uint(j, entry->number);
	json_key(j, "time");
	admin_write_time(j, entry->time_us);
	json_key(j, "producer");
	json_str(j, entry->producer);
	json_key(j, "field");
	json_str(j, entry->field);
	json_key(j, "reason");
	json_str(j, entry->reason);
}

static bool list_entry(void *arg, const struct quarantine_entry *entry)
{
	struct listing *listing = arg;
	json_object_begin(listing->json);
	write_entry(listing->json, entry);
	json_object_end(listing->json);
	listing->next = entry->number + 1;
	listing->left--;
	listing->slice_left--;
	return listing->left > 0 && listing->slice_left > 0;
}

static void list_slice(void *arg)
{
	struct listing *listing = arg;
	struct admin_reply *reply = listing->reply;
	struct error err;
	listing->slice_left = SLICE_ENTRIES;
	int result = quarantine_each(listing->store, listing->next, list_entry, listing, &err);
	if (result == 0 && listing->slice_left == 0 && listing->left > 0) {
		admin_reply_later(reply, list_slice, listing);
		return;
	}
	json_array_end(listing->json);
	free(listing);
	if (result != 0)
		admin_reply_error(reply, &err);
	else
		admin_reply_send(reply);
}

void admin_quarantine_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	uint64_t limit = LIST_DEFAULT;
	struct error err;
	if (!listing)
		error_set(&err, ERROR_NOMEM, "Out of memory for a list");
	if (!listing || args_get_number(args, "limit", 1, LIST_MAX, &limit, &err) != 0) {
		free(listing);
		admin_reply_error(reply, &err);
		return;
	}
	listing->store = context->store;
	listing->reply = reply;
	listing->left = limit;
	listing->json = admin_reply_result(reply);
	json_array_begin(listing->json);
	admin_reply_on_close(reply, free, listing);
	list_slice(listing);
}

/* --- show --- */

struct showing {
	uint64_t number;
	struct json *json;
	bool found;
};

static bool show_entry(void *arg, const struct quarantine_entry *entry)
{
	struct showing *showing = arg;
	struct json *j = showing->json;
	if (entry->number != showing->number)
		return false;
	showing->found = true;
	json_object_begin(j);
	write_entry(j, entry);
	json_key(j, "record");
	tree_write_text(entry->raw, j);
	json_object_end(j);
	return false;
}

void admin_quarantine_show(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct showing showing = { .json = admin_reply_result(reply) };
	struct error err;
	int result = args_get_number(args, "number", 1, UINT64_MAX, &showing.number, &err);
	if (result == 0)
		result = quarantine_each(context->store, showing.number, show_entry, &showing, &err);
	if (result == 0 && !showing.found)
		result = quarantine_not_found(showing.number, &err);
	if (result != 0)
		admin_reply_error(reply, &err);
	else
		admin_reply_send(reply);
}

/* --- drop --- */

struct dropping {
	struct store *store;
	struct admin_reply *reply;
	uint64_t left; /* of those that were there at the beginning */
	uint64_t dropped;
};

static void send_dropped(struct admin_reply *reply, uint64_t dropped)
{
	struct json *j = admin_reply_result(reply);
	admin_reply_log(reply, "quarantine: %llu dropped", (unsigned long long)dropped);
	json_object_begin(j);
	json_key(j, "dropped");
	json_uint(j, dropped);
	json_object_end(j);
	admin_reply_send(reply);
}

static void write_progress(struct dropping *dropping)
{
	if (!admin_reply_progress_due(dropping->reply))
		return;
	struct json *j = admin_reply_progress_begin(dropping->reply);
	json_key(j, "done");
	json_uint(j, dropping->dropped);
	json_key(j, "total");
	json_uint(j, dropping->dropped + dropping->left);
	admin_reply_progress_end(dropping->reply);
}

static void drop_slice(void *arg)
{
	struct dropping *dropping = arg;
	struct admin_reply *reply = dropping->reply;
	int max = dropping->left < SLICE_ENTRIES ? (int)dropping->left : SLICE_ENTRIES;
	struct error err;
	int count = quarantine_expire(dropping->store, INT64_MAX, UINT64_MAX, max, &err);
	if (count > 0) {
		dropping->dropped += (uint64_t)count;
		dropping->left -= (uint64_t)count;
	}
	if (count == max && dropping->left > 0) {
		write_progress(dropping);
		admin_reply_later(reply, drop_slice, dropping);
		return;
	}
	uint64_t dropped = dropping->dropped;
	free(dropping);
	if (count < 0)
		admin_reply_error(reply, &err);
	else
		send_dropped(reply, dropped);
}

static int drop_all(const struct admin_context *context, struct admin_reply *reply, struct error *err)
{
	struct quarantine_stats stats;
	if (quarantine_stats(context->store, &stats, err) != 0)
		return -1;
	struct dropping *dropping = calloc(1, sizeof(*dropping));
	if (!dropping)
		return error_set(err, ERROR_NOMEM, "Out of memory");
	*dropping = (struct dropping){ .store = context->store, .reply = reply, .left = stats.entries };
	admin_reply_on_close(reply, free, dropping);
	drop_slice(dropping);
	return 0;
}

void admin_quarantine_drop(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	uint64_t number;
	struct error err;
	int result = quarantine_number(args, &number, &err);
	if (result == 0 && number == 0)
		result = drop_all(context, reply, &err);
	else if (result == 0 && (result = quarantine_drop(context->store, number, &err)) == 0)
		send_dropped(reply, 1);
	if (result != 0)
		admin_reply_error(reply, &err);
}
