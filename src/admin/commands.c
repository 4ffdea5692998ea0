/* SPDX-License-Identifier: ISC */
/*
 * commands.c: commands.def as a table of handlers. See commands.h.
 */
#include "admin/commands.h"

#define COMMAND(words, handler, arguments, help) admin_##handler,
const admin_handler_fn command_handlers[] = {
#include "admin/commands.def"
};
#undef COMMAND
