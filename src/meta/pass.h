/* SPDX-License-Identifier: ISC */
/*
 * pass.h: what somebody was let in by, kept for as long as what they opened lasts, to ask whether it still lets in
 * (pass_check.h).
 *
 * A pass holds no secret: `mark` is a part of the salt that the secret is hashed with, which no other secret has. So a
 * pass ends with its secret even if another one is the same.
 */
#ifndef CDRD_META_PASS_H
#define CDRD_META_PASS_H

#include <stdint.h>
#include <string.h>
#include <sys/queue.h>

#include "base/invariant.h"
#include "meta/account.h"

enum pass_kind { PASS_NONE, PASS_SECRET, PASS_KEY, PASS_PRODUCER, PASS_OPERATOR };

#define PASS_KEY_LEN 12
#define PASS_NAME_MAX 64

struct pass {
	uint64_t mark;
	int64_t until_us; /* when a key's time is up; 0: never */
	uint8_t kind;
	char key[PASS_KEY_LEN + 1];   /* the id of a key */
	char name[PASS_NAME_MAX + 1]; /* of the account, producer or operator */
};

/* The name is one that was found, so it is not too long. */
static inline struct pass pass_of(enum pass_kind kind, struct str name, uint64_t mark)
{
	struct pass pass = { .kind = (uint8_t)kind, .mark = mark };

	INVARIANT(name.len <= PASS_NAME_MAX);
	memcpy(pass.name, name.p, name.len);
	return pass;
}

/* on_change(arg) is called after every change of accounts, keys, producers and operators, from within the call that made
 * it: so it should do no more than wake somebody. Part of its owner, until accounts_unwatch. */
struct accounts_watch {
	LIST_ENTRY(accounts_watch) entry;
	void (*on_change)(void *arg);
	void *arg;
};

#endif
