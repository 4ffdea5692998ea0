/* SPDX-License-Identifier: ISC */
/*
 * status_parts.h: what `status` and `overview` both show; private to admin/.
 *
 * Each writes members, or a section of its own, into the object that was begun. None looks at more than the modules'
 * counters and the catalog.
 */
#ifndef CDRD_ADMIN_STATUS_PARTS_H
#define CDRD_ADMIN_STATUS_PARTS_H

#include "admin/command.h"

/* Members. */
void status_write_process(struct json *j, const struct admin_context *context);
void status_write_lag(struct json *j, const struct lag *lag);
/* Nothing if all is well. */
void status_write_health(struct json *j, const struct admin_context *context);

/* Sections. */
void status_write_quarantine(struct json *j, const struct admin_context *context);
void status_write_callbacks(struct json *j, const struct admin_context *context);

#endif
