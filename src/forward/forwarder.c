/* SPDX-License-Identifier: ISC */
/*
 * forwarder.c: where requests go. See forward.h; handing_on.c has a request's way there and back.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "forward/forwarder_private.h"

#define CONNECT_MS 2000L
#define RESOLVE_AGAIN_US (10 * CLOCK_US_PER_SECOND)
#define KEPT_CONNECTIONS 64L
#define KEPT_SECONDS 5L /* less than idle_timeout: a connection that is used again is not about to be closed */

const char *forward_host_of(const char *url)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncmp(url, schemes[i], strlen(schemes[i])) == 0 && host_port_of(url + strlen(schemes[i])))
			return url + strlen(schemes[i]);
	return NULL;
}

int forward_check_url(const char *setting, const char *url, struct error *err)
{
	if (forward_host_of(url))
		return 0;
	return error_set(
		err, ERROR_INVALID,
		"%s: \"%.128s\" is not http://host:port or https://host:port, where a front end is reached by the "
		"others",
		setting, url);
}

static struct error nomem(void)
{
	struct error err;

	error_set(&err, ERROR_NOMEM, "forwarding: out of memory");
	return err;
}

struct forwarder *forwarder_new(const struct forwarder_options *options, struct error *err)
{
	struct forwarder *forwarder = calloc(1, sizeof(*forwarder));

	if (!forwarder) {
		*err = nomem();
		return NULL;
	}
	forwarder->options = *options;
	LIST_INIT(&forwarder->forwards);
	forwarder->loop = curl_loop_new(options->base, forward_ended, err);
	if (forwarder->loop)
		forwarder->asker = forward_asker_new(options, err);
	if (forwarder->asker && forward_looks_begin(forwarder, err) == 0) {
		curl_loop_keep(forwarder->loop, KEPT_CONNECTIONS);
		return forwarder;
	}
	forwarder_free(forwarder);
	return NULL;
}

void forwarder_free(struct forwarder *forwarder)
{
	if (!forwarder)
		return;
	forwarder_end_all(forwarder);
	forward_looks_end(forwarder);
	forward_asker_free(forwarder->asker);
	curl_loop_free(forwarder->loop);
	free(forwarder);
}

void forward_set_url(const struct forwarder_options *options, CURL *easy, const char *url,
                     struct curl_slist *connect_to)
{
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, KEPT_SECONDS);
	curl_loop_set_trust(easy, options->ca_file);
}

bool forward_add_seal(const struct forwarder_options *options, struct str method, const char *target,
                      struct curl_slist **fields)
{
	struct buf line = { 0 };
	struct error err;

	buf_add_text(&line, HTTP_RELAYED_FIELD ": ");
	bool added = http_seal_own_request(method, str_from(target), options->key, &line, &err) == 0 &&
	             curl_list_add(fields, buf_cstr(&line));
	buf_free(&line);
	return added;
}

/* A host that is gone, or cut off, does not answer to what was sent, nor to being asked whether it is there. The mere end of a
 * connection could be of a client that still reads, so it is reset. */
static int on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	const int *silence_ms = arg;

	(void)purpose;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	/* only advice: without it, the kernel's own patience counts */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, silence_ms, sizeof(*silence_ms));
	return CURL_SOCKOPT_OK;
}

void forward_notice_silence(CURL *easy, const int *silence_ms, long ask_seconds)
{
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, ask_seconds);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, ask_seconds);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, silence_ms);
}

void forwarder_end_all(struct forwarder *forwarder)
{
	struct forward *forward;

	while ((forward = LIST_FIRST(&forwarder->forwards)))
		forward_fail(forward, "another front end is about to take its place");
	if (forwarder->asker)
		forward_asker_end_all(forwarder->asker, "it does not hold the catalog any more");
}

static bool is_same(const struct forward_target *one, const struct forward_target *other)
{
	return strcmp(one->name, other->name) == 0 && strcmp(one->url, other->url) == 0;
}

static int resolve(struct forward_target *target, struct error *err)
{
	const char *host = forward_host_of(target->url);

	if (!target->url[0])
		return 0;
	return host ? host_resolve("front_end_url", host, target->connect_to, err) :
	              forward_check_url("front_end_url", target->url, err);
}

static void set_target(struct forwarder *forwarder, const struct forward_target *target)
{
	forwarder_end_all(forwarder);
	forwarder->target = *target;
	forwarder->unreached[0] = '\0';
	forwarder->is_looked_at = false;
	if (target->url[0])
		log_info("forward", "requests go to the front end %s at %s", target->name, target->url);
	forward_look_now(forwarder);
}

/* Has a host taken its name that has another address? */
static bool is_in_doubt(const struct forwarder *forwarder)
{
	return (forwarder->unresolved.code != ERROR_NONE || forwarder->unreached[0]) &&
	       clock_monotonic_us() >= forwarder->resolve_again_us;
}

int forwarder_lead_to(struct forwarder *forwarder, const char *name, const char *url, struct error *err)
{
	static const struct forward_target nowhere = { .name = "" };
	struct forward_target next = { .name = "" };

	snprintf(next.name, sizeof(next.name), "%s", name);
	snprintf(next.url, sizeof(next.url), "%s", url);
	if (!is_same(&next, &forwarder->wanted) || is_in_doubt(forwarder)) {
		forwarder->wanted = next;
		forwarder->unresolved.code = ERROR_NONE;
		if (resolve(&next, &forwarder->unresolved) == 0) {
			if (!is_same(&next, &forwarder->target) ||
			    strcmp(next.connect_to, forwarder->target.connect_to) != 0)
				set_target(forwarder, &next);
		} else if (is_same(&next, &forwarder->target)) { /* where it was is better than nowhere */
			forwarder->unresolved.code = ERROR_NONE;
		} else {
			set_target(forwarder, &nowhere);
		}
		forwarder->resolve_again_us = clock_monotonic_us() + RESOLVE_AGAIN_US;
	}
	if (forwarder->unresolved.code == ERROR_NONE)
		return 0;
	*err = forwarder->unresolved;
	return -1;
}

bool forwarder_is_cut_off(const struct forwarder *forwarder, char *why, size_t size)
{
	if (!forwarder->target.url[0])
		snprintf(why, size, "it is not known where to");
	else if (!forwarder->is_looked_at)
		snprintf(why, size, "the front end %.64s has not answered yet", forwarder->target.name);
	else
		str_cut(why, size, forwarder->unreached);
	return why[0] != '\0';
}
