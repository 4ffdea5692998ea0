/* SPDX-License-Identifier: ISC */
/*
 * account_key.h: an account as keys on disk name it.
 *
 * An id has 1 to 64 characters; a key always has 8 bytes, so that keys of the store have one length. For an id of
 * exactly 8 characters they are the id itself. For any other they are a zero byte, which no id contains, and a number in
 * 7 bytes, big-endian, that the catalog gives when the account is added and never gives again:
 *
 *	"abcd1234"  ->  a b c d 1 2 3 4
 *	"north_1"   ->  0 | 0 0 0 0 0 0 1
 *
 * meta/accounts.h maps an id to its key and back. A key is a struct, so that the compiler finds what takes one for an
 * id. The log and reports of damage, which know only keys, show a number as "#1"; `cdrctl account show` takes one, too.
 * Pure.
 */
#ifndef CDRD_BASE_ACCOUNT_KEY_H
#define CDRD_BASE_ACCOUNT_KEY_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define ACCOUNT_ID_MAX 64 /* letters, digits, '-' and '_' */
#define ACCOUNT_KEY_LEN 8
#define ACCOUNT_KEY_NUMBER_MAX ((UINT64_C(1) << 56) - 1)

struct account_key {
	char bytes[ACCOUNT_KEY_LEN];
};

/* Is the key of such an id the id itself? */
static inline bool account_key_is_id(struct str id)
{
	return id.len == ACCOUNT_KEY_LEN;
}

/* The key of an id of 8 characters. */
static inline struct account_key account_key_of_id(const char *id)
{
	struct account_key key;

	memcpy(key.bytes, id, ACCOUNT_KEY_LEN);
	return key;
}

/* The key of an account with another id; `number` is 1 to ACCOUNT_KEY_NUMBER_MAX. */
static inline struct account_key account_key_of_number(uint64_t number)
{
	struct account_key key;
	uint64_t big_endian = htobe64(number);

	memcpy(key.bytes, &big_endian, ACCOUNT_KEY_LEN);
	return key;
}

static inline bool account_key_has_number(const struct account_key *key)
{
	return key->bytes[0] == '\0';
}

/* 0 for a key that is an id. */
static inline uint64_t account_key_number(const struct account_key *key)
{
	uint64_t big_endian;

	memcpy(&big_endian, key->bytes, ACCOUNT_KEY_LEN);
	return account_key_has_number(key) ? be64toh(big_endian) : 0;
}

/* The key of the account with this id and this account_key_number. */
static inline struct account_key account_key_of(struct str id, uint64_t number)
{
	return account_key_is_id(id) ? account_key_of_id(id.p) : account_key_of_number(number);
}

static inline bool account_key_equal(const struct account_key *a, const struct account_key *b)
{
	return memcmp(a->bytes, b->bytes, ACCOUNT_KEY_LEN) == 0;
}

/* A key for a person: the id, or "#" and the number. `.text` lives as long as what is returned. */
struct account_key_text {
	char text[24];
};

struct account_key_text account_key_text(const struct account_key *key);

void account_keys_sort(struct account_key *keys, size_t count);

/* As keys are in order on disk. */
static inline int account_key_compare(const struct account_key *a, const struct account_key *b)
{
	return memcmp(a->bytes, b->bytes, ACCOUNT_KEY_LEN);
}

#endif
