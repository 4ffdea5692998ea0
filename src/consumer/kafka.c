/* SPDX-License-Identifier: ISC */
/*
 * kafka.c: consumes a topic of Kafka, as a member of a group: its client, its messages and its steps. Which partitions it
 * has is kafka_partitions.c's, leaving the group kafka_leave.c's.
 *
 * librdkafka fetches in threads of its own, into a queue of bounded size; it writes to an eventfd when there is something
 * in an empty queue, and the task takes messages, errors, logs and changes of the assignment from it without waiting. So
 * all of its callbacks run on the loop. Up to `prefetch` messages are here at a time; while there are more in the queue it
 * is not read. A message that could not be stored is kept and stored again after a pause, in which the partitions are paused
 * and the queue is read, as the group would otherwise take the consumer for dead.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "consumer/kafka_conf.h"
#include "consumer/kafka_private.h"

#define WAITING_BYTES_MAX ((size_t)32 << 20) /* of messages that are here */
#define LOOK_EVERY_US CLOCK_US_PER_SECOND

/* --- the settings --- */

static int kafka_check(const struct consumer_settings *settings, struct error *err)
{
	if (!settings->address[0] || strchr(settings->address, '='))
		return error_set(err, ERROR_INVALID, "\"%.100s\": must be HOST:PORT, or several separated by commas",
		                 settings->address);
	if (!settings->queue[0])
		return error_set(err, ERROR_INVALID, "%s: needs topic=NAME", settings->address);
	rd_kafka_conf_t *conf = kafka_conf_new(settings, err);
	if (!conf)
		return -1;
	rd_kafka_conf_destroy(conf);
	return 0;
}

/* --- what librdkafka says --- */

void kafka_fail(struct kafka *kafka, const char *doing, const char *why)
{
	kafka->has_failed = true;
	error_set(&kafka->failure, ERROR_IO, "%s: %s", doing, why);
}

static void on_error(rd_kafka_t *client, int code, const char *reason, void *arg)
{
	struct kafka *kafka = arg;
	struct error err;

	(void)client;
	error_set(&err, ERROR_IO, "%s: %.300s", rd_kafka_err2name((rd_kafka_resp_err_t)code), reason);
	if (code == RD_KAFKA_RESP_ERR__FATAL)
		kafka_fail(kafka, "librdkafka", err.message);
	else
		consumer_tell(kafka->consumer, &err);
}

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	(void)client;
	(void)level; /* errors come to on_error */
	log_debug("consumer", "librdkafka: %s: %s", facility, text);
}

/* --- messages --- */

/* After those that are stored already, as they failed with none. */
static void skip_stored(struct kafka *kafka)
{
	while (kafka->unfed && kafka->unfed->is_stored)
		kafka->unfed = TAILQ_NEXT(kafka->unfed, link);
}

static void kafka_release(struct message *message)
{
	struct kafka *kafka = message->consumer->link;
	rd_kafka_message_t *received = message->source;

	if (kafka->unfed == message)
		kafka->unfed = TAILQ_NEXT(message, link);
	skip_stored(kafka);
	kafka->waiting_bytes -= received->len;
	rd_kafka_message_destroy(received);
	message->source = NULL;
}

static int take_message(struct kafka *kafka, rd_kafka_message_t *received, struct error *err)
{
	struct kafka_partition *partition = kafka_partition_find(kafka, received->partition);
	struct message *message;

	if (received->err) {
		struct error why;

		error_set(&why, ERROR_IO, "%.300s", rd_kafka_message_errstr(received));
		if (received->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
			consumer_tell(kafka->consumer, &why);
	}
	if (received->err || !partition || kafka_partition_has_stored(kafka, partition, received)) {
		rd_kafka_message_destroy(received);
		return 0;
	}
	message = message_new(kafka->consumer, err);
	if (!message) {
		rd_kafka_message_destroy(received);
		return -1;
	}
	message->source = received;
	kafka->waiting_bytes += received->len;
	if (!kafka->unfed)
		kafka->unfed = message;
	return 0;
}

/* A piece of the message, or all of a short one. */
static int feed(struct kafka *kafka, struct error *err)
{
	struct message *message = kafka->unfed;
	const rd_kafka_message_t *received = message->source;
	size_t limit = (size_t)message->consumer->consumers->config->line_max;
	size_t left, len;

	if (!message->batch && message_begin(message, err) != 0)
		return -1;
	left = received->len - message->fed;
	len = left < MESSAGE_PIECE_BYTES ? left : MESSAGE_PIECE_BYTES;
	if (len > 0)
		message_feed(message, (const char *)received->payload + message->fed, len);
	message->fed += len;
	if (len < left)
		return 0;
	kafka->unfed = TAILQ_NEXT(message, link);
	skip_stored(kafka);
	return message_finish(message, (struct str){ received->payload, received->len < limit ? received->len : limit },
	                      received->len > limit, err);
}

/* Those of all partitions that are on disk, each up to the first that is not. */
static void acknowledge(struct kafka *kafka)
{
	struct message *message;

	while ((message = TAILQ_FIRST(&kafka->consumer->messages)) && message->is_stored) {
		message_free(message);
		consumer_works(kafka->consumer);
	}
	kafka_tell_stored(kafka);
}

/* --- what could not be stored --- */

static void pause_or_resume(struct kafka *kafka, bool pause)
{
	rd_kafka_topic_partition_list_t *list = NULL;

	if (kafka->paused == pause || rd_kafka_assignment(kafka->client, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	if (pause)
		rd_kafka_pause_partitions(kafka->client, list);
	else
		rd_kafka_resume_partitions(kafka->client, list);
	rd_kafka_topic_partition_list_destroy(list);
	kafka->paused = pause;
}

static void begin_pause(struct kafka *kafka, const struct error *err)
{
	consumer_tell(kafka->consumer, err);
	kafka->consumer->counts.interruptions++;
	kafka->retry_us = clock_monotonic_us() + consumer_next_pause(kafka->consumer);
	pause_or_resume(kafka, true);
}

/* All that is not stored is fed again, once the batches have ended that are on their way to the disk. */
static void begin_again(struct kafka *kafka)
{
	struct message *message;

	TAILQ_FOREACH(message, &kafka->consumer->messages, link)
		if (message->batch && message != kafka->unfed)
			return;
	TAILQ_FOREACH(message, &kafka->consumer->messages, link) {
		message_give_up(message);
		message->fed = 0;
	}
	kafka->unfed = TAILQ_FIRST(&kafka->consumer->messages);
	skip_stored(kafka);
	kafka->consumer->has_failed = false;
	kafka->consumer->connected_us = clock_monotonic_us(); /* it has to be steady from now on */
	kafka->retry_us = 0;
	pause_or_resume(kafka, false);
}

/* --- steps --- */

static int poll_queue(struct kafka *kafka, bool *more, struct error *err)
{
	rd_kafka_message_t *received = rd_kafka_consumer_poll(kafka->client, 0);

	*more = received != NULL;
	if (received && take_message(kafka, received, err) != 0)
		return -1;
	if (!kafka->has_failed)
		return 0;
	*err = kafka->failure;
	return -1;
}

static bool has_enough(const struct kafka *kafka)
{
	return kafka->consumer->waiting >= (size_t)kafka->consumer->settings.prefetch ||
	       kafka->waiting_bytes >= WAITING_BYTES_MAX;
}

/* Stores what is here, and reads on. 1 if there is more to do, 0 if not, -1. */
static int work(struct kafka *kafka, int64_t deadline_us, struct error *err)
{
	struct error why;
	bool more = true;

	do {
		if (consumer_is_full(kafka->consumer)) {
			return 0;
		} else if (kafka->unfed && !kafka->retry_us) {
			if (feed(kafka, &why) != 0)
				begin_pause(kafka, &why);
		} else if (has_enough(kafka) && !kafka->retry_us) {
			return 0; /* the end of a batch will wake it */
		} else if (poll_queue(kafka, &more, err) != 0) {
			return -1;
		}
	} while (more && clock_monotonic_us() < deadline_us);
	return more;
}

static int kafka_step(struct consumer *consumer, int64_t deadline_us, struct error *err)
{
	struct kafka *kafka = consumer->link;
	int more;

	acknowledge(kafka);
	if (consumer->has_failed && kafka->retry_us == 0)
		begin_pause(kafka, &consumer->failure);
	if (kafka->retry_us && clock_monotonic_us() >= kafka->retry_us)
		begin_again(kafka);
	more = work(kafka, deadline_us, err);
	if (more < 0)
		return -1;
	consumer_wake(consumer, more ? 0 : LOOK_EVERY_US);
	return 0;
}

/* --- up and down --- */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	const struct kafka *kafka = arg;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) > 0)
		consumer_wake(kafka->consumer, 0);
}

static int make_client(struct kafka *kafka, struct error *err)
{
	char why[256];
	rd_kafka_conf_t *conf = kafka_conf_new(&kafka->consumer->settings, err);

	if (!conf)
		return -1;
	rd_kafka_conf_set_opaque(conf, kafka);
	rd_kafka_conf_set_rebalance_cb(conf, kafka_on_rebalance);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_log_cb(conf, on_log);
	kafka->client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	if (kafka->client)
		return 0;
	rd_kafka_conf_destroy(conf);
	return error_set(err, ERROR_IO, "librdkafka: %s", why);
}

static int watch_queue(struct kafka *kafka, struct error *err)
{
	static const uint64_t one = 1;
	struct event_base *base = tasks_base(kafka->consumer->consumers->tasks);

	kafka->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (kafka->event_fd < 0)
		return error_set_errno(err, errno, "eventfd");
	kafka->event = event_new(base, kafka->event_fd, EV_READ | EV_PERSIST, on_readable, kafka);
	if (!kafka->event || event_add(kafka->event, NULL) != 0)
		return error_set(err, ERROR_NOMEM, "out of memory");
	rd_kafka_poll_set_consumer(kafka->client);
	rd_kafka_set_log_queue(kafka->client, NULL);
	kafka->queue = rd_kafka_queue_get_consumer(kafka->client);
	rd_kafka_queue_io_event_enable(kafka->queue, kafka->event_fd, &one, sizeof(one));
	return 0;
}

static int subscribe(struct kafka *kafka, struct error *err)
{
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(topics, kafka->consumer->settings.queue, RD_KAFKA_PARTITION_UA);
	rd_kafka_resp_err_t code = rd_kafka_subscribe(kafka->client, topics);
	rd_kafka_topic_partition_list_destroy(topics);
	return code ? error_set(err, ERROR_IO, "subscribing: %s", rd_kafka_err2str(code)) : 0;
}

static int kafka_begin(struct consumer *consumer, struct error *err)
{
	struct kafka *kafka = calloc(1, sizeof(*kafka));

	if (!kafka)
		return error_set(err, ERROR_NOMEM, "out of memory");
	consumer->link = kafka;
	kafka->consumer = consumer;
	kafka->event_fd = -1;
	LIST_INIT(&kafka->partitions);
	if (kafka_leave_init(kafka, err) != 0 || make_client(kafka, err) != 0 || watch_queue(kafka, err) != 0 ||
	    subscribe(kafka, err) != 0)
		return -1;
	consumer_wake(consumer, LOOK_EVERY_US);
	return 0;
}

const struct consumer_kind kafka_kind = {
	.name = "kafka",
	.check = kafka_check,
	.begin = kafka_begin,
	.step = kafka_step,
	.end = kafka_end,
	.finish = kafka_finish,
	.on_stored = kafka_on_stored,
	.on_commit = kafka_on_commit,
	.release = kafka_release,
	.lag = kafka_lag,
};
