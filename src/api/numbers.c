/* SPDX-License-Identifier: ISC */
/*
 * numbers.c: numbers of changes, for front ends that take records in and do not hold the catalog. Of front ends among
 * themselves, so it is in no description. store/cluster.h tells of them.
 *
 *	POST /front-ends/numbers         store_numbers_write_request    all of a commit
 *	200                              store_numbers_write            at once, or when no other commit has its ids;
 *	                                 '1' or '0' after it            it has settled, or will not
 *
 *	POST /front-ends/numbers/{from}  '1' or '0', store_changed      all of it is stored, or is not
 *	204
 *
 * The first answer stays open in between: its end is how each side knows that the other one is gone.
 */
#include "api/numbers.h"

#include <stdlib.h>

#include "api/api.h"
#include "store/cluster.h"

#define BODY_MAX ((size_t)16 << 20) /* two million ids: far more than are gathered */

struct lending {
	struct api *app;
	struct http_request *request; /* until its answer begins */
	struct http_outlet *outlet;   /* from then on */
	struct buf body;
	struct store_span *span;
};

static void lending_free(struct lending *lending)
{
	buf_free(&lending->body);
	free(lending);
}

/* --- the answer --- */

static void on_outlet_gone(void *arg)
{
	struct lending *lending = arg;

	store_span_leave(lending->span);
	lending_free(lending);
}

static void on_room(void *arg)
{
	(void)arg;
}

static void on_gone(void *arg)
{
	struct lending *lending = arg;

	if (lending->span)
		store_span_leave(lending->span);
	lending_free(lending);
}

static void on_granted(void *arg, const struct store_numbers *numbers)
{
	static const struct http_outlet_calls calls = { on_room, on_outlet_gone };
	struct lending *lending = arg;
	struct buf text = { 0 };

	store_numbers_write(&text, numbers);
	if (!text.failed) {
		lending->outlet = http_reply_outlet(lending->request, 200, "application/octet-stream",
		                                    STORE_NUMBERS_BYTES + 1, &calls, lending);
		lending->request = NULL;
	} else {
		struct http_request *request = lending->request;
		struct error err;

		lending->request = NULL;
		error_set(&err, ERROR_NOMEM, "Numbers for another front end: out of memory");
		http_reply_error(request, &err);
	}
	if (lending->outlet) {
		http_outlet_add(lending->outlet, buf_str(&text));
	} else {
		store_span_leave(lending->span);
		lending_free(lending);
	}
	buf_free(&text);
}

static void on_settled(void *arg, const struct error *err)
{
	struct lending *lending = arg;
	struct http_request *request = lending->request;
	struct http_outlet *outlet = lending->outlet;
	struct ingest *ingest = lending->app->ingest;

	lending_free(lending);
	if (request) { /* there were no numbers */
		http_reply_error(request, err);
		return;
	}
	http_outlet_add(outlet, err ? STR_LITERAL("0") : STR_LITERAL("1"));
	http_outlet_end(outlet);
	if (!err)
		ingest_others_committed(ingest);
}

/* --- the request --- */

static void on_data(void *arg, const char *data, size_t len)
{
	struct lending *lending = arg;

	if (lending->body.len + len <= BODY_MAX)
		buf_add(&lending->body, data, len);
	else
		lending->body.failed = true;
}

static void on_end(void *arg)
{
	static const struct store_span_calls calls = { on_granted, on_settled };
	struct lending *lending = arg;
	struct http_request *request = lending->request;
	struct store_numbers_request asked;
	struct buf hashes = { 0 };
	struct error err;
	int result = lending->body.failed ?
	                     error_set(&err, ERROR_NOMEM, "Numbers for another front end: out of memory") :
	             store_numbers_read_request(buf_str(&lending->body), &asked, &hashes) ?
	                     0 :
	                     error_set(&err, ERROR_INVALID, "This is no request for numbers");

	http_request_on_close(request, on_gone, lending);
	if (result == 0)
		lending->span = store_span_begin(lending->app->store, &asked, &calls, lending, &err);
	buf_free(&hashes);
	buf_free(&lending->body);
	if (lending->span)
		return;
	lending_free(lending);
	http_reply_error(request, &err);
}

void api_numbers_post(struct http_request *request, void *app)
{
	static const struct http_stream stream = { on_data, on_end, on_gone, NULL };
	struct lending *lending = calloc(1, sizeof(*lending));
	struct error err;

	if (!lending) {
		error_set(&err, ERROR_NOMEM, "Numbers for another front end: out of memory");
		http_reply_error(request, &err);
		return;
	}
	lending->app = app;
	lending->request = request;
	http_request_stream(request, &stream, lending);
}

void api_numbers_end_post(struct http_request *request, void *app)
{
	const struct api *shared = app;
	struct str body = http_request_body(request);
	struct buf text = { 0 };
	struct store_changed changed = { .bits = { 0 } };

	buf_add_str(&text, http_request_segment(request));
	uint64_t from = buf_cstr(&text) ? strtoull(text.data, NULL, 10) : 0;
	buf_free(&text);
	bool is_stored = body.len == 1 + sizeof(changed) && body.p[0] == '1';
	if (is_stored)
		memcpy(&changed, body.p + 1, sizeof(changed));
	if (store_span_end(shared->store, from, is_stored, &changed))
		http_reply(request, 204, NULL, NULL);
	else
		http_reply_problem(request, 404, "Not Found", "There is no such commit, or its numbers were given up.");
}

bool api_auth_front_end(struct http_request *request, void *app)
{
	(void)app;
	if (http_request_is_of_front_end(request))
		return true;
	http_reply_problem(request, 404, "Not Found", "There is nothing at this path.");
	return false;
}
