/* SPDX-License-Identifier: ISC */
/*
 * kafka.c: consumes a topic of Kafka, as a member of a group.
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
#include "consumer/kafka_place.h"

#define WAITING_BYTES_MAX ((size_t)32 << 20) /* of messages that are here */
#define LOOK_EVERY_US CLOCK_US_PER_SECOND
#define LEAVE_LOOK_US 20000
#define LEAVE_EVENTS_MAX 1000
#define LEAVE_US (2 * CLOCK_US_PER_SECOND) /* at the daemon's end, given to all groups to take the partitions back */

/* A partition that is assigned. */
struct partition {
	LIST_ENTRY(partition) entry;
	int32_t number;
	struct kafka_place place;   /* on disk */
	struct kafka_place putting; /* in the commit under way, if that is not the same */
	struct kafka_place stored;  /* of what the broker was told */
};

struct kafka {
	struct consumer *consumer;
	rd_kafka_t *client;
	rd_kafka_queue_t *queue;
	int event_fd;
	struct event *event;
	char *cluster; /* its id; NULL: not known yet */
	LIST_HEAD(, partition) partitions;
	struct message *unfed; /* the first one that is not fed whole; NULL: all are */
	size_t waiting_bytes;
	int64_t retry_us; /* 0: all is well; otherwise when to store again */
	bool paused;
	bool has_failed;
	struct error failure;      /* of a callback */
	LIST_ENTRY(kafka) leaving; /* the group, */
	bool leaves;               /* while this is set */
	struct event *leave_timer;
};

static const char *cluster_of(const struct kafka *kafka)
{
	return kafka->cluster ? kafka->cluster : "";
}

static struct partition *find_partition(const struct kafka *kafka, int32_t number)
{
	struct partition *partition;

	LIST_FOREACH(partition, &kafka->partitions, entry)
		if (partition->number == number)
			return partition;
	return NULL;
}

static int32_t number_of(const struct message *message)
{
	const rd_kafka_message_t *received = message->source;

	return received->partition;
}

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

/* --- the assignment --- */

static void fail(struct kafka *kafka, const char *doing, const char *why)
{
	kafka->has_failed = true;
	error_set(&kafka->failure, ERROR_IO, "%s: %s", doing, why);
}

static void add_partition(struct kafka *kafka, int32_t number)
{
	struct partition *partition = calloc(1, sizeof(*partition));

	if (!partition) {
		fail(kafka, "a partition", "out of memory");
		return;
	}
	partition->number = number;
	if (!kafka->cluster)
		kafka->cluster = rd_kafka_clusterid(kafka->client, 0);
	if (kafka_place_load(kafka->consumer, cluster_of(kafka), number, &partition->place, &kafka->failure) != 0)
		kafka->has_failed = true;
	partition->stored = partition->putting = partition->place;
	LIST_INSERT_HEAD(&kafka->partitions, partition, entry);
}

/* Its messages are another consumer's from now on: those that are not on disk are read there. */
static void drop_partition(struct kafka *kafka, int32_t number)
{
	struct partition *partition = find_partition(kafka, number);
	struct message *message = TAILQ_FIRST(&kafka->consumer->messages);

	while (message) {
		struct message *next = TAILQ_NEXT(message, link);

		if (number_of(message) == number)
			message_free(message);
		message = next;
	}
	if (!partition)
		return;
	LIST_REMOVE(partition, entry);
	free(partition);
}

/* Tells the broker what is on disk, which it does now and then, and when partitions are taken back. */
static void store_offsets(struct kafka *kafka)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	const char *topic = kafka->consumer->settings.queue;
	struct partition *partition;

	LIST_FOREACH(partition, &kafka->partitions, entry) {
		if (partition->place.next <= partition->stored.next)
			continue;
		rd_kafka_topic_partition_list_add(list, topic, partition->number)->offset = partition->place.next;
		partition->stored = partition->place;
	}
	if (list->cnt > 0)
		rd_kafka_offsets_store(kafka->client, list);
	rd_kafka_topic_partition_list_destroy(list);
}

static void assign(struct kafka *kafka, rd_kafka_topic_partition_list_t *list, bool incremental)
{
	for (int i = 0; i < list->cnt; i++)
		add_partition(kafka, list->elems[i].partition);
	if (incremental)
		rd_kafka_error_destroy(rd_kafka_incremental_assign(kafka->client, list));
	else
		rd_kafka_assign(kafka->client, list);
	kafka->paused = false;
	consumer_works(kafka->consumer);
	log_info("consumer", "%s: %d partitions were assigned", kafka->consumer->settings.queue, list->cnt);
}

static void unassign(struct kafka *kafka, rd_kafka_topic_partition_list_t *list, bool incremental)
{
	struct error err;

	/* What is waiting is stored now, so that the next consumer begins after it; if that fails, it reads it again. */
	MAY_FAIL(ingest_commit(kafka->consumer->consumers->ingest, &err));
	store_offsets(kafka);
	for (int i = 0; i < list->cnt; i++)
		drop_partition(kafka, list->elems[i].partition);
	if (incremental)
		rd_kafka_error_destroy(rd_kafka_incremental_unassign(kafka->client, list));
	else
		rd_kafka_assign(kafka->client, NULL);
	log_info("consumer", "%s: %d partitions were taken back", kafka->consumer->settings.queue, list->cnt);
}

static void on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *arg)
{
	struct kafka *kafka = arg;
	const char *protocol = rd_kafka_rebalance_protocol(client);
	bool incremental = protocol && strcmp(protocol, "COOPERATIVE") == 0;

	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
		assign(kafka, list, incremental);
	else
		unassign(kafka, list, incremental);
}

/* --- what librdkafka says --- */

static void on_error(rd_kafka_t *client, int code, const char *reason, void *arg)
{
	struct kafka *kafka = arg;
	struct error err;

	(void)client;
	error_set(&err, ERROR_IO, "%s: %.300s", rd_kafka_err2name((rd_kafka_resp_err_t)code), reason);
	if (code == RD_KAFKA_RESP_ERR__FATAL)
		fail(kafka, "librdkafka", err.message);
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

/* Is the message stored already? */
static bool is_known(struct kafka *kafka, struct partition *partition, const rd_kafka_message_t *received)
{
	struct kafka_place *place = &partition->place;
	rd_kafka_timestamp_type_t type;
	int64_t time = rd_kafka_message_timestamp(received, &type);

	if (received->offset >= place->next)
		return false;
	if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || time <= place->newest)
		return true;
	log_warn("consumer",
	         "%s: partition %d has a message at offset %lld that is newer than those stored up to %lld: the "
	         "topic was made anew",
	         kafka->consumer->settings.queue, (int)partition->number, (long long)received->offset,
	         (long long)place->next);
	*place = partition->putting = (struct kafka_place){ .newest = INT64_MIN };
	partition->stored.next = 0;
	return false;
}

static int take_message(struct kafka *kafka, rd_kafka_message_t *received, struct error *err)
{
	struct partition *partition = find_partition(kafka, received->partition);
	struct message *message;

	if (received->err) {
		struct error why;

		error_set(&why, ERROR_IO, "%.300s", rd_kafka_message_errstr(received));
		if (received->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
			consumer_tell(kafka->consumer, &why);
	}
	if (received->err || !partition || is_known(kafka, partition, received)) {
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
	store_offsets(kafka);
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

/* --- commits --- */

/* The place of each partition: after the last message before which, and with which, all are in the commit. */
static int kafka_on_stored(struct consumer *consumer, struct error *err)
{
	struct kafka *kafka = consumer->link;
	struct partition *partition;

	LIST_FOREACH(partition, &kafka->partitions, entry) {
		struct kafka_place place = partition->place;
		struct message *message;

		TAILQ_FOREACH(message, &consumer->messages, link) {
			const rd_kafka_message_t *received = message->source;
			int64_t time = rd_kafka_message_timestamp(received, NULL);

			if (received->partition != partition->number)
				continue;
			if (!message_is_decided(message))
				break;
			place.next = received->offset + 1;
			place.newest = time > place.newest ? time : place.newest;
		}
		partition->putting = place;
		if (place.next != partition->place.next &&
		    kafka_place_put(consumer, cluster_of(kafka), partition->number, &place, err) != 0)
			return -1;
	}
	return 0;
}

/* The commit has succeeded: from now on the broker may be told. */
static void kafka_on_commit(struct consumer *consumer)
{
	const struct kafka *kafka = consumer->link;
	struct partition *partition;

	LIST_FOREACH(partition, &kafka->partitions, entry)
		partition->place = partition->putting;
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
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
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

static void on_leave(evutil_socket_t fd, short what, void *arg);

static int kafka_begin(struct consumer *consumer, struct error *err)
{
	struct kafka *kafka = calloc(1, sizeof(*kafka));

	if (!kafka)
		return error_set(err, ERROR_NOMEM, "out of memory");
	consumer->link = kafka;
	kafka->consumer = consumer;
	kafka->event_fd = -1;
	LIST_INIT(&kafka->partitions);
	kafka->leave_timer = evtimer_new(tasks_base(consumer->consumers->tasks), on_leave, kafka);
	if (!kafka->leave_timer)
		return error_set(err, ERROR_NOMEM, "out of memory");
	if (make_client(kafka, err) != 0 || watch_queue(kafka, err) != 0 || subscribe(kafka, err) != 0)
		return -1;
	consumer_wake(consumer, LOOK_EVERY_US);
	return 0;
}

/* --- its end --- */

/*
 * A client that has not left its group is given up as it is, at the end of the process: to destroy it would wait for all
 * that it still asks of the broker, a minute or for good.
 */
static void kafka_free(struct kafka *kafka, bool has_left)
{
	if (kafka->leaves)
		LIST_REMOVE(kafka, leaving);
	if (kafka->queue)
		rd_kafka_queue_destroy(kafka->queue);
	if (kafka->cluster)
		rd_kafka_mem_free(kafka->client, kafka->cluster);
	if (kafka->client && has_left)
		rd_kafka_destroy_flags(kafka->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	if (kafka->event)
		event_free(kafka->event);
	if (kafka->leave_timer)
		event_free(kafka->leave_timer);
	if (kafka->event_fd >= 0)
		close(kafka->event_fd);
	free(kafka);
}

/* Gives the partitions back when the group asks for them. What comes besides is not wanted any more. */
static bool has_left(const struct kafka *kafka, int wait_ms)
{
	rd_kafka_event_t *event;

	for (int i = 0; i < LEAVE_EVENTS_MAX && (event = rd_kafka_queue_poll(kafka->queue, wait_ms)); i++) {
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
			rd_kafka_assign(kafka->client, NULL);
		rd_kafka_event_destroy(event);
		wait_ms = 0;
	}
	return rd_kafka_consumer_closed(kafka->client);
}

/* Again where there is no memory for the timer: the events that wait for it then come when there is. */
static void on_leave(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = { 0, LEAVE_LOOK_US };
	struct kafka *kafka = arg;

	(void)fd;
	(void)what;
	if (has_left(kafka, 0))
		kafka_free(kafka, true);
	else if (evtimer_add(kafka->leave_timer, &pause) != 0)
		event_active(kafka->leave_timer, EV_TIMEOUT, 0);
}

/*
 * Leaves the group, so that others have the partitions at once. That takes a few answers of the broker, or its silence
 * until librdkafka gives up, which are awaited beside everything else; it is freed then. A refusal means that it has left,
 * or else it is kept all the same, as only the daemon's end may give it up.
 */
static void leave(struct kafka *kafka)
{
	rd_kafka_error_destroy(rd_kafka_consumer_close_queue(kafka->client, kafka->queue));
	LIST_INSERT_HEAD(&kafka->consumer->consumers->leaving, kafka, leaving);
	kafka->leaves = true;
	event_active(kafka->leave_timer, EV_TIMEOUT, 0);
}

/* The daemon ends: it waits, but not long. */
static void kafka_finish(struct consumers *consumers)
{
	int64_t until_us = clock_monotonic_us() + LEAVE_US;
	struct kafka *kafka;

	while ((kafka = LIST_FIRST(&consumers->leaving))) {
		bool left;

		do
			left = has_left(kafka, LEAVE_LOOK_US / 1000);
		while (!left && clock_monotonic_us() < until_us);
		if (!left)
			log_warn("consumer", "%s: the group was not left in time: the broker does not answer",
			         kafka->consumer->settings.queue);
		kafka_free(kafka, left);
	}
}

static void kafka_end(struct consumer *consumer)
{
	struct kafka *kafka = consumer->link;
	struct partition *partition;

	if (!kafka)
		return;
	if (kafka->queue)
		store_offsets(kafka);
	while ((partition = LIST_FIRST(&kafka->partitions))) {
		LIST_REMOVE(partition, entry);
		free(partition);
	}
	consumer->link = NULL;
	if (kafka->event) /* what comes now is taken by leave() */
		event_del(kafka->event);
	if (kafka->queue)
		rd_kafka_queue_io_event_enable(kafka->queue, -1, NULL, 0);
	if (kafka->queue)
		leave(kafka);
	else /* it has asked the broker for nothing yet */
		kafka_free(kafka, true);
}

/* As the broker has told with the last messages: it is not asked. */
static int64_t kafka_lag(const struct consumer *consumer)
{
	const struct kafka *kafka = consumer->link;
	const struct partition *partition;
	int64_t lag = 0;

	if (LIST_EMPTY(&kafka->partitions))
		return -1;
	LIST_FOREACH(partition, &kafka->partitions, entry) {
		int64_t first = 0, end = 0;

		if (rd_kafka_get_watermark_offsets(kafka->client, consumer->settings.queue, partition->number, &first,
		                                   &end) != RD_KAFKA_RESP_ERR_NO_ERROR ||
		    end < 0)
			return -1;
		int64_t next = partition->place.next > first ? partition->place.next : first;
		lag += end > next ? end - next : 0;
	}
	return lag;
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
