/* SPDX-License-Identifier: ISC */
/*
 * message.c: a message on its way to the disk. Each is a batch of ingest.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "consumer/consumer_private.h"

static void on_done(void *arg, const struct ingest_summary *summary, struct buf *answer, const struct error *err)
{
	struct message *message = arg;
	struct consumer *consumer = message->consumer;
	struct ingest_summary *records = &consumer->counts.records;

	(void)answer;
	message->batch = NULL;
	/* One that cannot be read is in quarantine, unless the commit has failed, for another reason. */
	message->is_stored = !err || (message->is_unreadable && err->code == ERROR_INVALID);
	if (!message->is_stored && !consumer->has_failed) {
		consumer->has_failed = true;
		consumer->failure = *err;
	}
	if (message->is_stored) {
		records->accepted += summary->accepted;
		records->updated += summary->updated;
		records->duplicates += summary->duplicates;
		records->outdated += summary->outdated;
		records->rejected += summary->rejected;
		consumer->counts.messages++;
		consumer->counts.last_us = clock_now_us();
		consumer->counts.unreadable += message->is_unreadable;
	}
	consumer_wake(consumer, 0);
}

struct message *message_new(struct consumer *consumer, struct error *err)
{
	struct message *message = calloc(1, sizeof(*message));

	if (!message) {
		error_set(err, ERROR_NOMEM, "A message: out of memory");
		return NULL;
	}
	message->consumer = consumer;
	TAILQ_INSERT_TAIL(&consumer->messages, message, link);
	consumer->waiting++;
	return message;
}

int message_begin(struct message *message, struct error *err)
{
	const struct consumer *consumer = message->consumer;
	const struct consumer_settings *settings = &consumer->settings;

	message->is_unreadable = false;
	message->batch = ingest_batch_new(consumer->consumers->ingest, settings->format, consumer->kind->name,
	                                  settings->product[0] ? settings->product : NULL, &settings->ingest, on_done,
	                                  message, err);
	if (!message->batch)
		return -1;
	ingest_batch_hold(message->batch);
	if (message->may_repeat)
		ingest_batch_may_repeat(message->batch);
	return 0;
}

void message_feed(struct message *message, const char *data, size_t len)
{
	ingest_batch_feed(message->batch, data, len);
}

int message_finish(struct message *message, struct str body, bool cut, struct error *err)
{
	struct ingest_batch *batch = message->batch;
	struct ingest *ingest = message->consumer->consumers->ingest;

	ingest_batch_finish(batch);
	int kept = ingest_batch_keep_unreadable(batch, body, cut, err);
	message->is_unreadable = kept > 0;
	ingest_commit_held(ingest, true);
	return kept < 0 ? -1 : 0;
}

bool message_is_decided(const struct message *message)
{
	return message->is_stored || (message->batch && ingest_batch_is_decided(message->batch));
}

void message_give_up(struct message *message)
{
	if (message->batch)
		ingest_batch_abandon(message->batch);
	message->batch = NULL;
}

void message_free(struct message *message)
{
	struct consumer *consumer = message->consumer;

	message_give_up(message);
	if (message->source)
		consumer->kind->release(message);
	TAILQ_REMOVE(&consumer->messages, message, link);
	consumer->waiting--;
	free(message);
}

void messages_free(struct consumer *consumer)
{
	struct message *message;

	while ((message = TAILQ_FIRST(&consumer->messages)))
		message_free(message);
}
