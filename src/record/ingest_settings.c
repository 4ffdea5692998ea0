/* SPDX-License-Identifier: ISC */
/*
 * ingest_settings.c: the table of what can be set for a producer or a request. See ingest_settings.h.
 */
#include "record/ingest_settings.h"

#include <stdint.h>

#include "base/clock.h"
#include "base/json.h"
#include "record/encoding.h"

#define SHOWN_MAX 64

/* Is `value` allowed? It may be rewritten in its one form. */
typedef bool (*check_fn)(char *value);

static bool check_mode(char *value)
{
	return strcmp(value, "replace") == 0 || strcmp(value, "merge") == 0;
}

static bool check_version(char *value)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";

	return strspn(value, allowed) == strlen(value);
}

static bool check_time_zone(char *value)
{
	int64_t now_us = clock_now_us();
	struct zone zone;
	struct error err;

	if (value[0] == ' ')
		value[0] = '+'; /* of an offset in a query, not encoded */
	bool known = zone_load(&zone, str_from(value), now_us, now_us, &err) == 0 ||
	             err.code != ERROR_INVALID; /* where it cannot be looked up now, it is when it is needed */
	zone_free(&zone);
	return known;
}

static bool check_encoding(char *value)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:";

	if (strspn(value, allowed) != strlen(value)) /* no "//TRANSLIT", which changes texts in silence */
		return false;
	struct error err;
	struct encoding *encoding = encoding_new(value, &err);
	bool known = encoding != NULL;
	encoding_free(encoding);
	return known;
}

static bool check_mapping(char *value)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";

	return strspn(value, allowed) == strlen(value);
}

static bool check_account(char *value)
{
	return json_is_utf8(str_from(value));
}

#define SETTING(member, check, must_be) \
	{ \
#member, offsetof(struct ingest_settings, member), \
			sizeof(((struct ingest_settings *)NULL)->member) - 1, check, must_be \
	}

/* They are stored in this order: append only. */
static const struct setting {
	const char *name;
	size_t at;
	size_t max;
	check_fn check;
	const char *must_be;
} settings_table[] = {
	SETTING(mode, check_mode, "replace or merge"),
	SETTING(version, check_version, "the name of a field: letters, digits, '_', '-' and '.'"),
	SETTING(time_zone, check_time_zone, "a time zone's name, such as Europe/Berlin, or an offset, such as +02:00"),
	SETTING(encoding, check_encoding,
	        "an encoding that iconv knows, without states, such as ISO-8859-1 or WINDOWS-1252"),
	SETTING(mapping, check_mapping, "the name of a mapping: letters, digits, '_', '-' and '.'"),
	SETTING(account_id, check_account, "the id of an account"),
};

_Static_assert(sizeof(settings_table) / sizeof(settings_table[0]) == INGEST_SETTINGS_COUNT, "as the header says");

const char *ingest_settings_name(size_t index)
{
	return settings_table[index].name;
}

const char *ingest_settings_get(const struct ingest_settings *settings, size_t index)
{
	return (const char *)settings + settings_table[index].at;
}

bool ingest_settings_load(struct ingest_settings *settings, size_t index, struct str value)
{
	char *to = (char *)settings + settings_table[index].at;

	if (value.len > settings_table[index].max)
		return false;
	if (value.len > 0)
		memcpy(to, value.p, value.len);
	to[value.len] = '\0';
	return true;
}

int ingest_settings_set(struct ingest_settings *settings, size_t index, struct str value, struct error *err)
{
	const struct setting *setting = &settings_table[index];
	struct ingest_settings changed = *settings;
	bool fits = ingest_settings_load(&changed, index, value);

	if (fits && (value.len == 0 || setting->check((char *)&changed + setting->at))) {
		*settings = changed;
		return 0;
	}
	return error_set(err, ERROR_INVALID, "\"%.*s\": must be %s",
	                 (int)(value.len < SHOWN_MAX ? value.len : SHOWN_MAX), value.p ? value.p : "",
	                 setting->must_be);
}
