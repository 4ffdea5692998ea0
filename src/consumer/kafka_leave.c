/* SPDX-License-Identifier: ISC */
/*
 * kafka_leave.c: a consumer of Kafka ends: it leaves its group and is freed. See kafka_private.h.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "consumer/kafka_private.h"

#define LEAVE_LOOK_US 20000
#define LEAVE_EVENTS_MAX 1000              /* that are taken at a time */
#define LEAVE_US (2 * CLOCK_US_PER_SECOND) /* at the daemon's end, given to all groups to take the partitions back */

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

int kafka_leave_init(struct kafka *kafka, struct error *err)
{
	kafka->leave_timer = evtimer_new(tasks_base(kafka->consumer->consumers->tasks), on_leave, kafka);
	return kafka->leave_timer ? 0 : error_set(err, ERROR_NOMEM, "out of memory");
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

void kafka_finish(struct consumers *consumers)
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

void kafka_end(struct consumer *consumer)
{
	struct kafka *kafka = consumer->link;

	if (!kafka)
		return;
	if (kafka->queue)
		kafka_tell_stored(kafka);
	kafka_partitions_free(kafka);
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
