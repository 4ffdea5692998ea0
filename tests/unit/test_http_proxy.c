/* SPDX-License-Identifier: ISC */
/*
 * test_http_proxy.c: what proxies may say of their clients, and what is believed of it.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "http/proxy.h"

Suite *suite_http_proxy(void);

#define PROXIES "10.0.0.0/8, 2001:db8:1::/48"
#define BINARY "\r\n\r\n\0\r\nQUIT\n"

/* --- the PROXY protocol --- */

static const struct line_case {
	const char *bytes;
	size_t len;
	enum http_proxy_state state;
	const char *client; /* "10.0.0.1" is the proxy itself */
} line_cases[] = {
#define LINE(text, state, client) \
	{ \
		text, sizeof(text) - 1, state, client \
	}
	LINE("PROXY TCP4 203.0.113.7 192.0.2.1 51111 443\r\n", HTTP_PROXY_DONE, "203.0.113.7"),
	LINE("PROXY TCP6 2001:db8::7 2001:db8::1 51111 443\r\n", HTTP_PROXY_DONE, "2001:db8::7"),
	LINE("PROXY UNKNOWN\r\n", HTTP_PROXY_DONE, "10.0.0.1"),
	LINE("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", HTTP_PROXY_DONE, "10.0.0.1"),
	LINE("PROXY TCP4 203.0.113.7", HTTP_PROXY_MORE, "10.0.0.1"),
	LINE("PROX", HTTP_PROXY_MORE, "10.0.0.1"),
	LINE("", HTTP_PROXY_MORE, "10.0.0.1"),
	LINE("PROXY \r\n", HTTP_PROXY_FAULT, "10.0.0.1"),
	LINE("PROXY TCP4 203.0.113.7\n", HTTP_PROXY_FAULT, "10.0.0.1"),
	LINE("PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n", HTTP_PROXY_FAULT, "10.0.0.1"),
	LINE("PROXY TCP6 203.0.113.7 192.0.2.1 1 2\r\n", HTTP_PROXY_FAULT, "10.0.0.1"),
	LINE("PROXY TCP4 203.0.113.777 192.0.2.1 1 2\r\n", HTTP_PROXY_FAULT, "10.0.0.1"),
	LINE("PROXY TCP4 203.0.113.7\0 192.0.2.1 1 2\r\n", HTTP_PROXY_FAULT, "10.0.0.1"),
	LINE("PROXY UDP4 203.0.113.7 192.0.2.1 1 2\r\n", HTTP_PROXY_FAULT, "10.0.0.1"),
	LINE("PROXY UNKNOWN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	     "aaaaa\r\n",
	     HTTP_PROXY_FAULT, "10.0.0.1"),
	LINE("GET / HTTP/1.1\r\n", HTTP_PROXY_FAULT, "10.0.0.1"),
	LINE("\x16\x03\x01", HTTP_PROXY_FAULT, "10.0.0.1"),
	LINE(BINARY "\x21\x11\x00\x0c\xcb\x00\x71\x07\xc0\x00\x02\x01\xc7\xa7\x01\xbb", HTTP_PROXY_DONE, "203.0.113.7"),
	LINE(BINARY "\x21\x11\x00\x0f\xcb\x00\x71\x07\xc0\x00\x02\x01\xc7\xa7\x01\xbb\x04\x00\x00", HTTP_PROXY_DONE,
	     "203.0.113.7"),
	LINE(BINARY
	     "\x21\x21\x00\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
	     "\xc7\xa7\x01\xbb",
	     HTTP_PROXY_DONE, "2001:db8::7"),
	LINE(BINARY "\x20\x00\x00\x00", HTTP_PROXY_DONE, "10.0.0.1"),
	LINE(BINARY "\x21\x00\x00\x00", HTTP_PROXY_DONE, "10.0.0.1"),
	LINE(BINARY "\x21\x11\x00\x0c\xcb\x00", HTTP_PROXY_MORE, "10.0.0.1"),
	LINE(BINARY "\x21\x11\x00\x04\xcb\x00\x71\x07", HTTP_PROXY_FAULT, "10.0.0.1"),
	LINE(BINARY "\x22\x11\x00\x00", HTTP_PROXY_FAULT, "10.0.0.1"),
	LINE(BINARY "\x11\x11\x00\x00", HTTP_PROXY_FAULT, "10.0.0.1"),
	LINE(BINARY "\x21\x11\xff\xff", HTTP_PROXY_FAULT, "10.0.0.1"),
	LINE("\r\n\r\n\r", HTTP_PROXY_FAULT, "10.0.0.1"),
};

static void check_ip(const struct ip *ip, const char *expected, const char *what)
{
	char text[IP_TEXT_LEN];

	ip_format(text, ip);
	ck_assert_msg(strcmp(text, expected) == 0, "%s: %s, expected %s", what, text, expected);
}

/* Given in pieces of `piece` bytes, with a byte after it that must be left. */
static void check_line(const struct line_case *row, size_t piece)
{
	struct http_proxy_line line = { 0 };
	enum http_proxy_state state = HTTP_PROXY_MORE;
	char bytes[256];
	size_t at = 0, taken;
	struct ip client;

	memcpy(bytes, row->bytes, row->len);
	bytes[row->len] = '!';
	ck_assert(ip_parse(&client, "10.0.0.1"));
	while (state == HTTP_PROXY_MORE && at < row->len) {
		size_t len = row->len - at < piece ? row->len - at : piece;
		bool is_last = at + len == row->len && row->state != HTTP_PROXY_MORE;

		state = http_proxy_take(&line, (struct str){ bytes + at, len + is_last }, &taken, &client);
		ck_assert_uint_le(taken, len);
		at += taken;
	}
	ck_assert_msg(state == row->state, "%s (%zu bytes): %d, expected %d", row->bytes, row->len, state, row->state);
	ck_assert(state != HTTP_PROXY_DONE || at == row->len);
	check_ip(&client, row->client, row->bytes);
}

START_TEST(proxy_line_names_the_client_whatever_pieces_it_comes_in)
{
	static const size_t pieces[] = { 1, 2, 7, 256 };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		check_line(&line_cases[_i], pieces[i]);
}
END_TEST

/* --- header fields --- */

static const struct field_case {
	const char *fields; /* the setting */
	const char *lines;
	const char *client; /* "10.0.0.1" is the proxy itself */
	bool is_https;
	const char *host; /* NULL: none was named */
} field_cases[] = {
	{ "x-forwarded", "", "10.0.0.1", false, NULL },
	{ "x-forwarded", "X-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7", false, NULL },
	{ "x-forwarded", "x-forwarded-for: 2001:db8::7\r\nx-forwarded-proto: HTTPS\r\n", "2001:db8::7", true, NULL },
	{ "x-forwarded", "X-Forwarded-For: 203.0.113.7:51111\r\n", "203.0.113.7", false, NULL },
	{ "x-forwarded", "X-Forwarded-For: [2001:db8::7]:51111\r\n", "2001:db8::7", false, NULL },
	/* what a client says itself stands before its address */
	{ "x-forwarded", "X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n", "203.0.113.7", false, NULL },
	{ "x-forwarded", "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7", false,
	  NULL },
	{ "x-forwarded", "X-Forwarded-For: 10.9.9.9, 203.0.113.7\r\n", "203.0.113.7", false, NULL },
	/* several proxies */
	{ "x-forwarded", "X-Forwarded-For: 198.51.100.1, 203.0.113.7, 10.0.0.2\r\n", "203.0.113.7", false, NULL },
	{ "x-forwarded", "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 2001:db8:1::9,10.0.0.3 ,10.0.0.2\r\n",
	  "203.0.113.7", false, NULL },
	{ "x-forwarded", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3", false, NULL },
	/* what cannot be read ends it */
	{ "x-forwarded", "X-Forwarded-For: 203.0.113.7, unknown\r\n", "10.0.0.1", false, NULL },
	{ "x-forwarded", "X-Forwarded-For: 203.0.113.7, , 10.0.0.2\r\n", "10.0.0.2", false, NULL },
	{ "x-forwarded", "X-Forwarded-For: ,\r\nX-Forwarded-Proto: ftp\r\n", "10.0.0.1", false, NULL },
	{ "x-forwarded", "X-Forwarded-For: [\r\n", "10.0.0.1", false, NULL },
	/* a quote that a client has left open */
	{ "x-forwarded", "X-Forwarded-For: \", 203.0.113.7\r\n", "203.0.113.7", false, NULL },
	{ "x-forwarded", "X-Forwarded-For: 10.9.9.9\", \\, 203.0.113.7, 10.0.0.2\r\n", "203.0.113.7", false, NULL },
	{ "x-forwarded", "X-Forwarded-Proto: http, https\r\nX-Forwarded-Host: a.example:8443\r\n", "10.0.0.1", true,
	  "a.example:8443" },
	{ "x-forwarded", "X-Forwarded-Host: a.example/<script>\r\n", "10.0.0.1", false, NULL },
	/* the other kind comes from the client */
	{ "x-forwarded", "Forwarded: for=203.0.113.7;proto=https\r\n", "10.0.0.1", false, NULL },
	{ "forwarded", "X-Forwarded-For: 203.0.113.7\r\n", "10.0.0.1", false, NULL },
	{ "none", "X-Forwarded-For: 203.0.113.7\r\nForwarded: for=203.0.113.7\r\n", "10.0.0.1", false, NULL },
	{ "forwarded", "Forwarded: for=203.0.113.7;proto=https;host=a.example\r\n", "203.0.113.7", true, "a.example" },
	{ "forwarded", "Forwarded: For=\"[2001:db8::7]:4711\" ; PROTO=http\r\n", "2001:db8::7", false, NULL },
	{ "forwarded", "Forwarded: for=198.51.100.1, for=203.0.113.7;proto=https, for=10.0.0.2;proto=http\r\n",
	  "203.0.113.7", false, NULL },
	{ "forwarded", "Forwarded: for=203.0.113.7;by=\"x, y\"\r\n", "203.0.113.7", false, NULL },
	{ "forwarded", "Forwarded: for=_hidden, for=unknown\r\n", "10.0.0.1", false, NULL },
	{ "forwarded", "Forwarded: proto=https\r\n", "10.0.0.1", true, NULL },
	{ "forwarded", "Forwarded: for=\"\r\n", "10.0.0.1", false, NULL },
	{ "forwarded", "Forwarded: for=\"x, for=203.0.113.7\r\n", "203.0.113.7", false, NULL },
	{ "forwarded", "Forwarded: for=10.9.9.9;x=\", for=\"[2001:db8::7]:1\"\r\n", "2001:db8::7", false, NULL },
	/* a client's own Host, as its proxy has quoted it */
	{ "forwarded", "Forwarded: host=\"a;for=198.51.100.1;b\";for=203.0.113.7\r\n", "203.0.113.7", false, NULL },
	{ "forwarded", "Forwarded: for=10.1.1.1, host=\"a\\\", for=10.9.9.9\";for=203.0.113.7\r\n", "203.0.113.7",
	  false, NULL },
	{ "forwarded", "Forwarded: ;;;=,=;\r\n", "10.0.0.1", false, NULL },
};

START_TEST(fields_of_proxies_name_the_client_and_nobody_else_can)
{
	const struct field_case *row = &field_cases[_i];
	static struct http_head head;
	struct http_client client = { 0 };
	struct http_fault fault;
	char text[1024];

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", row->lines);
	ck_assert_int_eq(http_head_parse(&head, str_from(text), &fault), 0);
	ck_assert(ip_parse(&client.ip, "10.0.0.1"));
	http_forwarded_apply(&client, &head, row->fields, PROXIES);
	check_ip(&client.ip, row->client, row->lines);
	ck_assert_msg(client.is_https == row->is_https, "%s: https %d", row->lines, client.is_https);
	ck_assert_msg(row->host ? str_is(client.host, row->host) : !client.host.p, "%s: host %.*s", row->lines,
	              STR_ARGS(client.host));
}
END_TEST

Suite *suite_http_proxy(void)
{
	Suite *suite = suite_create("http_proxy");
	TCase *lines = tcase_create("lines"), *fields = tcase_create("fields");

	tcase_add_loop_test(lines, proxy_line_names_the_client_whatever_pieces_it_comes_in, 0,
	                    sizeof(line_cases) / sizeof(line_cases[0]));
	tcase_add_loop_test(fields, fields_of_proxies_name_the_client_and_nobody_else_can, 0,
	                    sizeof(field_cases) / sizeof(field_cases[0]));
	suite_add_tcase(suite, lines);
	suite_add_tcase(suite, fields);
	return suite;
}
