/* SPDX-License-Identifier: ISC */
/*
 * options.h: cdrd's command line, and the configuration that it and the file make together.
 */
#ifndef CDRD_DAEMON_OPTIONS_H
#define CDRD_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/config.h"
#include "base/error.h"

struct options {
	const char *file; /* of -c; NULL: the default file, if there is one */
	char **settings;  /* of each -o, "key=value" */
	size_t settings_count;
	bool test;    /* -t */
	bool version; /* -V */
	bool help;    /* -h */
};

extern const char options_usage[];

/* Texts stay those of argv. ERROR_INVALID for anything that is not in options_usage. */
MUST_CHECK int options_parse(struct options *options, int argc, char **argv, struct error *err);
void options_free(struct options *options);

/* Defaults, then the file, then -o; checks also what a setting's type does not say: addresses, plans, paths. All that is
 * wrong is added to *faults; on -1, when anything is, *config is empty. To be freed with config_free. */
int options_load_config(const struct options *options, struct config *config, struct config_faults *faults);

#endif
