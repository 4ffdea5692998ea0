/* SPDX-License-Identifier: ISC */
/*
 * options.h: cdrd's command line, and the configuration made from it and the file.
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
	bool migrate;
	bool test;    /* -t */
	bool version; /* -V */
	bool help;    /* -h */
};

extern const char options_usage[];

/* Texts stay those of argv. ERROR_INVALID for anything that is not in options_usage. */
MUST_CHECK int options_parse(struct options *options, int argc, char **argv, struct error *err);
void options_free(struct options *options);

/* Defaults, then the file, then -o; also checks what a setting's type does not cover: addresses, plans, paths. All
 * faults are added to *faults; if there are any, returns -1 and *config is empty. Free it with config_free. */
int options_load_config(const struct options *options, struct config *config, struct config_faults *faults);

#endif
