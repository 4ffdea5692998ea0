/* SPDX-License-Identifier: ISC */
/*
 * fuzz_url.c: callback URLs.
 *
 * What must hold of one that is taken: its host is an address, or a name that a name server could have; no part that is
 * sent has a byte that ends a line; and what libcurl makes of it is taken again and has the same host and port.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "callback/callback.h"
#include "callback/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_host(const char *host)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	unsigned char address[16];

	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return;
	must(host[0] != '\0' && strlen(host) <= 254);
	must(strspn(host, name) == strlen(host));
}

static void check_again(const struct callback_url *url)
{
	struct callback_url again;
	struct error err;
	char *text;

	must(curl_url_get(url->parsed, CURLUPART_URL, &text, 0) == CURLUE_OK);
	for (const char *c = text; *c; c++)
		must(*c > ' ' && *c < 0x7f);
	if (strlen(text) <= CALLBACK_URL_MAX) {
		must(callback_url_parse(&again, str_from(text), &err) == 0);
		must(strcmp(again.host, url->host) == 0 && again.port == url->port);
		callback_url_free(&again);
	}
	curl_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct callback_url url;
	struct error err;

	if (callback_url_parse(&url, (struct str){ (const char *)data, size }, &err) != 0) {
		must(err.code == ERROR_INVALID);
		return 0;
	}
	must(url.port != 0);
	check_host(url.host);
	check_again(&url);
	callback_url_free(&url);
	return 0;
}
