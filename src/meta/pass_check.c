/* SPDX-License-Identifier: ISC */
/*
 * pass_check.c: see pass_check.h.
 */
#include "meta/pass_check.h"

#include <string.h>

#include "meta/account_row.h"
#include "meta/accounts.h"
#include "meta/api_keys.h"

/* 1, 0 or -1. */
static int secret_holds(struct meta *meta, const struct pass *pass, struct error *err)
{
	struct account_row row;
	int found = account_row_find(meta, str_from(pass->name), &row, err);

	if (found <= 0 || row.account.disabled || row.account.deleted_us)
		return found < 0 ? -1 : 0;
	for (int i = 0; i < row.account.secrets_count; i++)
		if (credential_mark(&row.credentials[i]) == pass->mark)
			return 1;
	return 0;
}

int pass_holds(struct meta *meta, const struct pass *pass, struct error *err)
{
	switch (pass->kind) {
	case PASS_SECRET:
		return secret_holds(meta, pass, err);
	case PASS_KEY:
		return api_keys_pass_holds(meta, pass, err);
	case PASS_PRODUCER:
	case PASS_OPERATOR:
		return producers_pass_holds(meta, pass, err);
	default:
		return 0;
	}
}
