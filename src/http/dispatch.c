/* SPDX-License-Identifier: ISC */
/*
 * dispatch.c: from a complete head to the handler: parse, route, authentication and admission, body. Each step may
 * answer instead. Declared in connection.h.
 */
#include "base/invariant.h"
#include "http/connection.h"

#include "http/router.h"

/* How a route's body is limited. */
struct body_limit {
	int64_t bytes_max;
	const char *setting;
};

static struct body_limit body_limit(const struct config *config, const struct http_route *route)
{
	if (route->body == HTTP_BODY_STREAM)
		return (struct body_limit){ config->ingest_body_max, "ingest_body_max" };
	return (struct body_limit){ config->body_max, "body_max" };
}

static bool find_route(struct http_request *request)
{
	struct http_server *server = request->connection->server;
	const struct http_head *head = &request->head;
	struct buf allow = { 0 };
	struct error err;
	unsigned allowed;

	request->route = http_router_find(server->routes, head->method, head->path, &request->segment, &allowed);
	while (request->route && server->takes && !server->takes(request, request->route, server->app))
		request->route =
			http_router_find(request->route + 1, head->method, head->path, &request->segment, &allowed);
	if (request->route)
		return true;
	if (request->segment.failed) {
		error_set(&err, ERROR_NOMEM, "a request's path: out of memory");
		http_reply_error(request, &err);
		return false;
	}
	if (!http_router_knows(head->method)) {
		http_reply_problem(request, 501, "Not Implemented", "The method is not known here.");
		return false;
	}
	if (allowed == 0) {
		http_reply_problem(request, 404, "Not Found", "There is nothing at this path.");
		return false;
	}
	http_router_allow(&allow, allowed);
	http_reply_header(request, "Allow", buf_cstr(&allow));
	buf_free(&allow);
	http_reply_problem(request, 405, "Method Not Allowed", "The path does not take this method.");
	return false;
}

/* Asks one of the route's functions. If it answers later, the request waits as for its handler. */
static bool ask(struct http_connection *c, bool (*allows)(struct http_request *request, void *app))
{
	struct http_request *request = c->request;

	if (!allows || allows(request, c->server->app))
		return true;
	if (c->request == request && c->state == HTTP_STATE_HEAD)
		http_connection_set_state(c, HTTP_STATE_WORK);
	return false;
}

static bool prepare_body(struct http_connection *c)
{
	struct http_request *request = c->request;
	const struct config *config = c->server->config;
	struct body_limit limit = body_limit(config, request->route);
	bool wanted = request->route->body != HTTP_BODY_NONE;
	struct str encoding = wanted ? http_head_field(&request->head, "Content-Encoding") : STR_LITERAL("");
	struct http_fault fault;

	if (request->route->body == HTTP_BODY_RAW)
		return true;
	if (http_content_decode(&c->content, encoding, (uint64_t)limit.bytes_max, (uint64_t)config->inflate_ratio_max,
	                        limit.setting, &fault) == 0)
		return true;
	if (fault.status == 415)
		http_reply_header(request, "Accept-Encoding", HTTP_CODINGS_TAKEN); /* RFC 7694 */
	http_reply_fault(request, &fault);
	return false;
}

void http_dispatch_handle(struct http_connection *c)
{
	http_connection_set_state(c, HTTP_STATE_WORK);
	c->request->route->handle(c->request, c->server->app);
}

/* The head is valid: from here on the connection may stay open whatever the answer. */
static void route_request(struct http_connection *c)
{
	struct http_request *request = c->request;

	if (!find_route(request) || !ask(c, request->route->authenticate) || !ask(c, request->route->admit) ||
	    !prepare_body(c))
		return;
	if (http_body_is_streamed(request)) {
		http_dispatch_handle(c);
		if (c->state != HTTP_STATE_WORK)
			return;
		INVARIANT(request->stream.on_data); /* what the handler owes in return */
		http_intake_begin(c);
	} else if (c->content.finished) {
		http_dispatch_handle(c);
	} else {
		http_intake_begin(c);
	}
}

/* Only a front end that has handed a request on has more room than header_max, for what it adds. */
static bool has_its_size(const struct http_request *request, struct http_fault *fault)
{
	size_t limit = (size_t)request->connection->server->config->header_max;

	return request->relayed.len > 0 || http_head_check_size(buf_str(&request->text), limit, fault) == 0;
}

void http_dispatch(struct http_connection *c, struct str text)
{
	struct http_request *request = http_request_take(c);
	struct http_fault fault;

	if (!request) {
		http_connection_close(c);
		return;
	}
	c->request = request;
	c->server->stats.requests++;
	buf_add(&request->text, text.p, text.len);
	evbuffer_drain(bufferevent_get_input(c->bev), c->scan.line);
	if (request->text.failed) {
		http_fault_set(&fault, 503, "There is not enough memory for the request.");
		http_connection_fail(c, &fault);
	} else if (http_head_parse(&request->head, buf_str(&request->text), &fault) < 0) {
		http_connection_fail(c, &fault);
	} else {
		if (c->is_from_proxy)
			http_forwarded_apply(&request->client, &request->head, c->server->config->proxy_headers,
			                     c->server->config->proxies);
		c->keep_alive = request->head.keep_alive;
		http_content_begin(&c->content, &request->head);
		c->continue_owed = request->head.expect_continue && !c->content.finished;
		if (c->server->relay_key &&
		    (http_relayed_apply(request, &fault) != 0 || !has_its_size(request, &fault)))
			http_connection_fail(c, &fault);
		else
			route_request(c);
	}
}
