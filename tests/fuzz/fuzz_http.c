/* SPDX-License-Identifier: ISC */
/*
 * fuzz_http.c: bytes of a connection to requests and their bodies, without the connection.
 *
 * An input is what a client sends. It is read twice, in one piece and in pieces whose size comes from the input, as
 * requests until one is refused or cut off. What must hold: both readings agree in what is taken and what
 * is refused, content keeps to its limits, and an accepted head has texts inside the bytes given.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/body.h"
#include "http/parser.h"
#include "http/router.h"

#define HEAD_MAX 1024
#define BYTES_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* What a reading of the input came to. */
struct reading {
	uint64_t digest; /* of all content */
	size_t requests;
	size_t content_bytes;
	int status; /* 0, or of the request that was refused */
};

static char scratch[HTTP_PIECE_MAX];

static void check_text(struct str text, struct str within)
{
	must(text.len == 0 || str_is(text, "/") || (text.p >= within.p && text.p + text.len <= within.p + within.len));
}

static void check_head(const struct http_head *head, struct str text)
{
	static const struct http_route routes[] = {
		{ HTTP_GET, "/v2/reports/{id}", HTTP_BODY_NONE, NULL, NULL, NULL },
		{ HTTP_POST, "/v1/cdrs", HTTP_BODY_NONE, NULL, NULL, NULL },
		{ 0 },
	};
	struct buf segment = { 0 };
	unsigned allowed;

	check_text(head->method, text);
	check_text(head->path, text);
	check_text(head->query, text);
	check_text(head->host, text);
	must(head->host.p || head->minor == 0);
	must(head->fields_count <= HTTP_FIELDS_MAX);
	for (size_t i = 0; i < head->fields_count; i++) {
		check_text(head->fields[i].name, text);
		check_text(head->fields[i].value, text);
		must(!memchr(head->fields[i].value.p, '\r', head->fields[i].value.len));
	}
	http_router_find(routes, head->method, head->path, &segment, &allowed);
	buf_free(&segment);
}

/* The bytes given so far are input->p[0 .. given); grows by `step` when asked for more. False at the end. */
static bool more(struct str input, size_t *given, size_t step)
{
	if (*given == input.len)
		return false;
	*given = input.len - *given < step ? input.len : *given + step;
	return true;
}

/* Reads a head at *at, which is behind it then; false when it is cut off or refused (*status is set). */
static bool read_head(struct http_head *head, struct str input, size_t *at, size_t *given, size_t step, int *status)
{
	struct http_head_scan scan = { 0 };
	struct http_fault fault = { 0 };
	enum http_scan found;

	while ((found = http_head_end(&scan, (struct str){ input.p + *at, *given - *at }, HEAD_MAX, &fault)) ==
	       HTTP_SCAN_MORE)
		if (!more(input, given, step))
			return false;
	if (found == HTTP_SCAN_DONE) {
		struct str text = { input.p + *at + scan.skipped, scan.line - scan.skipped };

		*at += scan.line;
		if (http_head_parse(head, text, &fault) == 0) {
			check_head(head, text);
			return true;
		}
	}
	*status = fault.status;
	return false;
}

static bool read_body(struct http_content *body, struct str input, size_t *at, size_t *given, size_t step,
                      struct reading *reading)
{
	struct http_fault fault = { 0 };
	enum http_content_next next;
	size_t bytes = 0;

	do {
		struct str in = { input.p + *at, *given - *at };
		struct str piece = { NULL, 0 };

		next = http_content_next(body, &in, scratch, &piece, &fault);
		*at = *given - in.len;
		if (next == HTTP_CONTENT_PIECE) {
			must(piece.len > 0 && piece.len <= HTTP_PIECE_MAX);
			bytes += piece.len;
			for (size_t i = 0; i < piece.len; i++) /* byte by byte: pieces may be cut differently */
				reading->digest = (reading->digest ^ (uint8_t)piece.p[i]) * UINT64_C(0x100000001b3);
		}
	} while (next == HTTP_CONTENT_PIECE || (next == HTTP_CONTENT_MORE && more(input, given, step)));
	must(bytes <= BYTES_MAX);
	reading->content_bytes += bytes;
	reading->status = next == HTTP_CONTENT_FAULT ? fault.status : 0;
	return next == HTTP_CONTENT_END;
}

static struct reading read_all(struct str input, size_t step)
{
	static struct http_head head;
	struct reading reading = { 0 };
	struct http_content body;
	struct http_fault fault;
	size_t at = 0, given = 0;
	bool whole = true;

	while (whole && read_head(&head, input, &at, &given, step, &reading.status)) {
		reading.requests++;
		http_content_begin(&body, &head);
		if (http_content_decode(&body, http_head_field(&head, "Content-Encoding"), BYTES_MAX, 100, "limit",
		                        &fault) < 0) {
			reading.status = fault.status;
			break;
		}
		whole = read_body(&body, input, &at, &given, step, &reading);
		http_content_free(&body);
	}
	return reading;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { size > 0 ? (const char *)data : "", size };
	struct reading whole = read_all(input, size + 1);
	struct reading pieces = read_all(input, size > 0 ? 1 + data[size - 1] % 64 : 1);

	must(whole.requests == pieces.requests);
	/* Of compressed content that turns out broken, more or less may have come out before, even beyond its limit. */
	must((whole.status == 0) == (pieces.status == 0));
	must(whole.status != 0 || (whole.digest == pieces.digest && whole.content_bytes == pieces.content_bytes));
	return 0;
}
