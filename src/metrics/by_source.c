/* SPDX-License-Identifier: ISC */
/*
 * by_source.c: see by_source.h. Labels are the settings' texts, never a file's or a message's, so that producers cannot
 * invent labels.
 */
#include "metrics/by_source.h"

#include "base/clock.h"

struct writing {
	const struct table_row *row;
	struct buf *out;
	uint64_t (*value_of)(const void *status);
	bool (*has_value)(const void *status); /* or NULL: always */
};

/* --- spools and tails --- */

static void write_feed(void *arg, const struct feed_status *status)
{
	const struct writing *writing = arg;
	struct buf labels = { 0 };

	text_label(&labels, "kind", status->kind);
	text_label(&labels, "path", status->path);
	text_uint(writing->out, writing->row->name, buf_str(&labels), writing->value_of(status));
	buf_free(&labels);
}

static uint64_t files_of(const void *status)
{
	return ((const struct feed_status *)status)->waiting;
}

static uint64_t unread_of(const void *status)
{
	return ((const struct feed_status *)status)->unread;
}

static uint64_t has_problem(const void *status)
{
	return ((const struct feed_status *)status)->problem[0] != '\0';
}

static void write_feeds(const struct table_row *row, const struct snapshot *snapshot, struct buf *out,
                        uint64_t (*value_of)(const void *status))
{
	struct writing writing = { row, out, value_of, NULL };

	feeds_each(snapshot->feeds, write_feed, &writing);
}

void by_source_write_feed_files(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	write_feeds(row, snapshot, out, files_of);
}

void by_source_write_feed_unread(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	write_feeds(row, snapshot, out, unread_of);
}

void by_source_write_feed_problems(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	write_feeds(row, snapshot, out, has_problem);
}

/* --- queues and topics --- */

static void write_consumer(void *arg, const struct consumer_status *status)
{
	const struct writing *writing = arg;
	struct buf labels = { 0 };

	if (writing->has_value && !writing->has_value(status))
		return;
	text_label(&labels, "kind", status->kind);
	text_label(&labels, "address", status->address);
	text_label(&labels, "queue", status->queue);
	text_uint(writing->out, writing->row->name, buf_str(&labels), writing->value_of(status));
	buf_free(&labels);
}

static uint64_t is_connected(const void *status)
{
	return ((const struct consumer_status *)status)->connected;
}

static bool has_lag(const void *status)
{
	return ((const struct consumer_status *)status)->has_lag;
}

static uint64_t lag_of(const void *status)
{
	return ((const struct consumer_status *)status)->lag;
}

static uint64_t waiting_of(const void *status)
{
	return ((const struct consumer_status *)status)->waiting;
}

static uint64_t messages_of(const void *status)
{
	return ((const struct consumer_status *)status)->messages;
}

static uint64_t unreadable_of(const void *status)
{
	return ((const struct consumer_status *)status)->unreadable;
}

static uint64_t interruptions_of(const void *status)
{
	return ((const struct consumer_status *)status)->interruptions;
}

static uint64_t last_of(const void *status)
{
	return (uint64_t)(((const struct consumer_status *)status)->last_us / CLOCK_US_PER_SECOND);
}

static void write_consumers(const struct table_row *row, const struct snapshot *snapshot, struct buf *out,
                            uint64_t (*value_of)(const void *status), bool (*has_value)(const void *status))
{
	struct writing writing = { row, out, value_of, has_value };

	consumers_each(snapshot->consumers, write_consumer, &writing);
}

void by_source_write_connected(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	write_consumers(row, snapshot, out, is_connected, NULL);
}

void by_source_write_lag(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	write_consumers(row, snapshot, out, lag_of, has_lag);
}

void by_source_write_waiting(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	write_consumers(row, snapshot, out, waiting_of, NULL);
}

void by_source_write_messages(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	write_consumers(row, snapshot, out, messages_of, NULL);
}

void by_source_write_unreadable(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	write_consumers(row, snapshot, out, unreadable_of, NULL);
}

void by_source_write_interruptions(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	write_consumers(row, snapshot, out, interruptions_of, NULL);
}

void by_source_write_last(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	write_consumers(row, snapshot, out, last_of, NULL);
}
