/* SPDX-License-Identifier: ISC */
/*
 * test_http_messages.c: all that a connection may bring, and what becomes of it.
 *
 * The cases are of the kinds that other parsers of HTTP are tested with: what was read in two ways once, and made a
 * request that nobody sent. Where a parser could be lenient, the outcome here is the strict one.
 */
#include <check.h>
#include <string.h>

#include "base/buf.h"
#include "http/parser.h"

#define HEAD_MAX 4096

Suite *suite_http_messages(void);

struct outcome {
	struct buf text;
	struct str rest; /* of what came */
	bool ended;
};

/* The body's bytes in brackets, if there are any. True when it is whole. */
static bool read_chunks(struct outcome *outcome)
{
	struct http_chunked chunked = { 0 };
	struct http_fault fault;
	enum http_chunk next;

	buf_add_text(&outcome->text, " [");
	while ((next = http_chunked_next(&chunked, &outcome->rest, &fault)) == HTTP_CHUNK_DATA) {
		size_t count = outcome->rest.len < chunked.left ? outcome->rest.len : (size_t)chunked.left;

		buf_add(&outcome->text, outcome->rest.p, count);
		http_chunked_take(&chunked, count);
		outcome->rest.p += count;
		outcome->rest.len -= count;
	}
	if (next == HTTP_CHUNK_FAULT)
		buf_addf(&outcome->text, "] %d", fault.status);
	else
		buf_add_text(&outcome->text, next == HTTP_CHUNK_END ? "]" : "...");
	return next == HTTP_CHUNK_END;
}

static bool read_length(struct outcome *outcome, uint64_t length)
{
	size_t count = outcome->rest.len < length ? outcome->rest.len : (size_t)length;

	buf_add_text(&outcome->text, " [");
	buf_add(&outcome->text, outcome->rest.p, count);
	buf_add_text(&outcome->text, count == length ? "]" : "...");
	outcome->rest.p += count;
	outcome->rest.len -= count;
	return count == length;
}

static bool read_body(struct outcome *outcome, const struct http_head *head)
{
	if (head->chunked)
		return read_chunks(outcome);
	return head->content_length == 0 || read_length(outcome, head->content_length);
}

/* "GET /target", then "?query" and its body in brackets; false when it is cut off ("...") or refused (a status). */
static bool read_request(struct outcome *outcome)
{
	static struct http_head head;
	struct http_head_scan scan = { 0 };
	struct http_fault fault = { 0 };
	enum http_scan found = http_head_end(&scan, outcome->rest, HEAD_MAX, &fault);
	struct str text = { outcome->rest.p + scan.skipped, scan.line - scan.skipped };

	if (found == HTTP_SCAN_MORE) {
		buf_add_text(&outcome->text, "...");
		return false;
	}
	if (found == HTTP_SCAN_FAULT || http_head_parse(&head, text, &fault) != 0) {
		buf_addf(&outcome->text, "%d", fault.status);
		return false;
	}
	outcome->rest.p += scan.line;
	outcome->rest.len -= scan.line;
	buf_addf(&outcome->text, "%.*s %.*s", STR_ARGS(head.method), STR_ARGS(head.path));
	if (head.query.p)
		buf_addf(&outcome->text, "?%.*s", STR_ARGS(head.query));
	if (!read_body(outcome, &head))
		return false;
	if (head.keep_alive)
		return true;
	buf_add_text(&outcome->text, " close"); /* what comes after it is not read */
	return false;
}

/* Requests as read_request tells them, one after another with " | " between. */
static const char *read_all(struct outcome *outcome, struct str bytes)
{
	*outcome = (struct outcome){ .rest = bytes };
	while (read_request(outcome) && outcome->rest.len > 0)
		buf_add_text(&outcome->text, " | ");
	return buf_cstr(&outcome->text);
}

#define HOST "Host: cdr.example\r\n"
#define GET "GET /v1 HTTP/1.1\r\n" HOST
#define POST "POST /v1 HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define LAST "0\r\n\r\n"
#define NEXT "GET /next HTTP/1.1\r\n" HOST "\r\n"

static const struct {
	const char *outcome;
	const char *bytes;
} messages[] = {
	/* methods: any token is one; the router knows which there are */
	{ "HEAD /v1", "HEAD /v1 HTTP/1.1\r\n" HOST "\r\n" },
	{ "M-GET /v1", "M-GET /v1 HTTP/1.1\r\n" HOST "\r\n" },
	{ "get /v1", "get /v1 HTTP/1.1\r\n" HOST "\r\n" },
	{ "PURGED /v1", "PURGED /v1 HTTP/1.1\r\n" HOST "\r\n" },
	{ "501", "CONNECT cdr.example:443 HTTP/1.1\r\n" HOST "\r\n" },
	{ "501", "CONNECT CDR_1.EXAMPLE:443 HTTP/1.0\r\nContent-Length: 4\r\n\r\nmore" },
	{ "400", "G\x01T /v1 HTTP/1.1\r\n" HOST "\r\n" },
	{ "400", "GET\t/v1 HTTP/1.1\r\n" HOST "\r\n" },
	{ "400", "\tGET /v1 HTTP/1.1\r\n" HOST "\r\n" },

	/* versions and protocols */
	{ "GET /v1 close", "GET /v1 HTTP/1.0\r\n\r\n" NEXT },
	{ "400", "GET /v1\r\n\r\n" },
	{ "505", "GET /v1 HTTP/0.9\r\n\r\n" },
	{ "505", "GET /v1 HTTP/6.3\r\n\r\n" },
	{ "505", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
	{ "400", "GET /v1 ICE/1.1\r\n" HOST "\r\n" },
	{ "400", "PUT /v1 RTSP/1.0\r\n" HOST "\r\n" },
	{ "400", "GET /v1 XHTTP/1.1\r\n" HOST "\r\n" },
	{ "400", "GET /v1 HTTP/1.10\r\n" HOST "\r\n" },
	{ "400", "GET /v1 HTTP/1,1\r\n" HOST "\r\n" },
	{ "400", "GET /v1 HTTP/1.1\t\r\n" HOST "\r\n" },

	/* targets */
	{ "GET /\"quoted\"?a=\"b\"", "GET /\"quoted\"?a=\"b\" HTTP/1.1\r\n" HOST "\r\n" },
	{ "GET /v1?a=b?c=d", "GET /v1?a=b?c=d HTTP/1.1\r\n" HOST "\r\n" },
	{ "GET /v1?a=|", "GET /v1?a=| HTTP/1.1\r\n" HOST "\r\n" },
	{ "GET /?all=yes", "GET http://cdr.example?all=yes HTTP/1.1\r\n" HOST "\r\n" },
	{ "GET /?all=yes", "GET http://cdr.example:8080?all=yes HTTP/1.1\r\n" HOST "\r\n" },
	{ "GET /", "GET http://cdr.example:8080 HTTP/1.1\r\n" HOST "\r\n" },
	{ "400", "GET http://me:pass@cdr.example/v1 HTTP/1.1\r\n" HOST "\r\n" },
	{ "400", "GET /v1?page=2#row-7 HTTP/1.1\r\n" HOST "\r\n" },
	{ "400", "GET /m\xc3\xbcller HTTP/1.1\r\n" HOST "\r\n" },
	{ "400", "GET /v1 v2 HTTP/1.1\r\n" HOST "\r\n" },
	{ "400", "GET /v1\x7f HTTP/1.1\r\n" HOST "\r\n" },
	{ "400", "GET /v1\r/v2 HTTP/1.1\r\n" HOST "\r\n" },
	{ "400", "GET \\v1 HTTP/1.1\r\n" HOST "\r\n" },
	{ "400", "GET ftp://cdr.example/v1 HTTP/1.1\r\n" HOST "\r\n" },

	/* hosts */
	{ "GET /v1", "GET /v1 HTTP/1.1\r\nhOsT: 127.0.0.1=8080\r\n\r\n" },
	{ "GET /v1", "GET /v1 HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n" },
	{ "400", "GET /v1 HTTP/1.1\r\n\r\n" },
	{ "400", "GET /v1 HTTP/1.1\r\n" HOST "host: other.example\r\n\r\n" },
	{ "400", "GET /v1 HTTP/1.1\r\nHost: me@cdr.example\r\n\r\n" },
	{ "400", "GET /v1 HTTP/1.1\r\nHost: cdr.example, other.example/\r\n\r\n" },

	/* names of headers */
	{ "GET /v1", GET "x:+++\r\n\r\n" },
	{ "GET /v1", GET "X-One:\t two \t\r\n\r\n" },
	{ "400", GET "X@: one\r\n\r\n" },
	{ "400", GET "X\x01Y: one\r\n\r\n" },
	{ "400", GET "X\xc3\xa9: one\r\n\r\n" },
	{ "400", GET ": one\r\n\r\n" },
	{ "400", GET "X-One : two\r\n\r\n" },
	{ "400", GET "X One: two\r\n\r\n" },
	{ "400", GET "X-One\r\n : two\r\n\r\n" },
	{ "400", GET "X-One\r\n\r\n" },
	{ "400", GET "Connection\r\x1b\x35\xd5"
	             "eep-Alive\r\nX-One: two\r\n\r\n" },
	{ "400", POST "Content\rLength: 3\r\n\r\nabc" },

	/* values of headers */
	{ "GET /v1", GET "X-One: M\xc3\xbcnchen \xff\r\n\r\n" },
	{ "GET /v1", GET "X-One: a\tb\r\n\r\n" },
	{ "400", GET "X-One: a\fb\r\n\r\n" },
	{ "400", GET "X-One: a\vb\r\n\r\n" },
	{ "400", GET "X-One: a\x7f\r\n\r\n" },

	/* lines that are folded, begin with white space or end in another way */
	{ "400", GET "X-One: a\r\n b\r\n\r\n" },
	{ "400", GET "X-One:\r\n\tb\r\n\r\n" },
	{ "400", GET "Connection: keep-alive,\r\n close\r\n\r\n" },
	{ "400", "GET /v1 HTTP/1.1\r\n " HOST "\r\n" },
	{ "400", POST "X-One: a\r\n Content-Length: 42\r\n\r\n" NEXT },
	{ "400", POST "Transfer-Encoding: chunked\r\n  xyz\r\n\r\n" LAST },
	{ "400", GET "X-One: a\rX-Two: b\r\n\r\n" },
	{ "400", GET "X-One: a\nX-Two: b\r\n\r\n" },
	{ "400", POST "x:x\nTransfer-Encoding: chunked\r\n\r\n" LAST },
	{ "400", POST "x:\nTransfer-Encoding: chunked\r\n\r\n" LAST },
	{ "400", POST "x:\rTransfer-Encoding: chunked\r\n\r\n" LAST },
	{ "400", GET "X-One: a\nContent-Length: 50\r\n\r\n" NEXT },
	{ "400", "GET /v1 HTTP/1.1\n" HOST "\r\n" },
	{ "400", "GET /v1 HTTP/1.1\nHost: a\nX-One: b\n\n" },
	{ "400", "GET /v1 HTTP/1.1\rHost: a\r\n\r\n" },
	{ "400", GET "\n" },
	{ "400", GET "Connection: close\r\n\rXGET /evil: HTTP/1.1\r\n" HOST "\r\n" },

	/* empty lines before a request, and several requests */
	{ "GET /v1", "\r\n" GET "\r\n" },
	{ "GET /v1 | GET /next", GET "\r\n\r\n\r\n" NEXT },
	{ "400", "\n" GET "\r\n" },
	{ "400", "\r" GET "\r\n" },
	{ "POST /a [one] | PUT /b [four] | GET /next",
	  "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\none"
	  "PUT /b HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nfour" NEXT },
	{ "POST /v1 [a=1] | GET /next", POST "Content-Length: 3\r\n\r\na=1\r\n" NEXT },
	{ "POST /v1 [ab...", POST "Content-Length: 3\r\n\r\nab" },
	{ "GET /v1 | ...", GET "\r\n"
	                       "GET /v1 HT" },

	/* whether the connection stays */
	{ "GET /v1 | GET /next", GET "Connection: keep-alive\r\n\r\n" NEXT },
	{ "GET /v1 close", GET "Connection: close\r\n\r\n" NEXT },
	{ "POST /v1 [a=1] close", POST "Content-Length: 3\r\nConnection: CLOSE\r\n\r\na=1\r\n" NEXT },
	{ "GET /v1 close", GET "Connection: keep-alive, , x,close, upgrade\r\n\r\n" NEXT },
	{ "GET /v1 close", GET "Connection: keep-alive\r\nConnection: close\r\n\r\n" NEXT },
	{ "GET /v1 close", "GET /v1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" NEXT },
	{ "GET /v1 | GET /next", GET "Connection: closed\r\n\r\n" NEXT },
	/* an upgrade is not made: what follows is the next request */
	{ "GET /v1 | GET /next", GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" NEXT },
	{ "POST /v1 [abcd] | 400",
	  POST "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nabcdef\r\n\r\n" },

	/* Content-Length */
	{ "POST /v1 [abc]", POST "cONTENT-lENGTH: 003\r\n\r\nabc" },
	{ "POST /v1 [abc]", POST "Content-Length: \t3\t \r\nX-One: a\r\n\r\nabc" },
	{ "POST /v1", POST "Content-Length: 0\r\n\r\n" },
	{ "GET /v1 [abc] close", "GET /v1 HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc" },
	{ "POST /v1 [abc]", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" },
	{ "400", POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd" },
	{ "400", POST "Content-Length: 3,3\r\n\r\nabc" },
	{ "400", POST "Content-Length: 1 2\r\n\r\nabcdefghijkl" },
	{ "400", POST "Content-Length: 12 34\r\n\r\n" },
	{ "400", POST "Content-Length:\r\n\r\n" },
	{ "400", POST "Content-Length: -1\r\n\r\n" },
	{ "400", POST "Content-Length: +3\r\n\r\nabc" },
	{ "400", POST "Content-Length: 0x3\r\n\r\nabc" },
	{ "400", POST "Content-Length: 3.0\r\n\r\nabc" },
	{ "400", POST "Content-Length: 18446744073709551619\r\n\r\nabc" },
	{ "400", POST "Content-Length: 9000000000000000000000\r\n\r\nabc" },
	{ "400", POST "Content-Length: 3\v\r\n\r\nabc" },

	/* Transfer-Encoding */
	{ "POST /v1 [] | GET /next", CHUNKED LAST NEXT },
	{ "POST /v1 [] | GET /next", POST "Transfer-Encoding: chunked \t\r\n\r\n" LAST NEXT },
	{ "POST /v1 []", POST "transfer-encoding:ChunKed\r\n\r\n" LAST },
	{ "400", POST "Transfer-Encoding:\r\nContent-Length: 3\r\n\r\nabc" },
	{ "400", POST "Transfer-Encoding:\r\n\r\n" LAST },
	{ "400", POST "Content-Length: 5\r\nTransfer-Encoding:\r\nTransfer-Encoding:\r\n\r\n" LAST },
	{ "400", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n" LAST },
	{ "400", POST "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n\r\n" LAST },
	{ "400", POST "Transfer-Encoding: chunked,\r\n\r\n" LAST },
	{ "400", POST "Transfer-Encoding: ,chunked\r\n\r\n" LAST },
	{ "400", POST "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc" },
	{ "400", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" LAST },
	{ "400", POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" LAST },
	{ "400", POST "Transfer-Encoding: chunked, gzip\r\n\r\nabc" },
	{ "400", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\nabc" },
	{ "400", POST "Transfer-Encoding: chunked, chunked\r\n\r\n" LAST },
	{ "501", POST "Transfer-Encoding: gzip, chunked\r\n\r\n" LAST },
	{ "501", POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" LAST },
	{ "501", POST "Transfer-Encoding: identity\r\n\r\n" NEXT },
	{ "501", POST "Transfer-Encoding: doves\r\n\r\n" NEXT },
	{ "501", POST "Transfer-Encoding: chunkedchunked\r\n\r\n" LAST },
	{ "501", POST "Transfer-Encoding: chunke\r\n\r\n" LAST },
	{ "501", POST "Transfer-Encoding: \"chunked\"\r\n\r\n" LAST },
	{ "501", POST "Transfer-Encoding: chunked;q=1\r\n\r\n" LAST },
	{ "400", POST "Transfer-Encoding : chunked\r\n\r\n" LAST },
	{ "400", POST "Transfer-Encoding: \vchunked\r\n\r\n" LAST },
	{ "400", "POST /v1 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" LAST },

	/* chunks */
	{ "POST /v1 [0123456789]", CHUNKED "a\r\n0123456789\r\n" LAST },
	{ "POST /v1 [0123456789]", CHUNKED "00A\r\n0123456789\r\n" LAST },
	{ "POST /v1 [hello, you] | GET /next", CHUNKED "5\r\nhello\r\n5\r\n, you\r\n0000\r\n\r\n" NEXT },
	{ "POST /v1 [abc] 400", CHUNKED "3\r\nabc\r\n\r\n" NEXT },
	{ "POST /v1 [abc...", CHUNKED "3\r\nabc\r\n" },
	{ "POST /v1 [] 400", CHUNKED "g\r\n" },
	{ "POST /v1 [] 400", CHUNKED "3 abc\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3 \r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED " 3\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3 \n  \r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3\r\r;abc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3\nabc\r\n" LAST },
	{ "POST /v1 [abc] 400", CHUNKED "3\r\nabc0\r\n\r\n" },
	{ "POST /v1 [abc] 400", CHUNKED "3\r\nabc\n0\r\n\r\n" },
	{ "POST /v1 [abc] 400", CHUNKED "3\r\nabc\rx0\r\n\r\n" },
	{ "POST /v1 [] 400", CHUNKED "0x3\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "-3\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3_\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "10000000000000003\r\nabc\r\n" LAST },

	/* extensions of chunks */
	{ "POST /v1 [abc]", CHUNKED "3;one;two=three;four=\"five; \\\"six\\\" \\\\\"\r\nabc\r\n0;last\r\n\r\n" },
	{ "POST /v1 [abc]", CHUNKED "3 ; one = two ; three\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3;\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3;;one\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3;one=\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3;=one\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3;one two\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3;one \r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3;one=\"two\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3;one=\"two\"three\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3;one=\"two\\\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3;one=\"\n\"\r\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3;one\nabc\r\n" LAST },
	{ "POST /v1 [] 400", CHUNKED "3;one=\x7f\r\nabc\r\n" LAST },

	/* trailers */
	{ "POST /v1 [abc] | GET /next", CHUNKED "3\r\nabc\r\n0\r\nVary: *\r\nX-One:\r\n\r\n" NEXT },
	{ "POST /v1 [] 400", CHUNKED "0\r\nX-One\r\n\r\n" },
	{ "POST /v1 [] 400", CHUNKED "0\r\nX-One : two\r\n\r\n" },
	{ "POST /v1 [] 400", CHUNKED "0\r\n: two\r\n\r\n" },
	{ "POST /v1 [] 400", CHUNKED "0\r\nX-One: two\r\n three\r\n\r\n" },
	{ "POST /v1 [] 400", CHUNKED "0\r\nX-One: two\n\r\n" },
	{ "POST /v1 [] 400", CHUNKED "0\r\nX-One: a\fb\r\n\r\n" },
	{ "POST /v1 [] 400", CHUNKED "0\r\nGET /next HTTP/1.1\r\n" HOST "\r\n" },
	{ "POST /v1 [...", CHUNKED "0\r\n" },
};

START_TEST(bytes_of_a_connection_come_to_one_outcome)
{
	struct outcome outcome;
	const char *got = read_all(&outcome, str_from(messages[_i].bytes));

	ck_assert_msg(strcmp(got, messages[_i].outcome) == 0, "%s\n came to %s\n and not %s", messages[_i].bytes, got,
	              messages[_i].outcome);
	buf_free(&outcome.text);
}
END_TEST

/* Whatever byte stands there: no request comes of what follows. */
START_TEST(no_control_character_hides_a_header)
{
	for (int c = 0; c < 0x20; c++) {
		struct outcome outcome;
		struct buf bytes = { 0 };
		bool allowed = c == '\t';

		buf_add_text(&bytes, POST "X-One: a");
		buf_add_char(&bytes, (char)c);
		buf_add_text(&bytes, "Transfer-Encoding: chunked\r\n\r\n" LAST);
		ck_assert_msg((strcmp(read_all(&outcome, buf_str(&bytes)), "400") == 0) == !allowed, "byte 0x%02x: %s",
		              (unsigned)c, outcome.text.data);
		buf_free(&outcome.text);
		buf_free(&bytes);
	}
}
END_TEST

Suite *suite_http_messages(void)
{
	Suite *suite = suite_create("http_messages");
	TCase *tc = tcase_create("messages");

	tcase_add_loop_test(tc, bytes_of_a_connection_come_to_one_outcome, 0,
	                    (int)(sizeof(messages) / sizeof(messages[0])));
	tcase_add_test(tc, no_control_character_hides_a_header);
	suite_add_tcase(suite, tc);
	return suite;
}
