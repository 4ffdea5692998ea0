/* SPDX-License-Identifier: ISC */
/*
 * test_callback.c: callbacks from the change that puts them to the server that takes them.
 *
 * The receiver is an evhttp server on the loop of the callbacks themselves. It notes what it gets and answers as told.
 */
#include <check.h>
#include <dirent.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "callback/attempts.h"
#include "callback/callback.h"
#include "callback/transfer.h"
#include "callback/url.h"
#include "expect.h"
#include "store_fixture.h"

Suite *suite_callback(void);

#define ACCOUNT "abcd1234"
#define WAIT_US (10 * CLOCK_US_PER_SECOND)
#define REQUESTS_MAX 64

struct seen {
	char path[64];
	char id[80];
	char timestamp[32];
	char signature[256];
	char agent[64];
	char body[256];
	int64_t time_us;
};

struct receiver {
	struct evhttp *http;
	struct evhttp_bound_socket *socket;
	uint16_t port;
	struct seen seen[REQUESTS_MAX];
	int count;
	int statuses[8]; /* of the first answers; 200 when 0 */
	int held_max;    /* > 0: answers are held, and this many requests at once were seen */
	bool holds;      /* does not answer */
	struct evhttp_request *held[REQUESTS_MAX];
	int held_count;
	const char *location;
	size_t answer_bytes;
	const char *retry_after;
};

static struct fixture f;
static struct error err;
static struct config config;
static struct event_base *base;
static struct callbacks *callbacks;
static struct receiver receiver;

/* --- the receiver --- */

static void copy_header(char *out, size_t size, struct evhttp_request *request, const char *name)
{
	const char *value = evhttp_find_header(evhttp_request_get_input_headers(request), name);

	snprintf(out, size, "%s", value ? value : "");
}

static void note(struct receiver *r, struct evhttp_request *request)
{
	struct seen *seen = &r->seen[r->count++ % REQUESTS_MAX];
	struct evbuffer *body = evhttp_request_get_input_buffer(request);

	snprintf(seen->path, sizeof(seen->path), "%s", evhttp_request_get_uri(request));
	copy_header(seen->id, sizeof(seen->id), request, "webhook-id");
	copy_header(seen->timestamp, sizeof(seen->timestamp), request, "webhook-timestamp");
	copy_header(seen->signature, sizeof(seen->signature), request, "webhook-signature");
	copy_header(seen->agent, sizeof(seen->agent), request, "User-Agent");
	ev_ssize_t len = evbuffer_copyout(body, seen->body, sizeof(seen->body) - 1);
	seen->body[len > 0 ? len : 0] = '\0';
	seen->time_us = clock_monotonic_us();
}

static void answer(struct receiver *r, struct evhttp_request *request, int at)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evbuffer_new();
	int status = at < 8 && r->statuses[at] ? r->statuses[at] : 200;

	if (r->location)
		evhttp_add_header(headers, "Location", r->location);
	if (r->retry_after)
		evhttp_add_header(headers, "Retry-After", r->retry_after);
	for (size_t i = 0; i < r->answer_bytes; i += 8)
		evbuffer_add(body, "12345678", 8);
	evhttp_send_reply(request, status, "So", body);
	evbuffer_free(body);
}

static void on_request(struct evhttp_request *request, void *arg)
{
	struct receiver *r = arg;

	note(r, request);
	if (!r->holds) {
		answer(r, request, r->count - 1);
		return;
	}
	r->held[r->held_count++] = request;
	if (r->held_count > r->held_max)
		r->held_max = r->held_count;
}

static void release_held(struct receiver *r)
{
	for (int i = 0; i < r->held_count; i++)
		answer(r, r->held[i], 8);
	r->held_count = 0;
}

static void receiver_open(struct receiver *r)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);

	*r = (struct receiver){ .http = evhttp_new(base) };
	r->socket = evhttp_bind_socket_with_handle(r->http, "127.0.0.1", 0);
	ck_assert_ptr_nonnull(r->socket);
	ck_assert_int_eq(getsockname(evhttp_bound_socket_get_fd(r->socket), (struct sockaddr *)&address, &len), 0);
	r->port = ntohs(address.sin_port);
	evhttp_set_gencb(r->http, on_request, r);
}

/* --- the callbacks --- */

static void set(const char *key, const char *value)
{
	ASSERT_OK(config_set(&config, key, value, &err));
}

static void start(void)
{
	callbacks = callbacks_new(base, &config, f.meta, f.store, &err);
	ck_assert_msg(callbacks != NULL, "%s", err.message);
}

static void setup(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	fixture_open(&f, FIXTURE_MAP_BYTES);
	ASSERT_OK(accounts_add(f.meta, ACCOUNT, NULL, NULL, "correct horse", &err));
	ASSERT_OK(config_init(&config, &err));
	set("callback_allow", "127.0.0.0/8");
	set("callback_retry_first", "20ms");
	set("callback_retry_max_delay", "50ms");
	base = event_base_new();
	receiver_open(&receiver);
	start();
}

static void teardown(void)
{
	callbacks_free(callbacks);
	release_held(&receiver);
	event_base_loop(base, EVLOOP_NONBLOCK);
	evhttp_free(receiver.http);
	event_base_free(base);
	config_free(&config);
	fixture_close(&f);
}

static void restart(void)
{
	callbacks_free(callbacks);
	fixture_restart(&f);
	start();
}

static void put_url(const char *id, const char *url)
{
	struct change change;
	struct callback_event event = {
		.account = STR_LITERAL(ACCOUNT),
		.id = str_from(id),
		.url = str_from(url),
		.body = STR_LITERAL("{\"request_status\":\"SUCCESS\"}"),
	};

	ASSERT_OK(change_begin(&change, f.meta, &err));
	ASSERT_OK(change_end(&change, callback_put(&change, &event, &err), &err));
	callbacks_wake(callbacks);
}

static void put_to(const char *id, const char *host)
{
	char url[128];

	snprintf(url, sizeof(url), "http://%s:%u/hook", host, receiver.port);
	put_url(id, url);
}

static void put(const char *id)
{
	put_to(id, "127.0.0.1");
}

static void put_many(int count)
{
	for (int i = 0; i < count; i++) {
		char id[32];

		snprintf(id, sizeof(id), "event-%d", i);
		put(id);
	}
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static struct callbacks_stats stats(void)
{
	struct callbacks_stats now;

	callbacks_get_stats(callbacks, &now);
	return now;
}

/* Runs the loop for a moment: until something happens, or 2 ms. */
static void run_moment(void)
{
	static const struct timeval moment = { 0, 2000 };
	struct event *end = evtimer_new(base, tick, NULL);

	evtimer_add(end, &moment);
	event_base_loop(base, EVLOOP_ONCE);
	event_free(end);
}

static void run_for(int64_t duration_us)
{
	int64_t end = clock_monotonic_us() + duration_us;

	while (clock_monotonic_us() < end)
		run_moment();
}

#define ASSERT_BECOMES(condition) \
	do { \
		int64_t end_us = clock_monotonic_us() + WAIT_US; \
		while (!(condition) && clock_monotonic_us() < end_us) \
			run_moment(); \
		ck_assert_msg((condition), "%s: not within %d s", #condition, (int)(WAIT_US / 1000000)); \
	} while (0)

struct listed {
	int count;
	enum callback_state state;
	int64_t attempts;
	int64_t next_us;
	char id[CALLBACK_ID_MAX + 1];
	char last_error[CALLBACK_ERROR_MAX + 1];
};

static bool take_listed(void *arg, const struct callback_info *info)
{
	struct listed *listed = arg;

	listed->count++;
	listed->state = info->state;
	listed->attempts = info->attempts;
	listed->next_us = info->next_us;
	snprintf(listed->id, sizeof(listed->id), "%.*s", STR_ARGS(info->id));
	snprintf(listed->last_error, sizeof(listed->last_error), "%.*s", STR_ARGS(info->last_error));
	return true;
}

/* The last of the list, and how many there are. */
static struct listed list(void)
{
	struct listed listed = { 0 };

	ASSERT_OK(callbacks_each(callbacks, take_listed, &listed, &err));
	return listed;
}

/* --- delivery --- */

START_TEST(event_is_posted_and_forgotten)
{
	put("event-1");
	ck_assert_int_eq(list().count, 1);
	ASSERT_BECOMES(stats().delivered == 1);
	ck_assert_int_eq(receiver.count, 1);
	ck_assert_str_eq(receiver.seen[0].path, "/hook");
	ck_assert_str_eq(receiver.seen[0].id, "event-1");
	ck_assert_str_eq(receiver.seen[0].body, "{\"request_status\":\"SUCCESS\"}");
	ck_assert_msg(strncmp(receiver.seen[0].agent, "cdrd/", 5) == 0, "User-Agent %s", receiver.seen[0].agent);
	int64_t age = clock_now_us() / CLOCK_US_PER_SECOND - strtoll(receiver.seen[0].timestamp, NULL, 10);
	ck_assert_msg(age >= 0 && age < 10, "webhook-timestamp %s", receiver.seen[0].timestamp);
	ck_assert_int_eq(list().count, 0);
	restart();
	run_for(100000);
	ck_assert_int_eq(receiver.count, 1);
	ck_assert_int_eq(list().count, 0);
}
END_TEST

START_TEST(dropped_change_sends_nothing)
{
	struct change change;
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", receiver.port);
	struct callback_event event = { .account = STR_LITERAL(ACCOUNT),
		                        .id = STR_LITERAL("event-1"),
		                        .url = str_from(url),
		                        .body = STR_LITERAL("{}") };
	ASSERT_OK(change_begin(&change, f.meta, &err));
	ASSERT_OK(callback_put(&change, &event, &err));
	ck_assert_int_eq(change_end(&change, -1, &err), -1);
	callbacks_wake(callbacks);
	run_for(100000);
	ck_assert_int_eq(receiver.count, 0);
}
END_TEST

START_TEST(failure_is_tried_again_under_the_same_id)
{
	receiver.statuses[0] = 500;
	receiver.statuses[1] = 404;
	put("event-1");
	ASSERT_BECOMES(stats().attempts_failed == 1);
	struct listed listed = list();
	ck_assert_int_eq(listed.state, CALLBACK_WAITING);
	ck_assert_int_eq(listed.attempts, 1);
	ck_assert_str_eq(listed.last_error, "HTTP status 500");
	ASSERT_BECOMES(stats().delivered == 1);
	ck_assert_int_eq(receiver.count, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(receiver.seen[i].id, "event-1");
	ck_assert_int_eq(list().count, 0);
}
END_TEST

START_TEST(delays_grow)
{
	set("callback_retry_first", "40ms");
	set("callback_retry_max_delay", "10s");
	for (int i = 0; i < 4; i++)
		receiver.statuses[i] = 503;
	put("event-1");
	ASSERT_BECOMES(stats().delivered == 1);
	for (int i = 1; i < 5; i++) {
		int64_t delay = receiver.seen[i].time_us - receiver.seen[i - 1].time_us;
		int64_t whole = 40000 << (i - 1);

		ck_assert_msg(delay >= whole / 2 - 2000 && delay < whole + 200000,
		              "delay %d: %lld us, wanted %lld to %lld", i, (long long)delay, (long long)whole / 2,
		              (long long)whole);
	}
}
END_TEST

START_TEST(server_that_asks_for_time_gets_it)
{
	set("callback_retry_max_delay", "10s");
	receiver.statuses[0] = 429;
	receiver.retry_after = "1";
	put("event-1");
	ASSERT_BECOMES(stats().delivered == 1);
	ck_assert_int_ge(receiver.seen[1].time_us - receiver.seen[0].time_us, 990000);
}
END_TEST

START_TEST(redirect_is_not_followed)
{
	char location[64];

	snprintf(location, sizeof(location), "http://127.0.0.1:%u/elsewhere", receiver.port);
	receiver.statuses[0] = 302;
	receiver.location = location;
	put("event-1");
	ASSERT_BECOMES(stats().attempts_failed == 1);
	ck_assert_str_eq(list().last_error, "HTTP status 302");
	ASSERT_BECOMES(stats().delivered == 1);
	for (int i = 0; i < receiver.count; i++)
		ck_assert_str_eq(receiver.seen[i].path, "/hook");
}
END_TEST

START_TEST(silent_server_is_given_up_in_time)
{
	set("callback_timeout", "200ms");
	receiver.holds = true;
	int64_t begin = clock_monotonic_us();
	put("event-1");
	ASSERT_BECOMES(stats().attempts_failed == 1);
	ck_assert_int_ge(clock_monotonic_us() - begin, 190000);
	ck_assert_int_lt(clock_monotonic_us() - begin, 2000000);
	ck_assert_msg(strstr(list().last_error, "timed out"), "%s", list().last_error);
}
END_TEST

START_TEST(nobody_there_is_a_failure)
{
	put_url("event-1", "http://127.0.0.1:1/");
	ASSERT_BECOMES(stats().attempts_failed == 1);
	ck_assert_uint_eq(stats().refused, 0);
	ck_assert_msg(strstr(list().last_error, "connect"), "%s", list().last_error);
}
END_TEST

START_TEST(long_answer_is_broken_off_and_counts_by_its_status)
{
	receiver.answer_bytes = (size_t)4 << 20;
	put("event-1");
	ASSERT_BECOMES(stats().delivered == 1);
	ck_assert_uint_eq(stats().attempts_failed, 0);
}
END_TEST

START_TEST(proxies_of_the_environment_are_not_used)
{
	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
	put("event-1");
	ASSERT_BECOMES(stats().delivered == 1);
	ck_assert_uint_eq(stats().attempts, 1);
}
END_TEST

static int count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int count = -2; /* . and .. */

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

START_TEST(name_resolution_makes_no_thread)
{
	int before = count_threads();

	receiver.holds = true;
	put_to("event-1", "localhost");
	ASSERT_BECOMES(receiver.held_count == 1);
	ck_assert_int_eq(count_threads(), before);
	release_held(&receiver);
	ASSERT_BECOMES(stats().delivered == 1);
}
END_TEST

/* --- addresses --- */

START_TEST(loopback_is_refused_unless_listed)
{
	static const char *const hosts[] = { "127.0.0.1", "0x7f.1", "2130706433", "localhost", "[::ffff:127.0.0.1]" };

	set("callback_allow", "");
	set("callback_retry_first", "1h");
	set("callback_retry_max_delay", "1h");
	for (uint64_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		char id[32];

		snprintf(id, sizeof(id), "event-%d", (int)i);
		put_to(id, hosts[i]);
		ASSERT_BECOMES(stats().attempts_failed == i + 1);
		ck_assert_msg(strstr(list().last_error, "is loopback, and callback_allow does not list it"), "%s: %s",
		              hosts[i], list().last_error);
	}
	ck_assert_uint_eq(stats().refused, sizeof(hosts) / sizeof(hosts[0]));
	ck_assert_int_eq(receiver.count, 0);
}
END_TEST

START_TEST(listed_host_name_may_be_loopback)
{
	set("callback_allow", "10.0.0.0/8, LocalHost");
	put_to("event-1", "localhost");
	ASSERT_BECOMES(stats().delivered == 1);
	put_to("event-2", "127.0.0.1");
	ASSERT_BECOMES(stats().refused == 1);
}
END_TEST

static struct transfer_result ended;
static char ended_problem[256];

static void keep_result(void *arg, const struct transfer_result *result)
{
	(void)arg;
	ended = *result;
	snprintf(ended_problem, sizeof(ended_problem), "%s", result->problem);
	ended.problem = ended_problem;
}

static bool no_loopback(void *arg, const struct sockaddr *address)
{
	(void)arg;
	return !address_special(address);
}

START_TEST(guard_sees_the_address_of_the_socket)
{
	struct transfers *transfers = transfers_new(base, &err);
	struct callback_url url;
	struct address address = { .len = sizeof(struct sockaddr_in) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	memcpy(&address.storage, &in, sizeof(in));
	char text[64];
	snprintf(text, sizeof(text), "http://public.example:%u/", receiver.port);
	ASSERT_OK(callback_url_parse(&url, str_from(text), &err));
	struct transfer_request request = {
		.url = url.parsed,
		.address = &address,
		.body = STR_LITERAL("{}"),
		.ca_file = "",
		.connect_timeout_us = CLOCK_US_PER_SECOND,
		.timeout_us = CLOCK_US_PER_SECOND,
		.guard = no_loopback,
		.ended = keep_result,
	};
	ended = (struct transfer_result){ 0 };
	ck_assert_ptr_nonnull(transfer_start(transfers, &request, &err));
	ASSERT_BECOMES(ended.problem != NULL);
	ck_assert(ended.refused);
	ck_assert_int_eq(receiver.count, 0);
	transfers_free(transfers);
	callback_url_free(&url);
}
END_TEST

/* --- time --- */

START_TEST(waiting_event_outlives_a_restart)
{
	receiver.statuses[0] = 500;
	set("callback_retry_first", "300ms");
	set("callback_retry_max_delay", "300ms");
	put("event-1");
	ASSERT_BECOMES(stats().attempts_failed == 1);
	run_for(50000); /* saved */
	restart();
	struct listed listed = list();
	ck_assert_int_eq(listed.attempts, 1);
	ck_assert_str_eq(listed.last_error, "HTTP status 500");
	ck_assert_int_gt(listed.next_us, clock_now_us());
	ASSERT_BECOMES(stats().delivered == 1);
	ck_assert_str_eq(receiver.seen[1].id, "event-1");
}
END_TEST

START_TEST(event_under_way_at_the_end_is_sent_again)
{
	receiver.holds = true;
	put("event-1");
	ASSERT_BECOMES(receiver.held_count == 1);
	restart();
	receiver.holds = false;
	ASSERT_BECOMES(stats().delivered == 1);
	ck_assert_str_eq(receiver.seen[1].id, "event-1");
}
END_TEST

START_TEST(event_is_given_up_listed_tried_by_hand_and_dropped)
{
	set("callback_keep", "1s");
	set("callback_retry_max_delay", "400ms");
	set("callback_failed_keep", "1s");
	put_url("event-1", "http://127.0.0.1:1/");
	ASSERT_BECOMES(stats().given_up == 1);
	struct listed listed = list();
	ck_assert_int_eq(listed.state, CALLBACK_FAILED);
	ck_assert_int_gt(listed.attempts, 3);
	int64_t attempts = listed.attempts;
	restart();
	ck_assert_uint_eq(stats().failed, 1);
	size_t count = 0;
	ASSERT_OK(callbacks_retry(callbacks, STR_LITERAL("event-1"), &count, &err));
	ck_assert_uint_eq(count, 1);
	ASSERT_BECOMES(stats().attempts_failed >= 1);
	ck_assert_int_gt(list().attempts, attempts);
	ASSERT_BECOMES(stats().given_up == 1);
	ASSERT_BECOMES(list().count == 0);
	ck_assert_uint_eq(stats().failed, 0);
	ck_assert_int_eq(callbacks_retry(callbacks, STR_LITERAL("event-1"), &count, &err), -1);
	ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
}
END_TEST

START_TEST(retry_does_not_wait_for_the_time)
{
	size_t count;

	receiver.statuses[0] = 500;
	set("callback_retry_first", "1h");
	put("event-1");
	ASSERT_BECOMES(stats().attempts_failed == 1);
	set("callback_retry_max_delay", "1h");
	ASSERT_OK(callbacks_retry(callbacks, STR_LITERAL("all"), &count, &err));
	ck_assert_uint_eq(count, 1);
	ASSERT_BECOMES(stats().delivered == 1);
}
END_TEST

/* --- at once --- */

START_TEST(host_gets_no_more_than_its_share_at_once)
{
	set("callback_concurrent_host_max", "2");
	set("callback_concurrent_max", "3");
	receiver.holds = true;
	put_many(6);
	ASSERT_BECOMES(receiver.held_count == 2);
	run_for(50000);
	ck_assert_int_eq(receiver.held_max, 2);
	receiver.holds = false;
	release_held(&receiver);
	ASSERT_BECOMES(stats().delivered == 6);
}
END_TEST

START_TEST(hosts_take_turns)
{
	set("callback_concurrent_host_max", "1");
	set("callback_concurrent_max", "2");
	receiver.holds = true;
	put("event-0");
	put("event-1");
	put_to("other-0", "localhost");
	ASSERT_BECOMES(receiver.held_count == 2);
	ck_assert_str_eq(receiver.seen[1].id, "other-0");
	ck_assert_uint_eq(stats().sending, 2);
	ck_assert_uint_eq(stats().waiting, 1);
	receiver.holds = false;
	release_held(&receiver);
	ASSERT_BECOMES(stats().delivered == 3);
}
END_TEST

START_TEST(many_events_are_all_delivered)
{
	put_many(200);
	ASSERT_BECOMES(stats().delivered == 200);
	ck_assert_int_eq(receiver.count, 200);
	ASSERT_BECOMES(list().count == 0);
}
END_TEST

/* --- secrets --- */

START_TEST(secret_is_made_once)
{
	struct callback_secret first, again;

	put("event-1");
	ASSERT_OK(callback_secret_get(f.meta, ACCOUNT, false, 0, &first, &err));
	ck_assert_uint_eq(strlen(first.text), CALLBACK_SECRET_LEN);
	ck_assert_msg(strncmp(first.text, "whsec_", 6) == 0, "%s", first.text);
	restart();
	ASSERT_OK(callback_secret_get(f.meta, ACCOUNT, false, 0, &again, &err));
	ck_assert_str_eq(again.text, first.text);
	ck_assert_str_eq(again.previous, "");
}
END_TEST

START_TEST(secret_needs_an_account)
{
	struct callback_secret secret;

	ck_assert_int_eq(callback_secret_get(f.meta, "nobody00", false, 0, &secret, &err), -1);
	ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
}
END_TEST

START_TEST(both_secrets_sign_while_they_overlap)
{
	struct callback_secret old, new;

	ASSERT_OK(callback_secret_get(f.meta, ACCOUNT, false, 0, &old, &err));
	ASSERT_OK(callback_secret_get(f.meta, ACCOUNT, true, CLOCK_US_PER_SECOND / 2, &new, &err));
	ck_assert_str_ne(new.text, old.text);
	ck_assert_str_eq(new.previous, old.text);
	put("event-1");
	ASSERT_BECOMES(stats().delivered == 1);
	ck_assert_msg(strlen(receiver.seen[0].signature) == 47 + 1 + 47, "%s", receiver.seen[0].signature);
	run_for(CLOCK_US_PER_SECOND / 2);
	put("event-2");
	ASSERT_BECOMES(stats().delivered == 2);
	ck_assert_msg(strlen(receiver.seen[1].signature) == 47, "%s", receiver.seen[1].signature);
	ASSERT_OK(callback_secret_get(f.meta, ACCOUNT, false, 0, &new, &err));
	ck_assert_str_eq(new.previous, "");
}
END_TEST

/* --- what is refused at once --- */

/* --- attempts --- */

static void add_attempt(const char *account, const char *id)
{
	struct callback_attempt attempt = {
		.id = str_from(id),
		.time_us = 1,
		.nth = 1,
		.state = CALLBACK_DELIVERED,
		.status = 204,
		.error = STR_LITERAL(""),
		.url = STR_LITERAL("http://127.0.0.1/"),
	};
	struct change change;

	ASSERT_OK(change_begin(&change, f.meta, &err));
	ASSERT_OK(change_end(&change, attempts_add(&change, str_from(account), &attempt, &err), &err));
}

struct attempts_listed {
	uint64_t numbers[CALLBACK_ATTEMPTS_MAX];
	size_t count, most;
};

static bool list_attempt(void *arg, const struct callback_attempt *attempt)
{
	struct attempts_listed *listed = arg;

	ck_assert_int_eq(attempt->status, 204);
	listed->numbers[listed->count++] = attempt->number;
	return listed->count < listed->most;
}

static struct attempts_listed list_attempts(const char *account, uint64_t before, size_t most)
{
	struct attempts_listed listed = { .most = most };

	ASSERT_OK(callback_attempts_each(f.meta, account, before, list_attempt, &listed, &err));
	return listed;
}

START_TEST(attempts_are_listed_newest_first_and_the_oldest_give_way)
{
	char id[32];

	for (int i = 1; i <= CALLBACK_ATTEMPTS_MAX + 7; i++) {
		snprintf(id, sizeof(id), "event-%d", i);
		add_attempt(ACCOUNT, id);
	}
	struct attempts_listed all = list_attempts(ACCOUNT, UINT64_MAX, SIZE_MAX);
	ck_assert_uint_eq(all.count, CALLBACK_ATTEMPTS_MAX);
	ck_assert_uint_eq(all.numbers[0], CALLBACK_ATTEMPTS_MAX + 7);
	ck_assert_uint_eq(all.numbers[CALLBACK_ATTEMPTS_MAX - 1], 8);
	struct attempts_listed page = list_attempts(ACCOUNT, all.numbers[9], 3);
	ck_assert_uint_eq(page.count, 3);
	ck_assert_uint_eq(page.numbers[0], all.numbers[10]);
}
END_TEST

START_TEST(attempts_that_cannot_be_read_begin_again)
{
	struct change change;

	add_attempt(ACCOUNT, "event-1");
	ASSERT_OK(change_begin(&change, f.meta, &err));
	ASSERT_OK(change_end(&change,
	                     change_put(&change, META_DB_ATTEMPTS, STR_LITERAL(ACCOUNT), STR_LITERAL("nonsense"), &err),
	                     &err));
	struct attempts_listed none = { .most = SIZE_MAX };
	ck_assert_int_eq(callback_attempts_each(f.meta, ACCOUNT, UINT64_MAX, list_attempt, &none, &err), -1);
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
	add_attempt(ACCOUNT, "event-2");
	ck_assert_uint_eq(list_attempts(ACCOUNT, UINT64_MAX, SIZE_MAX).count, 1);
}
END_TEST

START_TEST(no_attempts_are_kept_of_an_account_that_is_gone)
{
	add_attempt("nobody00", "event-1");
	ck_assert_uint_eq(list_attempts("nobody00", UINT64_MAX, SIZE_MAX).count, 0);
}
END_TEST

START_TEST(put_checks_what_it_is_given)
{
	struct change change;
	struct callback_event event = { .account = STR_LITERAL(ACCOUNT),
		                        .id = STR_LITERAL("a.b"),
		                        .url = STR_LITERAL("http://example.com/"),
		                        .body = STR_LITERAL("{}") };

	ASSERT_OK(change_begin(&change, f.meta, &err));
	ck_assert_int_eq(callback_put(&change, &event, &err), -1);
	event.id = STR_LITERAL("a-b");
	event.url = STR_LITERAL("ftp://example.com/");
	ck_assert_int_eq(callback_put(&change, &event, &err), -1);
	ck_assert_str_eq(err.message, "callback_url: scheme \"ftp\", must be http or https");
	MAY_FAIL(change_end(&change, -1, &err));
}
END_TEST

START_TEST(wrong_settings_are_refused_at_start)
{
	set("callback_allow", "10.0.0.0/33");
	ck_assert_ptr_null(callbacks_new(base, &config, f.meta, f.store, &err));
	ck_assert_msg(strstr(err.message, "10.0.0.0/33"), "%s", err.message);
	set("callback_allow", "");
	set("callback_ca_file", "/nonexistent.pem");
	ck_assert_ptr_null(callbacks_new(base, &config, f.meta, f.store, &err));
	ck_assert_str_eq(err.message, "callback_ca_file: /nonexistent.pem cannot be read");
}
END_TEST

Suite *suite_callback(void)
{
	Suite *suite = suite_create("callback");
	TCase *tcase = tcase_create("callback");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, event_is_posted_and_forgotten);
	tcase_add_test(tcase, dropped_change_sends_nothing);
	tcase_add_test(tcase, failure_is_tried_again_under_the_same_id);
	tcase_add_test(tcase, delays_grow);
	tcase_add_test(tcase, server_that_asks_for_time_gets_it);
	tcase_add_test(tcase, redirect_is_not_followed);
	tcase_add_test(tcase, silent_server_is_given_up_in_time);
	tcase_add_test(tcase, nobody_there_is_a_failure);
	tcase_add_test(tcase, long_answer_is_broken_off_and_counts_by_its_status);
	tcase_add_test(tcase, proxies_of_the_environment_are_not_used);
	tcase_add_test(tcase, name_resolution_makes_no_thread);
	tcase_add_test(tcase, loopback_is_refused_unless_listed);
	tcase_add_test(tcase, listed_host_name_may_be_loopback);
	tcase_add_test(tcase, guard_sees_the_address_of_the_socket);
	tcase_add_test(tcase, waiting_event_outlives_a_restart);
	tcase_add_test(tcase, event_under_way_at_the_end_is_sent_again);
	tcase_add_test(tcase, event_is_given_up_listed_tried_by_hand_and_dropped);
	tcase_add_test(tcase, retry_does_not_wait_for_the_time);
	tcase_add_test(tcase, host_gets_no_more_than_its_share_at_once);
	tcase_add_test(tcase, hosts_take_turns);
	tcase_add_test(tcase, many_events_are_all_delivered);
	tcase_add_test(tcase, secret_is_made_once);
	tcase_add_test(tcase, secret_needs_an_account);
	tcase_add_test(tcase, both_secrets_sign_while_they_overlap);
	tcase_add_test(tcase, attempts_are_listed_newest_first_and_the_oldest_give_way);
	tcase_add_test(tcase, attempts_that_cannot_be_read_begin_again);
	tcase_add_test(tcase, no_attempts_are_kept_of_an_account_that_is_gone);
	tcase_add_test(tcase, put_checks_what_it_is_given);
	tcase_add_test(tcase, wrong_settings_are_refused_at_start);
	suite_add_tcase(suite, tcase);
	return suite;
}
