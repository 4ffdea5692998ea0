/* SPDX-License-Identifier: ISC */
/*
 * fuzz_proxy.c: PROXY lines, and the header fields of proxies.
 *
 * What must hold of a line: the same comes of it in whatever pieces it arrives, and no byte after it is taken. Of header
 * fields: the host that they name may stand in a URL, and the address is one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

struct outcome {
	enum http_proxy_state state;
	size_t taken;
	struct ip client;
};

static struct outcome take(struct str data, size_t piece)
{
	static struct http_proxy_line line;
	struct outcome outcome = { .state = HTTP_PROXY_MORE };

	line.len = 0;
	while (outcome.state == HTTP_PROXY_MORE && outcome.taken < data.len) {
		size_t left = data.len - outcome.taken, taken;
		struct str part = { data.p + outcome.taken, left < piece ? left : piece };

		outcome.state = http_proxy_take(&line, part, &taken, &outcome.client);
		must(taken <= part.len && (taken == part.len || outcome.state != HTTP_PROXY_MORE));
		outcome.taken += taken;
	}
	must(outcome.taken <= HTTP_PROXY_BYTES_MAX);
	return outcome;
}

static void check_line(struct str data)
{
	struct outcome whole = take(data, data.len), pieces = take(data, 3);

	must(whole.state == pieces.state && whole.taken == pieces.taken);
	must(whole.client.len == pieces.client.len && memcmp(whole.client.bytes, pieces.client.bytes, 16) == 0);
}

static void check_fields(struct str data, const char *kind)
{
	static struct http_head head;
	struct http_head_scan scan = { 0 };
	struct http_fault fault;
	struct http_client client = { 0 };

	if (http_head_end(&scan, data, 8192, &fault) != HTTP_SCAN_DONE)
		return;
	if (http_head_parse(&head, (struct str){ data.p + scan.skipped, scan.line - scan.skipped }, &fault) != 0)
		return;
	http_forwarded_apply(&client, &head, kind, "10.0.0.0/8, ::1");
	must(client.ip.len == 0 || client.ip.len == 4 || client.ip.len == 16);
	for (size_t i = 0; i < client.host.len; i++)
		must(client.host.p[i] > ' ' && client.host.p[i] < 0x7f && !strchr("<>\"'/\\?#@", client.host.p[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };

	check_line(text);
	check_fields(text, "x-forwarded");
	check_fields(text, "forwarded");
	return 0;
}
