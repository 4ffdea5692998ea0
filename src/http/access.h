/* SPDX-License-Identifier: ISC */
/*
 * access.h: the access log, a line for each request when it is answered.
 *
 *	2026-11-24T14:20:11.123Z 192.0.2.7 abcd1234 GET /v2/reports/records 200 5123 1.204
 *
 * Time, remote address, the user as the application names it (an account's id; producer:NAME), method, path, status,
 * bytes of the answer's body, and milliseconds from the end of the request's head until the answer is handed to the
 * system. Words are separated by one space; "-" stands for what is not known. The path is as sent, without the query
 * unless access_log_query says so (nor what looks like one: from %3F, &, ; or = on), and what is not printable ASCII in
 * it is written as %XX. Status 499 means that the client went away before its answer. A download's line is written when
 * it begins.
 */
#ifndef CDRD_HTTP_ACCESS_H
#define CDRD_HTTP_ACCESS_H

#include <event2/event.h>
#include <stdint.h>

#include "base/config.h"
#include "base/error.h"

struct http_access;
struct http_request;

/* Opens what config->access_log says; `config` stays the caller's. */
MUST_CHECK struct http_access *http_access_new(struct event_base *base, const struct config *config, struct error *err);

/* Does nothing on NULL. */
void http_access_free(struct http_access *access);

/* After a reload, and when the file was moved away: opens what config->access_log says now. On -1 nothing changes. */
MUST_CHECK int http_access_reopen(struct http_access *access, struct error *err);

/* Never blocks: lines that cannot be written in time are dropped and counted. */
void http_access_write(struct http_access *access, const struct http_request *request, int status, uint64_t bytes,
                       int64_t took_us);

/* Lines dropped since the start. */
uint64_t http_access_dropped(const struct http_access *access);

#endif
