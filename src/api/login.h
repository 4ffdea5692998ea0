/* SPDX-License-Identifier: ISC */
/*
 * login.h: answers to wrong credentials, which come later each time (limits/logins.h). For all listeners that ask for
 * credentials, so that an address which guesses gains nothing by using several.
 */
#ifndef CDRD_API_LOGIN_H
#define CDRD_API_LOGIN_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/config.h"
#include "http/http.h"
#include "limits/logins.h"

/* False, with the request answered, if others of its address still wait for the answer to wrong credentials (429), or a
 * browser says that a page of another site makes it, which credentials that the browser remembers must not serve (403). */
bool login_may_try(struct http_request *request, struct logins *logins);

/* Answers a request whose credentials could not be accepted for the reason *err; after a delay if they were wrong. */
void login_refuse(struct http_request *request, struct event_base *base, const struct config *config,
                  struct logins *logins, const struct error *err);

#endif
