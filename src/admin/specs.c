/* SPDX-License-Identifier: ISC */
/*
 * specs.c: commands.def as a table of texts. See specs.h.
 */
#include "admin/specs.h"

#include <string.h>

#define COMMAND(words, handler, arguments, help) { words, arguments, help },
const struct command_spec command_specs[] = {
#include "admin/commands.def"
};
#undef COMMAND

const size_t command_specs_count = sizeof(command_specs) / sizeof(command_specs[0]);

const struct command_spec *command_spec_find(const char *words)
{
	for (size_t i = 0; i < command_specs_count; i++)
		if (strcmp(command_specs[i].words, words) == 0)
			return &command_specs[i];
	return NULL;
}

/* How many of the command's words argv begins with; *all: whether all of them. */
static int words_alike(const struct command_spec *spec, int argc, char *const *argv, int *all)
{
	const char *word = spec->words;
	int alike = 0;

	while (*word && alike < argc) {
		size_t len = strcspn(word, " ");

		if (strlen(argv[alike]) != len || memcmp(argv[alike], word, len) != 0)
			break;
		word += len + (word[len] == ' ');
		alike++;
	}
	*all = *word == '\0';
	return alike;
}

const struct command_spec *command_spec_match(int argc, char *const *argv, int *used)
{
	const struct command_spec *best = NULL;

	*used = 0;
	for (size_t i = 0; i < command_specs_count; i++) {
		int all;
		int alike = words_alike(&command_specs[i], argc, argv, &all);

		if (all && alike > *used) {
			best = &command_specs[i];
			*used = alike;
		}
	}
	return best;
}

int command_spec_begins(const struct command_spec *spec, int argc, char *const *argv)
{
	int all;

	return words_alike(spec, argc, argv, &all) == argc;
}
