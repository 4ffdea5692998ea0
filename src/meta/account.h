/* SPDX-License-Identifier: ISC */
/*
 * account.h: what is known of an account, and of a producer.
 */
#ifndef CDRD_META_ACCOUNT_H
#define CDRD_META_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/account_key.h"
#include "record/ingest_settings.h"

#define ACCOUNT_NAME_MAX 128
#define ACCOUNT_SECRETS_MAX 5
#define ACCOUNT_SECRET_MIN 8 /* of a secret that is given */
#define ACCOUNT_SECRET_MAX 128
#define ACCOUNT_SECRET_LEN 32 /* of one that is made */
#define ACCOUNT_PLAN_MAX 32
#define ACCOUNT_PLANS_MAX 24 /* of its newest plans are remembered */
#define PRODUCER_NAME_MAX 64 /* letters, digits, '-', '_' and '.' */

struct account {
	struct account_key key; /* names it on disk */
	char id[ACCOUNT_ID_MAX + 1];
	char parent[ACCOUNT_ID_MAX + 1]; /* "" for a primary account */
	char name[ACCOUNT_NAME_MAX + 1];
	char plan[ACCOUNT_PLAN_MAX + 1]; /* "" when it was given none */
	bool disabled;
	int64_t created_us;
	int64_t deleted_us; /* 0 unless it is to be removed, with its records, after account_grace */
	int secrets_count;
	struct account_secret {
		uint32_t number; /* names it in `secret revoke`; never used again */
		int64_t created_us;
	} secrets[ACCOUNT_SECRETS_MAX];
};

struct producer {
	char name[PRODUCER_NAME_MAX + 1];
	int64_t created_us;
	struct ingest_settings settings;
};

/* The plans that an account was given, oldest first; a name of "" where its own plan was taken away. */
struct account_plan {
	int64_t since_us;
	char name[ACCOUNT_PLAN_MAX + 1];
};

#endif
