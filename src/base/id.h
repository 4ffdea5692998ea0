/* SPDX-License-Identifier: ISC */
/*
 * id.h: random identifiers, secrets, hashes and their texts.
 */
#ifndef CDRD_BASE_ID_H
#define CDRD_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/account_key.h"
#include "base/str.h"

#define ID_UUID_LEN 36

/* `count` bytes from OpenSSL's generator; ends the program with a message when there is no entropy. */
void id_random(void *out, size_t count);

/* A version 4 UUID as 36 characters and a NUL, lower case. */
void id_uuid(char out[ID_UUID_LEN + 1]);

/* Random bytes fetched ahead: OpenSSL takes about as long for sixteen of them as for all of these. Zeroed is empty. */
struct id_pool {
	unsigned char bytes[512];
	size_t left;
};

/* The same, for making ids by the thousand. */
void id_uuid_from(struct id_pool *pool, char out[ID_UUID_LEN + 1]);

/* Is it 8-4-4-4-12 hexadecimal digits, either case? */
bool id_is_uuid(struct str text);

/* Are they the same id? UUIDs are in either case (RFC 9562), other ids byte by byte. */
bool id_equal(struct str a, struct str b);

/* Copies ID_UUID_LEN bytes, hexadecimal digits in lower case. */
void id_uuid_lower(char out[ID_UUID_LEN], const char *id);

/* The same in upper case. */
void id_uuid_upper(char out[ID_UUID_LEN], const char *id);

/* id_hash64 of an id: equal for ids that are id_equal. */
uint64_t id_hash64_of_id(struct str id, uint64_t seed);

/* 1 to ACCOUNT_ID_MAX letters, digits, '-' and '_': the form of an account id. Case matters. */
bool id_is_account(struct str text);

/* May the text be of the account, as the id stands in it? A short one must not be part of a longer word. */
bool id_account_is_in(struct str text, const char *id);

/* A secret of `len` letters and digits (about 5.95 bits each) and a NUL; `out` has len + 1 bytes. */
void id_secret(char *out, size_t len);

/* XXH3, 64 bits: stable across builds and machines, so that it may be stored. `seed` chains parts. */
uint64_t id_hash64(const void *data, size_t len, uint64_t seed);

/* Base64url without padding (RFC 4648, 5). Decoding returns false for characters outside the alphabet, an impossible
 * length, or unused bits that are not zero; it appends to out, and leaves it as it was when it fails. */
void id_base64url_encode(struct buf *out, const void *data, size_t len);
bool id_base64url_decode(struct buf *out, struct str text);

/* Standard base64, padding required or absent; for the Authorization header. */
bool id_base64_decode(struct buf *out, struct str text);

#endif
