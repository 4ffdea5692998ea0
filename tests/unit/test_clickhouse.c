/* SPDX-License-Identifier: ISC */
/*
 * test_clickhouse.c: queries to servers that answer, fail, hang or are not there; lists of hosts; tables.
 */
#include <check.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "clickhouse/client.h"
#include "clickhouse/hosts.h"
#include "clickhouse/rows_body.h"
#include "clickhouse/schema.h"

enum behaviour { ANSWERS, IS_BUSY, IS_DAMAGED, HAS_NO_THREAD, MEETS_ANOTHER, FAILS, HANGS };

/* What a server does with queries; looks, which the client makes by itself, it answers. */
struct server {
	struct evhttp *http;
	unsigned port;
	enum behaviour does;
	int asked;
	char body[512], uri[512];
	size_t body_len;
};

static struct event_base *base;
static struct server servers[2];
static struct clickhouse *clickhouse;

static struct {
	int count;
	bool failed;
	struct error err;
	char answer[256];
	size_t len;
} ended;

static void serve(struct evhttp_request *request, void *arg)
{
	struct server *server = arg;
	struct evbuffer *in = evhttp_request_get_input_buffer(request), *out = evbuffer_new();
	size_t len = evbuffer_get_length(in);
	bool looks = len > 4 && memmem(evbuffer_pullup(in, -1), len, "system.replicas", 15);
	static const struct {
		int status;
		const char *text;
	} answers[] = {
		[ANSWERS] = { 200, "17\n" },
		[IS_BUSY] = { 500, "Code: 202, e.displayText() = DB::Exception: Too many simultaneous queries" },
		[IS_DAMAGED] = { 500, "Code: 40, e.displayText() = DB::Exception: Checksum doesn't match" },
		[HAS_NO_THREAD] = { 500, "Code: 439. DB::Exception: Cannot schedule a task" },
		[MEETS_ANOTHER] = { 500,
		                    "Code: 286, e.displayText() = DB::Exception: Quorum for previous write has not "
		                    "been satisfied yet" },
		[FAILS] = { 500, "Code: 62, e.displayText() = DB::Exception: Syntax error\nmore" }
	};

	if (!looks) {
		server->asked++;
		server->body_len = len < sizeof(server->body) ? len : sizeof(server->body) - 1;
		memset(server->body, 0, sizeof(server->body));
		memcpy(server->body, evbuffer_pullup(in, -1), server->body_len);
		snprintf(server->uri, sizeof(server->uri), "%s", evhttp_request_get_uri(request));
	}
	if (looks) {
		evbuffer_add_printf(out, "0\n");
		evhttp_send_reply(request, 200, "OK", out);
	} else if (server->does != HANGS) {
		evbuffer_add_printf(out, "%s", answers[server->does].text);
		evhttp_send_reply(request, answers[server->does].status, "", out);
	}
	evbuffer_free(out);
}

static void begin_server(struct server *server)
{
	struct evhttp_bound_socket *bound;
	struct sockaddr_in address;
	socklen_t len = sizeof(address);

	*server = (struct server){ .http = evhttp_new(base) };
	evhttp_set_gencb(server->http, serve, server);
	bound = evhttp_bind_socket_with_handle(server->http, "127.0.0.1", 0);
	ck_assert_ptr_nonnull(bound);
	ck_assert_int_eq(getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &len), 0);
	server->port = ntohs(address.sin_port);
}

/* A cluster of one shard, with these as its replicas. */
static void connect_to(const char *hosts, size_t answer_bytes_max)
{
	const struct clickhouse_options options = { .hosts = hosts,
		                                    .user = "cdrd",
		                                    .password = "secret",
		                                    .database = "cdrd",
		                                    .ca_file = "",
		                                    .connect_timeout_us = 200000,
		                                    .attempt_timeout_us = 300000,
		                                    .answer_bytes_max = answer_bytes_max };
	struct error err;

	clickhouse = clickhouse_new(base, &options, &err);
	ck_assert_msg(clickhouse != NULL, "%s", err.message);
}

static void set_up(void)
{
	char hosts[64];

	base = event_base_new();
	begin_server(&servers[0]);
	begin_server(&servers[1]);
	memset(&ended, 0, sizeof(ended));
	snprintf(hosts, sizeof(hosts), "127.0.0.1:%u, 127.0.0.1:%u", servers[0].port, servers[1].port);
	connect_to(hosts, 200);
}

static void tear_down(void)
{
	clickhouse_free(clickhouse);
	evhttp_free(servers[0].http);
	evhttp_free(servers[1].http);
	event_base_free(base);
}

static void on_ended(void *arg, struct buf *answer, const struct error *err)
{
	(void)arg;
	ended.count++;
	ended.failed = err != NULL;
	if (err)
		ended.err = *err;
	ended.len = answer->len;
	snprintf(ended.answer, sizeof(ended.answer), "%.*s", (int)answer->len, answer->data ? answer->data : "");
}

static void run_for(int64_t us)
{
	struct timeval time = clock_timeval(us);

	event_base_loopexit(base, &time);
	event_base_dispatch(base);
}

static void ask(struct clickhouse_request request)
{
	struct error err;

	request.ended = on_ended;
	if (!request.patience_us)
		request.patience_us = 5 * CLOCK_US_PER_SECOND;
	if (!request.sql.p)
		request.sql = STR_LITERAL("SELECT 17");
	ck_assert_ptr_nonnull(clickhouse_start(clickhouse, &request, &err));
	for (int i = 0; i < 500 && ended.count == 0; i++)
		run_for(20000);
	ck_assert_int_eq(ended.count, 1);
}

START_TEST(query_is_answered)
{
	ask((struct clickhouse_request){ .settings = "max_threads=1" });
	ck_assert_msg(!ended.failed, "%s", ended.err.message);
	ck_assert_str_eq(ended.answer, "17\n");
	ck_assert_str_eq(servers[0].body, "SELECT 17");
	ck_assert_ptr_nonnull(strstr(servers[0].uri, "wait_end_of_query=1"));
	ck_assert_ptr_nonnull(strstr(servers[0].uri, "&database=cdrd&max_threads=1"));
}
END_TEST

/* What gzip makes of it; false if it is not whole. */
static bool inflate_all(const char *bytes, size_t len, char *out, size_t *out_len)
{
	struct inflate_state state;

	isal_inflate_init(&state);
	state.crc_flag = ISAL_GZIP;
	state.next_in = (uint8_t *)(uintptr_t)bytes;
	state.avail_in = (uint32_t)len;
	state.next_out = (uint8_t *)out;
	state.avail_out = (uint32_t)*out_len;
	bool is_fine = isal_inflate(&state) == ISAL_DECOMP_OK && state.block_state == ISAL_BLOCK_FINISH;
	*out_len = state.total_out;
	return is_fine && state.avail_in == 0;
}

START_TEST(rows_that_break_off_are_not_whole)
{
	static const size_t lengths[] = { 0, 1, 65534, 65535, 65536, 131070, 200000 };
	static char rows[200000], body[201000], out[200001];

	for (size_t i = 0; i < sizeof(rows); i++)
		rows[i] = (char)(i * 7 + i / 256);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const struct str text = { rows, lengths[i] };
		size_t len = 0, got, out_len = sizeof(out);
		struct rows_body made;

		rows_body_begin(&made, text);
		while ((got = rows_body_read(&made, body + len, 1 + len % 5000)) > 0)
			len += got;
		ck_assert_uint_eq(len, rows_body_size(text));
		ck_assert(inflate_all(body, len, out, &out_len));
		ck_assert_uint_eq(out_len, lengths[i]);
		ck_assert_mem_eq(out, rows, out_len);
		for (size_t cut = len; cut-- > 0 && cut + 30 > len;) {
			out_len = sizeof(out);
			ck_assert(!inflate_all(body, cut, out, &out_len));
		}
	}
}
END_TEST

START_TEST(rows_are_the_body_and_the_statement_is_in_the_address)
{
	ask((struct clickhouse_request){ .sql = STR_LITERAL("INSERT INTO t FORMAT RowBinary"),
	                                 .body = STR_LITERAL("rows") });
	char rows[8] = "";
	size_t len = sizeof(rows) - 1;
	ck_assert(inflate_all(servers[0].body, servers[0].body_len, rows, &len));
	ck_assert_str_eq(rows, "rows");
	ck_assert_ptr_nonnull(strstr(servers[0].uri, "&query=INSERT%20INTO%20t%20FORMAT%20RowBinary"));
}
END_TEST

START_TEST(numbers_are_a_table_of_a_form)
{
	ask((struct clickhouse_request){ .set = STR_LITERAL("12345678") });
	ck_assert_ptr_nonnull(strstr(servers[0].body, "name=\"numbers\""));
	ck_assert_ptr_nonnull(strstr(servers[0].body, "\r\n\r\n12345678\r\n--"));
	ck_assert_ptr_nonnull(strstr(servers[0].uri, "numbers_types=UInt64"));
}
END_TEST

START_TEST(next_replica_is_asked_when_one_has_troubles_of_its_own)
{
	static const enum behaviour troubles[] = { IS_BUSY, IS_DAMAGED, HAS_NO_THREAD };

	servers[0].does = troubles[_i];
	ask((struct clickhouse_request){ 0 });
	ck_assert_msg(!ended.failed, "%s", ended.err.message);
	ck_assert_int_eq(servers[0].asked, 1);
	ck_assert_int_eq(servers[1].asked, 1);
	ended.count = 0;
	ask((struct clickhouse_request){ 0 });
	ck_assert_int_eq(servers[0].asked, 1); /* the one that answered is asked first */
	ck_assert_int_eq(servers[1].asked, 2);
}
END_TEST

/* All replicas would say so, and soon none does. */
START_TEST(insert_that_meets_another_one_is_tried_again_soon_at_the_same_replica)
{
	const struct clickhouse_request request = { .sql = STR_LITERAL("SELECT 17"),
		                                    .patience_us = 20 * CLOCK_US_PER_SECOND,
		                                    .ended = on_ended };
	struct error err;

	servers[0].does = MEETS_ANOTHER;
	ck_assert_ptr_nonnull(clickhouse_start(clickhouse, &request, &err));
	for (int i = 0; i < 500 && servers[0].asked < 4; i++)
		run_for(20000);
	ck_assert_int_eq(ended.count, 0);
	servers[0].does = ANSWERS;
	for (int i = 0; i < 500 && ended.count == 0; i++)
		run_for(20000);
	ck_assert_msg(ended.count == 1 && !ended.failed, "%s", ended.err.message);
	ck_assert_int_eq(servers[1].asked, 0);
}
END_TEST

START_TEST(next_replica_is_asked_when_one_hangs)
{
	struct clickhouse_state state;

	servers[0].does = HANGS;
	ask((struct clickhouse_request){ 0 });
	ck_assert_msg(!ended.failed, "%s", ended.err.message);
	ck_assert_str_eq(ended.answer, "17\n");
	clickhouse_state(clickhouse, 2, &state);
	ck_assert_uint_eq(state.servers, 2);
	ck_assert_uint_eq(state.missing, 1);
	ck_assert(state.has_shard_missing);
	clickhouse_state(clickhouse, 1, &state);
	ck_assert(!state.has_shard_missing);
}
END_TEST

START_TEST(wrong_query_is_not_repeated)
{
	servers[0].does = FAILS;
	ask((struct clickhouse_request){ 0 });
	ck_assert(ended.failed);
	ck_assert_int_eq(ended.err.code, ERROR_IO);
	ck_assert_ptr_nonnull(strstr(ended.err.message, "Syntax error"));
	ck_assert_ptr_null(strstr(ended.err.message, "more"));
	ck_assert_int_eq(servers[0].asked + servers[1].asked, 1);
}
END_TEST

START_TEST(servers_that_stay_busy_are_unavailable_in_the_end)
{
	servers[0].does = servers[1].does = IS_BUSY;
	ask((struct clickhouse_request){ .patience_us = CLOCK_US_PER_SECOND });
	ck_assert(ended.failed);
	ck_assert_int_eq(ended.err.code, ERROR_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(ended.err.message, "shard 1 of 1"));
	ck_assert_int_ge(servers[0].asked, 2);
	ck_assert_int_ge(servers[1].asked, 2);
}
END_TEST

START_TEST(query_heals_when_a_server_comes_back)
{
	servers[0].does = servers[1].does = IS_BUSY;
	struct clickhouse_request request = { .sql = STR_LITERAL("SELECT 17"),
		                              .patience_us = 20 * CLOCK_US_PER_SECOND,
		                              .ended = on_ended };
	struct error err;

	ck_assert_ptr_nonnull(clickhouse_start(clickhouse, &request, &err));
	run_for(500000);
	ck_assert_int_eq(ended.count, 0);
	servers[1].does = ANSWERS;
	for (int i = 0; i < 100 && ended.count == 0; i++)
		run_for(50000);
	ck_assert_int_eq(ended.count, 1);
	ck_assert_msg(!ended.failed, "%s", ended.err.message);
}
END_TEST

START_TEST(answer_has_a_limit)
{
	clickhouse_free(clickhouse);
	char hosts[32];

	snprintf(hosts, sizeof(hosts), "127.0.0.1:%u", servers[0].port);
	connect_to(hosts, 2);
	ask((struct clickhouse_request){ 0 });
	ck_assert(ended.failed);
	ck_assert_int_eq(ended.err.code, ERROR_LIMIT);
}
END_TEST

START_TEST(cancelled_query_does_not_end)
{
	struct clickhouse_request request = { .sql = STR_LITERAL("SELECT 17"),
		                              .patience_us = CLOCK_US_PER_SECOND,
		                              .ended = on_ended };
	struct error err;
	struct clickhouse_query *query = clickhouse_start(clickhouse, &request, &err);

	ck_assert_ptr_nonnull(query);
	clickhouse_cancel(query);
	run_for(100000);
	ck_assert_int_eq(ended.count, 0);
}
END_TEST

START_TEST(hosts_are_checked)
{
	static const char *const right[] = { "a:1", "a:1,b:2|c:3,d:4", "https://a.example:8443 , [::1]:8123" };
	static const char *const wrong[] = { "",     "a",    "a:",       ":1",    "a:0",        "a:x",   "a:65536",
		                             "a:1|", "|a:1", "a:1,,b:1", "a b:1", "http://a:1", "a:1/x", "https://:1" };
	struct error err;

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		ck_assert_msg(clickhouse_hosts_check(right[i], &err) == 0, "%s", err.message);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(clickhouse_hosts_check(wrong[i], &err) != 0, "\"%s\" is taken", wrong[i]);
}
END_TEST

START_TEST(versions_of_servers_are_read)
{
	struct schema_server server;

	ck_assert(schema_server_parse(STR_LITERAL("18.16.1"), &server));
	ck_assert(!server.has_low_cardinality && !server.has_parallel_quorum && !server.has_skip_index);
	ck_assert(!server.tells_failures);
	ck_assert(schema_server_parse(STR_LITERAL("20.9.7.11"), &server));
	ck_assert(server.has_low_cardinality && server.has_skip_index && !server.has_parallel_quorum);
	ck_assert(schema_server_parse(STR_LITERAL("20.10.1"), &server));
	ck_assert(server.has_parallel_quorum && server.has_skip_index && !server.may_gather_inserts);
	ck_assert(schema_server_parse(STR_LITERAL("21.11.1"), &server));
	ck_assert(server.may_gather_inserts && !server.has_deduplicate_insert);
	ck_assert(schema_server_parse(STR_LITERAL("26.2.1"), &server));
	ck_assert(server.may_gather_inserts && server.has_deduplicate_insert);
	ck_assert(schema_server_parse(STR_LITERAL("19.17.6.36"), &server));
	ck_assert(server.has_low_cardinality && server.tells_failures && !server.has_skip_index);
	ck_assert(schema_server_parse(STR_LITERAL("26"), &server));
	ck_assert(server.has_low_cardinality && server.has_skip_index);
	ck_assert(!schema_server_parse(STR_LITERAL(""), &server));
	ck_assert(!schema_server_parse(STR_LITERAL("v26"), &server));
	ck_assert(!schema_server_parse(STR_LITERAL("26-x"), &server));
	ck_assert(!schema_server_parse(STR_LITERAL("26."), &server));
}
END_TEST

Suite *suite_clickhouse(void);

Suite *suite_clickhouse(void)
{
	Suite *suite = suite_create("clickhouse");
	TCase *queries = tcase_create("queries"), *texts = tcase_create("texts");

	tcase_add_checked_fixture(queries, set_up, tear_down);
	tcase_add_test(queries, query_is_answered);
	tcase_add_test(queries, rows_that_break_off_are_not_whole);
	tcase_add_test(queries, rows_are_the_body_and_the_statement_is_in_the_address);
	tcase_add_test(queries, numbers_are_a_table_of_a_form);
	tcase_add_loop_test(queries, next_replica_is_asked_when_one_has_troubles_of_its_own, 0, 3);
	tcase_add_test(queries, insert_that_meets_another_one_is_tried_again_soon_at_the_same_replica);
	tcase_add_test(queries, next_replica_is_asked_when_one_hangs);
	tcase_add_test(queries, wrong_query_is_not_repeated);
	tcase_add_test(queries, servers_that_stay_busy_are_unavailable_in_the_end);
	tcase_add_test(queries, query_heals_when_a_server_comes_back);
	tcase_add_test(queries, answer_has_a_limit);
	tcase_add_test(queries, cancelled_query_does_not_end);
	suite_add_tcase(suite, queries);
	tcase_add_test(texts, hosts_are_checked);
	tcase_add_test(texts, versions_of_servers_are_read);
	suite_add_tcase(suite, texts);
	return suite;
}
