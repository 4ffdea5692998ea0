/* SPDX-License-Identifier: ISC */
/*
 * inflate.h: undoes Content-Encoding of request bodies, piece by piece; cdrctl reads files with it, too.
 *
 * gzip (RFC 1952, also several members in a row, and zeros after them) with ISA-L, zstd (RFC 8878, also several frames
 * in a row) with libzstd. Pure but for its memory: about 90 KiB for gzip and, with the window that RFC 9659 allows, 8
 * MiB for zstd.
 */
#ifndef CDRD_HTTP_INFLATE_H
#define CDRD_HTTP_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define HTTP_CODINGS_TAKEN "gzip, zstd" /* for Accept-Encoding with a 415 */

enum http_coding { HTTP_CODING_IDENTITY, HTTP_CODING_GZIP, HTTP_CODING_ZSTD };

/* Reads a Content-Encoding; absent, empty and identity are the same. False for one that is not supported. */
bool http_coding_parse(struct str value, enum http_coding *coding);

struct http_inflate;

/* NULL when out of memory. Not for HTTP_CODING_IDENTITY. */
struct http_inflate *http_inflate_new(enum http_coding coding);

/*
 * Takes bytes off *in and writes up to `size` bytes, their number in *made. If it neither takes nor writes anything, it
 * needs more input. Call again, even without input, as long as it wrote `size` bytes. NULL, or what is wrong with the
 * data, to follow "The compressed body".
 */
const char *http_inflate_step(struct http_inflate *inflate, struct str *in, char *out, size_t size, size_t *made);

/* May the data end here: is the last member or frame complete? */
bool http_inflate_complete(const struct http_inflate *inflate);

/* Does nothing on NULL. */
void http_inflate_free(struct http_inflate *inflate);

#endif
