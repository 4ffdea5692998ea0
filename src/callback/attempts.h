/* SPDX-License-Identifier: ISC */
/*
 * attempts.h: the newest attempts at an account's callbacks, as they are stored; private to callback/.
 */
#ifndef CDRD_CALLBACK_ATTEMPTS_H
#define CDRD_CALLBACK_ATTEMPTS_H

#include "callback/callback.h"

/* Adds an attempt of the account to its newest ones, as part of the change; its number is ignored. The oldest one gives way
 * when there are CALLBACK_ATTEMPTS_MAX. Nothing is added for an account that is gone. */
MUST_CHECK int attempts_add(struct change *change, struct str account, const struct callback_attempt *attempt,
                            struct error *err);

#endif
