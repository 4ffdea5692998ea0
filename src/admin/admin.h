/* SPDX-License-Identifier: ISC */
/*
 * admin.h: the Unix socket that cdrctl speaks to.
 *
 * Protocol: the client sends one JSON object a line, {"command":"account add","args":{"id":"abcd1234"}}, and gets one a
 * line back: {"ok":true,"result":...} or {"ok":false,"error":"text","code":"not_found"}, in order. If the error is the
 * command's finding, the line also has a result, as last member. Long commands send {"progress":{...}} lines first.
 * `import` and `account import` are followed by a body in chunks: a 4-byte big-endian length and that many bytes, length 0
 * at the end. So is `backup`, which sends lines of its own (command_backup.c). A request is at most 1 MiB. The connection
 * is closed after an error before a handler got the request, and after one of a command with a body, so that imports that
 * were sent ahead of the answer are not begun. The socket has mode 0660; peers must be root, the daemon's user or a member
 * of admin_group (SO_PEERCRED).
 */
#ifndef CDRD_ADMIN_ADMIN_H
#define CDRD_ADMIN_ADMIN_H

#include "admin/context.h"
#include "base/error.h"

struct admin;

/* Makes and listens on config->admin_socket; a stale socket is replaced, a live one is ERROR_CONFLICT. */
MUST_CHECK struct admin *admin_new(const struct admin_context *context, struct error *err);
void admin_free(struct admin *admin);

#endif
