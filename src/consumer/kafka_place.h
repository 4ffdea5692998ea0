/* SPDX-License-Identifier: ISC */
/*
 * kafka_place.h: up to where the messages of a Kafka partition are stored. Private to consumer/.
 *
 * A place is a row of META_DB_FEEDS, which becomes durable in the same commit as what was rejected, after the records. The
 * offsets that the group commits to the broker follow it, and are where reading begins. Messages before the place that come
 * again are known by it, so that not even their rejected records are put into quarantine twice.
 */
#ifndef CDRD_CONSUMER_KAFKA_PLACE_H
#define CDRD_CONSUMER_KAFKA_PLACE_H

#include "consumer/consumer_private.h"

struct kafka_place {
	int64_t next; /* offset of the first message that is not stored; 0: none is */
	int64_t newest; /* the latest time (in milliseconds, as Kafka has it) of those that are; a topic that was made anew
	                 * has only later ones, although its offsets begin at 0 again */
};

/* Of one partition; `cluster` is the cluster's id, or "". No place is a `next` of 0. */
MUST_CHECK int kafka_place_load(struct consumer *consumer, const char *cluster, int32_t partition,
                                struct kafka_place *place, struct error *err);

/* Puts it, to last with the next meta_commit. */
MUST_CHECK int kafka_place_put(struct consumer *consumer, const char *cluster, int32_t partition,
                               const struct kafka_place *place, struct error *err);

#endif
