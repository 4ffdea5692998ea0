/* SPDX-License-Identifier: ISC */
/*
 * inherited.c: see inherited.h.
 */
#include <config.h>

#include "daemon/inherited.h"

#ifdef HAVE_SYSTEMD

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

static const char *setting_of(const char *name)
{
	static const char *const settings[] = { "listen", "listen_tls" };

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (strcmp(name, settings[i]) == 0)
			return settings[i];
	return NULL;
}

static int take_names(struct inherited *inherited, char **names, int count, struct error *err)
{
	for (int i = 0; i < count; i++) {
		const char *setting = setting_of(names[i]);

		if (!setting)
			return error_set(
				err, ERROR_INVALID,
				"A socket of systemd has the name \"%.64s\"; FileDescriptorName= must be listen or listen_tls",
				names[i]);
		if (inherited->count == INHERITED_MAX)
			return error_set(err, ERROR_LIMIT, "More than %d sockets of systemd", INHERITED_MAX);
		inherited->list[inherited->count++] = (struct inherited_socket){ setting, SD_LISTEN_FDS_START + i };
	}
	return 0;
}

int inherited_take(struct inherited *inherited, struct error *err)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);
	int result;

	*inherited = (struct inherited){ .count = 0 };
	if (count < 0)
		return error_set_errno(err, -count, "Sockets of systemd");
	result = take_names(inherited, names, count, err);
	for (int i = 0; i < count; i++)
		free(names[i]);
	free((void *)names);
	return result;
}

#else

int inherited_take(struct inherited *inherited, struct error *err)
{
	(void)err;
	*inherited = (struct inherited){ .count = 0 };
	return 0;
}

#endif
