/* SPDX-License-Identifier: ISC */
/*
 * own_request.c: what a front end itself asks of another one. See forward_ask in forward.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "forward/forwarder_private.h"

#define SILENCE_MS 5000
#define SILENCE_ASK_SECONDS 1L
/* Of an answer at most. Each of those that come may take one in a turn of the loop: some 0.06 ms, of a file of a report. */
#define PIECE_BYTES (32L << 10)
#define NAME_SIZE 65
#define SAID_MAX 4096

struct forward_asker {
	struct forwarder_options options;
	struct curl_loop *loop;
	LIST_HEAD(, forward_own) owns;
};

struct forward_own {
	LIST_ENTRY(forward_own) link;
	struct forward_asker *asker;
	char name[NAME_SIZE]; /* of the other one */
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	struct buf body;
	const struct forward_own_calls *calls; /* NULL: nobody waits for the answer */
	void *arg;
	char problem[CURL_ERROR_SIZE];
	struct buf said; /* why it refuses: a problem document, or what it begins with */
};

static void own_free(struct forward_own *own)
{
	if (own->easy) {
		curl_loop_remove(own->asker->loop, own->easy);
		curl_easy_cleanup(own->easy);
	}
	curl_slist_free_all(own->headers);
	curl_slist_free_all(own->connect_to);
	buf_free(&own->body);
	buf_free(&own->said);
	LIST_REMOVE(own, link);
	free(own);
}

void forward_own_cancel(struct forward_own *own)
{
	own_free(own);
}

static void set_refused(struct forward_own *own, long status, struct error *err)
{
	struct forward_says says = { .detail = "" };

	forward_read_says(buf_str(&own->said), &says);
	if (!says.detail[0])
		snprintf(says.detail, sizeof(says.detail), "%.160s", buf_cstr(&own->said) ? own->said.data : "");
	error_set(err, ERROR_UNAVAILABLE, "the front end %s has answered with %ld: %s", own->name, status, says.detail);
}

static void end(struct forward_own *own, const char *why)
{
	const struct forward_own_calls *calls = own->calls;
	void *arg = own->arg;
	struct error err;
	long status = 0;

	curl_easy_getinfo(own->easy, CURLINFO_RESPONSE_CODE, &status);
	if (why)
		error_set(&err, ERROR_UNAVAILABLE, "the front end %s: %s", own->name, why);
	else if (status < 200 || status > 299)
		set_refused(own, status, &err);
	else
		err.code = ERROR_NONE;
	own_free(own);
	if (calls)
		calls->ended(arg, err.code != ERROR_NONE ? &err : NULL);
}

static void on_ended(void *arg, CURL *easy, CURLcode code)
{
	struct forward_own *own = arg;

	(void)easy;
	end(own, code == CURLE_OK ? NULL : own->problem[0] ? own->problem : curl_easy_strerror(code));
}

void forward_asker_end_all(struct forward_asker *asker, const char *why)
{
	struct forward_own *own;

	while ((own = LIST_FIRST(&asker->owns)))
		end(own, why);
}

static size_t on_answer(char *data, size_t size, size_t count, void *arg)
{
	struct forward_own *own = arg;
	long status = 0;

	curl_easy_getinfo(own->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200 && own->said.len + size * count <= SAID_MAX)
		buf_add(&own->said, data, size * count);
	if (own->calls && status == 200 && !own->calls->came(own->arg, (struct str){ data, size * count }))
		return 0;
	return size * count;
}

static int set_up(struct forward_own *own, const struct forward_peer *peer, const char *path)
{
	/* Who waits is to know soon that the other one is gone; and that one, that nobody waits any more. */
	static const int silence_ms = SILENCE_MS;
	const struct forwarder_options *options = &own->asker->options;

	own->easy = curl_easy_init();
	if (!own->easy || !curl_list_add(&own->connect_to, peer->connect_to) ||
	    !forward_add_seal(options, STR_LITERAL("POST"), path, &own->headers) ||
	    !curl_list_add(&own->headers, "Content-Type: application/octet-stream") ||
	    !curl_list_add(&own->headers, "Expect:"))
		return -1;
	forward_set_url(options, own->easy, peer->url, own->connect_to);
	curl_easy_setopt(own->easy, CURLOPT_REQUEST_TARGET, path);
	curl_easy_setopt(own->easy, CURLOPT_HTTPHEADER, own->headers);
	curl_easy_setopt(own->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(own->easy, CURLOPT_POSTFIELDS, own->body.len > 0 ? own->body.data : "");
	curl_easy_setopt(own->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)own->body.len);
	forward_notice_silence(own->easy, &silence_ms, SILENCE_ASK_SECONDS);
	curl_easy_setopt(own->easy, CURLOPT_BUFFERSIZE, PIECE_BYTES);
	curl_easy_setopt(own->easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(own->easy, CURLOPT_WRITEDATA, own);
	curl_easy_setopt(own->easy, CURLOPT_ERRORBUFFER, own->problem);
	curl_easy_setopt(own->easy, CURLOPT_PRIVATE, own);
	return curl_loop_add(own->asker->loop, own->easy);
}

struct forward_own *forward_ask(struct forward_asker *asker, const struct forward_peer *peer, const char *path,
                                struct buf *body, const struct forward_own_calls *calls, void *arg, struct error *err)
{
	struct forward_own *own = body->failed ? NULL : calloc(1, sizeof(*own));

	if (!own) {
		error_set(err, ERROR_NOMEM, "a request to another front end: out of memory");
		return NULL;
	}
	own->asker = asker;
	own->calls = calls;
	own->arg = arg;
	own->body = *body;
	*body = (struct buf){ 0 };
	str_cut(own->name, sizeof(own->name), peer->name);
	LIST_INSERT_HEAD(&asker->owns, own, link);
	if (set_up(own, peer, path) == 0)
		return own;
	if (own->easy) /* it is in no loop */
		curl_easy_cleanup(own->easy);
	own->easy = NULL;
	own_free(own);
	error_set(err, ERROR_NOMEM, "a request to another front end: out of memory");
	return NULL;
}

struct forward_own *forwarder_post(struct forwarder *forwarder, const char *path, struct buf *body,
                                   const struct forward_own_calls *calls, void *arg, struct error *err)
{
	const struct forward_target *target = &forwarder->target;

	if (target->url[0])
		return forward_ask(forwarder->asker,
		                   &(struct forward_peer){ target->name, target->url, target->connect_to }, path, body,
		                   calls, arg, err);
	error_set(err, ERROR_UNAVAILABLE, "it is not known which front end holds the catalog");
	return NULL;
}

/* --- its life --- */

struct forward_asker *forward_asker_new(const struct forwarder_options *options, struct error *err)
{
	struct forward_asker *asker = calloc(1, sizeof(*asker));

	if (!asker) {
		error_set(err, ERROR_NOMEM, "requests to other front ends: out of memory");
		return NULL;
	}
	asker->options = *options;
	LIST_INIT(&asker->owns);
	asker->loop = curl_loop_new(options->base, on_ended, err);
	if (asker->loop)
		return asker;
	free(asker);
	return NULL;
}

void forward_asker_free(struct forward_asker *asker)
{
	if (!asker)
		return;
	forward_asker_end_all(asker, "this one is ending");
	curl_loop_free(asker->loop);
	free(asker);
}
