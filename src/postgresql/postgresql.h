/* SPDX-License-Identifier: ISC */
/*
 * postgresql.h: a connection to PostgreSQL, through libpq; a build option (postgresql_is_built).
 *
 * Statements are sent together and waited for, up to `timeout_us` (postgresql_exchange), as LMDB's commits are; where a
 * server does not answer in time, or something fails, the connection is closed, so that the server undoes what was not
 * committed. It is made again on the event loop, tried every second, and until it is there every exchange fails at once.
 * So a server that is gone costs one wait, not one for each request.
 *
 * libpq resolves names while everything waits: hosts are best given as addresses (hostaddr).
 */
#ifndef CDRD_POSTGRESQL_POSTGRESQL_H
#define CDRD_POSTGRESQL_POSTGRESQL_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "postgresql/sql_statement.h"

struct postgresql;

struct postgresql_options {
	const char *connection; /* a connection string of libpq, or a URL; is copied */
	const char *password;   /* ""; or the one to use; is copied */
	const char *probe;  /* or NULL; a statement that the loop waits for before a server that was too slow to answer
	                           counts as connected again; is not copied */
	int64_t timeout_us; /* for connecting, and for an exchange; more for each megabyte that is sent */
};

/* Does this program have libpq? */
bool postgresql_is_built(void);

/* Is it a connection string that libpq can read? ERROR_INVALID. */
MUST_CHECK int postgresql_check(const char *connection, struct error *err);

/* Does not connect. NULL with *err. */
MUST_CHECK struct postgresql *postgresql_new(const struct postgresql_options *options, struct error *err);

/* Closes the connection. Does nothing on NULL. */
void postgresql_free(struct postgresql *postgresql);

/* Connects, if it is not connected, and waits for it: for a start. ERROR_UNAVAILABLE with why. */
MUST_CHECK int postgresql_connect(struct postgresql *postgresql, struct error *err);

/* From now on a lost connection is made again on this loop. */
MUST_CHECK int postgresql_watch(struct postgresql *postgresql, struct event_base *base, struct error *err);

/* Sends the statements, with `count` at least 1, and waits for all their answers. ERROR_UNAVAILABLE with why; whether what
 * was sent has been done is then not known. What a row function has answered -1 to fails with its own error. */
MUST_CHECK int postgresql_exchange(struct postgresql *postgresql, const struct postgresql_statement *statements,
                                   size_t count, struct error *err);

/* Called with NULL or with why it has failed. */
typedef void (*postgresql_ended_fn)(void *arg, const struct error *err);

/* Sends one statement, whose answer comes from the loop, or in the next exchange; if one is under way, nothing is sent.
 * Strings of the statement live until then. 1 if it was sent, 0 if not: it is not connected, or busy. */
MUST_CHECK int postgresql_send(struct postgresql *postgresql, const struct postgresql_statement *statement,
                               postgresql_ended_fn ended, void *arg);

bool postgresql_is_connected(const struct postgresql *postgresql);

/* Is the server away, as far as is known: was a connection lost before a time on the monotonic clock, or could none be made since
 * it was? One that is lost later may be back at once. */
bool postgresql_is_away(const struct postgresql *postgresql, int64_t before_us);

/* Has the server itself refused the last exchange that failed, for a reason that a new connection does not change? */
bool postgresql_was_refused(const struct postgresql *postgresql);

/* Closes the connection: the server undoes what is not committed. */
void postgresql_drop(struct postgresql *postgresql, const struct error *why);

/* Why it is not connected; "" if it is. */
const char *postgresql_why(const struct postgresql *postgresql);

/* --- values in binary form --- */

/* An array of texts or bytes (`type` 25 text, 17 bytea), in the binary form: begin, add each, end. */
struct postgresql_array {
	struct buf bytes;
	uint32_t count;
};
#define POSTGRESQL_TEXT 25
#define POSTGRESQL_BYTEA 17
void postgresql_array_begin(struct postgresql_array *array, uint32_t type);
void postgresql_array_add(struct postgresql_array *array, struct str value); /* p NULL: NULL */
struct str postgresql_array_end(struct postgresql_array *array);

/* A bigint. */
struct postgresql_bigint {
	char bytes[8];
};
struct str postgresql_bigint(struct postgresql_bigint *room, uint64_t number);
MUST_CHECK int postgresql_read_bigint(struct str value, uint64_t *number, struct error *err);

#endif
