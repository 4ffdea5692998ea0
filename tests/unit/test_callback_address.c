/* SPDX-License-Identifier: ISC */
/*
 * test_callback_address.c: which URLs and addresses callbacks may have, and how names become addresses.
 *
 * The name server is evdns's own, on the loop of the resolver.
 */
#include <arpa/inet.h>
#include <check.h>
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "callback/address.h"
#include "callback/callback.h"
#include "callback/resolve.h"
#include "callback/multipart.h"
#include "callback/upload.h"
#include "callback/url.h"

Suite *suite_callback_address(void);

static struct error err;

START_TEST(right_urls_pass)
{
	static const char *const urls[] = {
		"http://example.com",
		"https://example.com/hook?x=1&y=%20",
		"HTTPS://EXAMPLE.com:8443/",
		"http://192.0.2.1:80/",
		"http://[2001:db8::1]:8080/",
		"http://xn--bcher-kva.example/",
		"http://localhost/",
		"http://a_b.example/",
		"http://example.com./",
		"http://example.com:/",
		"http://example.com:0443/",
		"http://3com.example/",
		"http://0xa.example/",
		"http://a.0xg/",
		"http://example.com?to=me@b.example",
		"http://example.com/me@b.example",
		"http://example.com//a/../b",
		"http://-a.example/",
	};

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		ck_assert_msg(callback_url_check(str_from(urls[i]), &err) == 0, "%s: %s", urls[i], err.message);
}
END_TEST

START_TEST(wrong_urls_are_named_as_such)
{
	static const char *const urls[] = {
		"",
		"example.com",
		"/hook",
		"ftp://example.com/",
		"file:///etc/passwd",
		"gopher://example.com/",
		"javascript:alert(1)",
		"http://",
		"http:///example.com/",
		"http:/example.com/",
		"http:example.com/",
		"http://user@example.com/",
		"http://user:secret@example.com/",
		"http://example.com/#part",
		"http://exa mple.com/",
		"http://example.com/\r\nX: y",
		"http://b\xc3\xbc"
		"cher.example/",
		"http://example.com:99999/",
		"http://example.com:0/",
		"http://example.com:port/",
		"http://[::1/",
		"http://[fe80::1%25eth0]/",
		/* schemes and slashes */
		"http+unix://example.com/",
		"httpsx://example.com/",
		"http:\\\\example.com/",
		"http:////example.com/",
		"//example.com/",
		/* users */
		"http://@example.com/",
		"http://:@example.com/",
		"http://user%3asecret@example.com/",
		"http://example.com\\@b.example/",
		/* ports */
		"http://example.com:80:80/",
		"http://example.com:+80/",
		"http://example.com:0x50/",
		"http://example.com:65536/",
		"http://example.com:-1/",
		/* addresses */
		"http://::1/",
		"http://[]/",
		"http://[::1]x/",
		"http://[1:2:3]/",
		"http://[::g]/",
		"http://[v1.x]/",
		"http://[fe80::1%eth0]/",
		"http://%5b::1%5d/",
		"http://127.0.0.1./",
		"http://127.0.0.256/",
		"http://127.0.0.0.1/",
		"http://127..1/",
		"http://.127.0.0.1/",
		"http://4294967296/",
		"http://08.0.0.1/",
		"http://1.0x/",
		"http://a.example.0x1F/",
		/* names */
		"http://./",
		"http://%2e/",
		"http://.example.com/",
		"http://a..example.com/",
		"http://example.com../",
		"http://example.com\\a/",
		"http://a%2fb.example/",
		"http://a%40b.example/",
		"http://a%3a80/",
		"http://a%00.example/",
		"http://a%0d%0a.example/",
		"http://a%7f.example/",
		"http://b%c3%bccher.example/",
		"http://a%ff.example/",
		"http://a%zz.example/",
		"http://a|b.example/",
		"http://a~b.example/",
		"http://a,b.example/",
		"http://a;b.example/",
		"http://a*.example/",
		"http://\"a\".example/",
		"http://a\tb.example/",
		"http://a\x7f.example/",
		"http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example/",
	};

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		ck_assert_msg(callback_url_check(str_from(urls[i]), &err) != 0, "%s passed", urls[i]);
		ck_assert_int_eq(err.code, ERROR_INVALID);
		ck_assert_msg(strncmp(err.message, "callback_url: ", 14) == 0, "%s", err.message);
	}
}
END_TEST

START_TEST(long_url_is_refused)
{
	char url[CALLBACK_URL_MAX + 2];

	memset(url, 'a', sizeof(url));
	memcpy(url, "http://example.com/", 19);
	ck_assert_int_eq(callback_url_check((struct str){ url, CALLBACK_URL_MAX }, &err), 0);
	ck_assert_int_eq(callback_url_check((struct str){ url, CALLBACK_URL_MAX + 1 }, &err), -1);
	ck_assert_str_eq(err.message, "callback_url: 16385 bytes, at most 16384 allowed");
}
END_TEST

START_TEST(name_of_the_host_has_at_most_253_bytes)
{
	char url[512] = "http://";

	for (int i = 0; i < 126; i++)
		strcat(url, "a.");
	strcat(url, "b");
	ck_assert_uint_eq(strlen(url), 7 + 253);
	ck_assert_msg(callback_url_check(str_from(url), &err) == 0, "%s", err.message);
	strcat(url, ".");
	ck_assert_msg(callback_url_check(str_from(url), &err) == 0, "%s", err.message);
	strcat(url, "c");
	ck_assert_int_eq(callback_url_check(str_from(url), &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "253 at most"));
}
END_TEST

START_TEST(host_is_what_is_connected_to)
{
	static const struct {
		const char *url, *host;
		uint16_t port;
	} rows[] = {
		{ "http://example.com/", "example.com", 80 },
		{ "https://example.com/", "example.com", 443 },
		{ "http://example.com:81/", "example.com", 81 },
		{ "http://0x7f.1/", "127.0.0.1", 80 },
		{ "http://2130706433/", "127.0.0.1", 80 },
		{ "http://0177.0.0.1/", "127.0.0.1", 80 },
		{ "http://[::1]:81/", "::1", 81 },
		{ "http://%31%32%37.0.0.1/", "127.0.0.1", 80 },
		{ "http://a.example\\@b.example/", NULL, 0 },
		{ "http://127.1/", "127.0.0.1", 80 },
		{ "http://0X7F000001:81/", "127.0.0.1", 81 },
		{ "http://017700000001/", "127.0.0.1", 80 },
		{ "http://127.0.0x0.01/", "127.0.0.1", 80 },
		{ "http://0/", "0.0.0.0", 80 },
		{ "http://[0:0:0:0:0:0:0:1]/", "::1", 80 },
		{ "http://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1", 80 },
		{ "http://ex%61mple.com./", "example.com.", 80 },
		{ "http://127.0.0.1.example/", "127.0.0.1.example", 80 },
		{ "https://a.example:/?b@c.example:1", "a.example", 443 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct callback_url url;
		int result = callback_url_parse(&url, str_from(rows[i].url), &err);

		if (!rows[i].host) {
			ck_assert_msg(result != 0, "%s: host %s", rows[i].url, url.host);
			continue;
		}
		ck_assert_msg(result == 0, "%s: %s", rows[i].url, err.message);
		ck_assert_str_eq(url.host, rows[i].host);
		ck_assert_uint_eq(url.port, rows[i].port);
		callback_url_free(&url);
	}
}
END_TEST

static struct address address_of(const char *text)
{
	struct address address = { .len = sizeof(struct sockaddr_in) };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		memcpy(&address.storage, &in, sizeof(in));
		return address;
	}
	ck_assert_msg(inet_pton(AF_INET6, text, &in6.sin6_addr) == 1, "%s", text);
	memcpy(&address.storage, &in6, sizeof(in6));
	address.len = sizeof(in6);
	return address;
}

static const struct sockaddr *sockaddr_of(const struct address *address)
{
	return (const struct sockaddr *)&address->storage;
}

START_TEST(special_addresses_are_told_from_public_ones)
{
	static const char *const special[] = {
		"0.0.0.0",
		"0.1.2.3",
		"10.0.0.1",
		"10.255.255.255",
		"100.64.0.1",
		"100.127.255.255",
		"127.0.0.1",
		"127.255.255.255",
		"169.254.169.254",
		"172.16.0.1",
		"172.31.255.255",
		"192.0.0.1",
		"192.0.2.1",
		"192.168.1.1",
		"198.18.0.1",
		"198.19.255.255",
		"198.51.100.1",
		"203.0.113.1",
		"224.0.0.1",
		"239.255.255.255",
		"240.0.0.1",
		"255.255.255.255",
		"::",
		"::1",
		"::7f00:1",
		"::ffff:127.0.0.1",
		"::ffff:10.0.0.1",
		"64:ff9b::7f00:1",
		"64:ff9b:1::1",
		"100::1",
		"2001::1",
		"2001:db8::1",
		"2002:7f00:1::",
		"2002:a00:1::1",
		"3fff::1",
		"fc00::1",
		"fd12:3456::1",
		"fe80::1",
		"fec0::1",
		"ff02::1",
		"4000::1",
		"5f00::1",
	};
	static const char *const public[] = {
		"1.1.1.1",         "8.8.8.8",          "9.255.255.255",   "11.0.0.0",        "100.63.255.255",
		"100.128.0.0",     "126.255.255.255",  "128.0.0.0",       "172.15.255.255",  "172.32.0.0",
		"192.167.255.255", "192.169.0.0",      "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::1",
		"::ffff:8.8.8.8",  "64:ff9b::808:808", "2002:808:808::1",
	};

	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		struct address address = address_of(special[i]);

		ck_assert_msg(address_special(sockaddr_of(&address)) != NULL, "%s passed as public", special[i]);
		ck_assert_msg(!address_allowed("", "a.example", sockaddr_of(&address)), "%s is allowed", special[i]);
	}
	for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++) {
		struct address address = address_of(public[i]);
		const char *what = address_special(sockaddr_of(&address));

		ck_assert_msg(!what, "%s passed as %s", public[i], what);
		ck_assert(address_allowed("", "a.example", sockaddr_of(&address)));
	}
	struct sockaddr local = { .sa_family = AF_UNIX };
	ck_assert(!address_allowed("0.0.0.0/0, ::/0", "a.example", &local));
}
END_TEST

static bool give_address(int fd, const char *name, const char *address)
{
	struct ifreq own = { 0 };
	struct address sock = address_of(address);

	strncpy(own.ifr_name, name, sizeof(own.ifr_name) - 1);
	memcpy(&own.ifr_addr, sockaddr_of(&sock), sizeof(own.ifr_addr));
	return ioctl(fd, SIOCSIFADDR, &own) == 0;
}

static bool is_own(const char *text)
{
	struct address address = address_of(text);
	const char *what = address_special(sockaddr_of(&address));

	return what && strcmp(what, "of this machine") == 0;
}

/* In a network of its own, in a process of its own. 0, 77 where that may not be, or 1. The second address is one of the
 * first's network, from which nothing is sent. */
static int try_own_address(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK };
	struct address own = address_of("8.8.4.4");

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return 77;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || !give_address(fd, "lo", "8.8.4.4") || !give_address(fd, "lo:1", "8.8.4.5") ||
	    ioctl(fd, SIOCSIFFLAGS, &lo) != 0)
		return 77;
	close(fd);
	bool is_told = is_own("8.8.4.4") && is_own("8.8.4.5") && is_own("64:ff9b::808:404") && !is_own("8.8.8.8") &&
	               address_allowed("8.8.4.4", "a", sockaddr_of(&own));
	return is_told ? 0 : 1;
}

START_TEST(addresses_of_this_machine_are_not_public)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(try_own_address());
	ck_assert(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	ck_assert(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
}
END_TEST

START_TEST(list_has_networks_addresses_and_names)
{
	static const struct {
		const char *allow, *host, *address;
		bool listed;
	} rows[] = {
		{ "127.0.0.0/8", "a.example", "127.1.2.3", true },
		{ "127.0.0.0/8", "a.example", "::ffff:127.1.2.3", true },
		{ "::ffff:127.0.0.0/104", "a.example", "127.1.2.3", true },
		{ "127.0.0.0/8", "a.example", "::1", false },
		{ "127.0.0.0/8", "a.example", "10.0.0.1", false },
		{ "10.1.2.3", "a.example", "10.1.2.3", true },
		{ "10.1.2.3", "a.example", "10.1.2.4", false },
		{ "10.1.2.0/23", "a.example", "10.1.3.255", true },
		{ "10.1.2.0/23", "a.example", "10.1.4.0", false },
		{ "192.168.0.0/16 ,fd00::/8,, ::1", "a.example", "::1", true },
		{ "192.168.0.0/16 ,fd00::/8,, ::1", "a.example", "fdff::1", true },
		{ "0.0.0.0/0", "a.example", "10.0.0.1", true },
		{ "0.0.0.0/0", "a.example", "fd00::1", false },
		{ "A.Example", "a.example", "10.0.0.1", true },
		{ "a.example", "b.a.example", "10.0.0.1", false },
		{ "10.0.0.0/33", "a.example", "10.0.0.1", false },
		{ "10.0.0.0/", "a.example", "10.0.0.1", false },
		{ "", "a.example", "10.0.0.1", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address address = address_of(rows[i].address);

		ck_assert_msg(address_listed(rows[i].allow, rows[i].host, sockaddr_of(&address)) == rows[i].listed,
		              "\"%s\", %s at %s: not %d", rows[i].allow, rows[i].host, rows[i].address, rows[i].listed);
	}
}
END_TEST

START_TEST(wrong_words_of_the_list_are_named)
{
	static const char *const wrong[] = { "10.0.0.0/33", "10.0.0", "10.0.0.0/", "10.0.0.0/8x",
		                             "fd00::/129",  "a/b",    "*" };

	ck_assert_int_eq(callback_allow_check("", &err), 0);
	ck_assert_int_eq(callback_allow_check("10.0.0.0/8, ::1, hooks.internal,localhost", &err), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(callback_allow_check(wrong[i], &err) != 0, "%s passed", wrong[i]);
		ck_assert_msg(strstr(err.message, wrong[i]), "%s", err.message);
	}
}
END_TEST

/* --- names --- */

static struct event_base *base;
static struct resolver *resolver;
static struct evdns_server_port *server;
static char resolv_conf[64], hosts[64];
static int asked;

static struct {
	int calls;
	size_t count;
	char addresses[RESOLVE_ADDRESSES_MAX][ADDRESS_TEXT_LEN];
	char problem[128];
} found;

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

/* Knows two.example, and does not answer for silent.example. */
static void on_question(struct evdns_server_request *request, void *arg)
{
	const struct evdns_server_question *question = request->questions[0];
	static const uint8_t v4[2][4] = { { 192, 0, 2, 1 }, { 192, 0, 2, 2 } };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 };

	(void)arg;
	asked++;
	if (strcasecmp(question->name, "silent.example") == 0) {
		evdns_server_request_drop(request);
		return;
	}
	bool is_known = strcasecmp(question->name, "two.example") == 0;
	if (is_known && question->type == EVDNS_TYPE_A)
		evdns_server_request_add_a_reply(request, question->name, 2, v4, 60);
	if (is_known && question->type == EVDNS_TYPE_AAAA)
		evdns_server_request_add_aaaa_reply(request, question->name, 1, v6, 60);
	evdns_server_request_respond(request, is_known ? DNS_ERR_NONE : DNS_ERR_NOTEXIST);
}

static void make_file(char path[64])
{
	snprintf(path, 64, "/tmp/cdrd-test-names-XXXXXX");
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void setup_names(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	char text[64];

	log_set_level(LOG_LEVEL_ERROR);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	base = event_base_new();
	server = evdns_add_server_port_with_base(base, fd, 0, on_question, NULL);
	make_file(resolv_conf);
	make_file(hosts);
	snprintf(text, sizeof(text), "nameserver 127.0.0.1:%u\n", ntohs(address.sin_port));
	write_file(resolv_conf, text);
	write_file(hosts, "# a comment\n10.1.1.1 known.example alias.example\nfd00::5 known6.example\n");
	resolver = resolver_new(base, resolv_conf, hosts, &err);
	ck_assert_ptr_nonnull(resolver);
	memset(&found, 0, sizeof(found));
	asked = 0;
}

static void teardown_names(void)
{
	resolver_free(resolver);
	evdns_close_server_port(server);
	event_base_free(base);
	unlink(resolv_conf);
	unlink(hosts);
}

static void keep_found(void *arg, const struct address *addresses, size_t count, const char *problem)
{
	(void)arg;
	found.calls++;
	found.count = count;
	for (size_t i = 0; i < count; i++)
		address_format(found.addresses[i], sockaddr_of(&addresses[i]));
	snprintf(found.problem, sizeof(found.problem), "%s", problem);
}

static void look_up(const char *host)
{
	found.calls = 0;
	struct lookup *lookup = resolver_lookup(resolver, host, 80, keep_found, NULL);
	ck_assert_int_eq(lookup == NULL, found.calls == 1);
	int64_t end = clock_monotonic_us() + 20 * CLOCK_US_PER_SECOND;
	while (found.calls == 0 && clock_monotonic_us() < end)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(found.calls, 1);
}

static void assert_found(const char *host, const char *address)
{
	look_up(host);
	ck_assert_msg(found.count == 1, "%s: %zu addresses, %s", host, found.count, found.problem);
	ck_assert_str_eq(found.addresses[0], address);
}

START_TEST(hosts_file_is_honoured)
{
	assert_found("known.example", "10.1.1.1");
	assert_found("Alias.example", "10.1.1.1");
	assert_found("known6.example", "fd00::5");
	ck_assert_int_eq(asked, 0);
}
END_TEST

START_TEST(changed_hosts_file_is_read_again)
{
	assert_found("known.example", "10.1.1.1");
	write_file(hosts, "10.1.1.22 known.example\n");
	assert_found("known.example", "10.1.1.22");
}
END_TEST

START_TEST(numeric_addresses_need_no_server)
{
	assert_found("192.0.2.9", "192.0.2.9");
	assert_found("2001:db8::9", "2001:db8::9");
	ck_assert_int_eq(asked, 0);
}
END_TEST

START_TEST(server_of_resolv_conf_is_asked_for_both_kinds)
{
	look_up("two.example");
	ck_assert_uint_eq(found.count, 3);
	ck_assert_str_eq(found.addresses[0], "192.0.2.1");
	ck_assert_str_eq(found.addresses[1], "192.0.2.2");
	ck_assert_str_eq(found.addresses[2], "2001:db8::7");
	ck_assert_int_eq(asked, 2);
}
END_TEST

START_TEST(unknown_name_is_a_problem)
{
	look_up("unknown.example");
	ck_assert_uint_eq(found.count, 0);
	ck_assert_msg(found.problem[0] != '\0', "no problem named");
}
END_TEST

START_TEST(cancelled_lookup_says_nothing)
{
	found.calls = 0;
	struct lookup *lookup = resolver_lookup(resolver, "silent.example", 80, keep_found, NULL);
	ck_assert_ptr_nonnull(lookup);
	event_base_loop(base, EVLOOP_NONBLOCK);
	lookup_cancel(lookup);
	assert_found("known.example", "10.1.1.1");
	for (int i = 0; i < 5; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(found.calls, 1);
}
END_TEST

START_TEST(resolver_ends_with_lookups_under_way)
{
	found.calls = 0;
	ck_assert_ptr_nonnull(resolver_lookup(resolver, "silent.example", 80, keep_found, NULL));
	ck_assert_ptr_nonnull(resolver_lookup(resolver, "two.example", 80, keep_found, NULL));
	resolver_free(resolver);
	resolver = NULL;
	ck_assert_int_eq(found.calls, 0);
}
END_TEST

START_TEST(urls_of_s3_are_spelled_as_they_are_signed)
{
	static const struct {
		const char *given, *spelled;
	} rows[] = {
		{ "https://s3.example.com/bucket/a-b_c.d~e/f.zip", "https://s3.example.com/bucket/a-b_c.d~e/f.zip" },
		{ "http://h:80/b/2026:11/a+b=c@d/", "http://h:80/b/2026%3A11/a%2Bb%3Dc%40d/" },
		{ "http://h/b/%3a%2B%41%7e%20/", "http://h/b/%3A%2BA~%20/" },
		{ "http://h/b/%c3%a9/x%2fy/%00/", "http://h/b/%C3%A9/x%2Fy/%00/" },
		{ "http://h/b/100%/%4/%zz/", "http://h/b/100%25/%254/%25zz/" },
		{ "http://[::1]:9000/b/", "http://[::1]:9000/b/" },
		{ "http://h", "http://h" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = { 0 };

		upload_write_s3_url(str_from(rows[i].given), &out);
		ck_assert_str_eq(buf_cstr(&out), rows[i].spelled);
		buf_free(&out);
	}
}
END_TEST

START_TEST(reason_of_an_s3_server_is_its_code_and_message)
{
	static const struct {
		const char *answer, *reason;
	} rows[] = {
		{ "<Error><Code>NoSuchBucket</Code><Message>There is none.</Message></Error>",
		  ", NoSuchBucket: There is none." },
		{ "<Error><Code>SlowDown</Code></Error>", ", SlowDown" },
		{ "<Error><Message>a\nb\x80</Message></Error>", ", an error without a code: a?b?" },
		{ "<html><Code>no</Code></html>", "" },
		{ "", "" },
		{ "<Error><Code>A</Code><Message>0123456789012345678901234567890123456789</Message></Error>",
		  ", A: 01234567890123456789012345" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = { 0 };

		multipart_add_reason(&out, str_from(rows[i].answer), 31);
		ck_assert_str_eq(out.len ? buf_cstr(&out) : "", rows[i].reason);
		buf_free(&out);
	}
}
END_TEST

Suite *suite_callback_address(void)
{
	Suite *suite = suite_create("callback_address");
	TCase *tcase = tcase_create("addresses");

	tcase_add_test(tcase, right_urls_pass);
	tcase_add_test(tcase, wrong_urls_are_named_as_such);
	tcase_add_test(tcase, long_url_is_refused);
	tcase_add_test(tcase, name_of_the_host_has_at_most_253_bytes);
	tcase_add_test(tcase, host_is_what_is_connected_to);
	tcase_add_test(tcase, special_addresses_are_told_from_public_ones);
	tcase_add_test(tcase, addresses_of_this_machine_are_not_public);
	tcase_add_test(tcase, list_has_networks_addresses_and_names);
	tcase_add_test(tcase, wrong_words_of_the_list_are_named);
	tcase_add_test(tcase, urls_of_s3_are_spelled_as_they_are_signed);
	tcase_add_test(tcase, reason_of_an_s3_server_is_its_code_and_message);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("names");
	tcase_add_checked_fixture(tcase, setup_names, teardown_names);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, hosts_file_is_honoured);
	tcase_add_test(tcase, changed_hosts_file_is_read_again);
	tcase_add_test(tcase, numeric_addresses_need_no_server);
	tcase_add_test(tcase, server_of_resolv_conf_is_asked_for_both_kinds);
	tcase_add_test(tcase, unknown_name_is_a_problem);
	tcase_add_test(tcase, cancelled_lookup_says_nothing);
	tcase_add_test(tcase, resolver_ends_with_lookups_under_way);
	suite_add_tcase(suite, tcase);
	return suite;
}
