/* SPDX-License-Identifier: ISC */
/*
 * consumer.h: records that come as messages of a broker: queues of AMQP 0-9-1 and topics of Kafka.
 *
 * A message is a body of its own, in a format or a mapping's form. It is acknowledged after the commit of all its records;
 * what is rejected of them is in quarantine by then, and so is, as a whole, a message that cannot be read. A message that
 * arrives again changes nothing, as its records are known by their ids. When something does not work, the broker keeps
 * the messages, and it is tried again after pauses that grow.
 *
 * Each kind is a build option (configure --with-amqp, --with-kafka); its setting exists in any case.
 */
#ifndef CDRD_CONSUMER_CONSUMER_H
#define CDRD_CONSUMER_CONSUMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/error.h"
#include "base/task.h"
#include "ingest/ingest.h"

struct meta;
struct consumers;

/* The kinds that are built in, such as "amqp, kafka", or "". */
const char *consumers_built_in(void);

/* What is wrong with the value of the setting `key`, `amqp` or `kafka`; ERROR_INVALID, also if its kind is not built in
 * and there is one. */
MUST_CHECK int consumers_check(const char *key, const char *text, struct error *err);

/* Begins to consume what the settings name. All stay the caller's and must outlive it. NULL with *err. */
MUST_CHECK struct consumers *consumers_new(struct tasks *tasks, const struct config *config, struct meta *meta,
                                           struct ingest *ingest, struct error *err);

/* Before the ingest is freed. Messages that are not acknowledged come again. Does nothing on NULL. */
void consumers_free(struct consumers *consumers);

struct consumer_status {
	const char *kind;    /* "amqp" or "kafka" */
	const char *address; /* of the broker, or of several */
	const char *queue;   /* or topic */
	const char *mapping; /* "": none */
	const char *problem; /* why it does not work at the moment, or "" */
	bool connected;
	int64_t lag;       /* messages of the queue, or of the assigned partitions, that are not on disk; -1: unknown */
	int64_t last_us;   /* when a message was last on disk; 0: none since the start */
	uint64_t waiting;  /* messages that are here and not on disk */
	uint64_t messages; /* on disk and acknowledged since the start */
	uint64_t unreadable;    /* of them, in quarantine as a whole */
	uint64_t interruptions; /* how often something did not work */
	struct ingest_summary records;
};

/* In the order of the settings. The texts die with the call. */
void consumers_each(const struct consumers *consumers, void (*fn)(void *arg, const struct consumer_status *status),
                    void *arg);

#endif
