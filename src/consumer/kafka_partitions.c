/* SPDX-License-Identifier: ISC */
/*
 * kafka_partitions.c: the partitions that the group has assigned to this member, and up to where each is stored. See
 * kafka_private.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "consumer/kafka_private.h"

struct kafka_partition *kafka_partition_find(const struct kafka *kafka, int32_t number)
{
	struct kafka_partition *partition;

	LIST_FOREACH(partition, &kafka->partitions, entry)
		if (partition->number == number)
			return partition;
	return NULL;
}

/* --- the assignment --- */

static const char *cluster_of(const struct kafka *kafka)
{
	return kafka->cluster ? kafka->cluster : "";
}

static int32_t number_of(const struct message *message)
{
	const rd_kafka_message_t *received = message->source;

	return received->partition;
}

static void add_partition(struct kafka *kafka, int32_t number)
{
	struct kafka_partition *partition = calloc(1, sizeof(*partition));

	if (!partition) {
		kafka_fail(kafka, "a partition", "out of memory");
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
	struct kafka_partition *partition = kafka_partition_find(kafka, number);
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
	kafka_tell_stored(kafka);
	for (int i = 0; i < list->cnt; i++)
		drop_partition(kafka, list->elems[i].partition);
	if (incremental)
		rd_kafka_error_destroy(rd_kafka_incremental_unassign(kafka->client, list));
	else
		rd_kafka_assign(kafka->client, NULL);
	log_info("consumer", "%s: %d partitions were taken back", kafka->consumer->settings.queue, list->cnt);
}

void kafka_on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *arg)
{
	struct kafka *kafka = arg;
	const char *protocol = rd_kafka_rebalance_protocol(client);
	bool incremental = protocol && strcmp(protocol, "COOPERATIVE") == 0;

	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
		assign(kafka, list, incremental);
	else
		unassign(kafka, list, incremental);
}

void kafka_partitions_free(struct kafka *kafka)
{
	struct kafka_partition *partition;

	while ((partition = LIST_FIRST(&kafka->partitions))) {
		LIST_REMOVE(partition, entry);
		free(partition);
	}
}

/* --- up to where each is stored --- */

bool kafka_partition_has_stored(struct kafka *kafka, struct kafka_partition *partition,
                                const rd_kafka_message_t *received)
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

int kafka_on_stored(struct consumer *consumer, struct error *err)
{
	struct kafka *kafka = consumer->link;
	struct kafka_partition *partition;

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

void kafka_on_commit(struct consumer *consumer)
{
	const struct kafka *kafka = consumer->link;
	struct kafka_partition *partition;

	LIST_FOREACH(partition, &kafka->partitions, entry)
		partition->place = partition->putting;
}

void kafka_tell_stored(struct kafka *kafka)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	const char *topic = kafka->consumer->settings.queue;
	struct kafka_partition *partition;

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

int64_t kafka_lag(const struct consumer *consumer)
{
	const struct kafka *kafka = consumer->link;
	const struct kafka_partition *partition;
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
