/* SPDX-License-Identifier: ISC */
/*
 * credentials.c: secrets as salted hashes, and the credentials that were right before. See credentials.h.
 */
#include "meta/credentials.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/json.h"

#define CACHE_SLOTS 1024 /* a power of two; about 300 KiB */

int credential_check_secret(struct str secret, struct error *err)
{
	if (secret.len < ACCOUNT_SECRET_MIN || secret.len > ACCOUNT_SECRET_MAX)
		return error_set(err, ERROR_INVALID, "secret: %zu bytes, must be %d to %d", secret.len,
		                 ACCOUNT_SECRET_MIN, ACCOUNT_SECRET_MAX);
	if (!json_is_utf8(secret))
		return error_set(err, ERROR_INVALID, "secret: not valid UTF-8");
	/* RFC 7617: credentials hold no control characters. */
	for (size_t i = 0; i < secret.len; i++)
		if ((unsigned char)secret.p[i] < ' ' || secret.p[i] == 0x7f)
			return error_set(err, ERROR_INVALID, "secret: control character at byte %zu", i + 1);
	return 0;
}

static bool derive(const struct credential *credential, struct str secret, uint8_t hash[CREDENTIAL_HASH_LEN])
{
	return PKCS5_PBKDF2_HMAC(secret.p ? secret.p : "", (int)secret.len, credential->salt, CREDENTIAL_SALT_LEN,
	                         credential->iterations, EVP_sha256(), CREDENTIAL_HASH_LEN, hash) == 1;
}

int credential_make(struct credential *credential, struct str secret, struct error *err)
{
	if (credential_check_secret(secret, err) != 0)
		return -1;
	credential->iterations = CREDENTIAL_ITERATIONS;
	id_random(credential->salt, sizeof(credential->salt));
	if (!derive(credential, secret, credential->hash))
		return error_set(err, ERROR_NOMEM, "secret: OpenSSL could not hash it");
	return 0;
}

int credential_match(const struct credential *credentials, size_t count, size_t derivations, struct str secret)
{
	static const struct credential nobody = { .iterations = CREDENTIAL_ITERATIONS };
	uint8_t hash[CREDENTIAL_HASH_LEN];
	/* No secret is longer. One that is cut here cannot match, and costs no more than one that might. */
	bool fits = secret.len <= ACCOUNT_SECRET_MAX, failed = false;

	if (!fits)
		secret.len = ACCOUNT_SECRET_MAX;
	for (size_t i = 0; i < derivations; i++) {
		const struct credential *credential = i < count ? &credentials[i] : &nobody;
		bool derived = derive(credential, secret, hash);

		failed |= !derived;
		bool equal = CRYPTO_memcmp(hash, credential->hash, sizeof(hash)) == 0;
		if (derived && equal && fits && i < count)
			return (int)i + 1;
	}
	return failed ? -1 : 0;
}

uint64_t credential_mark(const struct credential *credential)
{
	uint64_t mark;

	memcpy(&mark, credential->salt, sizeof(mark));
	return mark;
}

void credential_write(struct value_writer *w, const struct credential *credential)
{
	value_put_int(w, credential->iterations);
	value_put_bytes(w, (struct str){ (const char *)credential->salt, sizeof(credential->salt) });
	value_put_bytes(w, (struct str){ (const char *)credential->hash, sizeof(credential->hash) });
}

void credential_read(struct value_reader *r, struct credential *credential)
{
	credential->iterations = (int)value_int(r, 1, CREDENTIAL_ITERATIONS_MAX);
	struct str salt = value_str(r, CREDENTIAL_SALT_LEN, CREDENTIAL_SALT_LEN);
	memcpy(credential->salt, salt.p, salt.len);
	struct str hash = value_str(r, CREDENTIAL_HASH_LEN, CREDENTIAL_HASH_LEN);
	memcpy(credential->hash, hash.p, hash.len);
}

struct cache_slot {
	uint64_t generation; /* filled in this one; 0 for never */
	struct credentials_key key;
	struct account account;
	uint64_t mark;
	int64_t until_us;
};

struct credentials_cache {
	EVP_MD *sha256; /* fetched once: a fetch costs more than the digest */
	EVP_MD_CTX *context;
	uint8_t secret[32];
	uint64_t generation; /* clearing begins a new one */
	struct cache_slot slots[CACHE_SLOTS];
};

struct credentials_cache *credentials_cache_new(void)
{
	struct credentials_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	cache->generation = 1;
	cache->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	cache->context = EVP_MD_CTX_new();
	if (!cache->sha256 || !cache->context) {
		credentials_cache_free(cache);
		return NULL;
	}
	id_random(cache->secret, sizeof(cache->secret));
	return cache;
}

void credentials_cache_free(struct credentials_cache *cache)
{
	if (!cache)
		return;
	EVP_MD_CTX_free(cache->context);
	EVP_MD_free(cache->sha256);
	OPENSSL_cleanse(cache->secret, sizeof(cache->secret));
	free(cache);
}

bool credentials_cache_key(struct credentials_cache *cache, enum credentials_kind kind, struct str id,
                           struct str secret, struct credentials_key *key)
{
	/* A plain digest with a secret prefix will do: digests never leave the process, so no one can extend them.
	 * The id's length keeps ("ab", "c") and ("a", "bc") apart. */
	struct {
		uint64_t kind, id_len;
	} head = { (uint64_t)kind, id.len };
	EVP_MD_CTX *context = cache->context;

	return EVP_DigestInit_ex2(context, cache->sha256, NULL) == 1 &&
	       EVP_DigestUpdate(context, cache->secret, sizeof(cache->secret)) == 1 &&
	       EVP_DigestUpdate(context, &head, sizeof(head)) == 1 && EVP_DigestUpdate(context, id.p, id.len) == 1 &&
	       EVP_DigestUpdate(context, secret.p, secret.len) == 1 &&
	       EVP_DigestFinal_ex(context, key->digest, NULL) == 1;
}

static size_t slot_of(const struct credentials_key *key)
{
	uint64_t start;

	memcpy(&start, key->digest, sizeof(start));
	return start % CACHE_SLOTS;
}

const struct account *credentials_cache_find(const struct credentials_cache *cache, const struct credentials_key *key,
                                             int64_t now_us, uint64_t *mark)
{
	const struct cache_slot *slot = &cache->slots[slot_of(key)];

	if (slot->generation != cache->generation || slot->until_us <= now_us ||
	    CRYPTO_memcmp(&slot->key, key, sizeof(*key)) != 0)
		return NULL;
	*mark = slot->mark;
	return &slot->account;
}

void credentials_cache_add(struct credentials_cache *cache, const struct credentials_key *key, int64_t now_us,
                           const struct account *account, uint64_t mark)
{
	struct cache_slot *slot = &cache->slots[slot_of(key)];

	*slot = (struct cache_slot){ .generation = cache->generation,
		                     .key = *key,
		                     .account = *account,
		                     .mark = mark,
		                     .until_us = now_us + CREDENTIALS_KEPT_US };
}

void credentials_cache_clear(struct credentials_cache *cache)
{
	cache->generation++;
}
