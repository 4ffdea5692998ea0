/* SPDX-License-Identifier: ISC */
/*
 * auth.c: HTTP Basic credentials (RFC 7617), "Basic " base64(user ":" secret), against accounts or producers.
 * Declared in connection.h.
 */
#include <string.h>

#include "base/id.h"
#include "http/connection.h"

#define CREDENTIALS_MAX 1024 /* characters of base64; no pair of ours comes near */

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

static int check_account(struct http_request *request, struct str user, struct str secret, struct error *err)
{
	return accounts_check(request->connection->server->store, user, secret, &request->account, err);
}

static int check_producer(struct http_request *request, struct str user, struct str secret, struct error *err)
{
	if (user.len > PRODUCER_NAME_MAX)
		return error_set(err, ERROR_UNAUTHORIZED, "A producer's name has at most %d characters", PRODUCER_NAME_MAX);
	if (producers_check(request->connection->server->store, user, secret, err) < 0)
		return -1;
	memcpy(request->producer, user.p, user.len);
	request->producer[user.len] = '\0';
	return 0;
}

static int check_decoded(struct http_request *request, struct str credentials, struct error *err)
{
	static int (*const checks[])(struct http_request *request, struct str user, struct str secret,
	                             struct error *err) = {
		[HTTP_AUTH_ACCOUNT] = check_account,
		[HTTP_AUTH_PRODUCER] = check_producer,
	};
	const char *colon = memchr(credentials.p, ':', credentials.len);

	if (!colon)
		return error_set(err, ERROR_UNAUTHORIZED, "The credentials have no colon");
	struct str user = { credentials.p, (size_t)(colon - credentials.p) };
	struct str secret = { colon + 1, credentials.len - user.len - 1 };

	return checks[request->route->auth](request, user, secret, err);
}

/* Some clients have the alphabet of URLs, with padding or without. */
static bool decode(struct buf *decoded, struct str token)
{
	struct str bare = token;

	while (bare.len > 0 && bare.p[bare.len - 1] == '=' && token.len - bare.len < 2)
		bare.len--;
	return (id_base64_decode(decoded, token) || id_base64url_decode(decoded, bare)) && !decoded->failed;
}

int http_auth_check(struct http_request *request, struct error *err)
{
	struct buf *decoded = &request->connection->server->head; /* free until there is an answer */
	struct str token;
	int result;

	if (request->route->auth == HTTP_AUTH_NONE)
		return 0;
	if (!basic_token(http_head_field(&request->head, "Authorization"), &token))
		return error_set(err, ERROR_UNAUTHORIZED, "There are no Basic credentials");
	buf_clear(decoded);
	if (decode(decoded, token))
		result = check_decoded(request, buf_str(decoded), err);
	else
		result = decoded->failed ? error_set(err, ERROR_NOMEM, "Credentials: out of memory") :
		                           error_set(err, ERROR_UNAUTHORIZED, "The credentials are not base64");
	if (decoded->data)
		explicit_bzero(decoded->data, decoded->len);
	return result;
}
