/* SPDX-License-Identifier: ISC */
/*
 * accounts.c: ids, shares and parents of made-up accounts.
 */
#include "gen/accounts.h"

#include <errno.h>
#include <stdlib.h>

#define ID_LEN 8

/* The largest account's share: all shares of GEN_ACCOUNTS_MAX accounts, 14.4 times as much, fit into 32 bits. */
#define FIRST_SHARE (UINT32_C(1) << 28)

/* An odd number: multiplying by it maps 32 bits one to one, and far apart. */
#define ID_STRIDE UINT32_C(0x9e3779b1)

static void write_id(char id[ID_LEN], uint32_t number)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = ID_LEN - 1; i >= 0; i--, number >>= 4)
		id[i] = digits[number & 15];
}

int gen_accounts_make(struct gen_accounts *accounts, size_t count, size_t parents, struct error *err)
{
	uint32_t sum = 0;

	*accounts = (struct gen_accounts){
		.ids = calloc(count, sizeof(*accounts->ids)),
		.shares = calloc(count, sizeof(*accounts->shares)),
		.count = count,
		.parents = parents,
		.text = malloc(count * ID_LEN),
	};
	if (!accounts->ids || !accounts->shares || !accounts->text) {
		gen_accounts_free(accounts);
		return error_set(err, ERROR_NOMEM, "%zu accounts: out of memory", count);
	}
	for (size_t i = 0; i < count; i++) {
		char *id = accounts->text + i * ID_LEN;

		write_id(id, (uint32_t)(i + 1) * ID_STRIDE);
		accounts->ids[i] = (struct str){ id, ID_LEN };
		sum += FIRST_SHARE / (uint32_t)(i + 1);
		accounts->shares[i] = sum;
	}
	return 0;
}

void gen_accounts_free(struct gen_accounts *accounts)
{
	free(accounts->ids);
	free(accounts->shares);
	free(accounts->text);
	*accounts = (struct gen_accounts){ 0 };
}

/* The first account whose share, with those of all larger ones, is more than the number drawn. */
size_t gen_accounts_draw(const struct gen_accounts *accounts, struct gen_random *random)
{
	uint32_t drawn = gen_random_below(random, accounts->shares[accounts->count - 1]);
	size_t first = 0, last = accounts->count - 1;

	while (first < last) {
		size_t middle = first + (last - first) / 2;

		if (accounts->shares[middle] > drawn)
			last = middle;
		else
			first = middle + 1;
	}
	return first;
}

static struct str parent_of(const struct gen_accounts *accounts, size_t index)
{
	if (accounts->parents == 0 || index % 2 == 0)
		return STR_LITERAL("");
	return accounts->ids[index / 2 % accounts->parents * 2];
}

int gen_accounts_write(const struct gen_accounts *accounts, FILE *out, struct error *err)
{
	fputs("id,parent\n", out);
	for (size_t i = 0; i < accounts->count; i++)
		fprintf(out, "%.*s,%.*s\n", STR_ARGS(accounts->ids[i]), STR_ARGS(parent_of(accounts, i)));
	if (fflush(out) != 0 || ferror(out))
		return error_set_errno(err, errno, "writing accounts");
	return 0;
}
