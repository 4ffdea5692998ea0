/* SPDX-License-Identifier: ISC */
/*
 * audit.h: what commands have changed, into the audit log; private to admin/.
 */
#ifndef CDRD_ADMIN_AUDIT_H
#define CDRD_ADMIN_AUDIT_H

#include "admin/session.h"

/* Writes a line with the command at work, its arguments (without what must not be kept: see the table in audit.c), and
 * who asked for it. */
void admin_audit(const struct admin_reply *reply, const char *text);

/* Somebody was not let in. */
void admin_audit_refused(const struct admin *admin, uid_t uid, pid_t pid, const char *text);

#endif
