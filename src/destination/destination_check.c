/* SPDX-License-Identifier: ISC */
/*
 * destination_check.c: see destination_check.h. What a type needs and what it may have is a row of `types`.
 */
#include "destination/destination_check.h"

#include <string.h>

#include "base/clock.h"

#define HOST_KEY_PREFIX "SHA256:"
#define HOST_KEY_LEN (sizeof(HOST_KEY_PREFIX) - 1 + 43) /* base64 of 32 bytes, without padding */
#define KEY_BEGIN "-----BEGIN "

/* What is given besides name, type and url. */
enum { USER = 1, SECRET = 2, REGION = 4, HOST_KEY = 8, FROM = 16, TO = 32 };

static const struct {
	unsigned needs, may_have;
	const char *schemes[2]; /* of the url; the first is encrypted from the start */
} types[DESTINATION_TYPES] = {
	[DESTINATION_PUT] = { 0, USER | SECRET, { "https://", "http://" } },
	[DESTINATION_S3] = { USER | SECRET | REGION, 0, { "https://", "http://" } },
	[DESTINATION_SFTP] = { USER | SECRET | HOST_KEY, 0, { "sftp://", "sftp://" } },
	[DESTINATION_SMTP] = { FROM | TO, USER | SECRET, { "smtps://", "smtp://" } },
};

bool destination_has_key(const struct destination *destination)
{
	return strncmp(destination->secret, KEY_BEGIN, sizeof(KEY_BEGIN) - 1) == 0;
}

static bool is_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' &&
		    c != '_')
			return false;
	}
	return name.len > 0 && name.len <= DESTINATION_NAME_MAX;
}

static int take_type(struct str text, enum destination_type *type, struct error *err)
{
	for (int i = 0; i < DESTINATION_TYPES; i++) {
		if (str_is(text, destination_type_name((enum destination_type)i))) {
			*type = (enum destination_type)i;
			return 0;
		}
	}
	return error_set(err, ERROR_INVALID, "type: Must be put, s3, sftp or smtp");
}

/* Printable ASCII, as all of it ends in headers; a private key has lines. */
static int take_text(struct str text, const char *name, char *out, size_t most, bool has_lines, struct error *err)
{
	if (text.len > most)
		return error_set(err, ERROR_INVALID, "%s: %zu bytes, at most %zu allowed", name, text.len, most);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if ((c <= ' ' || c >= 0x7f) && !(has_lines && (c == ' ' || c == '\n' || c == '\r')))
			return error_set(err, ERROR_INVALID, "%s: Must be printable ASCII without spaces", name);
	}
	if (text.len > 0)
		memcpy(out, text.p, text.len);
	return 0;
}

static int take_secret(struct destination *destination, struct str text, struct error *err)
{
	bool is_key = destination->type == DESTINATION_SFTP && text.len > sizeof(KEY_BEGIN) &&
	              memcmp(text.p, KEY_BEGIN, sizeof(KEY_BEGIN) - 1) == 0;

	return take_text(text, "secret", destination->secret, is_key ? DESTINATION_KEY_MAX : DESTINATION_SECRET_MAX,
	                 is_key, err);
}

static int take_texts(struct destination *destination, const struct destination_request *request, struct error *err)
{
	const struct {
		const char *name;
		struct str text;
		char *out;
		size_t most;
	} texts[] = {
		{ "url", request->url, destination->url, DESTINATION_URL_MAX },
		{ "user", request->user, destination->user, DESTINATION_USER_MAX },
		{ "region", request->region, destination->region, DESTINATION_REGION_MAX },
		{ "host_key", request->host_key, destination->host_key, DESTINATION_HOST_KEY_MAX },
		{ "from", request->from, destination->from, DESTINATION_ADDRESS_MAX },
		{ "to", request->to, destination->to, DESTINATION_TO_MAX },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (take_text(texts[i].text, texts[i].name, texts[i].out, texts[i].most, false, err) != 0)
			return -1;
	return take_secret(destination, request->secret, err);
}

static int check_given(const struct destination *destination, struct error *err)
{
	const struct {
		unsigned bit;
		const char *name, *text;
	} given[] = {
		{ USER, "user", destination->user },       { SECRET, "secret", destination->secret },
		{ REGION, "region", destination->region }, { HOST_KEY, "host_key", destination->host_key },
		{ FROM, "from", destination->from },       { TO, "to", destination->to },
	};
	unsigned needs = types[destination->type].needs, may_have = types[destination->type].may_have | needs;

	if (destination->user[0])
		needs |= SECRET;
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		if ((needs & given[i].bit) && !given[i].text[0])
			return error_set(err, ERROR_INVALID, "%s: Missing required parameter", given[i].name);
		/* Regions were kept for put, too, and not used. */
		if (!((may_have | REGION) & given[i].bit) && given[i].text[0])
			return error_set(err, ERROR_INVALID, "%s: Is not for %s", given[i].name,
			                 destination_type_name(destination->type));
	}
	if (destination->type == DESTINATION_SMTP && destination->secret[0] && !destination->user[0])
		return error_set(err, ERROR_INVALID, "user: Missing required parameter");
	/* A colon ends the user of Basic credentials, and a region's name. */
	bool is_user_cut = destination->type != DESTINATION_S3 && strchr(destination->user, ':');
	if (is_user_cut || strchr(destination->region, ':'))
		return error_set(err, ERROR_INVALID, "%s: Must have no colon", is_user_cut ? "user" : "region");
	return 0;
}

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static int check_url(const struct destination *destination, struct error *err)
{
	const char *url = destination->url;
	const char *const *schemes = types[destination->type].schemes;
	size_t len = strlen(url);

	if (!begins_with(url, schemes[0]) && !begins_with(url, schemes[1]))
		return destination->type < DESTINATION_SFTP ?
		               error_set(err, ERROR_INVALID, "url: Must be an http or https URL") :
		               error_set(err, ERROR_INVALID, "url: Must begin with %s%s%s", schemes[1],
		                         schemes[0] == schemes[1] ? "" : " or ",
		                         schemes[0] == schemes[1] ? "" : schemes[0]);
	if (url[len - 1] != '/' || strpbrk(url, "?#"))
		return error_set(err, ERROR_INVALID, "url: Must end with a slash, to which the file's name is added");
	if (destination->type == DESTINATION_SMTP &&
	    strcspn(strstr(url, "://") + 3, "/") + 1 < strlen(strstr(url, "://") + 3))
		return error_set(err, ERROR_INVALID, "url: Must have no path, as mail has no folders");
	if (destination->type == DESTINATION_PUT && destination->secret[0] && !begins_with(url, schemes[0]))
		return error_set(err, ERROR_INVALID, "url: Must be https where a secret is sent");
	return 0;
}

static int check_host_key(const char *host_key, struct error *err)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t prefix = sizeof(HOST_KEY_PREFIX) - 1;

	if (strlen(host_key) == HOST_KEY_LEN && begins_with(host_key, HOST_KEY_PREFIX) &&
	    strspn(host_key + prefix, base64) == HOST_KEY_LEN - prefix)
		return 0;
	return error_set(err, ERROR_INVALID, "host_key: Must be SHA256: and 43 characters, as ssh-keygen -l shows it");
}

/* An address as it stands in a header and an SMTP command: nothing in it may end either. */
static bool is_address(const char *text, size_t len)
{
	const char *at = memchr(text, '@', len);
	size_t local = at ? (size_t)(at - text) : 0, domain = at ? len - local - 1 : 0;

	if (local == 0 || domain == 0 || len > DESTINATION_ADDRESS_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (strchr("<>()[]\\,;:\"", text[i]) || (text[i] == '@' && i != local))
			return false;
	return true;
}

static int check_mail(const struct destination *destination, struct error *err)
{
	const char *at = destination->to;
	size_t count = 0;

	if (!is_address(destination->from, strlen(destination->from)))
		return error_set(err, ERROR_INVALID, "from: Must be an address, as reports@example.com");
	for (;;) {
		size_t len = strcspn(at, ",");

		if (!is_address(at, len) || ++count > DESTINATION_RECIPIENTS_MAX)
			return error_set(err, ERROR_INVALID, "to: Must be 1 to %d addresses, with commas between them",
			                 DESTINATION_RECIPIENTS_MAX);
		if (!at[len])
			return 0;
		at += len + 1;
	}
}

int destination_fill(struct destination *destination, const struct destination_request *request, struct error *err)
{
	memset(destination, 0, sizeof(*destination));
	if (!is_name(request->name))
		return error_set(err, ERROR_INVALID, "name: Must be 1 to %d letters, digits, - and _",
		                 DESTINATION_NAME_MAX);
	memcpy(destination->account, request->account, strlen(request->account));
	memcpy(destination->name, request->name.p, request->name.len);
	destination->created_us = clock_now_us();
	if (take_type(request->type, &destination->type, err) != 0 || take_texts(destination, request, err) != 0 ||
	    check_given(destination, err) != 0 || check_url(destination, err) != 0)
		return -1;
	if (destination->type == DESTINATION_SFTP)
		return check_host_key(destination->host_key, err);
	return destination->type == DESTINATION_SMTP ? check_mail(destination, err) : 0;
}
