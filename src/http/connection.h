/* SPDX-License-Identifier: ISC */
/*
 * connection.h: one client's connection and its request in progress; private to http/.
 *
 *	          head complete            body complete          http_reply          all written
 *	  HEAD ----------------> BODY -----------------> WORK --------------> WRITE --------------> HEAD, BODY or LINGER
 *	   ^  (idle in between)    \_____ early answer: the rest is dropped ____^
 *
 * Everything that can change a connection's state runs inside http_connection_run, which alone frees it: functions
 * called from there may find the state CLOSED afterwards, but the memory is still valid.
 */
#ifndef CDRD_HTTP_CONNECTION_H
#define CDRD_HTTP_CONNECTION_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event_struct.h>
#include <stdalign.h>
#include <stddef.h>
#include <sys/queue.h>

#include "http/body.h"
#include "http/http.h"
#include "http/parser.h"
#include "http/proxy.h"
#include "http/shared.h"

enum http_connection_state {
	HTTP_STATE_HEAD,   /* between requests, or a head is arriving */
	HTTP_STATE_BODY,   /* a body is arriving, for a handler or to be dropped */
	HTTP_STATE_WORK,   /* the handler has all it needs and has not replied */
	HTTP_STATE_WRITE,  /* an answer is on its way out */
	HTTP_STATE_LINGER, /* our side is shut; what the client still sends is dropped */
	HTTP_STATE_CLOSED, /* to be freed */
};

struct http_request {
	struct http_request *next_free;
	struct http_connection *connection;
	int64_t begin_us;               /* monotonic: when its head was complete */
	const struct http_route *route; /* NULL for one that never got that far */
	struct http_head head;
	struct http_client client;
	struct buf text;                                /* the head as sent, which `head` borrows from */
	struct buf segment;                             /* what the braces of the route matched */
	struct buf body;                                /* HTTP_BODY_WHOLE */
	struct buf headers;                             /* of the answer to come, as lines */
	alignas(max_align_t) char user[HTTP_USER_ROOM]; /* the application's */
	struct buf user_name;                           /* for the access log */
	struct http_stream stream;
	void *stream_arg;
	bool body_held;          /* http_request_hold_body */
	struct buf relayed;      /* what another front end says of the client, which `client` borrows from */
	struct str relayed_name; /* of the client's certificate; p NULL */
	bool is_of_front_end;    /* and no client's */
	void (*on_close)(void *arg);
	void *on_close_arg;
};

/* A part of a file that follows the head of an answer. */
struct http_file {
	bool is_open;
	int fd;
	void (*on_end)(void *arg); /* or NULL */
	void *on_end_arg;
	off_t offset;
	uint64_t left;
	struct event writable; /* of the connection's socket; pending while the kernel takes no more */
};

/* An answer that is sent as it comes. */
struct http_outlet {
	bool is_open, wants_room;
	uint64_t left;
	struct http_outlet_calls calls;
	void *arg;
};

struct http_connection {
	TAILQ_ENTRY(http_connection) entry;
	TAILQ_ENTRY(http_connection) idle_entry; /* among those that are idle, while is_idle */
	TAILQ_ENTRY(http_connection) body_entry; /* in the queue for a slice, while body_queued */
	struct http_server *server;
	struct ip ip;       /* the client's, or its proxy's */
	bool is_from_proxy; /* whose header fields name the client of a request */
	struct bufferevent *bev;
	struct ssl_st *ssl;  /* belongs to the bufferevent; NULL: in the clear */
	struct event resume; /* continues in the next turn of the loop */
	enum http_connection_state state;
	struct http_request *request; /* not yet replied to; NULL if none */
	struct http_head_scan scan;
	struct http_content content;
	struct http_file file;
	struct http_outlet outlet;
	void *unread;       /* of the application, while the answer waits in memory; or NULL */
	int64_t since_us;   /* of the server's clock: when the timeout of the state began */
	uint64_t unsent;    /* when last looked at, to see progress */
	int unacknowledged; /* bytes in the kernel when `unsent` last stood still; -1: not asked yet */
	size_t watermark;   /* received bytes kept at most */
	bool held;          /* not reading: the watermark is reached */
	bool begun;         /* bytes of a head have arrived */
	bool is_idle;       /* in HEAD, and not begun */
	bool body_queued;   /* its body has more, and waits for its next slice */
	bool continue_owed; /* the client waits for 100 Continue */
	bool keep_alive;
	bool is_handshaking;
	bool end_of_input; /* the client has shut its side */
	bool running;
	bool is_gathered; /* in WRITE: its answer is kept for a while */
	bool has_pass;
	uint32_t pass_round;                            /* the check of passes that has been here */
	alignas(max_align_t) char pass[HTTP_PASS_ROOM]; /* of the request, or of the answer being sent */
};

/* Bytes received and not yet taken. */
static inline size_t http_connection_received(const struct http_connection *connection)
{
	return evbuffer_get_length(bufferevent_get_input(connection->bev));
}

static inline bool http_body_is_streamed(const struct http_request *request)
{
	return request->route->body == HTTP_BODY_STREAM || request->route->body == HTTP_BODY_RAW;
}

static inline bool http_body_is_held(const struct http_connection *connection)
{
	return connection->state == HTTP_STATE_BODY && connection->request && connection->request->body_held;
}

/* connection.c */
void http_connection_set_state(struct http_connection *connection, enum http_connection_state state);
/* A client has come: itself, or a proxy whose header fields name it. */
void http_connection_accept(const struct http_listener *from, evutil_socket_t fd, const struct ip *ip,
                            bool is_from_proxy, bool refuse);

/* arrival.c: waits for the PROXY line of a proxy before the connection begins; false if that cannot be, and then the
 * socket stays the caller's. */
bool http_arrival_begin(const struct http_listener *from, evutil_socket_t fd, const struct ip *proxy, bool refuse);
/* Begins the connections of those whose line is there, however late the loop is; and closes those that wait for it. */
void http_arrivals_take(struct http_server *server);
void http_arrivals_end(struct http_server *server);

void http_connection_run(struct http_connection *connection);
void http_connection_run_later(struct http_connection *connection);
/* Ends the connection: tells the handler, leaves freeing to the run. */
void http_connection_close(struct http_connection *connection);
/* Answers a request that is malformed or refused, and stops reading from the connection. */
void http_connection_fail(struct http_connection *connection, const struct http_fault *fault);
/* The answer is handed over: continues with the next state. */
void http_connection_answered(struct http_connection *connection);
/* More of the answer has been handed over: from now on the client has the timeout to take some of it. */
void http_connection_note_sending(struct http_connection *connection);
/* Closes, answers 408 or leaves alone, by the state's timeout. */
void http_connection_check_timeout(struct http_connection *connection);

/* server.c: a connection has come or gone (connection.c calls these). */
void http_server_add(struct http_server *server, struct http_connection *connection);
void http_server_remove(struct http_server *server, struct http_connection *connection);

/* A connection begins or ceases to wait for its next request. */
void http_server_set_idle(struct http_server *server, struct http_connection *connection, bool idle);

/* Closes the connection that is idle for longest and whose client has sent nothing; false if none is found. */
bool http_server_make_room(struct http_server *server);

/* listen.c: stops accepting for good. */
void http_listen_stop(struct http_server *server);

/* dispatch.c: a complete head has arrived. */
void http_dispatch(struct http_connection *connection, struct str head);
/* The request has all it needs: calls the route's handler. */
void http_dispatch_handle(struct http_connection *connection);

/* intake.c: a slice of a body, unless the connection is in the queue for one; true if it can go on at once. */
void http_intake_begin(struct http_connection *connection);
bool http_intake_step(struct http_connection *connection);
/* Takes it from the queue, if it is there. */
void http_intake_leave(struct http_connection *connection);
/* The event of the queue, of a server. */
void http_intake_on_slices(evutil_socket_t fd, short what, void *arg);
void http_intake_fail(struct http_connection *connection, const struct http_fault *fault);

/* transport.c: the socket, or TLS on it. */
/* What has arrived: the bytes, 0 at the end of input, -1 with errno, EAGAIN when there is nothing for now. */
ssize_t http_transport_receive(struct http_connection *connection, void *room, size_t size);
/* Sends what is taken now, 0 if nothing is; -1 when the connection is broken. */
ssize_t http_transport_send(struct http_connection *connection, struct str head, struct str body);
/* The same for a part of a file, from *offset, which advances; at the file's end too, it returns -1. */
ssize_t http_transport_send_file(struct http_connection *connection, int fd, off_t *offset, size_t size);
/* At the end of input: libevent then also stops sending what it has queued, with TLS. False when out of memory. */
bool http_transport_keep_sending(struct http_connection *connection);
/* From now on the kernel takes at most about `ahead` bytes more than the client has acknowledged. Only advice. */
void http_transport_stay_close(struct http_connection *connection, int ahead);
/* Nothing more will be sent. */
void http_transport_shut(struct http_connection *connection);
/* A bufferevent for the socket; NULL: out of memory. */
struct bufferevent *http_transport_open(struct http_connection *connection, const struct http_listener *from,
                                        evutil_socket_t fd);
/* The handshake has failed: tells a client that speaks no TLS so. */
void http_transport_refuse_cleartext(struct http_connection *connection);

/* send.c: hands the bytes to the kernel, and the rest to the bufferevent. Takes over *body's memory in any case. False
 * when the connection is broken. */
bool http_send(struct http_connection *connection, struct str head, struct buf *body);
/* The same with a body that stays the caller's, and where it is until the server is freed. */
bool http_send_shared(struct http_connection *connection, struct str head, struct str body);

/* gather.c: keeps the answer of a request for a while, if more are about to follow; takes over *body's memory then. False
 * if it is to be sent now. */
bool http_gather(struct http_connection *connection, struct str head, struct buf *body);
/* Sends what is kept: `server` is a struct http_server. */
void http_server_send_gathered(void *server);
/* Drops what is kept for a connection that ends. */
void http_gather_forget(struct http_connection *connection);
MUST_CHECK int http_gather_init(struct http_server *server);
void http_gather_free(struct http_server *server);

/* file.c: begins sending a part of a file after what is in the bufferevent; takes over `fd`; on_end(arg) is called at
 * its end. */
void http_file_begin(struct http_connection *connection, int fd, uint64_t offset, uint64_t length,
                     void (*on_end)(void *arg), void *arg);
/* Sends a piece. True when all is out; false when the rest waits for the socket, or the connection has been closed. */
bool http_file_step(struct http_connection *connection);
/* Gives up what is left. Does nothing without a file. */
void http_file_end(struct http_connection *connection);

/* outlet.c: some of what was sent has gone out: asks for more, if there is room. The connection may be closed then. */
void http_outlet_step(struct http_connection *connection);
/* The connection ends. Does nothing without an outlet. */
void http_outlet_forget(struct http_connection *connection);

/* relayed.c: takes over what another front end says of the client; does nothing without its field. */
MUST_CHECK int http_relayed_apply(struct http_request *request, struct http_fault *fault);

/* request.c */
struct http_request *http_request_take(struct http_connection *connection);
void http_request_release(struct http_request *request);
void http_request_free_all(struct http_server *server);
/* The host, and maybe port, by which the client has reached us, as links have it. */
void http_request_add_host(const struct http_request *request, struct buf *out);

/* access.c: what a log shows of a request's target: its path and, only with access_log_query, its query, which may
 * contain people's phone numbers. */
void http_access_add_target(struct buf *out, const struct http_request *request);

/* problem.c */
void http_reply_fault(struct http_request *request, const struct http_fault *fault);

/* stats.c: counts an answer of `length` bytes and writes its line of the access log; HTTP_STATUS_GONE if the client did
 * not wait for it. */
#define HTTP_STATUS_GONE 499
MUST_CHECK int http_stats_init(struct http_server *server, struct error *err);
void http_stats_free(struct http_server *server);
size_t http_status_slot(int status); /* reply.c */

/* reply.c: the head of an answer with a body of `length`, in the server's memory for it. */
struct str http_reply_make_head(const struct http_request *request, int status, const char *content_type,
                                uint64_t length);
/* May another request follow on this connection? Little enough of this one's body must be left to skip it. */
bool http_reply_stays_open(struct http_connection *connection);

/* reply.c: http_reply_after, without compressing. */
void http_reply_uncompressed(struct http_request *request, int status, const char *content_type, struct str front,
                             struct buf *body);

/* reply.c: the body is as for http_send_shared. */
void http_reply_shared(struct http_request *request, int status, const char *content_type, struct str body);

/* unread.c: if not all of the answer has left, the application is told; and when it has, or the connection ends. */
void http_unread_begin(struct http_request *request);
void http_unread_end(struct http_connection *connection);

/* packed.c */
void http_packed_free(struct http_server *server);

void http_stats_count(const struct http_request *request, int status, uint64_t length);

#endif
