/* SPDX-License-Identifier: ISC */
/*
 * kafka_private.h: a consumer of Kafka, for its files; private to consumer/.
 *
 *	kafka.c             the client, the messages on their way to the store, and the steps of the task
 *	kafka_partitions.c  the partitions that are this member's, and up to where each is stored (kafka_place.h)
 *	kafka_leave.c       the end: the group is left, beside everything else
 *
 * All of them run on the loop, librdkafka's callbacks too.
 */
#ifndef CDRD_CONSUMER_KAFKA_PRIVATE_H
#define CDRD_CONSUMER_KAFKA_PRIVATE_H

#include <librdkafka/rdkafka.h>

#include "consumer/consumer_private.h"
#include "consumer/kafka_place.h"

/* A partition that is assigned. */
struct kafka_partition {
	LIST_ENTRY(kafka_partition) entry;
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
	LIST_HEAD(, kafka_partition) partitions;
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

/* --- kafka.c --- */

/* A callback has failed, so that the next step will: "doing: why". */
void kafka_fail(struct kafka *kafka, const char *doing, const char *why);

/* --- kafka_partitions.c --- */

/* NULL if it is not assigned. It may be freed by any callback of librdkafka's. */
struct kafka_partition *kafka_partition_find(const struct kafka *kafka, int32_t number);

/* Is the message stored already? A topic that was made anew has none, whatever its offsets: its place begins again. */
bool kafka_partition_has_stored(struct kafka *kafka, struct kafka_partition *partition,
                                const rd_kafka_message_t *received);

/* Tells librdkafka up to where all partitions are on disk, which it tells the broker now and then, and when they are taken
 * back. */
void kafka_tell_stored(struct kafka *kafka);

/* Frees them, and nothing of the messages. */
void kafka_partitions_free(struct kafka *kafka);

/* For librdkafka: `arg` is a struct kafka. What waits is committed, which blocks, before partitions are another's. */
void kafka_on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *arg);

/* As consumer_kind has them. A partition's place is after the last message before which, and with which, all are in the
 * commit; the broker may be told once that has succeeded. The lag is what the broker has told with the last messages: it is
 * not asked. */
MUST_CHECK int kafka_on_stored(struct consumer *consumer, struct error *err);
void kafka_on_commit(struct consumer *consumer);
int64_t kafka_lag(const struct consumer *consumer);

/* --- kafka_leave.c --- */

/* Makes what leaving needs, before there is a client. ERROR_NOMEM. */
MUST_CHECK int kafka_leave_init(struct kafka *kafka, struct error *err);

/* As consumer_kind has them: `end` leaves the group, which ends later, and frees the consumer's struct kafka then; `finish`,
 * at the daemon's end, waits for all that leave, but two seconds at most. */
void kafka_end(struct consumer *consumer);
void kafka_finish(struct consumers *consumers);

#endif
