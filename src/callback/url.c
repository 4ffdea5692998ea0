/* SPDX-License-Identifier: ISC */
/*
 * url.c: a callback's URL, taken apart once. See url.h.
 */
#include "callback/url.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "callback/callback.h"

#define NAME_MAX_BYTES 253 /* RFC 1035, 2.3.4, without the dot at the end */
#define LABEL_MAX_BYTES 63

static int check_text(struct str text, struct error *err)
{
	if (text.len == 0)
		return error_set(err, ERROR_INVALID, "callback_url: is empty");
	if (text.len > CALLBACK_URL_MAX)
		return error_set(err, ERROR_INVALID, "callback_url: %zu bytes, at most %d allowed", text.len,
		                 CALLBACK_URL_MAX);
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] <= ' ' || text.p[i] >= 0x7f)
			return error_set(err, ERROR_INVALID,
			                 "callback_url: byte %zu is not one that a URL may hold; percent-encode it, "
			                 "or write the host in its xn-- form",
			                 i + 1);
	return 0;
}

struct parts {
	CURLU *parsed;
	bool no_memory; /* so that what seems absent may be there */
};

/* A part as text to be freed with free, or NULL when the URL has none. */
static char *part(struct parts *parts, CURLUPart what)
{
	char *theirs = NULL;
	CURLUcode code = curl_url_get(parts->parsed, what, &theirs, CURLU_DEFAULT_PORT);

	parts->no_memory |= code == CURLUE_OUT_OF_MEMORY;
	if (code != CURLUE_OK)
		return NULL;
	char *ours = strdup(theirs);
	parts->no_memory |= !ours;
	curl_free(theirs);
	return ours;
}

static bool has_part(struct parts *parts, CURLUPart what)
{
	char *text = part(parts, what);

	free(text);
	return text != NULL;
}

static bool is_scheme(const char *scheme, bool is_delivery)
{
	static const char *const schemes[] = { "http", "https", "sftp", "smtp", "smtps" };

	for (size_t i = 0; i < (is_delivery ? sizeof(schemes) / sizeof(schemes[0]) : 2); i++)
		if (strcmp(scheme, schemes[i]) == 0)
			return true;
	return false;
}

static int check_scheme(struct parts *parts, bool is_delivery, struct error *err)
{
	char *scheme = part(parts, CURLUPART_SCHEME);
	int result = 0;

	if (!scheme || !is_scheme(scheme, is_delivery))
		result = error_set(err, ERROR_INVALID, "callback_url: scheme \"%.32s\", must be http or https",
		                   scheme ? scheme : "");
	free(scheme);
	return result;
}

/* Takes the brackets from an IPv6 address. */
static void unwrap(char *host)
{
	size_t len = strlen(host);

	if (len < 2 || host[0] != '[')
		return;
	memmove(host, host + 1, len - 2);
	host[len - 2] = '\0';
}

/* --- the host's name: libcurl decodes percent-encoding and allows names that no name server has --- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
}

/* Every label of 1 to 63 bytes; a dot at the end is allowed. */
static bool labels_fit(const char *host, size_t len)
{
	size_t label = 0;

	for (size_t i = 0; i < len; i++) {
		if (host[i] == '.' && (label == 0 || label > LABEL_MAX_BYTES))
			return false;
		label = host[i] == '.' ? 0 : label + 1;
	}
	return len > 0 && label <= LABEL_MAX_BYTES;
}

/* Is the last label a number such as "1" or "0x1f"? No such name exists, but other software might take it for an
 * address. */
static bool ends_in_number(const char *host, size_t len)
{
	size_t begin;

	len -= host[len - 1] == '.';
	begin = len;
	while (begin > 0 && host[begin - 1] != '.')
		begin--;
	if (len - begin >= 2 && host[begin] == '0' && (host[begin + 1] | 0x20) == 'x')
		return strspn(host + begin + 2, "0123456789abcdefABCDEF") >= len - begin - 2;
	return strspn(host + begin, "0123456789") >= len - begin;
}

/* libcurl has already rewritten any form of IPv4 address (0x7f.1, 2130706433) in the usual one. */
static int check_name(const char *host, struct error *err)
{
	struct in_addr address;
	size_t len = strlen(host);

	if (inet_pton(AF_INET, host, &address) == 1)
		return 0;
	for (size_t i = 0; i < len; i++)
		if (!is_name_char(host[i]))
			return error_set(
				err, ERROR_INVALID,
				"callback_url: the host holds byte 0x%02x; names have letters, digits, - and _, "
				"others in their xn-- form",
				(unsigned)(unsigned char)host[i]);
	if (!labels_fit(host, len) || len - (host[len - 1] == '.') > NAME_MAX_BYTES)
		return error_set(
			err, ERROR_INVALID,
			"callback_url: host \"%.64s\": a name has parts of 1 to %d characters and %d at most in all",
			host, LABEL_MAX_BYTES, NAME_MAX_BYTES);
	if (ends_in_number(host, len))
		return error_set(err, ERROR_INVALID,
		                 "callback_url: host \"%.64s\": ends in a number and is no IPv4 address", host);
	return 0;
}

/* libcurl accepts one slash or three instead of two. */
static int check_slashes(struct str text, struct error *err)
{
	const char *colon = memchr(text.p, ':', text.len);
	size_t left = colon ? text.len - (size_t)(colon - text.p) : 0;

	if (left >= 3 && memcmp(colon, "://", 3) == 0 && (left == 3 || colon[3] != '/'))
		return 0;
	return error_set(err, ERROR_INVALID, "callback_url: is not a URL of the form https://host/path");
}

static int check_parts(struct callback_url *url, struct parts *parts, bool is_delivery, struct error *err)
{
	if (check_scheme(parts, is_delivery, err) != 0)
		return -1;
	if (has_part(parts, CURLUPART_USER) || has_part(parts, CURLUPART_PASSWORD))
		return error_set(err, ERROR_INVALID,
		                 "callback_url: holds a user name or password; callbacks are signed "
		                 "instead");
	if (has_part(parts, CURLUPART_FRAGMENT))
		return error_set(err, ERROR_INVALID, "callback_url: holds a fragment (#), which is never sent");
	if (has_part(parts, CURLUPART_ZONEID))
		return error_set(err, ERROR_INVALID, "callback_url: holds an address with a zone");
	url->host = part(parts, CURLUPART_HOST);
	if (!url->host || !url->host[0])
		return error_set(err, ERROR_INVALID, "callback_url: has no host");
	if (url->host[0] != '[' && check_name(url->host, err) != 0)
		return -1;
	unwrap(url->host);
	char *port = part(parts, CURLUPART_PORT);
	url->port = port ? (uint16_t)strtoul(port, NULL, 10) : 0;
	free(port);
	if (url->port == 0)
		return error_set(err, ERROR_INVALID, "callback_url: port 0");
	return 0;
}

static int take_parts(struct callback_url *url, bool is_delivery, struct error *err)
{
	struct parts parts = { .parsed = url->parsed };
	int result = check_parts(url, &parts, is_delivery, err);

	return parts.no_memory ? error_set(err, ERROR_NOMEM, "callback_url: out of memory") : result;
}

static int parse(struct callback_url *url, struct str text, bool is_delivery, struct error *err)
{
	*url = (struct callback_url){ 0 };
	if (check_text(text, err) != 0 || check_slashes(text, err) != 0)
		return -1;
	url->parsed = curl_url();
	char *copy = strndup(text.p, text.len);
	int result = -1;
	if (!url->parsed || !copy) {
		error_set(err, ERROR_NOMEM, "callback_url: out of memory");
	} else {
		/* Any scheme is accepted here, so that the error can name a wrong one. */
		CURLUcode code = curl_url_set(url->parsed, CURLUPART_URL, copy, CURLU_NON_SUPPORT_SCHEME);

		result = code == CURLUE_OK ? take_parts(url, is_delivery, err) :
		                             error_set(err, code == CURLUE_OUT_OF_MEMORY ? ERROR_NOMEM : ERROR_INVALID,
		                                       "callback_url: is not a URL: %s", curl_url_strerror(code));
	}
	free(copy);
	if (result != 0)
		callback_url_free(url);
	return result;
}

int callback_url_parse(struct callback_url *url, struct str text, struct error *err)
{
	return parse(url, text, false, err);
}

int callback_url_parse_delivery(struct callback_url *url, struct str text, struct error *err)
{
	return parse(url, text, true, err);
}

void callback_url_free(struct callback_url *url)
{
	curl_url_cleanup(url->parsed);
	free(url->host);
	*url = (struct callback_url){ 0 };
}

int callback_url_check(struct str text, struct error *err)
{
	struct callback_url url;

	if (callback_url_parse(&url, text, err) != 0)
		return -1;
	callback_url_free(&url);
	return 0;
}
