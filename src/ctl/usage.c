/* SPDX-License-Identifier: ISC */
/*
 * usage.c: see usage.h.
 */
#include "ctl/usage.h"

static const char head[] = "Usage: cdrctl [-s SOCKET] [--json] COMMAND [ARGUMENT...]\n"
			   "Speak to the cdrd that runs on this machine.\n"
			   "\n"
			   "  -s, --socket SOCKET  where it listens (%s)\n"
			   "  --json               print results as JSON, a line each\n"
			   "  -h, --help           show this, or a command's help, and exit\n"
			   "  -V, --version        show the version and exit\n"
			   "\n"
			   "Exit status is 0 if all went well, 1 after an error, 2 for wrong usage.\n"
			   "\n";

static void print_synopsis(FILE *out, const char *before, const struct command_spec *spec)
{
	fprintf(out, "%s%s%s%s\n", before, spec->words, spec->arguments[0] ? " " : "", spec->arguments);
}

void usage_print(FILE *out, const char *socket, int argc, char *const *argv)
{
	if (argc == 0)
		fprintf(out, head, socket);
	fprintf(out, "Commands:\n");
	for (size_t i = 0; i < command_specs_count; i++) {
		if (!command_spec_begins(&command_specs[i], argc, argv))
			continue;
		print_synopsis(out, "  ", &command_specs[i]);
		fprintf(out, "      %s\n", command_specs[i].help);
	}
}

void usage_print_line(FILE *out, const struct command_spec *spec)
{
	print_synopsis(out, "Usage: cdrctl ", spec);
}

void usage_print_command(FILE *out, const struct command_spec *spec)
{
	usage_print_line(out, spec);
	fprintf(out, "%s.\n", spec->help);
}
