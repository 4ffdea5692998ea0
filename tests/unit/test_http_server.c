/* SPDX-License-Identifier: ISC */
/*
 * test_http_server.c: the server by itself, with routes of the test's own: what it asks of them, and what it keeps for
 * them.
 */
#include <arpa/inet.h>
#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "http/http.h"

#define TURNS_MAX 5000 /* of a millisecond: how long an answer may take */

static struct event_base *base;
static struct tasks *tasks;
static struct config config;
static struct http_server *server;
/* Of the routes' functions: 'u' for who it is, 'a' for admission, 'h' for the handler, 'e' for a file's end. */
static char calls[64];
static bool user_was_clear;
static struct http_request *waits; /* for its answer */

static void note(char call)
{
	size_t len = strlen(calls);

	ck_assert_uint_lt(len + 1, sizeof(calls));
	calls[len] = call;
}

/* --- the routes --- */

static bool let_in(struct http_request *request, void *app)
{
	char *user = http_request_user_room(request);

	ck_assert_ptr_eq(app, &config);
	note('u');
	user_was_clear = true;
	for (size_t i = 0; i < HTTP_USER_ROOM; i++)
		user_was_clear = user_was_clear && user[i] == 0;
	memset(user, 'x', HTTP_USER_ROOM);
	return true;
}

static bool refuse(struct http_request *request, void *app)
{
	(void)app;
	note('a');
	http_reply_problem(request, 429, "Too Many Requests", "not now");
	return false;
}

static bool refuse_later(struct http_request *request, void *app)
{
	(void)app;
	note('u');
	waits = request;
	return false;
}

static bool admit(struct http_request *request, void *app)
{
	(void)request;
	(void)app;
	note('a');
	return true;
}

static void handle(struct http_request *request, void *app)
{
	struct buf body = { 0 };

	ck_assert_ptr_eq(app, &config);
	note('h');
	buf_addf(&body, "%.3s", (const char *)http_request_user(request));
	http_reply(request, 200, "text/plain", &body);
}

/* What the clients of a test have got when the last one's request is handled. */
static int clients[3];
static size_t got_before[3];
static void (*in_handler)(void);

static size_t client_has(int fd)
{
	char answer[4096];
	ssize_t got = recv(fd, answer, sizeof(answer), MSG_DONTWAIT | MSG_PEEK);

	return got > 0 ? (size_t)got : 0;
}

static void handle_small(struct http_request *request, void *app)
{
	struct buf body = { 0 };

	(void)app;
	note('s');
	buf_add_text(&body, "small");
	if (strlen(calls) == 3) {
		if (in_handler)
			in_handler();
		for (int i = 0; i < 3; i++)
			got_before[i] = client_has(clients[i]);
	}
	http_reply(request, 200, "text/plain", &body);
}

static void on_file_end(void *arg)
{
	ck_assert_ptr_eq(arg, calls);
	note('e');
}

static void handle_file(struct http_request *request, void *app)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	(void)app;
	ck_assert_int_eq(write(fd, "0123456789", 10), 10);
	http_reply_file(request, 200, "text/plain", fd, 2, 5, on_file_end, calls);
}

static int check_basic(struct http_request *request, struct str user, struct str secret, void *arg, struct error *err)
{
	(void)request;
	ck_assert_ptr_eq(arg, &config);
	if (str_is(user, "me") && str_is(secret, "a:b"))
		return 0;
	return error_set(err, ERROR_UNAUTHORIZED, "wrong");
}

static bool ask_basic(struct http_request *request, void *app)
{
	struct error err;

	if (http_request_check_basic(request, check_basic, app, &err) == 0)
		return true;
	http_reply_error(request, &err);
	return false;
}

/* Of bodies that are read, by the letter that the path ends with. */
#define BODIES 3
static size_t body_bytes[BODIES];
static int64_t piece_us;   /* that on_data takes */
static bool counts_turn;   /* a turn takes what on_data takes, and nothing else: a busy machine changes nothing */
static int64_t counted_us; /* of this turn */

int64_t __real_lag_turn_us(struct event_base *of);
int64_t __wrap_lag_turn_us(struct event_base *of);

int64_t __wrap_lag_turn_us(struct event_base *of)
{
	return counts_turn ? counted_us : __real_lag_turn_us(of);
}

static void on_data(void *arg, const char *data, size_t len)
{
	(void)data;
	*(size_t *)arg += len;
	counted_us += piece_us;
}

static void on_body_end(void *arg)
{
	(void)arg;
}

static void handle_body(struct http_request *request, void *app)
{
	static const struct http_stream stream = { .on_data = on_data, .on_end = on_body_end, .on_abort = on_body_end };
	struct str letter = http_request_segment(request);

	(void)app;
	http_request_stream(request, &stream, &body_bytes[letter.p[0] - 'a']);
}

static const struct http_route routes[] = {
	{ HTTP_GET, "/open", HTTP_BODY_NONE, NULL, NULL, handle },
	{ HTTP_GET, "/asked", HTTP_BODY_NONE, let_in, admit, handle },
	{ HTTP_GET, "/full", HTTP_BODY_NONE, let_in, refuse, handle },
	{ HTTP_GET, "/late", HTTP_BODY_NONE, refuse_later, admit, handle },
	{ HTTP_GET, "/basic", HTTP_BODY_NONE, ask_basic, NULL, handle },
	{ HTTP_GET, "/file", HTTP_BODY_NONE, NULL, NULL, handle_file },
	{ HTTP_GET, "/small", HTTP_BODY_NONE, NULL, NULL, handle_small },
	{ HTTP_POST, "/body/{letter}", HTTP_BODY_STREAM, NULL, NULL, handle_body },
	{ 0 },
};

/* --- a client --- */

static void set_up(void)
{
	struct error err;

	log_set_level(LOG_LEVEL_ERROR);
	memset(calls, 0, sizeof(calls));
	waits = NULL;
	memset(body_bytes, 0, sizeof(body_bytes));
	counts_turn = false;
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	ck_assert_int_eq(config_init(&config, &err), 0);
	tasks = tasks_new(base, &config);
	ck_assert_ptr_nonnull(tasks);
	server = http_server_new(tasks, &config, routes, &config, &err);
	ck_assert_msg(server != NULL, "%s", err.message);
	ck_assert_msg(http_server_listen(server, NULL, "listen", "127.0.0.1:0", &err) == 0, "%s", err.message);
}

static void tear_down(void)
{
	http_server_free(server);
	tasks_free(tasks);
	event_base_free(base);
	config_free(&config);
}

static int client_connect(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_port = htons((uint16_t)http_server_port(server)),
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* All that the server answers until it closes; it runs meanwhile, and is told by `turn` of each turn. */
static void client_read(int fd, char *answer, size_t room, void (*turn)(void))
{
	size_t len = 0;

	for (int i = 0; i < TURNS_MAX; i++) {
		ssize_t got = recv(fd, answer + len, room - 1 - len, MSG_DONTWAIT);

		if (got == 0)
			break;
		len += got > 0 ? (size_t)got : 0;
		event_base_loop(base, EVLOOP_NONBLOCK);
		if (turn)
			turn();
		if (got < 0)
			usleep(1000);
	}
	answer[len] = '\0';
	close(fd);
}

static void client_ask(const char *requests, char *answer, size_t room, void (*turn)(void))
{
	int fd = client_connect();
	size_t len = strlen(requests);

	ck_assert_int_eq(write(fd, requests, len), (ssize_t)len);
	client_read(fd, answer, room, turn);
}

/* Clients that send bodies without end; the server runs for so many turns, whose time is counted. Returns the most bytes of a
 * turn. */
static size_t clients_send(int bodies, int turns)
{
	static const char data[65536];
	int fds[BODIES];
	size_t most = 0;

	counts_turn = true;
	for (int i = 0; i < bodies; i++) {
		fds[i] = client_connect();
		dprintf(fds[i], "POST /body/%c HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000000\r\n\r\n", 'a' + i);
	}
	for (int turn = 0; turn < turns; turn++) {
		size_t before = body_bytes[0] + body_bytes[1] + body_bytes[2];

		for (int i = 0; i < bodies; i++)
			while (send(fds[i], data, sizeof(data), MSG_DONTWAIT) > 0)
				;
		counted_us = 0;
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		size_t got = body_bytes[0] + body_bytes[1] + body_bytes[2] - before;

		most = got > most ? got : most;
	}
	for (int i = 0; i < bodies; i++)
		close(fds[i]);
	return most;
}

#define LAST "Host: h\r\nConnection: close\r\n\r\n"

/* --- the tests --- */

START_TEST(a_route_that_asks_nothing_lets_everybody_in)
{
	char answer[4096];

	client_ask("GET /open HTTP/1.1\r\n" LAST, answer, sizeof(answer), NULL);
	ck_assert_msg(strncmp(answer, "HTTP/1.1 200 ", 13) == 0, "%s", answer);
	ck_assert_str_eq(calls, "h");
}
END_TEST

START_TEST(the_handler_comes_after_who_it_is_and_admission)
{
	char answer[4096];

	client_ask("GET /asked HTTP/1.1\r\n" LAST, answer, sizeof(answer), NULL);
	ck_assert_msg(strstr(answer, "\r\n\r\nxxx") != NULL, "%s", answer);
	ck_assert_str_eq(calls, "uah");
}
END_TEST

START_TEST(who_refuses_answers_in_place_of_the_handler)
{
	char answer[4096];

	client_ask("GET /full HTTP/1.1\r\n" LAST, answer, sizeof(answer), NULL);
	ck_assert_msg(strncmp(answer, "HTTP/1.1 429 ", 13) == 0, "%s", answer);
	ck_assert_str_eq(calls, "ua");
}
END_TEST

static void answer_the_one_that_waits(void)
{
	static int turns;

	if (!waits || ++turns < 5)
		return;
	http_reply_problem(waits, 401, "Unauthorized", "at last");
	waits = NULL;
}

START_TEST(who_refuses_may_answer_later)
{
	char answer[4096];

	client_ask("GET /late HTTP/1.1\r\n" LAST, answer, sizeof(answer), answer_the_one_that_waits);
	ck_assert_msg(strncmp(answer, "HTTP/1.1 401 ", 13) == 0, "%s", answer);
	ck_assert_msg(strstr(answer, "at last") != NULL, "%s", answer);
	ck_assert_str_eq(calls, "u");
}
END_TEST

/* The memory of a request is used again by the next one. */
START_TEST(what_is_known_of_who_asks_ends_with_the_request)
{
	char answer[4096];

	client_ask(
		"GET /asked HTTP/1.1\r\nHost: h\r\n\r\nGET /full HTTP/1.1\r\nHost: h\r\n\r\nGET /asked HTTP/1.1\r\n" LAST,
		answer, sizeof(answer), NULL);
	ck_assert_str_eq(calls, "uahuauah");
	ck_assert(user_was_clear);
	client_ask("GET /open HTTP/1.1\r\n" LAST, answer, sizeof(answer), NULL);
	ck_assert_msg(strstr(answer, "xxx") == NULL, "%s", answer);
}
END_TEST

START_TEST(basic_credentials_are_split_at_the_first_colon)
{
	static const struct {
		const char *field;
		const char *status;
	} cases[] = {
		{ "Authorization: Basic bWU6YTpi\r\n", "200" }, /* me:a:b */
		{ "Authorization: basic  bWU6YTpi\r\n", "200" },
		{ "Authorization: Basic bWU6YQ==\r\n", "401" }, /* me:a */
		{ "Authorization: Basic bWU=\r\n", "401" },     /* me */
		{ "Authorization: Basic *\r\n", "401" },
		{ "Authorization: Bearer bWU6YTpi\r\n", "401" },
		{ "", "401" },
	};
	char request[256], answer[4096];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(request, sizeof(request), "GET /basic HTTP/1.1\r\n%s" LAST, cases[i].field);
		client_ask(request, answer, sizeof(answer), NULL);
		ck_assert_msg(strncmp(answer + 9, cases[i].status, 3) == 0, "%s: %s", cases[i].field, answer);
	}
}
END_TEST

START_TEST(the_end_of_a_file_is_told_once_sent_or_not)
{
	char answer[4096];

	client_ask("GET /file HTTP/1.1\r\n" LAST, answer, sizeof(answer), NULL);
	ck_assert_msg(strstr(answer, "\r\n\r\n23456") != NULL, "%s", answer);
	ck_assert_str_eq(calls, "e");
	client_ask("HEAD /file HTTP/1.1\r\n" LAST, answer, sizeof(answer), NULL);
	ck_assert_msg(strncmp(answer, "HTTP/1.1 200 ", 13) == 0, "%s", answer);
	ck_assert_str_eq(calls, "ee");
}
END_TEST

/* --- answers of a turn --- */

static void run_turns(int turns)
{
	for (int i = 0; i < turns; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

/* Three clients whose requests arrive in one turn. */
static void ask_together(void (*meanwhile)(void))
{
	static const char request[] = "GET /small HTTP/1.1\r\nHost: h\r\n\r\n";

	in_handler = meanwhile;
	for (int i = 0; i < 3; i++)
		clients[i] = client_connect();
	run_turns(5);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(write(clients[i], request, strlen(request)), (ssize_t)strlen(request));
	usleep(5000);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_str_eq(calls, "sss");
}

static void close_clients(void)
{
	for (int i = 0; i < 3; i++)
		close(clients[i]);
	run_turns(3);
}

START_TEST(small_answers_of_a_turn_are_sent_together)
{
	http_server_gather(server);
	ask_together(NULL);
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(got_before[i], 0);
		ck_assert_uint_gt(client_has(clients[i]), 0);
	}
	close_clients();
}
END_TEST

START_TEST(answers_are_sent_at_once_unless_told_otherwise)
{
	size_t sent = 0;

	ask_together(NULL);
	for (int i = 0; i < 3; i++)
		sent += got_before[i] > 0;
	ck_assert_uint_eq(sent, 2);
	close_clients();
}
END_TEST

static void begin_long_work(void)
{
	tasks_tell_of_long_work(tasks);
}

START_TEST(kept_answers_are_sent_before_long_work)
{
	size_t sent = 0;

	http_server_gather(server);
	ask_together(begin_long_work);
	for (int i = 0; i < 3; i++) {
		sent += got_before[i] > 0;
		ck_assert_uint_gt(client_has(clients[i]), 0);
	}
	ck_assert_uint_eq(sent, 2);
	close_clients();
}
END_TEST

START_TEST(a_connection_whose_answer_was_kept_serves_the_next_request)
{
	static const char last[] = "GET /small HTTP/1.1\r\n" LAST;
	char answer[4096];

	http_server_gather(server);
	ask_together(NULL);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(write(clients[i], last, strlen(last)), (ssize_t)strlen(last));
		client_read(clients[i], answer, sizeof(answer), NULL);
		ck_assert_msg(strstr(answer, "\r\n\r\nsmallHTTP/1.1 200 ") != NULL, "%s", answer);
	}
	ck_assert_str_eq(calls, "ssssss");
}
END_TEST

/* While its answer is kept, a client goes. */
static void reset_the_others(void)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(setsockopt(clients[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
		close(clients[i]);
	}
	for (int i = 0; i < 3; i++)
		clients[i] = client_connect();
}

START_TEST(a_client_that_goes_while_its_answer_is_kept_harms_nobody)
{
	char answer[4096];

	http_server_gather(server);
	ask_together(reset_the_others);
	close_clients();
	client_ask("GET /open HTTP/1.1\r\n" LAST, answer, sizeof(answer), NULL);
	ck_assert_msg(strncmp(answer, "HTTP/1.1 200 ", 13) == 0, "%s", answer);
}
END_TEST

/* --- bodies --- */

#define TURNS 100
#define SLICE_BYTES_MAX \
	((128 + 16) << 10) /* of http/intake.c: of a slice that counts what comes in and what is given, and a piece */

START_TEST(a_body_alone_gets_as_much_of_a_turn_as_there_is)
{
	piece_us = 10;
	ck_assert_uint_gt(clients_send(1, TURNS), 300000);
}
END_TEST

/* Takes what is left of the turn. */
static void on_request(void *arg, int64_t deadline_us)
{
	(void)arg;
	(void)deadline_us;
	counted_us = TASK_TURN_US;
}

START_TEST(a_body_gets_one_slice_of_a_turn_while_requests_wait)
{
	struct task task;
	struct error err;

	piece_us = 10;
	task_init(&task, tasks, "account1", TASK_PAGES, on_request, NULL);
	ck_assert_int_eq(task_start(&task, &err), 0);
	/* One in which the socket runs dry and is filled again has parts of two slices; all together have one each. */
	ck_assert_uint_le(clients_send(1, TURNS), 2 * SLICE_BYTES_MAX);
	ck_assert_uint_le(body_bytes[0], TURNS * SLICE_BYTES_MAX);
	ck_assert_uint_gt(body_bytes[0], 1000000);
	task_cancel(&task);
}
END_TEST

START_TEST(bodies_get_the_same_beside_each_other)
{
	piece_us = 80; /* about a slice each in a turn */
	clients_send(BODIES, TURNS);
	for (int i = 0; i < BODIES; i++)
		ck_assert_msg(body_bytes[i] > 5000000 / 2 && body_bytes[i] > body_bytes[0] * 3 / 4 &&
		                      body_bytes[i] < body_bytes[0] * 4 / 3,
		              "%zu, %zu, %zu bytes", body_bytes[0], body_bytes[1], body_bytes[2]);
}
END_TEST

Suite *suite_http_server(void);

Suite *suite_http_server(void)
{
	Suite *suite = suite_create("http_server");
	TCase *tests = tcase_create("routes");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_route_that_asks_nothing_lets_everybody_in);
	tcase_add_test(tests, the_handler_comes_after_who_it_is_and_admission);
	tcase_add_test(tests, who_refuses_answers_in_place_of_the_handler);
	tcase_add_test(tests, who_refuses_may_answer_later);
	tcase_add_test(tests, what_is_known_of_who_asks_ends_with_the_request);
	tcase_add_test(tests, basic_credentials_are_split_at_the_first_colon);
	tcase_add_test(tests, the_end_of_a_file_is_told_once_sent_or_not);
	tcase_add_test(tests, small_answers_of_a_turn_are_sent_together);
	tcase_add_test(tests, answers_are_sent_at_once_unless_told_otherwise);
	tcase_add_test(tests, kept_answers_are_sent_before_long_work);
	tcase_add_test(tests, a_connection_whose_answer_was_kept_serves_the_next_request);
	tcase_add_test(tests, a_client_that_goes_while_its_answer_is_kept_harms_nobody);
	tcase_add_test(tests, a_body_alone_gets_as_much_of_a_turn_as_there_is);
	tcase_add_test(tests, a_body_gets_one_slice_of_a_turn_while_requests_wait);
	tcase_add_test(tests, bodies_get_the_same_beside_each_other);
	suite_add_tcase(suite, tests);
	return suite;
}
