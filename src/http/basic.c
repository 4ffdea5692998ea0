/* SPDX-License-Identifier: ISC */
/*
 * basic.c: HTTP Basic credentials (RFC 7617): "Basic " base64(user ":" secret). Declared in http.h.
 */
#include <string.h>
#include <strings.h>

#include "base/id.h"
#include "http/connection.h"

#define CREDENTIALS_MAX 1024 /* characters of base64, far more than our pairs need */

/* The scheme is compared without regard to case; false if it is another one. */
static bool basic_token(struct str header, struct str *token)
{
	const struct str scheme = STR_LITERAL("Basic ");

	if (header.len <= scheme.len || strncasecmp(header.p, scheme.p, scheme.len) != 0)
		return false;
	*token = (struct str){ header.p + scheme.len, header.len - scheme.len };
	while (token->len > 0 && token->p[0] == ' ') {
		token->p++;
		token->len--;
	}
	return token->len <= CREDENTIALS_MAX;
}

/* Some clients use base64url, with or without padding. */
static bool decode(struct buf *decoded, struct str token)
{
	struct str bare = token;

	while (bare.len > 0 && bare.p[bare.len - 1] == '=' && token.len - bare.len < 2)
		bare.len--;
	return (id_base64_decode(decoded, token) || id_base64url_decode(decoded, bare)) && !decoded->failed;
}

/* Splits them at the first colon. */
static bool split(struct str credentials, struct str *user, struct str *secret)
{
	const char *colon = memchr(credentials.p, ':', credentials.len);

	if (!colon)
		return false;
	*user = (struct str){ credentials.p, (size_t)(colon - credentials.p) };
	*secret = (struct str){ colon + 1, credentials.len - user->len - 1 };
	return true;
}

int http_request_check_basic(struct http_request *request,
                             int (*check)(struct http_request *request, struct str user, struct str secret, void *arg,
                                          struct error *err),
                             void *arg, struct error *err)
{
	struct buf *decoded = &request->connection->server->head; /* free until there is an answer */
	struct str token, user, secret;
	int result;

	if (!basic_token(http_head_field(&request->head, "Authorization"), &token))
		return error_set(err, ERROR_UNAUTHORIZED, "There are no Basic credentials");
	buf_clear(decoded);
	if (!decode(decoded, token))
		result = decoded->failed ? error_set(err, ERROR_NOMEM, "Credentials: out of memory") :
		                           error_set(err, ERROR_UNAUTHORIZED, "The credentials are not base64");
	else if (!split(buf_str(decoded), &user, &secret))
		result = error_set(err, ERROR_UNAUTHORIZED, "The credentials have no colon");
	else
		result = check(request, user, secret, arg, err);
	if (decoded->data)
		explicit_bzero(decoded->data, decoded->len);
	return result;
}
