/* SPDX-License-Identifier: ISC */
/*
 * reached.c: looks every second whether the front end that requests go to is reached, by GET /healthz.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "forward/forwarder_private.h"

#define LOOK_EVERY_US CLOCK_US_PER_SECOND
#define LOOK_MS 3000L

static void note(struct forwarder *forwarder, const char *problem)
{
	bool was_reached = forwarder->unreached[0] == '\0';

	if (problem && was_reached)
		log_warn("forward", "the front end %s at %s is not reached: %s", forwarder->target.name,
		         forwarder->target.url, problem);
	else if (!problem && !was_reached)
		log_info("forward", "the front end %s is reached again", forwarder->target.name);
	forwarder->unreached[0] = '\0';
	if (problem)
		snprintf(forwarder->unreached, sizeof(forwarder->unreached), "the front end %.64s: %.180s",
		         forwarder->target.name, problem);
}

static void end_look(struct forwarder *forwarder)
{
	if (!forwarder->look)
		return;
	curl_loop_remove(forwarder->looks, forwarder->look);
	curl_easy_cleanup(forwarder->look);
	curl_slist_free_all(forwarder->look_to);
	forwarder->look = NULL;
	forwarder->look_to = NULL;
}

static void on_looked(void *arg, CURL *easy, CURLcode code)
{
	struct forwarder *forwarder = arg;
	char problem[CURL_ERROR_SIZE] = "";
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK)
		snprintf(problem, sizeof(problem), "%s",
		         forwarder->look_problem[0] ? forwarder->look_problem : curl_easy_strerror(code));
	else if (status != 200)
		snprintf(problem, sizeof(problem), "/healthz is answered with %ld", status);
	end_look(forwarder);
	note(forwarder, problem[0] ? problem : NULL);
}

static size_t drop(char *data, size_t size, size_t count, void *arg)
{
	(void)data;
	(void)arg;
	return size * count;
}

void forward_look_now(struct forwarder *forwarder)
{
	struct timeval every = clock_timeval(LOOK_EVERY_US);
	struct buf url = { 0 };

	end_look(forwarder);
	if (!forwarder->target.url[0]) {
		event_del(forwarder->look_again);
		return;
	}
	/* it was added before and is not freed, so that this finds its memory */
	event_add(forwarder->look_again, &every);
	buf_addf(&url, "%s/healthz", forwarder->target.url);
	forwarder->look = curl_easy_init();
	forwarder->look_to = curl_slist_append(NULL, forwarder->target.connect_to);
	forwarder->look_problem[0] = '\0';
	if (forwarder->look && forwarder->look_to && buf_cstr(&url)) {
		forward_set_target(forwarder, forwarder->look, forwarder->look_to);
		curl_easy_setopt(forwarder->look, CURLOPT_URL, url.data);
		curl_easy_setopt(forwarder->look, CURLOPT_TIMEOUT_MS, LOOK_MS);
		curl_easy_setopt(forwarder->look, CURLOPT_WRITEFUNCTION, drop);
		curl_easy_setopt(forwarder->look, CURLOPT_ERRORBUFFER, forwarder->look_problem);
		curl_easy_setopt(forwarder->look, CURLOPT_PRIVATE, forwarder);
	}
	/* Without memory it is looked at again in a second. */
	if (!forwarder->look || !forwarder->look_to || url.failed ||
	    curl_loop_add(forwarder->looks, forwarder->look) != 0) {
		curl_easy_cleanup(forwarder->look);
		curl_slist_free_all(forwarder->look_to);
		forwarder->look = NULL;
		forwarder->look_to = NULL;
	}
	buf_free(&url);
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
