/* SPDX-License-Identifier: ISC */
/*
 * routes.c: the server's table of endpoints, from routes.def; and what front ends ask of each other.
 */
#include "api/numbers.h"
#include "api/routes.h"

const struct http_route api_routes[] = {
#define ROUTE(method, path, body, authenticate, admit, handle) { method, path, body, authenticate, admit, handle },
#include "api/routes.def"
#undef ROUTE
	{ HTTP_POST, "/front-ends/numbers", HTTP_BODY_STREAM, api_auth_front_end, NULL, api_numbers_post },
	{ HTTP_POST, "/front-ends/numbers/{from}", HTTP_BODY_WHOLE, api_auth_front_end, NULL, api_numbers_end_post },
	{ 0 },
};
