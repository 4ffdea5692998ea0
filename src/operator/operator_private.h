/* SPDX-License-Identifier: ISC */
/*
 * operator_private.h: what the files of operator/ share; private to it.
 */
#ifndef CDRD_OPERATOR_OPERATOR_PRIVATE_H
#define CDRD_OPERATOR_OPERATOR_PRIVATE_H

#include "http/http.h"
#include "meta/accounts.h"
#include "operator/operator.h"

struct operator_listener {
	struct operator_context context;
	struct http_server *server; /* NULL: nobody listens */
	struct accounts_watch watch;
};

/* Who makes the request. */
const char *operator_name(const struct http_request *request);

/* --- endpoint.c --- */

void operator_list_commands(struct http_request *request, void *app);
void operator_run_get(struct http_request *request, void *app);
void operator_run_post(struct http_request *request, void *app);

#endif
