/* SPDX-License-Identifier: ISC */
/*
 * accounts.h: made-up accounts of many sizes, as a platform's customers are.
 *
 * The k-th of them, from 1, has a share of the records in proportion to 1/k (Zipf's law). Their ids are spread over
 * all ids, so that an account's size and its place among the others have nothing to do with each other. With parents,
 * every other account, the 2nd, the 4th and so on, is a subaccount of one of the 1st, 3rd, 5th ..., in turn; a parent
 * always comes before its subaccounts. The same counts give the same accounts on every machine.
 */
#ifndef CDRD_GEN_ACCOUNTS_H
#define CDRD_GEN_ACCOUNTS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"
#include "gen/random.h"

#define GEN_ACCOUNTS_MAX 1000000

struct gen_accounts {
	struct str *ids;  /* the largest account's first */
	uint32_t *shares; /* of an account and all larger ones */
	size_t count;
	size_t parents; /* 0: no subaccounts */
	char *text;     /* what `ids` points into */
};

/* Of 1 to GEN_ACCOUNTS_MAX accounts; at most half of them, rounded up, can be parents. ERROR_NOMEM, with nothing to
 * free. */
MUST_CHECK int gen_accounts_make(struct gen_accounts *accounts, size_t count, size_t parents, struct error *err);
void gen_accounts_free(struct gen_accounts *accounts);

/* The index of one, drawn by the shares. */
size_t gen_accounts_draw(const struct gen_accounts *accounts, struct gen_random *random);

/* Writes them as `id,parent` lines of CSV with a header; no parent means a primary account. Blocks. */
MUST_CHECK int gen_accounts_write(const struct gen_accounts *accounts, FILE *out, struct error *err);

#endif
