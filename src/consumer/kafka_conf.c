/* SPDX-License-Identifier: ISC */
/*
 * kafka_conf.c: see kafka_conf.h.
 */
#include "consumer/kafka_conf.h"

#include <errno.h>
#include <stdio.h>

/* What an operator may not change, as what is acknowledged and how much memory is used depend on it. */
static const struct {
	const char *name, *value;
} own[] = {
	{ "enable.auto.offset.store", "false" }, /* offsets are stored after the commit, */
	{ "enable.auto.commit", "true" },        /* and committed to the broker now and then */
	{ "log.queue", "true" },                 /* librdkafka's threads log through ours */
	{ "enable.partition.eof", "false" },
};

/* What an operator may change in the file of properties. */
static const struct {
	const char *name, *value;
} defaults[] = {
	{ "client.id", "cdrd" },
	{ "auto.offset.reset", "earliest" },
	{ "queued.max.messages.kbytes", "8192" },
	{ "queued.min.messages", "1000" },
};

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
		return 0;
	return error_set(err, ERROR_INVALID, "%s: %s", name, why);
}

static int set_property(rd_kafka_conf_t *conf, char *name, char *value, struct error *err)
{
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(own[i].name, name) == 0)
			return error_set(err, ERROR_INVALID, "%s: is cdrd's own", name);
	return set(conf, name, value, err);
}

/* One line, which is changed: empty, a comment, or NAME = VALUE. */
static int read_line(rd_kafka_conf_t *conf, char *line, struct error *err)
{
	struct str text, name, value;
	char *equals;

	line[strcspn(line, "\r\n")] = '\0';
	text = str_trim(str_from(line));
	if (text.len == 0 || text.p[0] == '#')
		return 0;
	equals = strchr(line, '=');
	if (!equals)
		return error_set(err, ERROR_INVALID, "a line is not NAME = VALUE");
	*equals = '\0';
	name = str_trim(str_from(line));
	value = str_trim(str_from(equals + 1));
	line[name.p - line + (ptrdiff_t)name.len] = '\0';
	line[value.p - line + (ptrdiff_t)value.len] = '\0';
	return set_property(conf, line + (name.p - line), line + (value.p - line), err);
}

static int read_properties(rd_kafka_conf_t *conf, const char *path, struct error *err)
{
	char line[4096];
	struct error why;
	FILE *file = fopen(path, "re");
	int result = file ? 0 : error_set_errno(err, errno, "%s", path);

	while (result == 0 && fgets(line, sizeof(line), file)) {
		result = read_line(conf, line, &why);
		if (result != 0)
			error_set(err, ERROR_INVALID, "%s: %s", path, why.message);
	}
	if (file)
		fclose(file);
	return result;
}

static int set_all(rd_kafka_conf_t *conf, const struct consumer_settings *settings, struct error *err)
{
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (set(conf, defaults[i].name, defaults[i].value, err) != 0)
			return -1;
	if (settings->properties[0] && read_properties(conf, settings->properties, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (set(conf, own[i].name, own[i].value, err) != 0)
			return -1;
	return set(conf, "bootstrap.servers", settings->address, err) == 0 ?
	               set(conf, "group.id", settings->group, err) :
	               -1;
}

rd_kafka_conf_t *kafka_conf_new(const struct consumer_settings *settings, struct error *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	if (set_all(conf, settings, err) == 0)
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}
