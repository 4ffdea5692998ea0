/* SPDX-License-Identifier: ISC */
/*
 * routes.h: what each endpoint's file needs, with its prototype. Private to api/, except that the metrics listener
 * serves the pages of problems too: they need no `app`.
 */
#ifndef CDRD_API_ROUTES_H
#define CDRD_API_ROUTES_H

#include "api/api.h"
#include "api/auth.h"

#define ROUTE(method, path, body, authenticate, admit, handle) void handle(struct http_request *request, void *app);
#include "api/routes.def"
#undef ROUTE

#endif
