/* SPDX-License-Identifier: ISC */
/*
 * command_quarantine.h: what the quarantine commands share; private to admin/.
 */
#ifndef CDRD_ADMIN_COMMAND_QUARANTINE_H
#define CDRD_ADMIN_COMMAND_QUARANTINE_H

#include "admin/command.h"
#include "meta/quarantine.h"

/* --- quarantine_shown.c --- */

/* The members number, time, producer, account, id, product, field and reason. */
void quarantine_write_columns(struct json *j, const struct quarantine_entry *entry);

/* The whole object. */
void quarantine_write_entry(struct json *j, const struct quarantine_entry *entry);

/* The object with only the bytes, as base64url. */
void quarantine_write_raw(struct json *j, const struct quarantine_entry *entry);

#endif
