/* SPDX-License-Identifier: ISC */
/*
 * usage.h: help and completion, made from commands.def.
 */
#ifndef CDRD_CTL_USAGE_H
#define CDRD_CTL_USAGE_H

#include <stdio.h>

#include "admin/specs.h"

/* The options and the commands whose words begin with those of argv; with none, all of them. */
void usage_print(FILE *out, const char *socket, int argc, char *const *argv);

/* "Usage: cdrctl account add ID ..." */
void usage_print_line(FILE *out, const struct command_spec *spec);
void usage_print_command(FILE *out, const struct command_spec *spec);

/* completion.c: a script for bash. */
void usage_print_completion(FILE *out);

#endif
