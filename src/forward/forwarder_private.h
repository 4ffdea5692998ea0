/* SPDX-License-Identifier: ISC */
/*
 * forwarder_private.h: of the files of forward/.
 */
#ifndef CDRD_FORWARD_FORWARDER_PRIVATE_H
#define CDRD_FORWARD_FORWARDER_PRIVATE_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "base/curl_loop.h"
#include "base/host_address.h"
#include "forward/answer_head.h"
#include "forward/forward.h"

/* Where requests go. */
struct forward_target {
	char name[FORWARD_NAME_MAX];
	char url[HOST_NAME_MAX_LEN + 16]; /* without a slash at its end; "": nowhere */
	char connect_to[HOST_CONNECT_TO_SIZE];
};

/* A request that is handed on. */
struct forward {
	LIST_ENTRY(forward) link;
	struct forwarder *forwarder;
	struct http_request *request; /* until its answer begins */
	struct http_outlet *outlet;   /* of an answer that has begun, until its end */
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	struct event *end;             /* ends the transfer from the loop, where libcurl may not be told to */
	struct buf body;               /* of the request, not handed on yet */
	bool has_body, body_has_ended; /* all of it has come */
	bool upload_waits;             /* libcurl waits for more of it */
	struct answer_head head;
	uint64_t left; /* of the answer's body */
	char problem[CURL_ERROR_SIZE];
};

struct forwarder {
	struct forwarder_options options;
	struct forward_target target;
	struct forward_target wanted; /* as it was told last; the target, unless that could not be resolved */
	struct error unresolved;      /* why it could not; or ERROR_NONE */
	int64_t resolve_again_us;     /* monotonic */
	struct curl_loop *loop;
	LIST_HEAD(, forward) forwards;
	struct forward_asker *asker;

	/* looking whether it is reached: reached.c */
	struct curl_loop *looks;
	CURL *look; /* under way; or NULL */
	struct curl_slist *look_to, *look_fields;
	struct buf look_answer, look_target;
	bool is_looked_at; /* since requests have gone to the target */
	struct event *look_again;
	char look_problem[CURL_ERROR_SIZE];
	char unreached[FORWARD_NAME_MAX]; /* why; "" */
};

/* Where a transfer goes, and what all transfers between front ends have in common. */
void forward_set_url(const struct forwarder_options *options, CURL *easy, const char *url,
                     struct curl_slist *connect_to);

/* Adds the field by which the other one knows that this front end asks by itself; `target` is the path, with its query. False
 * where there is no memory. */
MUST_CHECK bool forward_add_seal(const struct forwarder_options *options, struct str method, const char *target,
                                 struct curl_slist **fields);

/* The other one is taken for gone after so long without a word of its kernel, which is asked each so many seconds; and it hears
 * at once that nobody waits any more. `silence_ms` lives as long as the transfer. */
void forward_notice_silence(CURL *easy, const int *silence_ms, long ask_seconds);

/* handing_on.c: a transfer has ended; `arg` is the forward. */
void forward_ended(void *arg, CURL *easy, CURLcode code);
void forward_fail(struct forward *forward, const char *why);

/* own_request.c */
void forward_asker_end_all(struct forward_asker *asker, const char *why);

/* reached.c */

/* What the members of an answer say, as far as they are there; zeros before. */
#define FORWARD_SAYS_MAX 320
struct forward_says {
	char role[FORWARD_SAYS_MAX], detail[FORWARD_SAYS_MAX];
};
void forward_read_says(struct str answer, struct forward_says *says);

MUST_CHECK int forward_looks_begin(struct forwarder *forwarder, struct error *err);
void forward_look_now(struct forwarder *forwarder);
void forward_looks_end(struct forwarder *forwarder);

#endif
