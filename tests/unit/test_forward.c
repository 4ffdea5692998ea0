/* SPDX-License-Identifier: ISC */
/*
 * test_forward.c: requests that one server hands on to another one, both on one loop: `near` is asked by the client, and `far`
 * answers.
 */
#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/network.h"
#include "base/task.h"
#include "forward/answer_head.h"
#include "forward/forward.h"
#include "http/http.h"

#define TURNS_MAX 20000
#define LARGE ((size_t)32 << 20)      /* more than all buffers on the way */
#define ON_THE_WAY ((size_t)24 << 20) /* that kernel and daemons hold at most */

/* A slow reader: 3.2 MB/s. The kernel of a reader whose buffer was full (of 6 MB, where it has grown) tells the writer of room only
 * when a sixteenth of it is free: at a tenth of this speed that takes longer than the timeout. */
#define SLOW_BYTES 65536
#define SLOW_PAUSE_US 20000
#define SLOW_TIMEOUT "500ms"
#define SLOW_US (4 * CLOCK_US_PER_SECOND)

static const uint8_t key[HTTP_RELAY_KEY_BYTES] = "a key that both of them have ...";
static struct event_base *base;
static struct tasks *tasks;
static struct config config;
static struct http_server *near, *far;
static struct forwarder *forwarder;

/* What the far one has been asked. */
static struct http_request *asked;
static size_t body_bytes;
static bool body_has_ended, is_aborted;
static bool holds_bodies; /* it does not take them */
static char seen_ip[IP_TEXT_LEN];
static bool seen_https;
static char seen_url[256];
static bool seen_hop, seen_end_to_end;
static struct http_outlet *outlet;
static size_t sent_bytes;
static const char *role; /* that it says it has */
static int looks;        /* at that */

/* --- names --- */

static int lookups; /* of names */

/* In place of the C library's, for all suites: one name is not found at present. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	typedef int (*getaddrinfo_fn)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
	getaddrinfo_fn real;

	memcpy(&real, &symbol, sizeof(real));
	if (host && strcmp(host, "nowhere.invalid") == 0) {
		lookups++;
		return EAI_AGAIN;
	}
	return real(host, service, hints, found);
}

/* --- the far server --- */

static void on_data(void *arg, const char *data, size_t len)
{
	(void)arg;
	for (size_t i = 0; i < len; i++)
		if (data[i] != (char)('a' + (body_bytes + i) % 26))
			ck_abort_msg("byte %zu is %d", body_bytes + i, data[i]);
	body_bytes += len;
}

static void on_body_end(void *arg)
{
	struct buf body = { 0 };

	(void)arg;
	body_has_ended = true;
	buf_addf(&body, "%zu", body_bytes);
	http_reply_header(asked, "Set-Cookie", "a=b");
	http_reply_header(asked, "X-Empty", "");
	http_reply_header(asked, "Connection", "x-hop, X-Hop-Too");
	http_reply_header(asked, "X-Hop", "1");
	http_reply_header(asked, "X-Hop-Too", "1");
	http_reply(asked, 202, "text/plain", &body);
	asked = NULL;
}

static void on_abort(void *arg)
{
	(void)arg;
	is_aborted = true;
	asked = NULL;
}

static void take(struct http_request *request)
{
	struct buf url = { 0 };

	asked = request;
	ip_format(seen_ip, http_request_ip(request));
	seen_https = http_request_is_tls(request);
	seen_hop = http_request_header(request, "X-Hop").p || http_request_header(request, "X-Hop-Too").p;
	seen_end_to_end = http_request_header(request, "X-End-To-End").p;
	http_request_url(request, &url);
	snprintf(seen_url, sizeof(seen_url), "%s", buf_cstr(&url));
	buf_free(&url);
}

static void handle_body(struct http_request *request, void *app)
{
	static const struct http_stream stream = { on_data, on_body_end, on_abort, NULL };

	(void)app;
	take(request);
	http_request_stream(request, &stream, NULL);
	http_request_hold_body(request, holds_bodies);
}

static void handle_late(struct http_request *request, void *app)
{
	(void)app;
	take(request);
	http_request_on_close(request, on_abort, NULL);
}

static void send_more(void *arg)
{
	static char piece[16384];

	(void)arg;
	while (outlet && sent_bytes < LARGE && http_outlet_has_room(outlet)) {
		for (size_t i = 0; i < sizeof(piece); i++)
			piece[i] = (char)('a' + (sent_bytes + i) % 26);
		http_outlet_add(outlet, (struct str){ piece, sizeof(piece) });
		sent_bytes += sizeof(piece);
	}
	if (outlet && sent_bytes == LARGE) {
		http_outlet_end(outlet);
		outlet = NULL;
	}
}

static void on_reader_gone(void *arg)
{
	(void)arg;
	is_aborted = true;
	outlet = NULL;
}

static void handle_large(struct http_request *request, void *app)
{
	static const struct http_outlet_calls calls = { send_more, on_reader_gone };

	(void)app;
	outlet = http_reply_outlet(request, 200, "text/plain", LARGE, &calls, NULL);
	send_more(NULL);
}

static void handle_endless(struct http_request *request, void *app)
{
	static const struct http_outlet_calls calls = { send_more, on_reader_gone };

	(void)app;
	outlet = http_reply_outlet(request, 200, "text/plain", HTTP_LENGTH_UNKNOWN, &calls, NULL);
	http_outlet_add(outlet, STR_LITERAL("all there is"));
	http_outlet_end(outlet);
	outlet = NULL;
}

static void handle_readyz(struct http_request *request, void *app)
{
	struct buf body = { 0 };

	(void)app;
	looks++;
	buf_addf(&body, "{\"ready\":false,\"role\":\"%s\",\"reasons\":[]}", role);
	http_reply(request, 503, "application/json", &body);
}

static char refusal[256];

static void handle_refused(struct http_request *request, void *app)
{
	(void)app;
	http_reply_problem(request, 409, "Conflict", refusal);
}

static const struct http_route far_routes[] = {
	{ HTTP_POST, "/refused", HTTP_BODY_WHOLE, NULL, NULL, handle_refused },
	{ HTTP_GET, "/readyz", HTTP_BODY_NONE, NULL, NULL, handle_readyz },
	{ HTTP_POST, "/body", HTTP_BODY_STREAM, NULL, NULL, handle_body },
	{ HTTP_GET, "/late", HTTP_BODY_NONE, NULL, NULL, handle_late },
	{ HTTP_GET, "/large", HTTP_BODY_NONE, NULL, NULL, handle_large },
	{ HTTP_GET, "/endless", HTTP_BODY_NONE, NULL, NULL, handle_endless },
	{ 0 },
};

/* --- the near server --- */

static void handle_any(struct http_request *request, void *app)
{
	(void)app;
	forwarder_take(forwarder, request);
}

static void handle_own(struct http_request *request, void *app)
{
	(void)app;
	http_reply_problem(request, 409, "Conflict", "of the near one");
}

static const struct http_route near_routes[] = {
	{ HTTP_GET, "/own", HTTP_BODY_NONE, NULL, NULL, handle_own },
	{ .path = HTTP_ANY_PATH, .body = HTTP_BODY_RAW, .handle = handle_any },
	{ 0 },
};

/* --- both --- */

static struct http_server *begin_server(const struct http_route *routes)
{
	struct error err;
	struct http_server *server = http_server_new(tasks, &config, routes, NULL, &err);

	ck_assert_msg(server != NULL, "%s", err.message);
	ck_assert_msg(http_server_listen(server, NULL, "listen", "127.0.0.1:0", &err) == 0, "%s", err.message);
	return server;
}

static void set_up(void)
{
	char url[64];
	struct error err;

	log_set_level(LOG_LEVEL_ERROR);
	asked = NULL;
	outlet = NULL;
	role = "holds";
	looks = 0;
	body_bytes = sent_bytes = 0;
	body_has_ended = is_aborted = holds_bodies = false;
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	ck_assert_int_eq(config_init(&config, &err), 0);
	tasks = tasks_new(base, &config);
	ck_assert_ptr_nonnull(tasks);
	far = begin_server(far_routes);
	http_server_trust_relays(far, key);
	near = begin_server(near_routes);
	forwarder = forwarder_new(&(struct forwarder_options){ .base = base, .ca_file = "", .key = key }, &err);
	ck_assert_msg(forwarder != NULL, "%s", err.message);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", http_server_port(far));
	ck_assert_msg(forwarder_lead_to(forwarder, "far", url, &err) == 0, "%s", err.message);
}

static void tear_down(void)
{
	http_server_free(near);
	forwarder_free(forwarder);
	http_server_free(far);
	tasks_free(tasks);
	event_base_free(base);
	config_free(&config);
}

static void turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void wait_until(const bool *condition)
{
	for (int i = 0; i < TURNS_MAX && !*condition; i++) {
		turn();
		usleep(200);
	}
	ck_assert(*condition);
}

static int client_connect(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_port = htons((uint16_t)http_server_port(near)),
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* What the servers answer until the connection ends; NUL-terminated, and the caller's to free. */
static char *client_read(int fd, size_t *len)
{
	char *answer = malloc(LARGE + 65536);

	ck_assert_ptr_nonnull(answer);
	*len = 0;
	for (int i = 0; i < TURNS_MAX; i++) {
		ssize_t got = recv(fd, answer + *len, LARGE + 65535 - *len, MSG_DONTWAIT);

		if (got == 0)
			break;
		*len += got > 0 ? (size_t)got : 0;
		turn();
		if (got < 0)
			usleep(200);
	}
	answer[*len] = '\0';
	close(fd);
	return answer;
}

static char *client_ask(const char *request)
{
	int fd = client_connect();
	size_t len = strlen(request);

	ck_assert_int_eq(write(fd, request, len), (ssize_t)len);
	return client_read(fd, &len);
}

/* The same, and shows that it was all there is to ask. */
static char *client_ask_once(const char *request)
{
	int fd = client_connect();
	size_t len = strlen(request);

	ck_assert_int_eq(write(fd, request, len), (ssize_t)len);
	shutdown(fd, SHUT_WR);
	return client_read(fd, &len);
}

/* Sends the bytes of a body from *at on, until nothing is taken for a while. */
static void client_send(int fd, size_t *at, size_t size)
{
	static char piece[26 * 2048];

	for (size_t i = 0; i < sizeof(piece); i++)
		piece[i] = (char)('a' + i % 26);
	for (int idle = 0; idle < 200 && *at < size;) {
		size_t from = *at % 26, len = sizeof(piece) - from < size - *at ? sizeof(piece) - from : size - *at;
		ssize_t sent = send(fd, piece + from, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		*at += sent > 0 ? (size_t)sent : 0;
		idle = sent > 0 ? 0 : idle + 1;
		turn();
		if (sent < 0)
			usleep(200);
	}
}

static void read_head(int fd)
{
	char last[4] = "";

	for (int i = 0; i < TURNS_MAX && memcmp(last, "\r\n\r\n", 4) != 0; i++) {
		char byte;

		if (recv(fd, &byte, 1, MSG_DONTWAIT) == 1) {
			memmove(last, last + 1, 3);
			last[3] = byte;
		} else {
			turn();
			usleep(200);
		}
	}
	ck_assert_int_eq(memcmp(last, "\r\n\r\n", 4), 0);
}

#define LAST "Host: h\r\nConnection: close\r\n\r\n"

static void expect_status(const char *answer, const char *status)
{
	ck_assert_msg(strncmp(answer, "HTTP/1.1 ", 9) == 0 && strncmp(answer + 9, status, 3) == 0, "%.300s, not %s",
	              answer, status);
}

/* Until it is said why requests cannot go there; "" for that they can. */
static void expect_reason(const char *reason)
{
	char why[256] = "";
	bool is_said = false;

	for (int i = 0; i < TURNS_MAX && !is_said; i++) {
		bool is_cut_off = forwarder_is_cut_off(forwarder, why, sizeof(why));

		is_said = reason[0] ? strstr(why, reason) != NULL : !is_cut_off;
		turn();
		usleep(200);
	}
	ck_assert_msg(is_said, "%s, not %s", why, reason);
}

/* --- the tests --- */

START_TEST(a_request_and_its_answer_go_through)
{
	char *answer = client_ask("POST /body HTTP/1.1\r\nContent-Length: 5\r\n" LAST "abcde");

	expect_status(answer, "202");
	ck_assert_msg(strstr(answer, "\r\n\r\n5") && strstr(answer, "Set-Cookie: a=b\r\n") &&
	                      strstr(answer, "X-Empty: \r\n") && strstr(answer, "Content-Type: text/plain\r\n"),
	              "%s", answer);
	ck_assert_str_eq(seen_ip, "127.0.0.1");
	ck_assert(!seen_https);
	free(answer);
}
END_TEST

START_TEST(fields_of_the_connection_are_not_handed_on)
{
	char *answer =
		client_ask("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nX-Hop: 1\r\nX-End-To-End: 1\r\n"
	                   "x-hop-too: 1\r\nAuthorization: Basic x\r\nConnection: X-Hop, authorization\r\n"
	                   "Connection: X-Hop-Too,close\r\n\r\na");

	expect_status(answer, "202");
	ck_assert(!seen_hop && seen_end_to_end);
	ck_assert_msg(!strcasestr(answer, "x-hop") && strstr(answer, "X-Empty: \r\n"), "%s", answer);
	free(answer);
}
END_TEST

START_TEST(links_lead_to_where_the_client_has_asked)
{
	char own[64], *answer;
	const char *const asked_as[][2] = {
		{ "POST /body?a=b HTTP/1.1\r\nContent-Length: 1\r\n" LAST "a", "http://h/body?a=b" },
		{ "POST http://good/body HTTP/1.1\r\nHost: bad\r\nContent-Length: 1\r\nConnection: close\r\n\r\na",
		  "http://good/body" },
		{ "POST /body HTTP/1.0\r\nContent-Length: 1\r\n\r\na", own },
	};

	snprintf(own, sizeof(own), "http://127.0.0.1:%d/body", http_server_port(near));
	for (size_t i = 0; i < sizeof(asked_as) / sizeof(asked_as[0]); i++) {
		body_bytes = 0;
		answer = client_ask(asked_as[i][0]);
		expect_status(answer, "202");
		ck_assert_str_eq(seen_url, asked_as[i][1]);
		free(answer);
	}
}
END_TEST

/* Of `fields` header fields beside Host and Content-Length, and of `size` bytes: then a body of one byte. */
static char *request_of(int fields, size_t size)
{
	struct buf text = { 0 };

	buf_add_text(&text, "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n");
	for (int i = 0; i < fields - 1; i++)
		buf_addf(&text, "X-Field:%d\r\n", i);
	buf_add_text(&text, "X-Long: ");
	while (text.len + 4 < size)
		buf_add_char(&text, 'x');
	buf_add_text(&text, "\r\n\r\na");
	ck_assert_ptr_nonnull(buf_cstr(&text));
	return text.data;
}

START_TEST(what_the_near_one_takes_is_not_too_much_for_the_far_one)
{
	static const struct {
		int fields;
		size_t size;
		const char *status;
	} heads[] = {
		{ 98, 0, "202" }, { 99, 0, "431" }, { 1, 16384, "202" }, { 98, 16384, "202" }, { 1, 16385, "431" },
	};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		char *request = request_of(heads[i].fields, heads[i].size), *answer;

		body_bytes = 0;
		answer = client_ask_once(request);
		expect_status(answer, heads[i].status);
		free(answer);
		free(request);
	}
}
END_TEST

START_TEST(limits_are_no_wider_for_who_is_not_relayed)
{
	static const struct {
		int fields;
		size_t size;
	} heads[] = { { 99, 0 }, { 1, 16385 }, { 1, 30000 } };

	http_server_trust_relays(near, key);
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		char *request = request_of(heads[i].fields, heads[i].size), *answer = client_ask_once(request);

		expect_status(answer, "431");
		free(answer);
		free(request);
	}
	char line[17000];

	memset(line, 'x', sizeof(line));
	memcpy(line, "GET /", 5);
	memcpy(line + sizeof(line) - 26, " HTTP/1.1\r\nHost: host\r\n\r\n", 26);
	line[sizeof(line) - 1] = '\0';
	char *answer = client_ask_once(line);

	expect_status(answer, "414");
	free(answer);
}
END_TEST

START_TEST(an_answer_to_head_ends_the_request_though_it_had_a_body)
{
	static const char request[] = "HEAD /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
	int fd = client_connect();
	struct http_stats stats;

	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(write(fd, request, sizeof(request) - 1), sizeof(request) - 1);
		read_head(fd);
	}
	for (int i = 0; i < 100; i++)
		turn();
	http_server_stats(far, &stats);
	ck_assert_uint_le(stats.connections, 2); /* of which one may be looking whether it is reached */
	close(fd);
}
END_TEST

/* --- one that answers the first request of each connection, and ends the connection at the second one --- */

static struct {
	struct evconnlistener *listener;
	size_t connections, gets, others;
} fickle;

static void fickle_end(struct bufferevent *bev, void *has_answered)
{
	bufferevent_free(bev);
	free(has_answered);
	fickle.connections--;
}

static void fickle_read(struct bufferevent *bev, void *arg)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	struct evbuffer *input = bufferevent_get_input(bev);
	bool *has_answered = arg;

	while (true) {
		size_t len;
		char *line = evbuffer_readln(input, &len, EVBUFFER_EOL_CRLF);

		if (!line)
			return;
		fickle.gets += strncmp(line, "GET /it ", 8) == 0;
		fickle.others += strstr(line, " /it ") && strncmp(line, "GET ", 4) != 0;
		free(line);
		if (len > 0)
			continue;
		if (*has_answered) {
			fickle_end(bev, has_answered);
			return;
		}
		*has_answered = true;
		evbuffer_drain(input, evbuffer_get_length(input));
		bufferevent_write(bev, answer, sizeof(answer) - 1);
	}
}

static void fickle_ended(struct bufferevent *bev, short what, void *arg)
{
	(void)what;
	fickle_end(bev, arg);
}

static void fickle_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int len,
                          void *arg)
{
	struct bufferevent *bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	bool *has_answered = calloc(1, sizeof(*has_answered));

	(void)listener;
	(void)from;
	(void)len;
	(void)arg;
	ck_assert(bev && has_answered);
	bufferevent_setcb(bev, fickle_read, NULL, fickle_ended, has_answered);
	bufferevent_enable(bev, EV_READ);
	fickle.connections++;
}

static void lead_to_fickle(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	char url[64];
	struct error err;

	fickle.gets = fickle.others = 0;
	fickle.listener = evconnlistener_new_bind(base, fickle_accept, NULL, LEV_OPT_CLOSE_ON_FREE, 16,
	                                          (struct sockaddr *)&address, sizeof(address));
	ck_assert_ptr_nonnull(fickle.listener);
	ck_assert_int_eq(getsockname(evconnlistener_get_fd(fickle.listener), (struct sockaddr *)&address, &len), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(address.sin_port));
	ck_assert_msg(forwarder_lead_to(forwarder, "fickle", url, &err) == 0, "%s", err.message);
}

START_TEST(what_may_change_something_is_not_repeated)
{
	static const struct {
		const char *request, *status;
	} asked_of_it[] = {
		{ "POST /it HTTP/1.1\r\n" LAST, "200" },
		{ "DELETE /it HTTP/1.1\r\n" LAST, "200" },
		{ "POST /it HTTP/1.1\r\nContent-Length: 3\r\n" LAST "abc", "503" },
	};

	lead_to_fickle();
	for (size_t i = 0; i < sizeof(asked_of_it) / sizeof(asked_of_it[0]); i++) {
		size_t others = fickle.others;
		char *answer = client_ask("GET /it HTTP/1.1\r\n" LAST);

		expect_status(answer, "200");
		free(answer);
		answer = client_ask(asked_of_it[i].request);
		expect_status(answer, asked_of_it[i].status);
		free(answer);
		ck_assert_msg(fickle.others == others + 1, "%zu times: %s", fickle.others - others,
		              asked_of_it[i].request);
	}
	forwarder_free(forwarder);
	forwarder = NULL;
	for (int i = 0; i < TURNS_MAX && fickle.connections > 0; i++)
		turn();
	ck_assert_uint_eq(fickle.connections, 0);
	evconnlistener_free(fickle.listener);
}
END_TEST

START_TEST(what_the_near_one_knows_itself_it_answers)
{
	char *answer = client_ask("GET /own HTTP/1.1\r\n" LAST);

	expect_status(answer, "409");
	free(answer);
	answer = client_ask("DELETE /own HTTP/1.1\r\n" LAST);
	expect_status(answer, "404"); /* the far one's */
	free(answer);
}
END_TEST

START_TEST(chunks_come_through_as_a_body)
{
	char *answer = client_ask("POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" LAST
	                          "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");

	expect_status(answer, "202");
	ck_assert_ptr_nonnull(strstr(answer, "\r\n\r\n5"));
	free(answer);
}
END_TEST

START_TEST(a_body_waits_for_who_takes_it)
{
	int fd = client_connect();
	size_t at = 0, len;

	holds_bodies = true;
	dprintf(fd, "POST /body HTTP/1.1\r\nContent-Length: %zu\r\n" LAST, LARGE);
	client_send(fd, &at, LARGE);
	ck_assert_uint_lt(at, ON_THE_WAY);
	ck_assert_ptr_nonnull(asked);
	http_request_hold_body(asked, false);
	client_send(fd, &at, LARGE);
	ck_assert_uint_eq(at, LARGE);
	char *answer = client_read(fd, &len);

	expect_status(answer, "202");
	ck_assert(body_has_ended);
	ck_assert_uint_eq(body_bytes, LARGE);
	free(answer);
}
END_TEST

START_TEST(an_answer_waits_for_who_reads_it)
{
	int fd = client_connect();
	size_t len;

	dprintf(fd, "GET /large HTTP/1.1\r\n" LAST);
	for (int i = 0; i < 500; i++) {
		turn();
		usleep(200);
	}
	ck_assert_uint_gt(sent_bytes, 0);
	ck_assert_uint_lt(sent_bytes, ON_THE_WAY);
	char *answer = client_read(fd, &len);
	char *body = strstr(answer, "\r\n\r\n") + 4;

	ck_assert_uint_eq(len - (size_t)(body - answer), LARGE);
	for (size_t i = 0; i < LARGE; i++)
		if (body[i] != (char)('a' + i % 26))
			ck_abort_msg("byte %zu is %d", i, body[i]);
	free(answer);
}
END_TEST

static void set_timeout(const char *value)
{
	struct error err;

	ck_assert_msg(config_set(&config, "write_timeout", value, &err) == 0, "%s", err.message);
}

/* Reads from the body at *at on, at most `most` bytes; false at the end of the connection. */
static bool read_some(int fd, size_t *at, size_t most)
{
	static char piece[65536];
	ssize_t got = recv(fd, piece, most < sizeof(piece) ? most : sizeof(piece), MSG_DONTWAIT);

	if (got == 0 || (got < 0 && errno != EAGAIN))
		return false;
	for (ssize_t i = 0; i < got; i++)
		if (piece[i] != (char)('a' + (*at + (size_t)i) % 26))
			ck_abort_msg("byte %zu is %d", *at + (size_t)i, piece[i]);
	*at += got > 0 ? (size_t)got : 0;
	return true;
}

/* Each read is far below what the timeout gives for it, and all that wait for the reader see it. On a busy machine, where
 * turns come late, more is read in each. */
START_TEST(who_reads_slowly_but_steadily_gets_it_all)
{
	size_t at = 0;
	int fd = client_connect();

	set_timeout(SLOW_TIMEOUT);
	dprintf(fd, "GET /large HTTP/1.1\r\n" LAST);
	read_head(fd);
	for (int64_t next_us = clock_monotonic_us(), end_us = next_us + SLOW_US; clock_monotonic_us() < end_us;) {
		for (; next_us <= clock_monotonic_us(); next_us += SLOW_PAUSE_US)
			ck_assert_msg(read_some(fd, &at, SLOW_BYTES), "cut off after %zu bytes", at);
		turn();
		usleep(200);
	}
	set_timeout("60s");
	for (int i = 0; i < TURNS_MAX * 10 && read_some(fd, &at, LARGE); i++)
		turn();
	ck_assert_uint_eq(at, LARGE);
	close(fd);
}
END_TEST

START_TEST(an_answer_without_a_length_ends_with_the_connection)
{
	char *answer = client_ask("GET /endless HTTP/1.1\r\nHost: h\r\n\r\n");

	expect_status(answer, "200");
	ck_assert_msg(strstr(answer, "\r\n\r\nall there is") && !strstr(answer, "Content-Length"), "%s", answer);
	free(answer);
}
END_TEST

START_TEST(an_early_answer_ends_the_body)
{
	char *answer = client_ask("POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000000\r\n\r\nabc");

	expect_status(answer, "404");
	free(answer);
}
END_TEST

START_TEST(the_far_one_hears_that_the_client_has_gone)
{
	int fd = client_connect();
	bool is_there = false;

	dprintf(fd, "GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
	for (int i = 0; i < TURNS_MAX && !is_there; i++) {
		turn();
		is_there = asked != NULL;
	}
	ck_assert(is_there);
	struct linger now = { 1, 0 }; /* a reset */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
	wait_until(&is_aborted);
}
END_TEST

START_TEST(without_the_far_one_it_is_unavailable)
{
	http_server_free(far);
	char *answer = client_ask("GET /late HTTP/1.1\r\n" LAST);

	expect_status(answer, "503");
	ck_assert_ptr_nonnull(strstr(answer, "Retry-After: "));
	free(answer);
	expect_reason("the front end far: ");
	far = begin_server(far_routes);
}
END_TEST

START_TEST(an_answer_that_breaks_off_ends_the_connection)
{
	int fd = client_connect();
	size_t len;

	dprintf(fd, "GET /large HTTP/1.1\r\n" LAST);
	for (int i = 0; i < 100; i++) {
		turn();
		usleep(200);
	}
	ck_assert_ptr_nonnull(outlet);
	http_outlet_fail(outlet);
	outlet = NULL;
	char *answer = client_read(fd, &len);

	expect_status(answer, "200");
	ck_assert_uint_lt(len, LARGE);
	free(answer);
}
END_TEST

START_TEST(what_is_under_way_is_unavailable_when_all_ends)
{
	int fd = client_connect();
	size_t len;

	dprintf(fd, "GET /late HTTP/1.1\r\n" LAST);
	for (int i = 0; i < TURNS_MAX && !asked; i++)
		turn();
	ck_assert_ptr_nonnull(asked);
	forwarder_end_all(forwarder);
	char *answer = client_read(fd, &len);

	expect_status(answer, "503");
	free(answer);
	wait_until(&is_aborted);
}
END_TEST

START_TEST(what_was_forwarded_is_not_forwarded_again)
{
	char *answer = client_ask("GET /late HTTP/1.1\r\n" HTTP_RELAYED_FIELD ": x\r\n" LAST);

	expect_status(answer, "503");
	ck_assert_ptr_null(asked);
	free(answer);
}
END_TEST

static void on_refused(void *arg, const struct error *failure)
{
	*(struct error *)arg = *failure;
}

START_TEST(why_the_far_one_refuses_is_said_whole)
{
	static const struct forward_own_calls calls = { NULL, on_refused };
	struct error why = { .code = ERROR_NONE }, err;
	struct buf body = { 0 };

	memset(refusal, 'x', sizeof(refusal) - 1);
	memcpy(refusal, "begin", 5);
	memcpy(refusal + sizeof(refusal) - 4, "end", 3);
	buf_add_text(&body, "abc");
	ck_assert_ptr_nonnull(forwarder_post(forwarder, "/refused", &body, &calls, &why, &err));
	for (int i = 0; i < TURNS_MAX && why.code == ERROR_NONE; i++) {
		turn();
		usleep(200);
	}
	ck_assert_int_eq(why.code, ERROR_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(why.message, refusal));
	ck_assert_ptr_nonnull(strstr(why.message, "409: begin"));
}
END_TEST

START_TEST(who_has_another_key_is_refused)
{
	static const uint8_t other[HTTP_RELAY_KEY_BYTES] = "another key, of another catalog.";
	char *answer;

	http_server_trust_relays(far, other);
	answer = client_ask("GET /late HTTP/1.1\r\n" LAST);
	expect_status(answer, "503");
	ck_assert_ptr_nonnull(strstr(answer, "Retry-After: "));
	ck_assert_ptr_null(asked);
	free(answer);
	expect_reason("their cursor.key and their clocks must agree");
}
END_TEST

START_TEST(who_holds_the_catalog_is_not_cut_off_once_it_has_said_so)
{
	char why[256];

	ck_assert(forwarder_is_cut_off(forwarder, why, sizeof(why)));
	ck_assert_str_eq(why, "the front end far has not answered yet");
	expect_reason("");
	ck_assert_int_eq(looks, 1);
}
END_TEST

START_TEST(who_does_not_hold_the_catalog_is_named)
{
	role = "forwards";
	expect_reason("leads to one that does not hold the catalog");
	role = "";
	expect_reason("leads to what is no front end");
}
END_TEST

START_TEST(who_is_not_led_to_any_more_is_not_looked_at)
{
	struct error err;

	expect_reason("");
	ck_assert_int_eq(forwarder_lead_to(forwarder, "", "", &err), 0);
	for (int i = 0; i < 1500; i++) {
		turn();
		usleep(1000);
	}
	ck_assert_int_eq(looks, 1);
}
END_TEST

START_TEST(a_name_that_leads_nowhere_is_not_asked_for_again_at_once)
{
	struct error err;

	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(forwarder_lead_to(forwarder, "far", "http://nowhere.invalid:1", &err), -1);
		ck_assert_ptr_nonnull(strstr(err.message, "nowhere.invalid"));
	}
	ck_assert_int_eq(lookups, 1);
	/* with a holder in between it is */
	ck_assert_int_eq(forwarder_lead_to(forwarder, "", "", &err), 0);
	ck_assert_int_eq(forwarder_lead_to(forwarder, "far", "http://nowhere.invalid:1", &err), -1);
	ck_assert_int_eq(lookups, 2);
}
END_TEST

START_TEST(sockets_are_taken_over_with_who_waits_in_them)
{
	struct http_server *next;
	struct error err;
	size_t len;
	int fd = client_connect();

	dprintf(fd, "GET /own HTTP/1.1\r\n" LAST);
	next = http_server_new(tasks, &config, near_routes, NULL, &err);
	ck_assert_ptr_nonnull(next);
	ck_assert_msg(http_server_take_listeners(next, near, &err) == 0, "%s", err.message);
	ck_assert_int_eq(http_server_port(next), http_server_port(near));
	http_server_free(near);
	near = next;
	char *answer = client_read(fd, &len);

	expect_status(answer, "409");
	free(answer);
}
END_TEST

static bool takes(struct answer_head *head, const char *line)
{
	return answer_head_take(head, str_from(line));
}

START_TEST(heads_are_read_as_they_come)
{
	struct answer_head head = { 0 };

	ck_assert(takes(&head, "HTTP/1.1 100 Continue\r\n") && takes(&head, "X: of the first\r\n") &&
	          takes(&head, "\r\n"));
	ck_assert(!head.has_ended);
	ck_assert(takes(&head, "HTTP/1.1 206 Partial Content\r\n") && takes(&head, "content-length: 12\r\n") &&
	          takes(&head, "Content-Type:  text/csv \r\n") && takes(&head, "\r\n"));
	ck_assert(head.has_ended && head.status == 206 && head.length == 12);
	ck_assert(str_is(buf_str(&head.type), "text/csv") && !strstr(buf_cstr(&head.lines), "of the first"));
	answer_head_free(&head);
	head = (struct answer_head){ 0 };
	ck_assert(!takes(&head, "X: before all\r\n"));
	ck_assert(!takes(&head, "HTTP/1.1 2x0 OK\r\n"));
	ck_assert(takes(&head, "HTTP/1.1 200 OK\r\n") && !takes(&head, "Content-Length: 1x\r\n") &&
	          !takes(&head, "none\r\n"));
	answer_head_free(&head);
}
END_TEST

Suite *suite_forward(void);

Suite *suite_forward(void)
{
	Suite *suite = suite_create("forward");
	TCase *tests = tcase_create("requests");

	tcase_set_timeout(tests, 20);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_request_and_its_answer_go_through);
	tcase_add_test(tests, fields_of_the_connection_are_not_handed_on);
	tcase_add_test(tests, links_lead_to_where_the_client_has_asked);
	tcase_add_test(tests, what_the_near_one_takes_is_not_too_much_for_the_far_one);
	tcase_add_test(tests, limits_are_no_wider_for_who_is_not_relayed);
	tcase_add_test(tests, an_answer_to_head_ends_the_request_though_it_had_a_body);
	tcase_add_test(tests, what_may_change_something_is_not_repeated);
	tcase_add_test(tests, what_the_near_one_knows_itself_it_answers);
	tcase_add_test(tests, chunks_come_through_as_a_body);
	tcase_add_test(tests, a_body_waits_for_who_takes_it);
	tcase_add_test(tests, an_answer_waits_for_who_reads_it);
	tcase_add_test(tests, who_reads_slowly_but_steadily_gets_it_all);
	tcase_add_test(tests, an_answer_without_a_length_ends_with_the_connection);
	tcase_add_test(tests, an_early_answer_ends_the_body);
	tcase_add_test(tests, the_far_one_hears_that_the_client_has_gone);
	tcase_add_test(tests, without_the_far_one_it_is_unavailable);
	tcase_add_test(tests, an_answer_that_breaks_off_ends_the_connection);
	tcase_add_test(tests, what_is_under_way_is_unavailable_when_all_ends);
	tcase_add_test(tests, what_was_forwarded_is_not_forwarded_again);
	tcase_add_test(tests, why_the_far_one_refuses_is_said_whole);
	tcase_add_test(tests, who_has_another_key_is_refused);
	tcase_add_test(tests, who_holds_the_catalog_is_not_cut_off_once_it_has_said_so);
	tcase_add_test(tests, who_does_not_hold_the_catalog_is_named);
	tcase_add_test(tests, who_is_not_led_to_any_more_is_not_looked_at);
	tcase_add_test(tests, a_name_that_leads_nowhere_is_not_asked_for_again_at_once);
	tcase_add_test(tests, sockets_are_taken_over_with_who_waits_in_them);
	tcase_add_test(tests, heads_are_read_as_they_come);
	suite_add_tcase(suite, tests);
	return suite;
}
