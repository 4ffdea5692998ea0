/* SPDX-License-Identifier: ISC */
/*
 * ingest_args.c: command options that are settings of ingest. See ingest_args.h.
 */
#include "admin/ingest_args.h"

static void write_option(char *option, size_t size, const char *name)
{
	size_t at = 0;

	for (; name[at] && at + 1 < size; at++)
		option[at] = (char)(name[at] == '_' ? '-' : name[at]);
	option[at] = '\0';
}

int ingest_args_read(const struct args *args, struct ingest_settings *settings, struct error *err)
{
	char option[ARGS_NAME_MAX + 1];
	struct error why;

	for (size_t i = 0; i < INGEST_SETTINGS_COUNT; i++) {
		const char *name = ingest_settings_name(i);
		const char *value = args_get(args, name);

		if (!value || ingest_settings_set(settings, i, str_from(value), &why) == 0)
			continue;
		write_option(option, sizeof(option), name);
		return error_set(err, why.code, "--%s: %s", option, why.message);
	}
	return 0;
}

size_t ingest_args_count(const struct args *args)
{
	size_t count = 0;

	for (size_t i = 0; i < INGEST_SETTINGS_COUNT; i++)
		count += args_count(args, ingest_settings_name(i));
	return count;
}
