/* SPDX-License-Identifier: ISC */
/*
 * account_key.c: see account_key.h.
 */
#include "base/account_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct account_key_text account_key_text(const struct account_key *key)
{
	struct account_key_text out = { "" };

	if (account_key_has_number(key))
		snprintf(out.text, sizeof(out.text), "#%" PRIu64, account_key_number(key));
	else
		memcpy(out.text, key->bytes, ACCOUNT_KEY_LEN);
	return out;
}

static int compare(const void *a, const void *b)
{
	return account_key_compare(a, b);
}

/* Most lists are in order already: those of ids, which are their own keys. */
void account_keys_sort(struct account_key *keys, size_t count)
{
	size_t in_order = 1;

	while (in_order < count && account_key_compare(&keys[in_order - 1], &keys[in_order]) < 0)
		in_order++;
	if (in_order < count)
		qsort(keys, count, sizeof(*keys), compare);
}
