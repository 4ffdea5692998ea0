/* SPDX-License-Identifier: ISC */
/*
 * by_source.c: see by_source.h. Labels are the settings' texts, never a file's or a message's, so that producers cannot
 * invent labels.
 */
#include "metrics/by_source.h"

struct writing {
	const struct table_row *row;
	struct buf *out;
};

static void write_feed(void *arg, const struct feed_status *status)
{
	const struct writing *writing = arg;
	struct buf labels = { 0 };

	text_label(&labels, "kind", status->kind);
	text_label(&labels, "path", status->path);
	table_write_sample(writing->row, status, buf_str(&labels), writing->out);
	buf_free(&labels);
}

void by_source_write_feeds(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	struct writing writing = { row, out };

	feeds_each(snapshot->feeds, write_feed, &writing);
}

static void write_consumer(void *arg, const struct consumer_status *status)
{
	const struct writing *writing = arg;
	struct buf labels = { 0 };

	text_label(&labels, "kind", status->kind);
	text_label(&labels, "address", status->address);
	text_label(&labels, "queue", status->queue);
	table_write_sample(writing->row, status, buf_str(&labels), writing->out);
	buf_free(&labels);
}

void by_source_write_consumers(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	struct writing writing = { row, out };

	consumers_each(snapshot->consumers, write_consumer, &writing);
}
