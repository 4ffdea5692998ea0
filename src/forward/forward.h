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

#include "base/error.h"
#include "http/http.h"

#define FORWARD_WAITING_MAX ((size_t)64 << 10)
#define FORWARD_NAME_MAX 256

struct forwarder;

struct forwarder_options {
	struct event_base *base;
	const char *ca_file; /* of authorities for https, beside the system's; "": none; is not copied */
	const uint8_t *key;  /* of HTTP_RELAY_KEY_BYTES, that the front ends share; is not copied */
};

/* Is it http(s)://host:port? ERROR_INVALID names the setting. */
MUST_CHECK int forward_check_url(const char *setting, const char *url, struct error *err);

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

/*
 * A request of this front end itself to the other one: POST of a path, sealed so that it is known to be no client's
 * (http_request_is_of_front_end). The body's memory is taken over. `came` is called for pieces of the answer, if that is 200;
 * `ended` at its end, with NULL where it was 2xx, and otherwise with why not, also when the other one is taken for gone; it may
 * be called from within forwarder_lead_to and forwarder_end_all. Without calls nobody waits for the answer. NULL with *err.
 */
struct forward_own;
struct forward_own_calls {
	void (*came)(void *arg, struct str piece);
	void (*ended)(void *arg, const struct error *err);
};
MUST_CHECK struct forward_own *forwarder_post(struct forwarder *forwarder, const char *path, struct buf *body,
                                              const struct forward_own_calls *calls, void *arg, struct error *err);
/* Not from within its calls. */
void forward_own_cancel(struct forward_own *own);

/* The handler of a route of HTTP_BODY_RAW: answers the request, now or later. */
void forwarder_take(struct forwarder *forwarder, struct http_request *request);

#endif
