/* SPDX-License-Identifier: ISC */
/*
 * call.h: runs a command from within the daemon, for an operator whose request came by HTTP.
 *
 * A call is a session like any other, at the other end of a pair of sockets: what holds for cdrctl's commands holds for
 * it, slices, limits, the log and the audit log with the operator's name included. The commands that may be called are
 * in operator_commands.def; none of them reads files or has a body.
 */
#ifndef CDRD_ADMIN_CALL_H
#define CDRD_ADMIN_CALL_H

#include <stdbool.h>

#include "admin/args.h"
#include "admin/specs.h"
#include "base/error.h"
#include "base/str.h"

struct admin;
struct admin_call;

struct operator_command {
	const struct command_spec *spec;
	bool changes;        /* something, so it is asked for by POST */
	const char *without; /* arguments that may not be given, separated by spaces */
};

/* By its words joined with '-', "quarantine-list": false if operators may not call it. */
bool admin_call_find(struct str name, struct operator_command *command);

/* Calls fn for each of them, in the order of their table. */
void admin_call_each(void (*fn)(void *arg, const struct operator_command *command), void *arg);

/* Once, from the loop: `result` is JSON if err is NULL, and dies when it returns. So does the call. */
typedef void (*admin_call_fn)(void *arg, struct str result, const struct error *err);

/* `args` are a JSON object, or empty. NULL with *err: ERROR_LIMIT if there are too many sessions, ERROR_INVALID for
 * arguments that may not be given. `operator_name` has been checked. */
MUST_CHECK struct admin_call *admin_call_begin(struct admin *admin, const char *operator_name,
                                               const struct operator_command *command, struct str args,
                                               admin_call_fn fn, void *arg, struct error *err);

/* fn will not be called; the command ends as if cdrctl had gone. */
void admin_call_cancel(struct admin_call *call);

#endif
