/* SPDX-License-Identifier: ISC */
/*
 * shared.h: what all connections of a server share; private to http/.
 */
#ifndef CDRD_HTTP_SHARED_H
#define CDRD_HTTP_SHARED_H

#include <event2/event.h>
#include <event2/listener.h>
#include <sys/queue.h>

#include "http/http.h"

#define HTTP_LISTENERS_MAX 16
#define HTTP_GATHERED_MAX 8
#define HTTP_TICK_US INT64_C(100000) /* how coarse timeouts are */
#define HTTP_DATE_LEN 29             /* "Sun, 06 Nov 1994 08:49:37 GMT" */

#define HTTP_RECORD_MAX 16384 /* of TLS */

struct http_arrival;
struct http_connection;
struct http_unpacked;

struct http_listener {
	struct http_server *server;
	struct evconnlistener *listener;
	struct tls *tls; /* NULL: in the clear */
};

struct http_server {
	struct event_base *base;
	struct tasks *tasks;
	const struct config *config;
	const struct http_route *routes;
	size_t routes_count;
	void *app;

	int listeners_count;
	struct http_listener listeners[HTTP_LISTENERS_MAX];
	struct event *accept_retry; /* pending while accepting is paused for want of descriptors */
	int64_t accept_logged_us;   /* when the log last reported it; 0: never */

	TAILQ_HEAD(, http_connection) connections;
	TAILQ_HEAD(, http_connection) idle;   /* the one idle for longest first */
	TAILQ_HEAD(, http_connection) bodies; /* the queue for slices of bodies, of intake.c */
	int bodies_count;
	struct event *slices;                /* pending while any is in that queue */
	TAILQ_HEAD(, http_arrival) arrivals; /* whose PROXY line has not come yet */
	int64_t arrivals_count;
	struct http_request *free_requests;
	int free_requests_count;
	struct http_stats stats;
	struct http_route_stats *route_stats; /* of each route, and of no route */
	struct http_access *access;           /* NULL: no access log */

	/*
	 * Every HTTP_TICK_US, while there are connections: the clock advances, and each connection's timeout is
	 * checked. So a request costs no timer, and no call for the time but the two in stats.c.
	 */
	struct event *tick;
	int64_t clock_us; /* monotonic; stops while the loop is blocked, which is no client's fault */
	int64_t tick_at_us;
	char date[HTTP_DATE_LEN + 1];

	/* Answers of this turn that are kept, to be sent together: gather.c. */
	bool gathers;
	int gathered_count;
	int64_t gathered_us; /* monotonic: since when there are some */
	struct http_gathered {
		struct http_connection *connection; /* NULL: it has been closed since */
		struct buf head;                    /* stays for the next turn's */
		struct buf body;
	} gathered[HTTP_GATHERED_MAX];
	struct event *gathered_event; /* active while there are some */

	struct buf head; /* of the answer being made */
	char *scratch;   /* HTTP_PIECE_MAX bytes for decompressed pieces */
	char *record;    /* HTTP_RECORD_MAX bytes for what is encrypted at once; NULL without TLS */

	SLIST_HEAD(, http_unpacked) unpacked; /* files of the program: packed.c */

	struct event *pass_check; /* pending while passes are being checked: passes.c; NULL: there are none */
	uint32_t pass_round;
	bool (*holds)(void *app, const void *pass);
	bool (*takes)(struct http_request *request, const struct http_route *route, void *app); /* NULL: all */

	void *(*unread_begin)(struct http_request *request, void *app); /* NULL: nobody counts them */
	void (*unread_end)(void *unread);

	const uint8_t *relay_key; /* of other front ends; NULL: none is believed */

	bool draining;
	struct event *drained; /* fires after the last connection or the timeout */
	void (*done)(void *arg);
	void *done_arg;
};

#endif
