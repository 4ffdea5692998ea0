/* SPDX-License-Identifier: ISC */
/*
 * url.h: a callback's URL, taken apart once; private to callback/.
 *
 * libcurl parses it, and the transfer gets the parsed URL, so that the host that is checked is the host that is
 * connected to: "http://0x7f.1/" is 127.0.0.1 for both. Names that libcurl accepts but no name server has are refused
 * here.
 */
#ifndef CDRD_CALLBACK_URL_H
#define CDRD_CALLBACK_URL_H

#include <curl/curl.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct callback_url {
	CURLU *parsed;
	char *host; /* a name, or an address without brackets */
	uint16_t port;
};

/* As callback_url_check, and keeps the parts; on success the caller frees *url. */
MUST_CHECK int callback_url_parse(struct callback_url *url, struct str text, struct error *err);

/* The same of a delivery, which has more schemes. */
MUST_CHECK int callback_url_parse_delivery(struct callback_url *url, struct str text, struct error *err);

/* Safe on a zeroed one. */
void callback_url_free(struct callback_url *url);

#endif
