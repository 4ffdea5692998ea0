/* SPDX-License-Identifier: ISC */
/*
 * account_limits.h: an account's plan, what it may have and what of that is left, as JSON; private to api/.
 */
#ifndef CDRD_API_ACCOUNT_LIMITS_H
#define CDRD_API_ACCOUNT_LIMITS_H

#include "base/json.h"
#include "api/api.h"

/* Members of an open object: plan, with the price of the next record, limits, and settings. */
void api_account_write_plan(const struct api *app, const struct account *account, struct json *json);
void api_account_write_limits(const struct api *app, const struct account *account, struct json *json);
void api_account_write_settings(const struct api *app, struct json *json);

/* The fees of plans that it owes for the last 13 months, the newest first; `if_any`: nothing where there are none. -1 on
 * failure. */
MUST_CHECK int api_account_write_fees(const struct api *app, const struct account *account, bool if_any,
                                      struct json *json, struct error *err);

#endif
