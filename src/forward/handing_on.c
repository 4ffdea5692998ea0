/* SPDX-License-Identifier: ISC */
/*
 * handing_on.c: a request's way to another front end, and its answer's way back. See forward.h.
 *
 *	client --- http_request_stream ---> body --- libcurl, on_wanted ---> the other one
 *	client <--------- outlet <------------------ libcurl, on_answer ---- the other one
 *
 * Whoever is faster is stopped: the client by http_request_hold_body, libcurl by its pauses, which end when there is more to
 * send, or room again. libcurl may not be told to end a transfer within its own calls; `end` does it from the loop.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "forward/forwarder_private.h"

#define SILENCE_MS 60000
#define SILENCE_ASK_SECONDS 3L

/* --- its life --- */

static void forward_free(struct forward *forward)
{
	if (forward->easy) {
		curl_loop_remove(forward->forwarder->loop, forward->easy);
		curl_easy_cleanup(forward->easy);
	}
	curl_slist_free_all(forward->headers);
	curl_slist_free_all(forward->connect_to);
	if (forward->end)
		event_free(forward->end);
	buf_free(&forward->body);
	answer_head_free(&forward->head);
	LIST_REMOVE(forward, link);
	free(forward);
}

/* The client has not waited. */
static void on_client_gone(void *arg)
{
	struct forward *forward = arg;

	forward->request = NULL;
	forward->outlet = NULL;
	forward_free(forward);
}

static void reply_unavailable(struct http_request *request, const char *why)
{
	struct error err;

	error_set(&err, ERROR_UNAVAILABLE, "forwarding: %s", why);
	http_reply_error(request, &err);
}

void forward_fail(struct forward *forward, const char *why)
{
	struct http_request *request = forward->request;
	struct http_outlet *outlet = forward->outlet;
	char said[CURL_ERROR_SIZE]; /* it may be the forward's own */

	str_cut(said, sizeof(said), why);
	forward->request = NULL;
	forward->outlet = NULL;
	forward_free(forward);
	if (request)
		reply_unavailable(request, said);
	else if (outlet)
		http_outlet_fail(outlet);
}

/* All of the answer has been handed over. */
static void finish(struct forward *forward)
{
	struct http_outlet *outlet = forward->outlet;

	forward->outlet = NULL;
	forward_free(forward);
	if (outlet)
		http_outlet_end(outlet);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish(arg);
}

void forward_ended(void *arg, CURL *easy, CURLcode code)
{
	struct forward *forward = arg;
	bool is_whole = !forward->request && (forward->left == 0 || forward->left == HTTP_LENGTH_UNKNOWN);

	(void)easy;
	if (code == CURLE_OK && is_whole)
		finish(forward);
	else if (code == CURLE_OK)
		forward_fail(forward, "the front end that holds the catalog has answered with what is no answer");
	else
		forward_fail(forward, forward->problem[0] ? forward->problem : curl_easy_strerror(code));
}

/* --- the request's body --- */

/* The forward may be gone then. */
static void let_go_on(struct forward *forward, int what)
{
	CURLcode code = curl_easy_pause(forward->easy, what);

	if (code != CURLE_OK)
		forward_fail(forward, curl_easy_strerror(code));
}

static void let_upload_go_on(struct forward *forward)
{
	if (!forward->upload_waits)
		return;
	forward->upload_waits = false;
	let_go_on(forward, CURLPAUSE_CONT);
}

static void on_body(void *arg, const char *data, size_t len)
{
	struct forward *forward = arg;

	buf_add(&forward->body, data, len);
	if (forward->body.len >= FORWARD_WAITING_MAX && forward->request)
		http_request_hold_body(forward->request, true);
	let_upload_go_on(forward);
}

static void on_body_end(void *arg)
{
	struct forward *forward = arg;

	forward->body_has_ended = true;
	http_request_on_close(forward->request, on_client_gone, forward);
	let_upload_go_on(forward);
}

/* libcurl wants more of the body. */
static size_t on_wanted(char *room, size_t size, size_t count, void *arg)
{
	struct forward *forward = arg;
	size_t len = size * count < forward->body.len ? size * count : forward->body.len;

	if (forward->body.failed)
		return CURL_READFUNC_ABORT;
	forward->upload_waits = len == 0 && !forward->body_has_ended;
	if (forward->upload_waits)
		return CURL_READFUNC_PAUSE;
	if (len == 0)
		return 0;
	memcpy(room, forward->body.data, len);
	buf_drain(&forward->body, len);
	if (forward->request && !forward->body_has_ended)
		http_request_hold_body(forward->request, forward->body.len >= FORWARD_WAITING_MAX);
	return len;
}

/* --- the answer --- */

static void on_room(void *arg)
{
	struct forward *forward = arg;

	let_go_on(forward, forward->upload_waits ? CURLPAUSE_SEND : CURLPAUSE_CONT);
}

/* After an answer that has come before all of the request was sent, libcurl would wait for the rest; and after one to HEAD that
 * had a body, for that of the answer. */
static void end_if_complete(struct forward *forward)
{
	if (forward->left == 0 && forward->has_body && (!forward->body_has_ended || !forward->outlet))
		event_active(forward->end, EV_TIMEOUT, 0);
}

static void begin_answer(struct forward *forward)
{
	static const struct http_outlet_calls calls = { on_room, on_client_gone };
	struct http_request *request = forward->request;
	struct answer_head *head = &forward->head;

	forward->request = NULL;
	answer_head_pass_on(head, request);
	forward->left = head->length;
	forward->outlet = http_reply_outlet(request, head->status, head->type.len > 0 ? buf_cstr(&head->type) : NULL,
	                                    head->length, &calls, forward);
	if (!forward->outlet)
		forward->left = 0;
	end_if_complete(forward);
}

static size_t on_head_line(char *data, size_t size, size_t count, void *arg)
{
	struct forward *forward = arg;

	if (forward->head.has_ended) /* trailers */
		return size * count;
	if (!answer_head_take(&forward->head, (struct str){ data, size * count }))
		return 0;
	if (forward->head.has_ended)
		begin_answer(forward);
	return size * count;
}

static size_t on_answer(char *data, size_t size, size_t count, void *arg)
{
	struct forward *forward = arg;
	size_t len = size * count;

	if (!forward->outlet || len > forward->left)
		return 0;
	if (!http_outlet_has_room(forward->outlet))
		return CURL_WRITEFUNC_PAUSE;
	http_outlet_add(forward->outlet, (struct str){ data, len });
	if (forward->left != HTTP_LENGTH_UNKNOWN)
		forward->left -= len;
	end_if_complete(forward);
	return len;
}

/* --- the beginning --- */

/* What the body is sent with says libcurl. */
static bool is_written_by_libcurl(struct str name)
{
	return str_equal_nocase(name, STR_LITERAL("Content-Length")) || str_equal_nocase(name, STR_LITERAL("Expect"));
}

static bool add_fields(struct forward *forward, struct buf *line)
{
	struct str name, value;
	bool has_accept = false;

	for (size_t i = 0; http_request_field(forward->request, i, &name, &value); i++) {
		if (answer_head_is_of_connection(name) || is_written_by_libcurl(name) ||
		    http_request_is_of_connection(forward->request, name))
			continue;
		has_accept |= str_equal_nocase(name, STR_LITERAL("Accept"));
		buf_clear(line);
		buf_add_str(line, name);
		buf_add_text(line, value.len > 0 ? ": " : ";");
		buf_add_str(line, value);
		if (!curl_list_add(&forward->headers, buf_cstr(line)))
			return false;
	}
	return (has_accept || curl_list_add(&forward->headers, "Accept:")) &&
	       curl_list_add(&forward->headers, "Expect:") &&
	       (forward->has_body || !str_is(http_request_method(forward->request), "POST") ||
	        curl_list_add(&forward->headers, "Content-Length: 0"));
}

static bool add_headers(struct forward *forward)
{
	struct buf line = { 0 };
	struct error err;
	bool done = add_fields(forward, &line);

	buf_clear(&line);
	buf_add_text(&line, HTTP_RELAYED_FIELD ": ");
	done = done && http_request_seal_client(forward->request, forward->forwarder->options.key, &line, &err) == 0 &&
	       curl_list_add(&forward->headers, buf_cstr(&line));
	buf_free(&line);
	return done;
}

/* libcurl sends a request again when a kept connection ends without a byte of an answer, unless part of a body has gone out.
 * One that may change something is then not known not to have been done, so it gets a connection of its own. */
static bool may_be_repeated(const struct http_request *request)
{
	static const char *const methods[] = { "GET", "HEAD", "OPTIONS" };

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (str_is(http_request_method(request), methods[i]))
			return true;
	return false;
}

static void set_method(const struct forward *forward, const char *method)
{
	uint64_t length = http_request_length(forward->request);

	if (forward->has_body) {
		curl_easy_setopt(forward->easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(forward->easy, CURLOPT_INFILESIZE_LARGE,
		                 length == HTTP_LENGTH_UNKNOWN ? (curl_off_t)-1 : (curl_off_t)length);
	} else if (http_request_is_head(forward->request)) {
		curl_easy_setopt(forward->easy, CURLOPT_NOBODY, 1L);
	}
	if (!forward->has_body && !may_be_repeated(forward->request))
		curl_easy_setopt(forward->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(forward->easy, CURLOPT_CUSTOMREQUEST, method);
}

static int set_up(struct forward *forward, struct buf *method, struct buf *target)
{
	/* Of a body that the other one takes nothing of, too: longer than it can be held up and still hold the catalog. */
	static const int silence_ms = SILENCE_MS;
	CURL *easy = forward->easy;

	forward->connect_to = curl_slist_append(NULL, forward->forwarder->target.connect_to);
	if (!forward->connect_to || !add_headers(forward) || !buf_cstr(method) || !buf_cstr(target))
		return -1;
	forward_set_url(&forward->forwarder->options, easy, forward->forwarder->target.url, forward->connect_to);
	set_method(forward, method->data);
	curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, target->data);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, forward->headers);
	forward_notice_silence(easy, &silence_ms, SILENCE_ASK_SECONDS);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_wanted);
	curl_easy_setopt(easy, CURLOPT_READDATA, forward);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head_line);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, forward);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, forward);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, forward->problem);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, forward);
	return curl_loop_add(forward->forwarder->loop, easy);
}

static int begin(struct forward *forward)
{
	struct buf method = { 0 }, target = { 0 };
	struct str query = http_request_query(forward->request);
	int result = -1;

	buf_add_str(&method, http_request_method(forward->request));
	buf_add_str(&target, http_request_path(forward->request));
	if (query.p)
		buf_add_char(&target, '?');
	buf_add_str(&target, query);
	forward->easy = curl_easy_init();
	forward->end = evtimer_new(forward->forwarder->options.base, on_end, forward);
	if (forward->easy && forward->end)
		result = set_up(forward, &method, &target);
	buf_free(&method);
	buf_free(&target);
	return result;
}

static struct forward *forward_new(struct forwarder *forwarder, struct http_request *request)
{
	struct forward *forward = calloc(1, sizeof(*forward));

	if (!forward)
		return NULL;
	forward->forwarder = forwarder;
	forward->request = request;
	forward->has_body = http_request_length(request) > 0;
	forward->body_has_ended = !forward->has_body;
	forward->left = HTTP_LENGTH_UNKNOWN;
	LIST_INSERT_HEAD(&forwarder->forwards, forward, link);
	if (begin(forward) == 0)
		return forward;
	forward_free(forward);
	return NULL;
}

void forwarder_take(struct forwarder *forwarder, struct http_request *request)
{
	static const struct http_stream stream = { on_body, on_body_end, on_client_gone, NULL };
	struct forward *forward;
	struct error err;

	if (http_request_header(request, HTTP_RELAYED_FIELD).p) {
		reply_unavailable(request, "it was forwarded here, where the catalog is not held either");
	} else if (!forwarder->target.url[0]) {
		reply_unavailable(request, "it is not known where to");
	} else if ((forward = forward_new(forwarder, request))) {
		http_request_stream(request, &stream, forward);
		http_request_on_close(request, on_client_gone, forward);
	} else {
		error_set(&err, ERROR_NOMEM, "forwarding: out of memory");
		http_reply_error(request, &err);
	}
}
