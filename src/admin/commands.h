/* SPDX-License-Identifier: ISC */
/*
 * commands.h: the handlers of commands.def, in its order; private to admin/.
 */
#ifndef CDRD_ADMIN_COMMANDS_H
#define CDRD_ADMIN_COMMANDS_H

#include "admin/command.h"

extern const admin_handler_fn command_handlers[];

#endif
