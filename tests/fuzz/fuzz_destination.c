/* SPDX-License-Identifier: ISC */
/*
 * fuzz_destination.c: destinations as they are asked for.
 *
 * An input is the lines of a request: type, name, URL, user, secret, region, key of the host, sender, recipients. What
 * must hold: a refusal begins with the name of what is wrong; what is taken has nothing in it that could be another line of
 * a message's or a request's head, and its texts are what was given.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "destination/destination_check.h"

#define FIELDS 9

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_line(const char *text)
{
	for (; *text; text++)
		must((unsigned char)*text >= ' ' && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct destination destination;
	static const char *const names[] = { "name",   "type",     "url",  "user", "secret",
		                             "region", "host_key", "from", "to",   "account_id" };
	struct destination_request request = { .account = "acct0001" };
	struct str *const fields[FIELDS] = { &request.type,     &request.name,   &request.url,
		                             &request.user,     &request.secret, &request.region,
		                             &request.host_key, &request.from,   &request.to };
	struct str rest = { (const char *)data, size };
	struct error err;

	for (size_t i = 0; i < FIELDS && rest.len > 0; i++) {
		const char *line_end = memchr(rest.p, '\n', rest.len);
		size_t len = line_end ? (size_t)(line_end - rest.p) : rest.len;

		if (len > 0)
			*fields[i] = (struct str){ rest.p, len };
		len += line_end != NULL;
		rest = (struct str){ rest.p + len, rest.len - len };
	}
	if (destination_fill(&destination, &request, &err) != 0) {
		bool named = false;

		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			size_t len = strlen(names[i]);

			named = named ||
			        (strncmp(err.message, names[i], len) == 0 && strncmp(err.message + len, ": ", 2) == 0);
		}
		must(err.code == ERROR_INVALID && named);
		return 0;
	}
	must(destination.type < DESTINATION_TYPES);
	must(str_equal(str_from(destination.name), request.name));
	check_line(destination.name);
	check_line(destination.url);
	check_line(destination.user);
	check_line(destination.region);
	check_line(destination.host_key);
	check_line(destination.from);
	check_line(destination.to);
	must(destination.url[strlen(destination.url) - 1] == '/');
	return 0;
}
