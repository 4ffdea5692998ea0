/* SPDX-License-Identifier: ISC */
/*
 * specs.h: what commands.def says of each command, without the handlers, so that cdrctl can link it.
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

/* NULL if there is none of exactly these words, with one space between two. */
const struct command_spec *command_spec_find(const char *words);

/* The command that a line of words begins with, the one of the most words, and how many these are; NULL if none. */
const struct command_spec *command_spec_match(int argc, char *const *argv, int *used);

/* Do the command's words begin with these? */
int command_spec_begins(const struct command_spec *spec, int argc, char *const *argv);

#endif
