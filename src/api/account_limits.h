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

#endif
