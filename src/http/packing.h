/* SPDX-License-Identifier: ISC */
/*
 * packing.h: answers compressed with gzip for clients that accept it (RFC 9110, 12.5.3); private to http/.
 *
 * A body worth compressing is compressed a slice at a time, the first at once: an answer up to some hundred kilobytes
 * is sent in the same turn of the loop. HEAD gets the length that GET would have.
 */
#ifndef CDRD_HTTP_PACKING_H
#define CDRD_HTTP_PACKING_H

#include "http/connection.h"

/* Does the client prefer gzip to the plain text, by its Accept-Encoding? Pure. */
bool http_packing_is_preferred(struct str accept_encoding);

/* May an answer of this type and length be compressed, if the client accepts it? */
bool http_packing_is_worth_it(const struct http_request *request, const char *content_type, size_t length);

/*
 * Compresses `front`, which is copied, and then *body, whose memory is taken over, and answers with it; content_type
 * must be a constant. False, with nothing done, when out of memory: the answer must then be sent uncompressed.
 */
bool http_packing_begin(struct http_request *request, int status, const char *content_type, struct str front,
                        struct buf *body);

#endif
