/* SPDX-License-Identifier: ISC */
/*
 * later.h: answers that tell a client to look or to ask again later; private to api/.
 */
#ifndef CDRD_API_LATER_H
#define CDRD_API_LATER_H

#include "base/error.h"
#include "http/http.h"

/* Answers 429, and says to try again after so many seconds. */
void api_reply_too_many(struct http_request *request, const char *seconds, const char *detail);

/* Answers with the error; one of a limit, which passes by itself, is 429 and says to try again after so many seconds. */
void api_reply_error_or_retry(struct http_request *request, const struct error *err, const char *seconds);

/* Answers 202: a test is on its way, as a callback with this id. */
void api_reply_test_waits(struct http_request *request, const char *callback_id);

#endif
