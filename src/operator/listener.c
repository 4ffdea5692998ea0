/* SPDX-License-Identifier: ISC */
/*
 * listener.c: the routes of operator_listen, and who may use them. See operator.h.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/client_certificate.h"
#include "api/console_pages.h"
#include "api/login.h"
#include "api/routes.h"
#include "meta/pass_check.h"
#include "operator/operator_private.h"

/* --- credentials --- */

struct user {
	char name[PRODUCER_NAME_MAX + 1];
};
static_assert(sizeof(struct user) <= HTTP_USER_ROOM, "a request has room for it");

const char *operator_name(const struct http_request *request)
{
	const struct user *user = http_request_user(request);

	return user->name;
}

static int check(struct http_request *request, struct str name, struct str secret, void *arg, struct error *err)
{
	const struct operator_listener *listener = arg;
	struct user *user = http_request_user_room(request);
	struct pass pass;

	if (name.len > PRODUCER_NAME_MAX)
		return error_set(err, ERROR_UNAUTHORIZED, "An operator's name has at most %d characters",
		                 PRODUCER_NAME_MAX);
	if (operators_check(listener->context.meta, name, secret, &pass, err) < 0 ||
	    client_certificate_check(request, listener->context.config, "operators", name, err) < 0)
		return -1;
	http_request_set_pass(request, &pass, sizeof(pass));
	memcpy(user->name, name.p, name.len);
	user->name[name.len] = '\0';
	http_request_name_user(request, "operator:", name);
	return 0;
}

/* If not, it is answered. */
static bool host_is_own(struct http_request *request, const struct operator_listener *listener)
{
	if (http_request_host_is_own(request, listener->context.config->operator_hosts))
		return true;
	http_reply_problem(request, 421, "Misdirected Request",
	                   "The Host is neither an address nor localhost nor one of operator_hosts.");
	return false;
}

/* Also under overload, when the other listener lets nobody in: operators must see why. */
static bool authenticate(struct http_request *request, void *app)
{
	struct operator_listener *listener = app;
	struct logins *logins = limits_logins(listener->context.limits);
	struct error err;

	if (!host_is_own(request, listener) || !login_may_try(request, logins))
		return false;
	if (http_request_check_basic(request, check, listener, &err) == 0)
		return true;
	login_refuse(request, listener->context.base, listener->context.config, logins, &err);
	return false;
}

/* Commands in progress end with their operator's credentials. */
static bool holds(void *app, const void *pass)
{
	const struct operator_listener *listener = app;
	struct error err;

	/* A read that fails is no reason to end it: none lasts long. */
	return pass_holds(listener->context.meta, pass, &err) != 0;
}

static void on_change(void *arg)
{
	const struct operator_listener *listener = arg;

	http_server_check_passes(listener->server);
}

static int watch(struct operator_listener *listener, struct error *err)
{
	if (http_server_use_passes(listener->server, holds, err) != 0)
		return -1;
	listener->watch = (struct accounts_watch){ .on_change = on_change, .arg = listener };
	if (accounts_watch(listener->context.meta, &listener->watch, err) == 0)
		return 0;
	listener->watch.on_change = NULL;
	return -1;
}

/* --- the page --- */

static void reply_nothing(struct http_request *request)
{
	http_reply_problem(request, 404, "Not Found", "There is nothing at this path.");
}

static void on_root(struct http_request *request, void *app)
{
	(void)app;
	http_reply_header(request, "Location", "operator/");
	http_reply(request, 303, NULL, NULL);
}

/* What the page names is relative to the folder, so the path must end with a slash. */
static void on_page(struct http_request *request, void *app)
{
	const struct console_file *file = console_find(STR_LITERAL("operator.html"));
	struct str path = http_request_path(request);
	const struct operator_listener *listener = app;

	if (!host_is_own(request, listener))
		return;
	if (!file) {
		reply_nothing(request);
	} else if (path.p[path.len - 1] != '/') {
		http_reply_header(request, "Location", "operator/");
		http_reply(request, 308, NULL, NULL);
	} else {
		api_console_reply(request, file);
	}
}

static void on_file(struct http_request *request, void *app)
{
	(void)app;
	api_console_reply_versioned(request);
}

/* --- the routes --- */

static const struct http_route routes[] = {
	{ .method = HTTP_GET, .path = "/", .handle = on_root },
	{ .method = HTTP_GET, .path = "/operator", .handle = on_page },
	{ .method = HTTP_GET, .path = "/operator/v1", .authenticate = authenticate, .handle = operator_list_commands },
	{ .method = HTTP_GET,
	  .path = "/operator/v1/{command}",
	  .authenticate = authenticate,
	  .handle = operator_run_get },
	{ .method = HTTP_POST,
	  .path = "/operator/v1/{command}",
	  .body = HTTP_BODY_WHOLE,
	  .authenticate = authenticate,
	  .handle = operator_run_post },
	{ .method = HTTP_GET, .path = "/operator/{version}/{file}", .handle = on_file },
	{ .method = HTTP_GET, .path = "/problems", .handle = api_problems_get },
	{ .method = HTTP_GET, .path = "/problems/{name}", .handle = api_problem_get },
	{ 0 },
};

struct operator_listener *operator_listener_new(const struct operator_context *context, struct error *err)
{
	const struct config *config = context->config;
	struct operator_listener *listener = calloc(1, sizeof(*listener));

	if (!listener) {
		error_set(err, ERROR_NOMEM, "operator_listen: out of memory");
		return NULL;
	}
	listener->context = *context;
	if (!config->operator_listen[0] && !config->operator_listen_tls[0])
		return listener;
	listener->server = http_server_new(context->tasks, config, routes, listener, err);
	if (listener->server && watch(listener, err) == 0 &&
	    http_server_listen(listener->server, NULL, "operator_listen", config->operator_listen, err) == 0 &&
	    http_server_listen(listener->server, context->tls, "operator_listen_tls", config->operator_listen_tls,
	                       err) == 0) {
		http_server_log_to(listener->server, context->access);
		return listener;
	}
	operator_listener_free(listener);
	return NULL;
}

void operator_listener_free(struct operator_listener *listener)
{
	if (!listener)
		return;
	accounts_unwatch(&listener->watch);
	http_server_free(listener->server);
	free(listener);
}
