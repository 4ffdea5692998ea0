/* SPDX-License-Identifier: ISC */
/*
 * consumer_settings.c: what the settings amqp and kafka say.
 *
 *	amqp = amqp://HOST[:PORT][/VHOST] queue=NAME [credentials=FILE] [ca=FILE] ... | ...
 *	kafka = HOST:PORT,... topic=NAME [group=NAME] [properties=FILE] ... | ...
 *
 * and of both [prefetch=COUNT] [format=json|ndjson|csv|msgpack] [product=NAME], besides those of a producer.
 */
#include <stddef.h>

#include "consumer/consumer_private.h"
#include "record/source_list.h"

#define PREFETCH_DEFAULT 500

struct settings_reader {
	const struct consumer_kind *kind;
	consumer_settings_fn fn;
	void *arg;
	struct consumer_settings settings;
};

static int set_text(char text[CONSUMER_TEXT_MAX + 1], const char *name, struct str value, struct error *err)
{
	if (value.len > CONSUMER_TEXT_MAX)
		return error_set(err, ERROR_INVALID, "%s: %zu bytes, at most %d allowed", name, value.len,
		                 CONSUMER_TEXT_MAX);
	if (value.len > 0)
		memcpy(text, value.p, value.len);
	text[value.len] = '\0';
	return 0;
}

static int on_address(void *arg, struct str address, struct error *err)
{
	struct settings_reader *reader = arg;

	reader->settings =
		(struct consumer_settings){ .format = PARSE_JSON, .prefetch = PREFETCH_DEFAULT, .group = "cdrd" };
	return set_text(reader->settings.address, "the address", address, err);
}

static int set_format(struct consumer_settings *settings, struct str value, struct error *err)
{
	static const struct {
		const char *name;
		enum parse_format format;
	} rows[] = {
		{ "json", PARSE_JSON },
		{ "ndjson", PARSE_NDJSON },
		{ "csv", PARSE_CSV },
		{ "msgpack", PARSE_MSGPACK },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!str_is(value, rows[i].name))
			continue;
		settings->format = rows[i].format;
		return 0;
	}
	return error_set(err, ERROR_INVALID, "format: \"%.*s\": must be json, ndjson, csv or msgpack",
	                 (int)(value.len < 64 ? value.len : 64), value.p);
}

static int set_prefetch(struct consumer_settings *settings, struct str value, struct error *err)
{
	int count = 0;

	for (size_t i = 0; i < value.len && count <= CONSUMER_PREFETCH_MAX; i++) {
		if (value.p[i] < '0' || value.p[i] > '9') {
			count = 0;
			break;
		}
		count = count * 10 + (value.p[i] - '0');
	}
	if (count < 1 || count > CONSUMER_PREFETCH_MAX)
		return error_set(err, ERROR_INVALID, "prefetch: \"%.*s\": must be 1 to %d",
		                 (int)(value.len < 64 ? value.len : 64), value.p, CONSUMER_PREFETCH_MAX);
	settings->prefetch = count;
	return 0;
}

/* Options that are texts; those of another kind are unknown. */
static const struct {
	const char *kind; /* NULL: of both */
	const char *name;
	size_t offset;
} texts[] = {
	{ "amqp", "queue", offsetof(struct consumer_settings, queue) },
	{ "amqp", "credentials", offsetof(struct consumer_settings, credentials) },
	{ "amqp", "ca", offsetof(struct consumer_settings, ca_file) },
	{ "kafka", "topic", offsetof(struct consumer_settings, queue) },
	{ "kafka", "group", offsetof(struct consumer_settings, group) },
	{ "kafka", "properties", offsetof(struct consumer_settings, properties) },
	{ NULL, "product", offsetof(struct consumer_settings, product) },
};

static int on_option(void *arg, struct str name, struct str value, struct error *err)
{
	struct settings_reader *reader = arg;
	struct consumer_settings *settings = &reader->settings;

	if (str_is(name, "format"))
		return set_format(settings, value, err) == 0 ? 1 : -1;
	if (str_is(name, "prefetch"))
		return set_prefetch(settings, value, err) == 0 ? 1 : -1;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (str_is(name, texts[i].name) && (!texts[i].kind || strcmp(texts[i].kind, reader->kind->name) == 0))
			return set_text((char *)settings + texts[i].offset, texts[i].name, value, err) == 0 ? 1 : -1;
	return 0;
}

static int on_source(void *arg, const struct ingest_settings *ingest, struct error *err)
{
	struct settings_reader *reader = arg;
	struct consumer_settings *settings = &reader->settings;

	settings->ingest = *ingest;
	if (ingest->mapping[0])
		settings->format = PARSE_MAPPED;
	if (reader->kind->check(settings, err) != 0)
		return -1;
	return reader->fn ? reader->fn(reader->arg, settings, err) : 0;
}

int consumer_settings_read(const char *text, const struct consumer_kind *kind, consumer_settings_fn fn, void *arg,
                           struct error *err)
{
	static const struct source_reader source_reader = { .begin = on_address,
		                                            .option = on_option,
		                                            .end = on_source };
	struct settings_reader reader = { .kind = kind, .fn = fn, .arg = arg };

	return sources_read(text, &source_reader, &reader, err);
}
