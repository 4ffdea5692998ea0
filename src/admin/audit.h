/* SPDX-License-Identifier: ISC */
/*
 * audit.h: writes what commands have changed to the audit log; private to admin/.
 */
#ifndef CDRD_ADMIN_AUDIT_H
#define CDRD_ADMIN_AUDIT_H

#include "admin/session.h"

/* Writes a line with the current command, its arguments (without those that must not be kept: see the table in
 * audit.c), and the user. */
void admin_audit(const struct admin_reply *reply, const char *text);

/* A user was refused. */
void admin_audit_refused(const struct admin *admin, uid_t uid, pid_t pid, const char *text);

#endif
