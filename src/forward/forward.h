/* SPDX-License-Identifier: ISC */
/*
 * forward.h: hands requests on to another front end, and its answers back to their clients.
 *
 * Bodies go through in pieces, both ways, as fast as the slower side takes them: a request has at most FORWARD_WAITING_MAX bytes
 * of its body here, and an answer what an outlet holds (http.h). Who has made a request is said in a sealed field
 * (HTTP_RELAYED_FIELD), and a request that has come with one is never handed on again. Where the other front end cannot be reached,
 * or goes in the middle of a request, that is answered with 503; whether it was done is then not known. An answer that
 * breaks off in its middle ends the client's connection.
 */
#ifndef CDRD_FORWARD_FORWARD_H
#define CDRD_FORWARD_FORWARD_H

#include <event2/event.h>

#include "base/buf.h"
#include "base/error.h"
#include "http/http.h"

#define FORWARD_WAITING_MAX ((size_t)64 << 10)
#define FORWARD_NAME_MAX 256

struct forwarder;

struct forwarder_options {
	struct event_base *base;
	const char *ca_file; /* of authorities for https, beside the system's; "": none; is not copied */
	const uint8_t *key;  /* of HTTP_RELAY_KEY_BYTES, that the front ends share; is not copied */
	/* What a forwarder says of this front end at every look at the other one: appends a query, with its '?', or
	 * nothing. Or NULL. */
	void (*say)(void *arg, struct buf *query);
	void *arg;
};

/* Is it http(s)://host:port? ERROR_INVALID names the setting. */
MUST_CHECK int forward_check_url(const char *setting, const char *url, struct error *err);

/* Its host and port, within `url`; NULL where it is no such URL. */
const char *forward_host_of(const char *url);

/* Hands on nothing yet. NULL with ERROR_NOMEM. */
MUST_CHECK struct forwarder *forwarder_new(const struct forwarder_options *options, struct error *err);

/* Cancels what is under way without an answer: free the server of these requests first. Does nothing on NULL. */
void forwarder_free(struct forwarder *forwarder);

/* Where requests go from now on: "" to nobody. What is under way to another one ends. May be told the same again and again.
 * Blocks while the URL's name is resolved: when it is new, and every ten seconds where it could not be resolved, or what it led
 * to is not reached. ERROR_INVALID: it cannot be, or is no such URL, and requests go to nobody. */
MUST_CHECK int forwarder_lead_to(struct forwarder *forwarder, const char *name, const char *url, struct error *err);

/* Ends what is under way: with 503, or, where the answer has begun, with the connection. */
void forwarder_end_all(struct forwarder *forwarder);

/* Why requests cannot be handed on, as far as is known: whether the other one is reached, holds the catalog, and has the same key
 * and time, is looked at every second. */
bool forwarder_is_cut_off(const struct forwarder *forwarder, char *why, size_t size);

/* The handler of a route of HTTP_BODY_RAW: answers the request, now or later. */
void forwarder_take(struct forwarder *forwarder, struct http_request *request);

/* --- requests of a front end itself --- */

/*
 * POST of a path, sealed so that it is known to be no client's (http_request_is_of_front_end). The body's memory is taken over.
 * `came` is called for pieces of the answer, if that is 200; where it returns false, no more is taken, which is an error. `ended`
 * is called at the end, with NULL where the answer was 2xx, and otherwise with why not, also when the other one is taken for
 * gone. Without calls nobody waits for the answer. NULL with *err.
 */
struct forward_own;
struct forward_own_calls {
	bool (*came)(void *arg, struct str piece);
	void (*ended)(void *arg, const struct error *err);
};

/* To the one that requests are handed on to: `ended` may be called from within forwarder_lead_to and forwarder_end_all. */
MUST_CHECK struct forward_own *forwarder_post(struct forwarder *forwarder, const char *path, struct buf *body,
                                              const struct forward_own_calls *calls, void *arg, struct error *err);

/* To any other one. */
struct forward_peer {
	const char *name;       /* for errors */
	const char *url;        /* http(s)://host:port */
	const char *connect_to; /* its address, as host_resolve has it */
};
struct forward_asker;

/* NULL with ERROR_NOMEM. */
MUST_CHECK struct forward_asker *forward_asker_new(const struct forwarder_options *options, struct error *err);

/* Ends what is under way: `ended` is called. Does nothing on NULL. */
void forward_asker_free(struct forward_asker *asker);

MUST_CHECK struct forward_own *forward_ask(struct forward_asker *asker, const struct forward_peer *peer,
                                           const char *path, struct buf *body, const struct forward_own_calls *calls,
                                           void *arg, struct error *err);

/* Not from within `came`. */
void forward_own_cancel(struct forward_own *own);

#endif
