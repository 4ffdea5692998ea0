/* SPDX-License-Identifier: ISC */
/*
 * relay.h: what a front end is while another one holds the catalog: it listens, takes records in itself (taking_in.h),
 * makes files of reports for that one (report/worker.h), and forwards what else is asked of it to that one, and records,
 * too, while it cannot.
 *
 * It answers /healthz and /readyz itself. Which front end holds the catalog, it asks PostgreSQL, and where that does not
 * answer, the one of before is taken for it. When nobody holds the catalog, the relay says so (relay_may_try), and what cannot
 * be forwarded gets 503 with Retry-After until a front end has taken the place; if that is this one, its server takes
 * the relay's sockets over (http_server_take_listeners), so that no connection is refused.
 */
#ifndef CDRD_DAEMON_RELAY_H
#define CDRD_DAEMON_RELAY_H

#include "base/audit.h"
#include "base/config.h"
#include "base/task.h"
#include "http/http.h"
#include "meta/shared_catalog.h"

struct relay;

#define RELAY_STATUS "Forwards to the front end that holds the catalog" /* for systemd */

/* The options are as of shared_holder_watch_new; they may go when the loop turns no more before relay_end, relay_drain or
 * relay_free. Nobody listens yet. NULL with *err. */
MUST_CHECK struct relay *relay_new(struct tasks *tasks, const struct config *config, struct audit *audit,
                                   const struct meta_shared_options *options, struct error *err);

/* Ends all that is under way. Does nothing on NULL. */
void relay_free(struct relay *relay);

/* For listening, and for the sockets. */
struct http_server *relay_server(struct relay *relay);

/* It leaves data_dir alone until it hears again that another one holds the catalog. What is on its way gets 503. */
void relay_stop_taking_in(struct relay *relay);

/* Has it been said since this was last asked that nobody holds the catalog? */
bool relay_may_try(struct relay *relay);

/* It is to end without having had its turn, and tries no more: calls done(arg) when what is under way is answered, or after
 * `timeout_us`. */
void relay_drain(struct relay *relay, int64_t timeout_us, void (*done)(void *arg), void *arg);

/* Another one serves in its place: what is under way gets 503, and open connections end with it. */
void relay_end(struct relay *relay);

#endif
