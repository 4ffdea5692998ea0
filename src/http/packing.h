/* SPDX-License-Identifier: ISC */
/*
 * packing.h: answers compressed with gzip for clients that take it (RFC 9110, 12.5.3); private to http/.
 *
 * A text worth it is compressed a slice at a time, the first at once: an answer up to some hundred kilobytes goes out in
 * the same turn of the loop. HEAD is answered with the length that GET would have.
 */
#ifndef CDRD_HTTP_PACKING_H
#define CDRD_HTTP_PACKING_H

#include "http/connection.h"

/* Would the client rather have gzip than the text as it is, by its Accept-Encoding? Pure. */
bool http_packing_is_preferred(struct str accept_encoding);

/* May an answer of this type and length be compressed, if the client takes it? */
bool http_packing_is_worth_it(const struct http_request *request, const char *content_type, size_t length);

/*
 * Compresses `front`, which is copied, and then *body, whose memory is taken over, and answers with it; content_type must
 * be a constant. False, with nothing done, when there is no memory: the answer is then to go out as it is.
 */
bool http_packing_begin(struct http_request *request, int status, const char *content_type, struct str front,
                        struct buf *body);

#endif
