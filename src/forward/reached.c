/* SPDX-License-Identifier: ISC */
/*
 * reached.c: looks every second whether requests can go to a front end: whether it is reached, holds the catalog, and takes what
 * is sealed here, by GET /readyz, sealed as requests are. Whether it is ready is its own affair.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/json_reader.h"
#include "base/log.h"
#include "forward/forwarder_private.h"

#define LOOK_EVERY_US CLOCK_US_PER_SECOND
#define LOOK_MS 3000L
#define LOOK_PATH "/readyz"
#define LOOK_ANSWER_MAX 65536

static void note(struct forwarder *forwarder, const char *problem)
{
	bool was_reached = forwarder->unreached[0] == '\0';

	if (problem && was_reached)
		log_warn("forward", "requests cannot go to the front end %s at %s: %s", forwarder->target.name,
		         forwarder->target.url, problem);
	else if (!problem && !was_reached)
		log_info("forward", "requests can go to the front end %s", forwarder->target.name);
	forwarder->is_looked_at = true;
	forwarder->unreached[0] = '\0';
	if (problem)
		snprintf(forwarder->unreached, sizeof(forwarder->unreached), "the front end %.64s: %.170s",
		         forwarder->target.name, problem);
}

static void free_look(struct forwarder *forwarder)
{
	curl_easy_cleanup(forwarder->look);
	curl_slist_free_all(forwarder->look_to);
	curl_slist_free_all(forwarder->look_fields);
	buf_free(&forwarder->look_answer);
	buf_free(&forwarder->look_target);
	forwarder->look = NULL;
	forwarder->look_to = forwarder->look_fields = NULL;
}

static void end_look(struct forwarder *forwarder)
{
	if (!forwarder->look)
		return;
	curl_loop_remove(forwarder->looks, forwarder->look);
	free_look(forwarder);
}

void forward_read_says(struct str answer, struct forward_says *says)
{
	struct json_reader reader = json_reader_of(answer);
	enum json_event event;
	struct error err;
	char *out = NULL;

	while ((event = json_reader_next(&reader, &err)) > JSON_EVENT_END) {
		if (event == JSON_EVENT_STRING && reader.depth == 1 && out)
			snprintf(out, FORWARD_SAYS_MAX, "%.*s", STR_ARGS(reader.text));
		out = event != JSON_EVENT_NAME      ? NULL :
		      str_is(reader.text, "role")   ? says->role :
		      str_is(reader.text, "detail") ? says->detail :
		                                      NULL;
	}
	json_reader_free(&reader);
}

/* Why requests cannot go to who has answered so; or "". */
static void judge(const struct buf *answer, long status, char *problem, size_t size)
{
	struct forward_says says = { .role = "" };

	forward_read_says(buf_str(answer), &says);
	problem[0] = '\0';
	if (says.role[0] && strcmp(says.role, "holds") != 0)
		snprintf(problem, size, "its URL leads to one that does not hold the catalog");
	else if (!says.role[0] && says.detail[0])
		str_cut(problem, size, says.detail);
	else if (!says.role[0])
		snprintf(problem, size, "its URL leads to what is no front end: " LOOK_PATH " is answered with %ld",
		         status);
}

static void on_looked(void *arg, CURL *easy, CURLcode code)
{
	struct forwarder *forwarder = arg;
	char problem[CURL_ERROR_SIZE] = "";
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK)
		str_cut(problem, sizeof(problem),
		        forwarder->look_problem[0] ? forwarder->look_problem : curl_easy_strerror(code));
	else
		judge(&forwarder->look_answer, status, problem, sizeof(problem));
	end_look(forwarder);
	note(forwarder, problem[0] ? problem : NULL);
}

static size_t on_answer(char *data, size_t size, size_t count, void *arg)
{
	struct forwarder *forwarder = arg;

	if (forwarder->look_answer.len + size * count > LOOK_ANSWER_MAX)
		return 0;
	buf_add(&forwarder->look_answer, data, size * count);
	return size * count;
}

void forward_look_now(struct forwarder *forwarder)
{
	struct timeval every = clock_timeval(LOOK_EVERY_US);

	end_look(forwarder);
	if (!forwarder->target.url[0]) {
		event_del(forwarder->look_again);
		return;
	}
	/* it was added before and is not freed, so that this finds its memory */
	event_add(forwarder->look_again, &every);
	forwarder->look = curl_easy_init();
	forwarder->look_problem[0] = '\0';
	buf_add_text(&forwarder->look_target, LOOK_PATH);
	if (forwarder->options.say)
		forwarder->options.say(forwarder->options.arg, &forwarder->look_target);
	const char *target = buf_cstr(&forwarder->look_target);
	bool done = forwarder->look && target && curl_list_add(&forwarder->look_to, forwarder->target.connect_to) &&
	            forward_add_seal(&forwarder->options, STR_LITERAL("GET"), target, &forwarder->look_fields);
	if (done) {
		forward_set_url(&forwarder->options, forwarder->look, forwarder->target.url, forwarder->look_to);
		curl_easy_setopt(forwarder->look, CURLOPT_REQUEST_TARGET, target);
		curl_easy_setopt(forwarder->look, CURLOPT_TIMEOUT_MS, LOOK_MS);
		curl_easy_setopt(forwarder->look, CURLOPT_HTTPHEADER, forwarder->look_fields);
		curl_easy_setopt(forwarder->look, CURLOPT_WRITEFUNCTION, on_answer);
		curl_easy_setopt(forwarder->look, CURLOPT_WRITEDATA, forwarder);
		curl_easy_setopt(forwarder->look, CURLOPT_ERRORBUFFER, forwarder->look_problem);
		curl_easy_setopt(forwarder->look, CURLOPT_PRIVATE, forwarder);
	}
	/* Without memory it is looked at again in a second. */
	if (!done || curl_loop_add(forwarder->looks, forwarder->look) != 0)
		free_look(forwarder);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct forwarder *forwarder = arg;

	(void)fd;
	(void)what;
	if (!forwarder->look)
		forward_look_now(forwarder);
}

int forward_looks_begin(struct forwarder *forwarder, struct error *err)
{
	struct timeval every = clock_timeval(LOOK_EVERY_US);

	forwarder->looks = curl_loop_new(forwarder->options.base, on_looked, err);
	if (!forwarder->looks)
		return -1;
	forwarder->look_again = event_new(forwarder->options.base, -1, EV_PERSIST, on_again, forwarder);
	if (!forwarder->look_again || event_add(forwarder->look_again, &every) != 0)
		return error_set(err, ERROR_NOMEM, "forwarding: out of memory");
	return 0;
}

void forward_looks_end(struct forwarder *forwarder)
{
	end_look(forwarder);
	if (forwarder->look_again)
		event_free(forwarder->look_again);
	curl_loop_free(forwarder->looks);
}
