/* SPDX-License-Identifier: ISC */
/*
 * specs.h: the texts of commands.def, without the handlers, so that cdrctl can link them.
 */
#ifndef CDRD_ADMIN_SPECS_H
#define CDRD_ADMIN_SPECS_H

#include <stddef.h>

struct command_spec {
	const char *words;     /* "account add" */
	const char *arguments; /* the synopsis, see args.h */
	const char *help;
};

extern const struct command_spec command_specs[]; /* in the order of commands.def */
extern const size_t command_specs_count;

/* The command of exactly these words, separated by single spaces, or NULL. */
const struct command_spec *command_spec_find(const char *words);

/* The longest command that the words begin with, and its number of words; NULL if none. */
const struct command_spec *command_spec_match(int argc, char *const *argv, int *used);

/* Do the command's words begin with these? */
int command_spec_begins(const struct command_spec *spec, int argc, char *const *argv);

#endif
