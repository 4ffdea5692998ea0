/* SPDX-License-Identifier: ISC */
/*
 * command_account.h: what the commands about accounts share; private to admin/.
 */
#ifndef CDRD_ADMIN_COMMAND_ACCOUNT_H
#define CDRD_ADMIN_COMMAND_ACCOUNT_H

#include "base/json.h"
#include "meta/account.h"

/* The members that a list and a single account have in common; the object stays open. */
void admin_account_begin(struct json *j, const struct account *account);

#endif
