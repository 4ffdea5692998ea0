/*
 * command_quarantine.h: what the commands on quarantine share; private to admin/.
 */
#ifndef CDRD_ADMIN_COMMAND_QUARANTINE_H
#define CDRD_ADMIN_COMMAND_QUARANTINE_H

#include "admin/command.h"
#include "store/quarantine.h"

/* The argument NUMBER, 0 for `all`. */
int quarantine_number(const struct args *args, uint64_t *number, struct error *err);

/* ERROR_NOT_FOUND. */
int quarantine_not_found(uint64_t number, struct error *err);

#endif
