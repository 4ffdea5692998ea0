/* SPDX-License-Identifier: ISC */
/*
 * consumer_private.h: what the files of consumer/ share; private to it.
 */
#ifndef CDRD_CONSUMER_CONSUMER_PRIVATE_H
#define CDRD_CONSUMER_CONSUMER_PRIVATE_H

#include <sys/queue.h>

#include "base/buf.h"
#include "callback/resolve.h"
#include "consumer/consumer.h"

#define CONSUMER_TEXT_MAX 255
#define CONSUMER_PREFETCH_MAX 10000

/* One source of a setting. */
struct consumer_settings {
	char address[CONSUMER_TEXT_MAX + 1];
	char queue[CONSUMER_TEXT_MAX + 1]; /* of AMQP, or the topic of Kafka */
	char group[CONSUMER_TEXT_MAX + 1];
	char credentials[CONSUMER_TEXT_MAX + 1]; /* file with user:password */
	char ca_file[CONSUMER_TEXT_MAX + 1];
	char properties[CONSUMER_TEXT_MAX + 1]; /* file of librdkafka's properties */
	char product[CONSUMER_TEXT_MAX + 1];    /* of records that name none, or "" */
	enum parse_format format;
	int prefetch; /* messages that may be here without being on disk */
	struct ingest_settings ingest;
};

struct consumer;
struct consumers;
struct kafka;
struct message;

/* A kind of broker. All but `check` work for one consumer. */
struct consumer_kind {
	const char *name;
	int (*check)(const struct consumer_settings *settings,
	             struct error *err); /* the address and what must be there */
	int (*begin)(struct consumer *consumer,
	             struct error *err); /* connects, or begins to; and sets consumer->link */
	int (*step)(struct consumer *consumer, int64_t deadline_us,
	            struct error *err);                                 /* its task; -1: what is begun ends */
	void (*end)(struct consumer *consumer);                         /* disconnects; nothing if it has not begun */
	void (*finish)(struct consumers *consumers);                    /* what end() has left under way; or NULL */
	int (*on_stored)(struct consumer *consumer, struct error *err); /* as ingest_watch has it, or NULL */
	void (*on_commit)(struct consumer *consumer);                   /* the same */
	void (*release)(struct message *message);                       /* what message->source is; or NULL */
	int64_t (*lag)(const struct consumer *consumer); /* as consumer_status has it, of one that has begun */
};

extern const struct consumer_kind amqp_kind, kafka_kind;

/* A message from its first piece until it is acknowledged. */
struct message {
	TAILQ_ENTRY(message) link; /* in the order of arrival */
	struct consumer *consumer;
	struct ingest_batch *batch; /* NULL: not begun, or answered */
	bool is_stored;
	bool is_unreadable;
	bool may_repeat; /* AMQP: it was delivered before */
	uint64_t tag;    /* AMQP: by which it is acknowledged */
	void *source;    /* Kafka: what it was received as */
	size_t fed;      /* Kafka: bytes of it */
};
TAILQ_HEAD(message_list, message);

struct consumer {
	STAILQ_ENTRY(consumer) entry;
	struct consumers *consumers;
	const struct consumer_kind *kind;
	struct consumer_settings settings;
	struct task task;
	void *link;                    /* of its kind, to the broker; NULL: none */
	struct message_list messages;  /* unacknowledged */
	size_t waiting;                /* of them there are */
	bool is_full;                  /* it waits for a commit's end */
	bool has_failed;               /* some could not be stored, */
	struct error failure;          /* for this reason */
	bool lag_refused;              /* AMQP: the broker does not tell how long the queue is */
	bool connected;                /* it receives */
	int64_t connected_us;          /* since */
	int64_t pause_us;              /* before the next attempt */
	char problem[512];             /* told already; "" while it works */
	struct consumer_status counts; /* its numbers alone */
};

struct consumers {
	struct tasks *tasks;
	const struct config *config;
	struct meta *meta;
	struct ingest *ingest;
	struct resolver *resolver;
	struct ingest_watch watch;
	STAILQ_HEAD(, consumer) list;
	LIST_HEAD(, kafka) leaving; /* of Kafka's, that have ended */
};

/* --- consumers.c --- */

/* The next step, after a pause of `pause_us`. */
void consumer_wake(struct consumer *consumer, int64_t pause_us);

/* It receives, or again. */
void consumer_works(struct consumer *consumer);

/* Should it take no more messages until a commit has ended, which wakes it? */
bool consumer_is_full(struct consumer *consumer);

/* Notes and logs what does not work, once as long as it stays the same. */
void consumer_tell(struct consumer *consumer, const struct error *err);

/* The pause before the next attempt; each is longer than the one before, until it has worked for a while. */
int64_t consumer_next_pause(struct consumer *consumer);

/* --- consumer_settings.c --- */

/* Calls fn for each source of a setting of this kind. */
typedef int (*consumer_settings_fn)(void *arg, const struct consumer_settings *settings, struct error *err);
MUST_CHECK int consumer_settings_read(const char *text, const struct consumer_kind *kind, consumer_settings_fn fn,
                                      void *arg, struct error *err);

/* --- message.c --- */

/* A new one, the last of the consumer's. NULL with ERROR_NOMEM. */
MUST_CHECK struct message *message_new(struct consumer *consumer, struct error *err);

/* Begins its batch, also once more after it has failed. ERROR_INVALID (no such mapping), ERROR_FULL, ERROR_NOMEM. */
MUST_CHECK int message_begin(struct message *message, struct error *err);

/* The next piece, which is best not more than MESSAGE_PIECE_BYTES; and the end, with the body as far as it may be kept,
 * and whether that is not all: if it cannot be read, it goes to quarantine. When its records are on disk, is_stored is
 * set, otherwise consumer->has_failed, and the consumer's task is woken. */
#define MESSAGE_PIECE_BYTES ((size_t)32 << 10)
void message_feed(struct message *message, const char *data, size_t len);
MUST_CHECK int message_finish(struct message *message, struct str body, bool cut, struct error *err);

/* From within on_stored: is all of it in this commit? */
bool message_is_decided(const struct message *message);

/* Ends its batch, if it has one, so that it can begin again. */
void message_give_up(struct message *message);

/* It is acknowledged, or given up; what is in the store of it stays there. */
void message_free(struct message *message);
void messages_free(struct consumer *consumer);

#endif
