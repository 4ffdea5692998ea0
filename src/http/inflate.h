/* SPDX-License-Identifier: ISC */
/*
 * inflate.h: Content-Encoding of request bodies, undone piece by piece; cdrctl reads files with it, too.
 *
 * gzip (RFC 1952, several members in a row too, with zeros after them as well) with ISA-L, zstd (RFC 8878, several frames in a row too) with libzstd.
 * Pure but for its memory: about 90 KiB for gzip and, with the window that RFC 9659 allows, 8 MiB for zstd.
 */
#ifndef CDRD_HTTP_INFLATE_H
#define CDRD_HTTP_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define HTTP_CODINGS_TAKEN "gzip, zstd" /* for Accept-Encoding beside a 415 */

enum http_coding { HTTP_CODING_IDENTITY, HTTP_CODING_GZIP, HTTP_CODING_ZSTD };

/* Reads a Content-Encoding; absent, empty and identity are the same. False for one that is not taken. */
bool http_coding_parse(struct str value, enum http_coding *coding);

struct http_inflate;

/* NULL when out of memory. Not for HTTP_CODING_IDENTITY. */
struct http_inflate *http_inflate_new(enum http_coding coding);

/*
 * Takes bytes off *in and writes up to `size` bytes, their number in *made. Both nothing taken and nothing made: it
 * wants more input. Call again, even with nothing in, for as long as `size` bytes were made. NULL, or what is wrong
 * with the data, to follow "The compressed body".
 */
const char *http_inflate_step(struct http_inflate *inflate, struct str *in, char *out, size_t size, size_t *made);

/* May the data end here: is the last member or frame complete? */
bool http_inflate_complete(const struct http_inflate *inflate);

/* Does nothing on NULL. */
void http_inflate_free(struct http_inflate *inflate);

#endif
