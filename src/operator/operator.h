/* SPDX-License-Identifier: ISC */
/*
 * operator.h: the listener of operators, operator_listen: commands of cdrctl as an API, and a page that uses it.
 *
 *	GET  /operator/v1                   the commands, with their arguments
 *	GET  /operator/v1/quarantine-list?account=abcd1234&limit=20
 *	POST /operator/v1/quarantine-replay {"number":["12-40"],"set":["status=failed"]}
 *	GET  /                              leads to the page, /operator/
 *
 * A command's name is its words joined with '-'; admin/operator_commands.def lists those that there are. Arguments are
 * those of cdrctl: parameters of a GET, members of the object that is the body of a POST. The answer is the result's
 * JSON, 204 if there is none, or a problem document. Credentials are Basic, of `cdrctl operator add`, and slowed when
 * wrong like all others.
 *
 * A POST must say that its body is application/json: no form of another site can, so that none can misuse credentials
 * that a browser remembers.
 */
#ifndef CDRD_OPERATOR_OPERATOR_H
#define CDRD_OPERATOR_OPERATOR_H

#include <event2/event.h>

#include "base/config.h"
#include "base/error.h"
#include "base/task.h"
#include "http/access.h"
#include "limits/limits.h"
#include "meta/meta.h"

struct admin;
struct tls;
struct operator_listener;

/* All stay the caller's and must outlive it. */
struct operator_context {
	struct event_base *base;
	struct tasks *tasks;
	const struct config *config;
	struct tls *tls; /* for operator_listen_tls */
	struct http_access *access;
	struct meta *meta;
	struct limits *limits;
	struct admin *admin;
};

/* Serves config->operator_listen; without one, nobody. */
MUST_CHECK struct operator_listener *operator_listener_new(const struct operator_context *context, struct error *err);

/* Commands under way end. Does nothing on NULL. */
void operator_listener_free(struct operator_listener *listener);

#endif
