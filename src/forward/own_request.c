/* SPDX-License-Identifier: ISC */
/*
 * own_request.c: what a front end itself asks of the one that holds the catalog. See forwarder_post in forward.h.
 */
#include <stdlib.h>

#include "forward/forwarder_private.h"

#define SILENCE_MS 5000
#define SILENCE_ASK_SECONDS 1L

struct forward_own {
	LIST_ENTRY(forward_own) link;
	struct forwarder *forwarder;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	struct buf body;
	const struct forward_own_calls *calls; /* NULL: nobody waits for the answer */
	void *arg;
	char problem[CURL_ERROR_SIZE];
};

static void own_free(struct forward_own *own)
{
	if (own->easy) {
		curl_loop_remove(own->forwarder->own_loop, own->easy);
		curl_easy_cleanup(own->easy);
	}
	curl_slist_free_all(own->headers);
	curl_slist_free_all(own->connect_to);
	buf_free(&own->body);
	LIST_REMOVE(own, link);
	free(own);
}

void forward_own_cancel(struct forward_own *own)
{
	own_free(own);
}

static void end(struct forward_own *own, const char *why)
{
	const struct forward_own_calls *calls = own->calls;
	void *arg = own->arg;
	struct error err;
	long status = 0;

	curl_easy_getinfo(own->easy, CURLINFO_RESPONSE_CODE, &status);
	if (why)
		error_set(&err, ERROR_UNAVAILABLE, "the front end %.64s: %s", own->forwarder->target.name, why);
	else if (status < 200 || status > 299)
		error_set(&err, ERROR_UNAVAILABLE, "the front end %.64s has answered with %ld",
		          own->forwarder->target.name, status);
	else
		err.code = ERROR_NONE;
	own_free(own);
	if (calls)
		calls->ended(arg, err.code != ERROR_NONE ? &err : NULL);
}

void forward_own_ended(void *arg, CURL *easy, CURLcode code)
{
	struct forward_own *own = arg;

	(void)easy;
	end(own, code == CURLE_OK ? NULL : own->problem[0] ? own->problem : curl_easy_strerror(code));
}

void forward_own_end_all(struct forwarder *forwarder)
{
	struct forward_own *own;

	while ((own = LIST_FIRST(&forwarder->owns)))
		end(own, "it does not hold the catalog any more");
}

static size_t on_answer(char *data, size_t size, size_t count, void *arg)
{
	struct forward_own *own = arg;
	long status = 0;

	curl_easy_getinfo(own->easy, CURLINFO_RESPONSE_CODE, &status);
	if (own->calls && status == 200)
		own->calls->came(own->arg, (struct str){ data, size * count });
	return size * count;
}

static int set_up(struct forward_own *own, const char *path)
{
	/* Who waits is to know soon that the other one is gone; and that one, that nobody waits any more. */
	static const int silence_ms = SILENCE_MS;
	const struct forwarder *forwarder = own->forwarder;

	own->easy = curl_easy_init();
	if (!own->easy || !curl_list_add(&own->connect_to, forwarder->target.connect_to) ||
	    !forward_add_seal(forwarder, STR_LITERAL("POST"), path, &own->headers) ||
	    !curl_list_add(&own->headers, "Content-Type: application/octet-stream") ||
	    !curl_list_add(&own->headers, "Expect:"))
		return -1;
	forward_set_target(forwarder, own->easy, own->connect_to);
	curl_easy_setopt(own->easy, CURLOPT_REQUEST_TARGET, path);
	curl_easy_setopt(own->easy, CURLOPT_HTTPHEADER, own->headers);
	curl_easy_setopt(own->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(own->easy, CURLOPT_POSTFIELDS, own->body.len > 0 ? own->body.data : "");
	curl_easy_setopt(own->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)own->body.len);
	forward_notice_silence(own->easy, &silence_ms, SILENCE_ASK_SECONDS);
	curl_easy_setopt(own->easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(own->easy, CURLOPT_WRITEDATA, own);
	curl_easy_setopt(own->easy, CURLOPT_ERRORBUFFER, own->problem);
	curl_easy_setopt(own->easy, CURLOPT_PRIVATE, own);
	return curl_loop_add(forwarder->own_loop, own->easy);
}

struct forward_own *forwarder_post(struct forwarder *forwarder, const char *path, struct buf *body,
                                   const struct forward_own_calls *calls, void *arg, struct error *err)
{
	struct forward_own *own = forwarder->target.url[0] ? calloc(1, sizeof(*own)) : NULL;

	if (!forwarder->target.url[0]) {
		error_set(err, ERROR_UNAVAILABLE, "it is not known which front end holds the catalog");
		return NULL;
	}
	if (!own || body->failed) {
		free(own);
		error_set(err, ERROR_NOMEM, "a request to another front end: out of memory");
		return NULL;
	}
	own->forwarder = forwarder;
	own->calls = calls;
	own->arg = arg;
	own->body = *body;
	*body = (struct buf){ 0 };
	LIST_INSERT_HEAD(&forwarder->owns, own, link);
	if (set_up(own, path) == 0)
		return own;
	if (own->easy) /* it is in no loop */
		curl_easy_cleanup(own->easy);
	own->easy = NULL;
	own_free(own);
	error_set(err, ERROR_NOMEM, "a request to another front end: out of memory");
	return NULL;
}
