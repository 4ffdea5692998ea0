/* SPDX-License-Identifier: ISC */
/*
 * routes.c: the server's table of endpoints, from routes.def.
 */
#include "api/routes.h"

const struct http_route api_routes[] = {
#define ROUTE(method, path, body, authenticate, admit, handle) { method, path, body, authenticate, admit, handle },
#include "api/routes.def"
#undef ROUTE
	{ 0 },
};
