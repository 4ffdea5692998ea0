/* SPDX-License-Identifier: ISC */
/*
 * credentials.h: secrets as salted hashes, and the credentials that were right before; private to meta/.
 *
 * A secret is kept as PBKDF2-HMAC-SHA256 (RFC 8018) with its salt and its count of iterations, so that the count can
 * change without losing what is stored. The count is low on purpose. Everything runs on one thread, so a derivation
 * holds up every other request; 2000 iterations take about 0.4 ms. Secrets that cdrd makes have 190 random bits, which
 * no number of guesses finds at any count; iterations only matter for short secrets that people chose.
 *
 * The cache answers for credentials that were right within the last hour at the price of one SHA-256. It holds no secret:
 * its keys are digests under a key that dies with the process.
 */
#ifndef CDRD_META_CREDENTIALS_H
#define CDRD_META_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "meta/account.h"
#include "lmdb/value.h"

#define CREDENTIAL_SALT_LEN 16
#define CREDENTIAL_HASH_LEN 32
#define CREDENTIAL_ITERATIONS 2000
#define CREDENTIAL_ITERATIONS_MAX 10000000
#define CREDENTIALS_KEPT_US (INT64_C(3600) * 1000000) /* in the cache; then they are derived again */
#define CREDENTIAL_VALUE_COUNT 3                      /* elements of one in a stored value */

struct credential {
	int iterations;
	uint8_t salt[CREDENTIAL_SALT_LEN];
	uint8_t hash[CREDENTIAL_HASH_LEN];
};

/* ERROR_INVALID for a secret of the wrong length or form. */
MUST_CHECK int credential_check_secret(struct str secret, struct error *err);

/*
 * A credential as people move it from one program to another; the form is that of passlib's pbkdf2_sha256:
 *
 *	$pbkdf2-sha256$ITERATIONS$SALT$HASH	salt and hash in base64 without padding, with '.' for '+'
 *
 * credential_to_text appends it. Reading, ERROR_INVALID says which part is wrong; iterations are 1,000 to 10,000, so that a
 * derivation fits into a slice.
 */
#define CREDENTIAL_TEXT_ITERATIONS_MIN 1000
#define CREDENTIAL_TEXT_ITERATIONS_MAX 10000
void credential_to_text(const struct credential *credential, struct buf *out);
MUST_CHECK int credential_from_text(struct credential *credential, struct str text, struct error *err);

/* Hashes a new secret under a new salt. ERROR_INVALID for a secret of the wrong length or form. */
MUST_CHECK int credential_make(struct credential *credential, struct str secret, struct error *err);

/*
 * Is `secret` that of one of the `count` credentials? A wrong secret costs `derivations` derivations whatever the
 * count, and where there is no credential at all, so that the time does not reveal what exists.
 * Its number from 1, 0, or -1 where a derivation failed for want of memory and none was right.
 */
int credential_match(const struct credential *credentials, size_t count, size_t derivations, struct str secret);

/* A number by chance that this credential has and no other: of its salt. */
uint64_t credential_mark(const struct credential *credential);

void credential_write(struct value_writer *w, const struct credential *credential);
void credential_read(struct value_reader *r, struct credential *credential);

enum credentials_kind { CREDENTIALS_ACCOUNT, CREDENTIALS_PRODUCER, CREDENTIALS_OPERATOR, CREDENTIALS_API_KEY };

struct credentials_cache;

struct credentials_key {
	uint8_t digest[32];
};

/* NULL when out of memory. */
struct credentials_cache *credentials_cache_new(void);
void credentials_cache_free(struct credentials_cache *cache);

/* The key that find and add take; false when OpenSSL fails: then do not use the cache. */
bool credentials_cache_key(struct credentials_cache *cache, enum credentials_kind kind, struct str id,
                           struct str secret, struct credentials_key *key);

/* What was added under the key less than CREDENTIALS_KEPT_US before `now_us` of clock_monotonic_us, with the mark of its
 * credential, or NULL. Valid until the next add or clear. */
const struct account *credentials_cache_find(const struct credentials_cache *cache, const struct credentials_key *key,
                                             int64_t now_us, uint64_t *mark);

/* Copies *account; a zeroed one for what is no account's. May evict another entry. */
void credentials_cache_add(struct credentials_cache *cache, const struct credentials_key *key, int64_t now_us,
                           const struct account *account, uint64_t mark);
void credentials_cache_clear(struct credentials_cache *cache);

#endif
