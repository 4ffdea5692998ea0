/* SPDX-License-Identifier: ISC */
/*
 * reply.c: the head of an answer, and the end of a request.
 *
 *	HTTP/1.1 200 OK CRLF Date: ... CRLF [Content-Type: ... CRLF] Content-Length: ... CRLF [Connection: close CRLF]
 *	*( headers of http_reply_header ) CRLF
 */
#include <unistd.h>

#include "base/log.h"
#include "http/connection.h"
#include "http/packing.h"

static const struct {
	int status;
	const char *phrase;
} statuses[] = {
	{ 200, "OK" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ HTTP_STATUS_GONE, "Client Closed Request" }, /* never sent, but counted */
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
	{ 507, "Insufficient Storage" },
};

const char *http_status_phrase(int status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].status == status)
			return statuses[i].phrase;
	return "Unknown";
}

#define STATUSES (sizeof(statuses) / sizeof(statuses[0]))

_Static_assert(STATUSES < HTTP_STATUS_SLOTS, "one slot is for what is not in the table");

size_t http_status_slot(int status)
{
	size_t slot = 0;

	while (slot < STATUSES && statuses[slot].status != status)
		slot++;
	return slot;
}

int http_status_of_slot(size_t slot)
{
	return slot < STATUSES ? statuses[slot].status : 0;
}

void http_reply_header(struct http_request *request, const char *name, const char *value)
{
	struct buf *headers = &request->headers;

	headers->failed |= !value;
	buf_add_text(headers, name);
	buf_add_text(headers, ": ");
	for (; value && *value; value++)
		buf_add_char(headers, *value == '\r' || *value == '\n' ? ' ' : *value);
	buf_add_text(headers, "\r\n");
}

static void add_field(struct buf *out, const char *name, const char *value)
{
	buf_add_text(out, name);
	buf_add_text(out, value);
	buf_add_text(out, "\r\n");
}

bool http_reply_stays_open(struct http_connection *c)
{
	if (!c->keep_alive || c->server->draining)
		return false;
	if (c->content.finished)
		return true;
	return !c->continue_owed && http_content_drop(&c->content, (uint64_t)c->server->config->body_max);
}

struct str http_reply_make_head(const struct http_request *request, int status, const char *content_type,
                                uint64_t length)
{
	struct http_server *server = request->connection->server;
	struct buf *head = &server->head;

	buf_clear(head);
	buf_add_text(head, "HTTP/1.1 ");
	buf_add_uint(head, (uint64_t)status);
	buf_add_char(head, ' ');
	add_field(head, http_status_phrase(status), "");
	add_field(head, "Date: ", server->date);
	if (content_type)
		add_field(head, "Content-Type: ", content_type);
	if (status != 204 && status != 304 && length != HTTP_LENGTH_UNKNOWN) {
		buf_add_text(head, "Content-Length: ");
		buf_add_uint(head, length);
		buf_add_text(head, "\r\n");
	}
	if (!request->connection->keep_alive)
		buf_add_text(head, "Connection: close\r\n");
	buf_add_str(head, buf_str(&request->headers));
	buf_add_text(head, "\r\n");
	if (request->headers.failed)
		head->failed = true;
	return buf_str(head);
}

/* The answer is on its way, or the connection is broken. */
static void end_reply(struct http_request *request, bool sent)
{
	struct http_connection *c = request->connection;

	http_request_release(request);
	if (!sent)
		http_connection_set_state(c, HTTP_STATE_CLOSED);
	http_connection_answered(c);
}

void http_reply_file(struct http_request *request, int status, const char *content_type, int fd, uint64_t offset,
                     uint64_t length, void (*on_end)(void *arg), void *arg)
{
	struct http_connection *c = request->connection;
	bool head_only = str_is(request->head.method, "HEAD");

	c->keep_alive = http_reply_stays_open(c);
	struct str head = http_reply_make_head(request, status, content_type, length);

	http_stats_count(request, status, length);
	bool sent = !c->server->head.failed && http_send(c, head, NULL);
	if (sent && !head_only && length > 0) {
		http_file_begin(c, fd, offset, length, on_end, arg);
	} else {
		close(fd);
		if (on_end)
			on_end(arg);
	}
	end_reply(request, sent);
}

void http_reply(struct http_request *request, int status, const char *content_type, struct buf *body)
{
	http_reply_after(request, status, content_type, (struct str){ NULL, 0 }, body);
}

void http_reply_after(struct http_request *request, int status, const char *content_type, struct str front,
                      struct buf *body)
{
	if (body && !body->failed && http_packing_is_worth_it(request, content_type, front.len + body->len)) {
		http_reply_header(request, "Vary", "Accept-Encoding");
		if (http_packing_is_preferred(http_head_field(&request->head, "Accept-Encoding")) &&
		    http_packing_begin(request, status, content_type, front, body))
			return;
	}
	http_reply_uncompressed(request, status, content_type, front, body);
}

void http_reply_uncompressed(struct http_request *request, int status, const char *content_type, struct str front,
                             struct buf *body)
{
	struct http_connection *c = request->connection;
	bool head_only = str_is(request->head.method, "HEAD");
	bool broken = body && body->failed;
	size_t length = body && !broken ? front.len + body->len : 0;

	if (broken) {
		log_error("http", "out of memory for an answer");
		status = 500;
		content_type = NULL;
	}
	c->keep_alive = http_reply_stays_open(c);
	struct str head = http_reply_make_head(request, status, content_type, length);

	http_stats_count(request, status, length);
	if (body && (head_only || broken)) {
		buf_free(body);
		body = NULL;
	}
	if (body) {
		buf_add_str(&c->server->head, front);
		head = buf_str(&c->server->head);
	}
	bool sent = !c->server->head.failed && ((body && http_gather(c, head, body)) || http_send(c, head, body));
	if (c->server->head.failed && body)
		buf_free(body);
	if (sent)
		http_unread_begin(request);
	end_reply(request, sent);
}

void http_reply_shared(struct http_request *request, int status, const char *content_type, struct str body)
{
	struct http_connection *c = request->connection;

	c->keep_alive = http_reply_stays_open(c);
	struct str head = http_reply_make_head(request, status, content_type, body.len);

	http_stats_count(request, status, body.len);
	if (str_is(request->head.method, "HEAD"))
		body.len = 0;
	bool sent = !c->server->head.failed && http_send_shared(c, head, body);
	end_reply(request, sent);
}
