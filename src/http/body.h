/* SPDX-License-Identifier: ISC */
/*
 * body.h: the body of a request: undoes its framing and compression and checks its limits, piece by piece; private to
 * http/.
 *
 *	bytes as received -> frames (Content-Length or chunked) -> gzip or zstd -> pieces of at most HTTP_PIECE_MAX
 *
 * No I/O: the caller hands in what it has and delivers what comes out.
 */
#ifndef CDRD_HTTP_BODY_H
#define CDRD_HTTP_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "http/inflate.h"
#include "http/parser.h"

#define HTTP_PIECE_MAX 65536

struct http_content {
	bool chunked;
	bool finished; /* all frames were seen */
	uint64_t left; /* without `chunked`: bytes still to come */
	struct http_chunked chunks;
	struct http_inflate *inflate;
	bool pending;      /* the last step filled its buffer: there may be more without further input */
	uint64_t bytes_in; /* of content, still compressed */
	uint64_t bytes_out;
	uint64_t bytes_max; /* of bytes_out; 0: no limit */
	uint64_t ratio_max;
	const char *setting; /* the name of bytes_max, for the person */
};

/* The framing that a head announces; content is passed as it is and without limit. */
void http_content_begin(struct http_content *content, const struct http_head *head);

/*
 * Sets limits and undoes Content-Encoding from here on; `setting` names bytes_max in messages and must stay. Faults:
 * 413 for an announced length beyond bytes_max, 415 for a coding that is not taken, 503 when out of memory.
 */
int http_content_decode(struct http_content *content, struct str encoding, uint64_t bytes_max, uint64_t ratio_max,
                        const char *setting, struct http_fault *fault);

/* Passes over what is left, up to bytes_max; false if it is known to be more. Nothing will be decompressed. */
bool http_content_drop(struct http_content *content, uint64_t bytes_max);

enum http_content_next { HTTP_CONTENT_MORE, HTTP_CONTENT_PIECE, HTTP_CONTENT_END, HTTP_CONTENT_FAULT };

/*
 * Takes bytes off *in. PIECE: content in *piece, in either *in's memory or `scratch` (HTTP_PIECE_MAX bytes). MORE:
 * *in is used up. END: the body is complete; what is left in *in is the next request's. FAULT: 400 for broken
 * frames or compression, 413 beyond a limit.
 */
enum http_content_next http_content_next(struct http_content *content, struct str *in, char *scratch, struct str *piece,
                                         struct http_fault *fault);

/* Frees what decoding took; the framing stays. */
void http_content_free(struct http_content *content);

#endif
