/* SPDX-License-Identifier: ISC */
/*
 * unread.c: answers that wait in memory for their clients to read them. The application is told when one begins to and
 * when it has left, so that it can count them. Answers that the kernel takes at once, which are nearly all, cost nothing.
 * Declared in http.h and connection.h.
 */
#include "http/connection.h"

void http_server_watch_unread(struct http_server *server, void *(*begin)(struct http_request *request, void *app),
                              void (*end)(void *unread))
{
	server->unread_begin = begin;
	server->unread_end = end;
}

void http_unread_begin(struct http_request *request)
{
	struct http_connection *c = request->connection;

	if (c->server->unread_begin && evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
		c->unread = c->server->unread_begin(request, c->server->app);
}

void http_unread_end(struct http_connection *c)
{
	if (c->unread)
		c->server->unread_end(c->unread);
	c->unread = NULL;
}
