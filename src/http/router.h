/* SPDX-License-Identifier: ISC */
/*
 * router.h: from method and path to a row of the table of routes; private to http/.
 */
#ifndef CDRD_HTTP_ROUTER_H
#define CDRD_HTTP_ROUTER_H

#include "base/buf.h"
#include "http/http.h"

/*
 * The route for a method and a path as sent; what its braces match is put into *segment, decoded. NULL if there is
 * none: *allowed then holds a bit (1 << method) for each method that the path has, 0 when the path is unknown; or when out of
 * memory, which segment->failed says.
 */
const struct http_route *http_router_find(const struct http_route *routes, struct str method, struct str path,
                                          struct buf *segment, unsigned *allowed);

/* Is it a method of RFC 9110 or RFC 5789 (PATCH), whether a route takes it or not? */
bool http_router_knows(struct str method);

/* Appends "GET, HEAD" for the bits of *allowed. */
void http_router_allow(struct buf *out, unsigned allowed);

#endif
