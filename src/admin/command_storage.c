/* SPDX-License-Identifier: ISC */
/*
 * command_storage.c: `storage`, what each day holds, and `seal`.
 *
 * Days that are not open must be opened for it, so it handles a few per slice.
 */
#include <stdlib.h>

#include "admin/command.h"
#include "admin/day_walk.h"
#include "base/clock.h"

struct listing {
	struct admin_reply *reply;
	struct day_walk walk;
	struct store_day_stats total;
	uint64_t days;
};

/* A ratio with one decimal place, as a number. */
static void write_ratio(struct json *j, const char *key, uint64_t part, uint64_t whole)
{
	struct buf text = { 0 };
	uint64_t tenths = whole ? (10 * part + whole / 2) / whole : 0;

	buf_addf(&text, "%llu.%llu", (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10));
	json_key(j, key);
	json_raw(j, buf_str(&text));
	buf_free(&text);
}

static void write_row(struct json *j, struct str day, const struct store_day_stats *stats)
{
	uint64_t rows = day_stats_records(stats);

	json_object_begin(j);
	json_member_str(j, "day", day);
	json_member_uint(j, "records", rows);
	json_member_uint(j, "hot", stats->hot_rows);
	json_member_uint(j, "sealed", stats->sealed_rows - stats->deleted_rows);
	json_member_uint(j, "replaced", stats->deleted_rows);
	json_member_uint(j, "blocks", stats->blocks);
	json_member_uint(j, "old_blocks", stats->old_blocks);
	json_member_uint(j, "disk_bytes", stats->bytes);
	write_ratio(j, "bytes_a_record", stats->bytes, rows);
	write_ratio(j, "hot_percent", 100 * stats->hot_rows, rows);
	json_object_end(j);
}

static void add(struct store_day_stats *total, const struct store_day_stats *stats)
{
	total->hot_rows += stats->hot_rows;
	total->blocks += stats->blocks;
	total->old_blocks += stats->old_blocks;
	total->sealed_rows += stats->sealed_rows;
	total->deleted_rows += stats->deleted_rows;
	total->bytes += stats->bytes;
}

static void list_day(void *arg, const struct store_day_stats *stats)
{
	struct listing *listing = arg;
	struct buf name = { 0 };

	clock_format_day(&name, stats->day);
	write_row(admin_reply_result(listing->reply), buf_str(&name), stats);
	buf_free(&name);
	add(&listing->total, stats);
	listing->days++;
}

static void finish(struct listing *listing)
{
	struct json *j = admin_reply_result(listing->reply);

	if (listing->days != 1)
		write_row(j, STR_LITERAL("total"), &listing->total);
	json_array_end(j);
	admin_reply_send(listing->reply);
	free(listing);
}

static void go_on(void *arg, int64_t deadline_us)
{
	struct listing *listing = arg;
	struct error err;
	int result = day_walk_step(&listing->walk, deadline_us, list_day, listing, &err);

	if (result > 0) {
		finish(listing);
	} else if (result < 0) {
		admin_reply_error(listing->reply, &err);
		free(listing);
	} else {
		admin_reply_later(listing->reply, go_on, listing);
	}
}

void admin_storage(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	const char *day = args_get(args, "day");
	struct error err;

	if (!listing) {
		error_set(&err, ERROR_NOMEM, "storage: out of memory");
		admin_reply_error(reply, &err);
		return;
	}
	*listing = (struct listing){ .reply = reply,
		                     .walk = { .store = context->store, .next = INT32_MIN, .last = INT32_MAX } };
	if (day && !clock_parse_day(str_from(day), &listing->walk.next)) {
		error_set(&err, ERROR_INVALID, "day \"%.64s\": must be yyyy-mm-dd", day);
		admin_reply_error(reply, &err);
		free(listing);
		return;
	}
	if (day)
		listing->walk.last = listing->walk.next;
	admin_reply_on_close(reply, free, listing);
	json_array_begin(admin_reply_result(reply));
	admin_reply_later(reply, go_on, listing);
}

void admin_seal(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct error err;

	(void)args;
	if (store_seal_all(context->store, &err) != 0)
		admin_reply_error(reply, &err);
	else
		admin_reply_send(reply);
}

void admin_forget_day(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *text = args_get(args, "day");
	struct error err;
	int32_t day;
	int result = clock_parse_day(str_from(text), &day) ?
	                     store_forget_day(context->store, day, &err) :
	                     error_set(&err, ERROR_INVALID, "day \"%.64s\": must be yyyy-mm-dd", text);

	if (result != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "day %s is forgotten", text);
	admin_reply_send(reply);
}
