/* SPDX-License-Identifier: ISC */
/*
 * link.h: a request's URL with other parameters, for links in answers; and parameters of URLs of our own.
 */
#ifndef CDRD_API_LINK_H
#define CDRD_API_LINK_H

#include "base/json.h"
#include "http/http.h"
#include "query/query.h"

/* Appends the request's URL with its parameters except those named in `without` (ends with NULL). */
void api_link_begin(struct buf *url, const struct http_request *request, const struct query_params *params,
                    const char *const *without);

/* Appends one more parameter, percent-encoded. */
void api_link_add(struct buf *url, struct str name, struct str value);

/* Writes "name":{"href":url}. */
void api_link_write(struct json *json, const char *name, const struct buf *url);

/* Adds the same as a Link header (RFC 8288). */
void api_link_header(struct http_request *request, const char *rel, const struct buf *url);

#endif
