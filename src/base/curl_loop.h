/* SPDX-License-Identifier: ISC */
/*
 * curl_loop.h: libcurl's multi interface on the event loop.
 *
 *	loop = curl_loop_new(base, ended, &err)
 *	curl_easy_setopt(easy, CURLOPT_PRIVATE, arg)
 *	curl_loop_add(loop, easy)              from here on ended(arg, easy, code) may be called, from the loop
 *	curl_loop_remove(loop, easy)           in `ended`, or before it, to cancel
 *
 * Nothing blocks but what libcurl itself does of a name that it must resolve: give it addresses (CURLOPT_CONNECT_TO).
 */
#ifndef CDRD_BASE_CURL_LOOP_H
#define CDRD_BASE_CURL_LOOP_H

#include <curl/curl.h>
#include <event2/event.h>
#include <stdbool.h>

#include "base/error.h"

struct curl_loop;

/* A transfer has ended. `easy` is still in the loop, and is to be taken out of it. */
typedef void (*curl_loop_fn)(void *arg, CURL *easy, CURLcode code);

/* NULL with ERROR_NOMEM. */
MUST_CHECK struct curl_loop *curl_loop_new(struct event_base *base, curl_loop_fn ended, struct error *err);

/* All transfers must have been taken out. Does nothing on NULL. */
void curl_loop_free(struct curl_loop *loop);

/* 0, or -1 when out of memory. `ended` is never called before this returns. */
MUST_CHECK int curl_loop_add(struct curl_loop *loop, CURL *easy);
void curl_loop_remove(struct curl_loop *loop, CURL *easy);

/* How certificates are checked: by the system's authorities and those of a file, "" for none. TLS 1.2 at least. */
void curl_loop_set_trust(CURL *easy, const char *ca_file);

/* Appends a copy of a line, such as a field of a head. False where there is no memory, or `line` is NULL as there was none for
 * it; the list is as before then. */
MUST_CHECK bool curl_list_add(struct curl_slist **list, const char *line);

/* At most so many connections are kept open for later transfers. */
void curl_loop_keep(struct curl_loop *loop, long connections);

#endif
