/* SPDX-License-Identifier: ISC */
/*
 * client_certificate.h: client certificates as a second proof of who makes a request (tls_client_required).
 */
#ifndef CDRD_API_CLIENT_CERTIFICATE_H
#define CDRD_API_CLIENT_CERTIFICATE_H

#include "http/http.h"

/* For those who are called `who` in tls_client_required ("producers", "operators"): ERROR_FORBIDDEN unless the client has
 * shown a certificate whose common name is `name`, which its credentials have proved already. */
MUST_CHECK int client_certificate_check(const struct http_request *request, const struct config *config,
                                        const char *who, struct str name, struct error *err);

#endif
