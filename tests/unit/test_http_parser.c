/* SPDX-License-Identifier: ISC */
/*
 * test_http_parser.c: what the parser of request heads and chunked bodies promises.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "http/parser.h"
#include "http/router.h"

#define HEAD_MAX 4096

#define ck_assert_str(s, text) \
	ck_assert_msg(str_is((s), (text)), "%s is \"%.*s\", expected \"%s\"", #s, STR_ARGS(s), (text))

/* 0, or the status of the fault; `head` borrows from `text`. */
static int parse(struct http_head *head, const char *text)
{
	struct http_head_scan scan = { 0 };
	struct http_fault fault = { 0 };
	struct str data = str_from(text);

	if (http_head_end(&scan, data, HEAD_MAX, &fault) == HTTP_SCAN_FAULT)
		return fault.status;
	ck_assert_uint_eq(scan.line, data.len);
	data.p += scan.skipped;
	data.len -= scan.skipped;
	return http_head_parse(head, data, &fault) < 0 ? fault.status : 0;
}

START_TEST(head_is_taken_apart)
{
	static struct http_head head;

	ck_assert_int_eq(parse(&head, "POST /v1/cdrs?product=SMS HTTP/1.1\r\nHost: a.example:8080\r\nX-One:  two \t\r\n"
	                              "Content-Length: 12\r\n\r\n"),
	                 0);
	ck_assert_str(head.method, "POST");
	ck_assert_str(head.target, "/v1/cdrs?product=SMS");
	ck_assert_str(head.path, "/v1/cdrs");
	ck_assert_str(head.query, "product=SMS");
	ck_assert_str(head.host, "a.example:8080");
	ck_assert_str(http_head_field(&head, "x-one"), "two");
	ck_assert_ptr_null(http_head_field(&head, "x-on").p);
	ck_assert_uint_eq(head.content_length, 12);
	ck_assert(head.keep_alive && !head.chunked && !head.expect_continue);
}
END_TEST

START_TEST(absolute_target_names_path_and_host)
{
	static struct http_head head;

	ck_assert_int_eq(parse(&head, "GET http://b.example/x?y HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
	ck_assert_str(head.host, "b.example");
	ck_assert_str(head.path, "/x");
	ck_assert_int_eq(parse(&head, "GET HTTPS://b.example?y HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
	ck_assert_str(head.path, "/");
	ck_assert_str(head.query, "y");
}
END_TEST

START_TEST(connection_persists_only_by_http_1_1_rules)
{
	static struct http_head head;

	ck_assert_int_eq(parse(&head, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 0);
	ck_assert(!head.keep_alive);
	ck_assert_ptr_null(head.host.p);
	ck_assert_int_eq(parse(&head, "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"), 0);
	ck_assert(!head.keep_alive);
	ck_assert_int_eq(parse(&head, "GET / HTTP/1.7\r\nHost: a\r\n\r\n"), 0);
	ck_assert(head.keep_alive);
}
END_TEST

static const struct {
	int status;
	const char *text;
} verdicts[] = {
	{ 0, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 0, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 0, "GET / HTTP/1.1\r\nHost:\r\n\r\n" },
	{ 0, "GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\r\n\r\n" },
	{ 0, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n" },
	{ 0, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nExpect: 100-Continue\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\nHost: a\n\n" },
	{ 400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n" },
	{ 400, "GET /\r\n\r\n" },
	{ 400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, " / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET / http/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET / HTTP/11\r\nHost: a\r\n\r\n" },
	{ 505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n" },
	{ 400, "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 501, "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\x7f\r\n\r\n" },
	{ 400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\r\n\r\n" },
	{ 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" },
	{ 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n" },
	{ 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n" },
	{ 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n" },
	{ 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n" },
	{ 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" },
	{ 400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n" },
	{ 400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" },
	{ 501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" },
	{ 501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n" },
	{ 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" },
	{ 417, "POST / HTTP/1.1\r\nHost: a\r\nExpect: luck\r\n\r\n" },
};

START_TEST(head_is_accepted_or_refused_with_its_status)
{
	static struct http_head head;

	ck_assert_msg(parse(&head, verdicts[_i].text) == verdicts[_i].status, "got %d, expected %d for:\n%s",
	              parse(&head, verdicts[_i].text), verdicts[_i].status, verdicts[_i].text);
}
END_TEST

START_TEST(nul_in_a_head_is_refused)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n";
	static struct http_head head;
	struct http_fault fault;

	ck_assert_int_eq(http_head_parse(&head, (struct str){ text, sizeof(text) - 1 }, &fault), -1);
	ck_assert_int_eq(fault.status, 400);
}
END_TEST

START_TEST(head_that_arrives_byte_by_byte_ends_at_its_empty_line)
{
	static const char text[] = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET";
	size_t head_len = sizeof(text) - 1 - 3;
	struct http_head_scan scan = { 0 };
	struct http_fault fault;

	for (size_t len = 1; len < head_len; len++)
		ck_assert_int_eq(http_head_end(&scan, (struct str){ text, len }, HEAD_MAX, &fault), HTTP_SCAN_MORE);
	ck_assert_int_eq(http_head_end(&scan, (struct str){ text, head_len }, HEAD_MAX, &fault), HTTP_SCAN_DONE);
	ck_assert_uint_eq(scan.line, head_len);
	ck_assert_uint_eq(scan.skipped, 2);
}
END_TEST

START_TEST(head_beyond_the_limit_is_414_in_the_request_line_and_431_after_it)
{
	static const char line[] = "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
	struct http_head_scan scan = { 0 };
	struct http_fault fault;

	ck_assert_int_eq(http_head_end(&scan, str_from(line), 20, &fault), HTTP_SCAN_FAULT);
	ck_assert_int_eq(fault.status, 414);
	scan = (struct http_head_scan){ 0 };
	ck_assert_int_eq(http_head_end(&scan, str_from(line), sizeof(line) - 2, &fault), HTTP_SCAN_FAULT);
	ck_assert_int_eq(fault.status, 431);
	scan = (struct http_head_scan){ 0 };
	ck_assert_int_eq(http_head_end(&scan, str_from(line), sizeof(line) - 1, &fault), HTTP_SCAN_DONE);
}
END_TEST

START_TEST(too_many_headers_are_431)
{
	static char text[HEAD_MAX] = "GET / HTTP/1.1\r\nHost: a\r\n";
	static struct http_head head;

	for (int i = 1; i < HTTP_FIELDS_MAX; i++)
		strcat(text, "X: y\r\n");
	size_t len = strlen(text);

	strcpy(text + len, "\r\n");
	ck_assert_int_eq(parse(&head, text), 0);
	ck_assert_uint_eq(head.fields_count, HTTP_FIELDS_MAX);
	strcpy(text + len, "X: y\r\n\r\n");
	ck_assert_int_eq(parse(&head, text), 431);
}
END_TEST

/* --- chunked --- */

/* Feeds `text` in pieces of `step`; the data is appended to `out`. What is left of the last piece is in *rest. */
static enum http_chunk unchunk(const char *text, size_t step, char *out, struct str *rest)
{
	struct http_chunked chunked = { 0 };
	struct http_fault fault;
	enum http_chunk result = HTTP_CHUNK_MORE;
	size_t len = strlen(text);

	for (size_t at = 0; at < len && result == HTTP_CHUNK_MORE; at += step) {
		*rest = (struct str){ text + at, at + step < len ? step : len - at };
		while ((result = http_chunked_next(&chunked, rest, &fault)) == HTTP_CHUNK_DATA) {
			size_t count = rest->len < chunked.left ? rest->len : (size_t)chunked.left;

			strncat(out, rest->p, count);
			http_chunked_take(&chunked, count);
			rest->p += count;
			rest->len -= count;
		}
	}
	return result;
}

START_TEST(chunks_are_joined_however_they_are_cut)
{
	static const char text[] = "3\r\nabc\r\n0A;name=\"v\"\r\n0123456789\r\n1 ;x\r\n!\r\n0\r\nTrailer: x\r\n\r\nGET";
	char out[64] = "";
	struct str rest;

	ck_assert_int_eq(unchunk(text, (size_t)_i, out, &rest), HTTP_CHUNK_END);
	ck_assert_str_eq(out, "abc0123456789!");
	if ((size_t)_i >= sizeof(text))
		ck_assert_str(rest, "GET");
}
END_TEST

static const char *const broken_chunks[] = {
	"x\r\n",
	"\r\n",
	";a\r\n",
	"-1\r\n",
	"+1\r\n",
	"0x1\r\n",
	"1\n",
	"1\rx",
	"1 \r\na",
	"1\r\nab",
	"1\r\na\n",
	"1;a\nb",
	"1;a\x01",
	"1234567890abcdef0\r\n",
	"0\r\n x: y\r\n\r\n",
	"0\r\na\nb",
	"0\r\n\rx",
};

START_TEST(broken_chunk_is_a_fault)
{
	char out[64] = "";
	struct str rest;

	ck_assert_msg(unchunk(broken_chunks[_i], 1, out, &rest) == HTTP_CHUNK_FAULT, "taken: %s", broken_chunks[_i]);
}
END_TEST

START_TEST(endless_extension_or_trailer_is_a_fault)
{
	static const char *const beginnings[] = { "1;", "0\r\nX: ", "1 " };
	static char text[10000];
	char out[64] = "";
	struct str rest;

	memset(text, _i == 2 ? ' ' : 'x', sizeof(text) - 1);
	memcpy(text, beginnings[_i], strlen(beginnings[_i]));
	ck_assert_int_eq(unchunk(text, sizeof(text), out, &rest), HTTP_CHUNK_FAULT);
}
END_TEST

/* --- routes --- */

static const struct http_route routes[] = {
	{ HTTP_GET, "/v2/reports", HTTP_BODY_NONE, NULL, NULL, NULL },
	{ HTTP_POST, "/v2/reports", HTTP_BODY_NONE, NULL, NULL, NULL },
	{ HTTP_GET, "/v2/reports/records", HTTP_BODY_NONE, NULL, NULL, NULL },
	{ HTTP_DELETE, "/v2/reports/{id}", HTTP_BODY_NONE, NULL, NULL, NULL },
	{ 0 },
};

static const struct {
	const char *method, *path;
	int row;           /* -1: none */
	const char *extra; /* the segment, or Allow */
} lookups[] = {
	{ "GET", "/v2/reports", 0, "" },
	{ "HEAD", "/v2/reports/", 0, "" },
	{ "POST", "/v2/reports", 1, "" },
	{ "GET", "/v2/report%73", 0, "" },
	{ "GET", "/v2/reports/records/", 2, "" },
	{ "DELETE", "/v2/reports/a%2Fb", 3, "a/b" },
	{ "PUT", "/v2/reports", -1, "GET, POST, HEAD" },
	{ "GET", "/v2/reports/x", -1, "DELETE" },
	{ "GET", "/v2/reports//", -1, "" },
	{ "DELETE", "/v2/reports/%", -1, "" },
	{ "DELETE", "/v2/reports/%00", -1, "" },
	{ "GET", "//v2/reports", -1, "" },
	{ "GET", "/v2/reports/x/y", -1, "" },
	{ "GET", "/", -1, "" },
	{ "GET", "*", -1, "" },
};

START_TEST(route_is_found_or_its_methods_told)
{
	struct buf segment = { 0 }, allow = { 0 };
	unsigned allowed;
	const struct http_route *route =
		http_router_find(routes, str_from(lookups[_i].method), str_from(lookups[_i].path), &segment, &allowed);

	ck_assert_int_eq(route ? (int)(route - routes) : -1, lookups[_i].row);
	http_router_allow(&allow, route ? 0 : allowed);
	if (route && route->path[strlen(route->path) - 1] != '}')
		buf_clear(&segment);
	ck_assert_str_eq(buf_cstr(route ? &segment : &allow), lookups[_i].extra);
	buf_free(&segment);
	buf_free(&allow);
}
END_TEST

/* It matched the next route of its form before, so that a method was said not to be taken that is. */
START_TEST(name_that_has_no_room_is_not_taken_for_another)
{
	struct buf segment = { .max_bytes = 4 };
	unsigned allowed;

	ck_assert_ptr_null(
		http_router_find(routes, STR_LITERAL("DELETE"), STR_LITERAL("/v2/reports/abcdef"), &segment, &allowed));
	ck_assert(segment.failed);
	ck_assert_uint_eq(allowed, 0);
	buf_free(&segment);
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

Suite *suite_http_parser(void);

Suite *suite_http_parser(void)
{
	Suite *suite = suite_create("http_parser");
	TCase *head = tcase_create("head");
	TCase *chunked = tcase_create("chunked");
	TCase *router = tcase_create("router");

	tcase_add_test(head, head_is_taken_apart);
	tcase_add_test(head, absolute_target_names_path_and_host);
	tcase_add_test(head, connection_persists_only_by_http_1_1_rules);
	tcase_add_loop_test(head, head_is_accepted_or_refused_with_its_status, 0, COUNT(verdicts));
	tcase_add_test(head, nul_in_a_head_is_refused);
	tcase_add_test(head, head_that_arrives_byte_by_byte_ends_at_its_empty_line);
	tcase_add_test(head, head_beyond_the_limit_is_414_in_the_request_line_and_431_after_it);
	tcase_add_test(head, too_many_headers_are_431);
	tcase_add_loop_test(chunked, chunks_are_joined_however_they_are_cut, 1, 80);
	tcase_add_loop_test(chunked, broken_chunk_is_a_fault, 0, COUNT(broken_chunks));
	tcase_add_loop_test(chunked, endless_extension_or_trailer_is_a_fault, 0, 3);
	tcase_add_loop_test(router, route_is_found_or_its_methods_told, 0, COUNT(lookups));
	tcase_add_test(router, name_that_has_no_room_is_not_taken_for_another);
	suite_add_tcase(suite, head);
	suite_add_tcase(suite, chunked);
	suite_add_tcase(suite, router);
	return suite;
}
