/* SPDX-License-Identifier: ISC */
/*
 * client.h: queries to the servers of a ClickHouse cluster by HTTP, on the event loop.
 *
 * A cluster has shards, and each shard replicas, any of which can be asked. A query goes to the replica that answered
 * last; when that does not answer, or says that it cannot now, it goes to the next one, round and round until its time is
 * over. So a query that changes something may come to servers more than once: a repeated insert must be harmless.
 *
 * A server that begins to answer before it has finished says 200 even of a query that then fails, and appends the
 * message. So all queries ask it to finish first (wait_end_of_query), and it says 500; an answer is held in memory, up to
 * `answer_bytes_max`. What is asked for must be bounded by the query.
 *
 * Hosts are addresses or names, which are resolved when the client is made. Every server is looked at every few seconds:
 * clickhouse_state() says what is missing.
 */
#ifndef CDRD_CLICKHOUSE_CLIENT_H
#define CDRD_CLICKHOUSE_CLIENT_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct clickhouse;
struct clickhouse_query;

struct clickhouse_options {
	const char *
		hosts; /* host:port of the replicas with commas between, shards with | between; https:// before one: TLS */
	const char *user; /* "": none */
	const char *password;
	const char *database;
	const char *ca_file; /* of authorities beside the system's; "": none */
	int64_t connect_timeout_us;
	int64_t attempt_timeout_us; /* for the answer of one server */
	size_t answer_bytes_max;
};

/* The options' texts are copied. Resolves names, and blocks for it: for start only. NULL with *err. */
MUST_CHECK struct clickhouse *clickhouse_new(struct event_base *base, const struct clickhouse_options *options,
                                             struct error *err);

/* Cancels all queries. Does nothing on NULL. */
void clickhouse_free(struct clickhouse *clickhouse);

size_t clickhouse_shards(const struct clickhouse *clickhouse);
size_t clickhouse_replicas(const struct clickhouse *clickhouse, size_t shard);

/* `answer` dies when it returns, unless its memory is taken. ERROR_UNAVAILABLE: no replica has answered in time, or all say
 * that they cannot now; whether a change has been made is not known. ERROR_IO: the query is wrong for the server. */
typedef void (*clickhouse_fn)(void *arg, struct buf *answer, const struct error *err);

struct clickhouse_request {
	size_t shard;
	size_t replica;       /* from 1 on: it alone is asked, once; 0: any of the shard's */
	struct str sql;       /* is copied */
	struct str body;      /* what follows the statement: the rows of an insert; the caller's until the end */
	const char *settings; /* "name=value&...", or NULL; is copied */
	struct str set;      /* 8-byte numbers, which are the table `numbers` (number UInt64) to the query; or p NULL */
	bool any_database;   /* the database need not exist */
	struct buf *room;    /* memory for the answer, which is taken from here; or NULL */
	int64_t patience_us; /* how long replicas are tried */
	clickhouse_fn ended;
	void *arg;
};

/* NULL with *err when out of memory; `ended` is never called before this returns, and not after a cancel. */
MUST_CHECK struct clickhouse_query *clickhouse_start(struct clickhouse *clickhouse,
                                                     const struct clickhouse_request *request, struct error *err);
void clickhouse_cancel(struct clickhouse_query *query);

/* More than one server was tried, or one twice: a change may have been made by an attempt that was given up. */
bool clickhouse_was_repeated(const struct clickhouse_query *query);

/* What the servers were like when they were last looked at. */
struct clickhouse_state {
	size_t servers, missing; /* that do not answer or cannot write */
	bool has_shard_missing;  /* a shard with fewer replicas than `quorum` */
	char first[256];         /* of those missing, and why; "" */
};
void clickhouse_state(const struct clickhouse *clickhouse, size_t quorum, struct clickhouse_state *state);

#endif
