/* SPDX-License-Identifier: ISC */
/*
 * console_session.h: a session of the console, which a cookie keeps; private to api/.
 *
 *	Set-Cookie: cdrd_session=TOKEN; Path=/; Max-Age=...; HttpOnly; SameSite=Strict; Secure
 *	TOKEN = base64url( sealed( version (1) || ends (8, microseconds, little-endian) || id (16, random) || ACCOUNT:SECRET ) )
 *
 * The token holds the credentials themselves, sealed with the key of cursors (base/envelope.h). So whoever they belong to is
 * looked up at each request as with Basic credentials, and a session is over as soon as its secret is revoked or its
 * account disabled. It is also over when its time is up and when its user has logged out: the ids of those are kept in
 * the catalog until their time is up. A restart changes nothing.
 *
 * A cookie counts only in requests that a script of our own page has made, as browsers send it by themselves: there must
 * be a header X-Requested-With, which no form or link can add and no script of another site may, and Sec-Fetch-Site, if
 * it is there, must be same-origin.
 */
#ifndef CDRD_API_CONSOLE_SESSION_H
#define CDRD_API_CONSOLE_SESSION_H

#include "api/api.h"

/* Does the request have a session's cookie, and no credentials? */
bool console_session_is_given(const struct http_request *request);

/* Gives check() the credentials of the request's session, and returns what it returned; they are overwritten afterwards.
 * ERROR_UNAUTHORIZED if the session is over or the cookie does not count. */
MUST_CHECK int console_session_check(struct http_request *request, const struct api *app,
                                     int (*check)(struct http_request *request, struct str user, struct str secret,
                                                  void *arg, struct error *err),
                                     void *arg, struct error *err);

/* Begins a session of right credentials: adds the header that sets the cookie. ERROR_NOMEM. */
MUST_CHECK int console_session_begin(struct http_request *request, const struct api *app, struct str user,
                                     struct str secret, struct error *err);

/* Ends the request's session, durably, and takes the cookie away. ERROR_UNAUTHORIZED if it is over already. */
MUST_CHECK int console_session_end(struct http_request *request, const struct api *app, struct error *err);

/* Adds the header that takes the cookie away. */
void console_session_clear(struct http_request *request);

#endif
