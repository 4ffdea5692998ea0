/* SPDX-License-Identifier: ISC */
/*
 * http.h: the HTTP/1.1 server.
 *
 * Our own code on libevent's bufferevents, because evhttp 2.1 reads whole bodies before it calls a handler. Strict:
 * what RFC 9112 calls an error is answered 400 and the connection closed. Keep-alive, pipelining (answered one at a
 * time), chunked bodies, Expect: 100-continue, HEAD where GET is. Every limit is a setting.
 *
 * A route names the method, the path, what to do with the body, and the application's functions that authenticate,
 * admit and answer the request. Unknown paths are 404 problems, wrong methods 405 with Allow; a trailing slash makes no
 * difference. The server knows nothing about what it serves.
 */
#ifndef CDRD_HTTP_HTTP_H
#define CDRD_HTTP_HTTP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/error.h"
#include "base/histogram.h"
#include "base/str.h"

struct http_access;
struct ip;
struct http_server;
struct http_request;
struct tasks;
struct tls;

enum http_method { HTTP_GET, HTTP_POST, HTTP_DELETE, HTTP_HEAD, HTTP_METHODS };

enum http_body {
	HTTP_BODY_NONE,   /* a body is read and discarded, up to body_max */
	HTTP_BODY_WHOLE,  /* kept, up to body_max, decompressed; the handler runs when it is complete */
	HTTP_BODY_STREAM, /* the handler runs before it and must call http_request_stream */
	HTTP_BODY_RAW,    /* the same, with the content as it was sent: compressed, and of any length */
};

#define HTTP_ANY_PATH "*" /* for the last row of a table: the route of what no other takes, of any method */

struct http_route {
	enum http_method method; /* GET serves HEAD too */
	const char *path;        /* "/v2/reports/{id}": a part in braces matches one segment */
	enum http_body body;
	/* Called in this order before a body is read: who makes the request, and whether it may be made now. NULL:
	 * anybody, always. A function that returns false has answered the request, or will. */
	bool (*authenticate)(struct http_request *request, void *app);
	bool (*admit)(struct http_request *request, void *app);
	void (*handle)(struct http_request *request, void *app);
};

/* `routes` ends with a row whose path is NULL; tasks, routes, app and config stay the caller's and must outlive the server.
 * `config` is read at each use, so a reload takes effect at once. SIGPIPE is ignored from here on. */
MUST_CHECK struct http_server *http_server_new(struct tasks *tasks, const struct config *config,
                                               const struct http_route *routes, void *app, struct error *err);

/* Are all of these addresses, which http_listen_check has taken, loopback ones? */
bool http_listen_is_local(const char *addresses);

/* Can http_server_listen parse these addresses? ERROR_INVALID names the setting and the first that it cannot. */
MUST_CHECK int http_listen_check(const char *setting, const char *addresses, struct error *err);

/* Listens on every address of the list, with TLS if `tls` is given, which stays the caller's and must outlive the server;
 * errors name `setting`, which the addresses come from. */
MUST_CHECK int http_server_listen(struct http_server *server, struct tls *tls, const char *setting,
                                  const char *addresses, struct error *err);

/* The same for a socket that listens already, which it takes over on success. */
MUST_CHECK int http_server_adopt(struct http_server *server, struct tls *tls, const char *setting, int fd,
                                 struct error *err);

/* Listens in place of another server on the same loop, on its sockets: no connection is refused in between. The other one is
 * to be drained or freed before the loop runs. */
MUST_CHECK int http_server_take_listeners(struct http_server *server, const struct http_server *from,
                                          struct error *err);

/* From now on, takes() is asked about each request whose path and method a row has. Where it returns false, that is passed
 * over, and a row further down may take the request. It answers nothing. */
void http_server_choose(struct http_server *server,
                        bool (*takes)(struct http_request *request, const struct http_route *route, void *app));

/* From now on, small answers that become ready in the same turn of the loop are sent together, before any long work of its
 * tasks. For one of the servers that share a scheduler. */
void http_server_gather(struct http_server *server);

/* Writes a line to `access` for each request from now on; NULL for none. It stays the caller's. */
void http_server_log_to(struct http_server *server, struct http_access *access);

/* The port of the first listener (for `listen = 127.0.0.1:0`). */
int http_server_port(const struct http_server *server);

/* Stops accepting, and closes connections between requests, and soon those without one; calls done(arg) when the last
 * answer is sent or after `timeout_us`. */
void http_server_drain(struct http_server *server, int64_t timeout_us, void (*done)(void *arg), void *arg);

/* Closes everything; must not be called from a handler. Call it before event_base_free, which frees the rest of
 * libevent's memory. */
void http_server_free(struct http_server *server);

struct http_stats {
	uint64_t connections;                     /* open now */
	uint64_t tls_handshakes, tls_failures;    /* since the start: completed and not */
	uint64_t requests, responses_by_class[6]; /* since the start; [2] counts 2xx, ... */
	bool listening;
	bool accepting; /* listening, and not pausing for want of descriptors */
	bool draining;
};
void http_server_stats(const struct http_server *server, struct http_stats *stats);

#define HTTP_STATUS_SLOTS 32

struct http_route_stats {
	const struct http_route *route;           /* NULL: requests that no route took */
	uint64_t responses[2][HTTP_STATUS_SLOTS]; /* by slots; [1] are those to HEAD */
	uint64_t bytes;                           /* of the answers' bodies */
	struct histogram duration;                /* from the end of the head until the answer is handed over */
};

/* The status whose answers a slot counts; 0 for the slot of all statuses without their own. */
int http_status_of_slot(size_t slot);

/* One per route, in the table's order, and one more; belongs to the server. */
const struct http_route_stats *http_server_route_stats(const struct http_server *server, size_t *count);

/* --- a request --- */

struct str http_request_path(const struct http_request *request);
struct str http_request_query(const struct http_request *request); /* raw, without '?' */
/* The value of a header, p NULL if absent; `name` in any case. */
struct str http_request_header(const struct http_request *request, const char *name);
/* What the braces of the route's path matched, percent-decoded. */
struct str http_request_segment(const struct http_request *request);
struct str http_request_body(const struct http_request *request); /* HTTP_BODY_WHOLE */
/* The address of the client, or of its proxy where that is not in `proxies`; without a port. Unspecified if it cannot be
 * had. */
const struct ip *http_request_ip(const struct http_request *request);
void http_request_peer(const struct http_request *request, struct sockaddr_storage *peer);
/* Will no body be sent, whatever the answer? */
bool http_request_is_head(const struct http_request *request);

/* Do the headers that browsers add (Sec-Fetch-*) say that a page of another site makes it, other than by a link that leads
 * there? The browser may have added credentials to it that it remembers. */
bool http_request_is_cross_site(const struct http_request *request);

/* Did the request come with TLS, or is its Host an address, localhost or one of `hosts`, names with commas between? If not,
 * a page of somebody else's may have its own name lead here, and be taken by its browser for one of ours. */
bool http_request_host_is_own(const struct http_request *request, const char *hosts);

/* Has it come to a loopback address, which only this machine reaches? */
bool http_request_is_on_loopback(const struct http_request *request);

/* Has the client encrypted it, as far as we or its proxy can tell? */
bool http_request_is_tls(const struct http_request *request);
/* Appends the common name of the client's certificate, which tls_client_ca has vouched for; false if it has none. */
bool http_request_client_name(const struct http_request *request, struct buf *name);

/* "https://host:port" that links in answers start with: public_url, or http(s):// and the request's Host. */
void http_request_base_url(const struct http_request *request, struct buf *out);

/* The URL of the request itself, with its query. */
void http_request_url(const struct http_request *request, struct buf *out);

/* --- who makes it --- */

#define HTTP_USER_ROOM 640

/* What the application knows about the user: HTTP_USER_ROOM bytes, aligned for any type, all zero until the route's
 * `authenticate` writes to them. They live as long as the request. */
const void *http_request_user(const struct http_request *request);
void *http_request_user_room(struct http_request *request);

/* Sets what the access log calls the user: `kind` followed by the name. "-" if this is not called, or out of memory. */
void http_request_name_user(struct http_request *request, const char *kind, struct str name);

#define HTTP_PASS_ROOM 96

/* What the user was let in by: `size` bytes, up to HTTP_PASS_ROOM, are copied and live until the answer has been sent,
 * longer than the request. */
void http_request_set_pass(struct http_request *request, const void *pass, size_t size);
/* NULL if none was set. */
const void *http_request_pass(const struct http_request *request);

/* From now on, http_server_check_passes asks holds() about passes. */
MUST_CHECK int http_server_use_passes(struct http_server *server, bool (*holds)(void *app, const void *pass),
                                      struct error *err);

/* From now on, begin() is told of each answer that its client does not read at once and that waits in memory for it, but for
 * files; what it returns, unless NULL, is given to end() when the answer has left or its connection ends. */
void http_server_watch_unread(struct http_server *server, void *(*begin)(struct http_request *request, void *app),
                              void (*end)(void *unread));

/* Some pass may not hold any longer: from the next turn of the loop on, ends what was opened by those that holds() says
 * no to. Requests that wait or whose body is arriving are answered with 401, and connections that are being sent an
 * answer are closed. It may be called from anywhere. */
void http_server_check_passes(struct http_server *server);

/*
 * Basic credentials (RFC 7617) for check(), whose result is returned; they are overwritten afterwards.
 * ERROR_UNAUTHORIZED when they are missing or malformed; ERROR_NOMEM.
 */
MUST_CHECK int http_request_check_basic(struct http_request *request,
                                        int (*check)(struct http_request *request, struct str user, struct str secret,
                                                     void *arg, struct error *err),
                                        void *arg, struct error *err);

/*
 * Streaming. on_data gets decompressed pieces of at most 64 KiB, in one turn of the loop no more than tasks leave time for;
 * on_end is called once, when the body is complete and its framing and compression were valid; on_abort instead when
 * the client is gone, too slow or over a limit, or its compression is broken: the server answers, if that is possible,
 * and the request dies when on_abort returns. With on_fault the handler answers itself where an answer is possible, now
 * or later, with the fault's status; on_abort is then called only if the client goes first. The handler may reply
 * before on_end: the rest of the body is then discarded and none of them is called again.
 */
struct http_fault;
struct http_stream {
	void (*on_data)(void *arg, const char *data, size_t len);
	void (*on_end)(void *arg);
	void (*on_abort)(void *arg);
	void (*on_fault)(void *arg, const struct http_fault *fault); /* or NULL */
};
void http_request_stream(struct http_request *request, const struct http_stream *stream, void *arg);

/* While held, no more of the body is read, and a little at most is called for still: the client is stopped by TCP. Until it has
 * been replied to or the body has ended. */
void http_request_hold_body(struct http_request *request, bool held);

/* A handler that answers later must know when the connection breaks first: on_close is called, and the request dies
 * when it returns. Replying clears it. (A client that only shuts its sending side still gets its answer.) */
void http_request_on_close(struct http_request *request, void (*on_close)(void *arg), void *arg);

/* --- a request as it was sent, to hand it on --- */

struct str http_request_method(const struct http_request *request);
/* The field of the head at a place, counted from 0; false after the last one. */
bool http_request_field(const struct http_request *request, size_t at, struct str *name, struct str *value);

/* Has the client said that a field of that name is for its connection alone (RFC 9110, 7.6.1)? */
bool http_request_is_of_connection(const struct http_request *request, struct str name);

#define HTTP_LENGTH_UNKNOWN UINT64_MAX
/* Of the body, as it was sent; HTTP_LENGTH_UNKNOWN if it comes in chunks. */
uint64_t http_request_length(const struct http_request *request);

/* The field by which a server of ours that hands a request on says who has made it. It is sealed, so that nobody else can. */
#define HTTP_RELAYED_FIELD "Cdrd-Forwarded"
#define HTTP_RELAY_KEY_BYTES 32

/* Appends its value: the client's address, scheme, host and name of certificate as they are known here; for this request alone,
 * and for some minutes. ERROR_NOMEM. */
MUST_CHECK int http_request_seal_client(const struct http_request *request, const uint8_t key[HTTP_RELAY_KEY_BYTES],
                                        struct buf *out, struct error *err);

/* Appends its value for a request of a server of ours itself, which no client has made, without credentials. `target` is the
 * path, with its query. ERROR_NOMEM. */
MUST_CHECK int http_seal_own_request(struct str method, struct str target, const uint8_t key[HTTP_RELAY_KEY_BYTES],
                                     struct buf *out, struct error *err);

/* Has another front end made the request itself, and sealed it so? */
bool http_request_is_of_front_end(const struct http_request *request);

/* From now on, the field is believed where it was sealed with this key, which stays the caller's, and a request with another
 * one is refused, with 503, as that passes when keys and clocks are right. */
void http_server_trust_relays(struct http_server *server, const uint8_t key[HTTP_RELAY_KEY_BYTES]);

/* --- the answer: exactly one of these, after which the request is dead --- */

/* Adds a header to the answer to come; texts are copied; CR and LF in a value become spaces. Where memory runs out, as it has
 * for a value that is NULL (buf_cstr), the connection ends without an answer, which would lack it. */
void http_reply_header(struct http_request *request, const char *name, const char *value);

/* Takes over *body's memory (it is empty afterwards); NULL for none. */
void http_reply(struct http_request *request, int status, const char *content_type, struct buf *body);

/* The same with the body `front`, which is copied, followed by *body, which is not. */
void http_reply_after(struct http_request *request, int status, const char *content_type, struct str front,
                      struct buf *body);

/*
 * The body is `gzip`, which is compressed already and stays where it is, or for clients that do not accept that, the
 * `len` bytes that it unpacks to.
 */
void http_reply_packed(struct http_request *request, int status, const char *content_type, struct str gzip, size_t len);

/*
 * The body is `length` bytes of a file from `offset` on, sent from the page cache without a copy, as fast as the client
 * takes them; the file is read while it is being sent, but may be unlinked. Takes over `fd`, which is closed when all
 * is sent or the connection ends; on_end(arg) is called then, exactly once, or not at all if it is NULL.
 */
void http_reply_file(struct http_request *request, int status, const char *content_type, int fd, uint64_t offset,
                     uint64_t length, void (*on_end)(void *arg), void *arg);

/*
 * The body is `length` bytes that come later, HTTP_LENGTH_UNKNOWN where the end of the connection is its end. NULL: there is
 * no body to send, as for HEAD, or nobody to send it to. Otherwise the outlet lives until http_outlet_end or _fail, or
 * until the client is gone, when on_gone is called, from the loop.
 */
struct http_outlet;
struct http_outlet_calls {
	void (*on_room)(void *arg); /* from the loop, some time after http_outlet_has_room was false */
	void (*on_gone)(void *arg);
};
struct http_outlet *http_reply_outlet(struct http_request *request, int status, const char *content_type,
                                      uint64_t length, const struct http_outlet_calls *calls, void *arg);

/* Is little enough waiting to be sent? */
bool http_outlet_has_room(struct http_outlet *outlet);

/* Sends a piece, which is copied where the client does not take it now. No more than `length` in all. */
void http_outlet_add(struct http_outlet *outlet, struct str piece);

/* That was all: after fewer bytes than announced, the connection ends without the rest. */
void http_outlet_end(struct http_outlet *outlet);

/* There will be no more, though more was to come: the connection ends, so that the client sees it. */
void http_outlet_fail(struct http_outlet *outlet);

/* "Not Found" for 404. */
const char *http_status_phrase(int status);

/* --- problem.c: application/problem+json --- */

/* A title as it stands in the URL of its page: "not-found". */
void http_problem_name(struct buf *out, const char *title);

/* The parts of a problem. All but status and title may be left out. */
struct http_problem {
	int status;
	const char *title;
	const char *detail;
	struct str members; /* further ones, "name":value,... as JSON */
	const char *cause;  /* for the log in place of the detail; may quote what the client has sent */
	const char *brief;  /* for the log when what clients sent is to be kept out of it; below 500 only */
};
void http_reply_with(struct http_request *request, const struct http_problem *problem);

/* Answers as the table of errors in problem.c says. */
void http_reply_error(struct http_request *request, const struct error *err);
void http_reply_problem(struct http_request *request, int status, const char *title, const char *detail);
/* With more members, "name":value,... as JSON, or none. */
void http_reply_problem_with(struct http_request *request, int status, const char *title, const char *detail,
                             struct str members);
void http_reply_error_with(struct http_request *request, const struct error *err, struct str members);

#endif
