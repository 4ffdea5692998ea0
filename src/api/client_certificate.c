/* SPDX-License-Identifier: ISC */
/*
 * client_certificate.c: see client_certificate.h.
 */
#include "api/client_certificate.h"

#include <string.h>

static bool is_required(const struct config *config, const char *who)
{
	return strcmp(config->tls_client_required, who) == 0 || strcmp(config->tls_client_required, "both") == 0;
}

int client_certificate_check(const struct http_request *request, const struct config *config, const char *who,
                             struct str name, struct error *err)
{
	struct buf shown = { 0 };
	int result = 0;

	if (!is_required(config, who))
		return 0;
	if (!http_request_client_name(request, &shown))
		result = error_set(err, ERROR_FORBIDDEN,
		                   "%s need a TLS client certificate whose common name is \"%.*s\", and there was none",
		                   who, STR_ARGS(name));
	else if (!str_equal(buf_str(&shown), name))
		result = error_set(
			err, ERROR_FORBIDDEN,
			"The TLS client certificate is that of \"%.*s\" and the credentials are those of \"%.*s\"",
			STR_ARGS(buf_str(&shown)), STR_ARGS(name));
	buf_free(&shown);
	return result;
}
