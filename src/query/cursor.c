/* SPDX-License-Identifier: ISC */
/*
 * cursor.c: cursor tokens, sealed and opened with AES-256-GCM (NIST SP 800-38D) of OpenSSL.
 *
 *	plaintext = version (the limit in its upper half), fingerprint, from, to, snapshot, began, position (4)
 *	            8 bytes each, little-endian
 *	token     = base64url( ciphertext (80) || tag (16) )                             128 characters
 *	iv        = base64url( nonce (12, random) )                                      16 characters
 *
 * The account is authenticated with them but not part of the token, so that one account's token means nothing to
 * another. All tokens that fail to open get the same answer: a client learns nothing about the reason.
 */
#include "query/cursor.h"

#include <endian.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/id.h"

#define VERSION 2
#define NONCE_BYTES 12
#define TAG_BYTES 16

enum word {
	WORD_VERSION,
	WORD_FINGERPRINT,
	WORD_FROM,
	WORD_TO,
	WORD_SNAPSHOT,
	WORD_BEGAN,
	WORD_POSITION,
	WORDS = WORD_POSITION + SCAN_POSITION_WORDS,
};

#define PLAIN_BYTES (WORDS * sizeof(uint64_t))
#define SEALED_BYTES (PLAIN_BYTES + TAG_BYTES)
#define BASE64_LEN(bytes) (((bytes)*4 + 2) / 3) /* without padding */

static void pack(uint64_t words[WORDS], const struct cursor *cursor)
{
	words[WORD_VERSION] = VERSION | (uint64_t)cursor->limit << 32;
	words[WORD_FINGERPRINT] = cursor->fingerprint;
	words[WORD_FROM] = (uint64_t)cursor->from_us;
	words[WORD_TO] = (uint64_t)cursor->to_us;
	words[WORD_SNAPSHOT] = cursor->snapshot;
	words[WORD_BEGAN] = (uint64_t)cursor->began_us;
	memcpy(words + WORD_POSITION, cursor->position.words, sizeof(cursor->position.words));
	for (size_t i = 0; i < WORDS; i++)
		words[i] = htole64(words[i]);
}

/* False for a version unknown to this build. */
static bool unpack(struct cursor *cursor, uint64_t words[WORDS])
{
	for (size_t i = 0; i < WORDS; i++)
		words[i] = le64toh(words[i]);
	*cursor = (struct cursor){
		.fingerprint = words[WORD_FINGERPRINT],
		.from_us = (int64_t)words[WORD_FROM],
		.to_us = (int64_t)words[WORD_TO],
		.snapshot = words[WORD_SNAPSHOT],
		.began_us = (int64_t)words[WORD_BEGAN],
		.limit = (uint32_t)(words[WORD_VERSION] >> 32),
	};
	memcpy(cursor->position.words, words + WORD_POSITION, sizeof(cursor->position.words));
	return (uint32_t)words[WORD_VERSION] == VERSION;
}

static bool encrypt(EVP_CIPHER_CTX *ctx, const struct cursor_key *key, const struct account_key *account,
                    const uint8_t *nonce, const void *plain, uint8_t sealed[SEALED_BYTES])
{
	int len;

	return EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes, nonce) == 1 &&
	       EVP_EncryptUpdate(ctx, NULL, &len, (const uint8_t *)account->bytes, ACCOUNT_KEY_LEN) == 1 &&
	       EVP_EncryptUpdate(ctx, sealed, &len, plain, (int)PLAIN_BYTES) == 1 &&
	       EVP_EncryptFinal_ex(ctx, sealed + PLAIN_BYTES, &len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, sealed + PLAIN_BYTES) == 1;
}

/* EVP_DecryptFinal_ex fails when the tag is wrong. */
static bool decrypt(EVP_CIPHER_CTX *ctx, const struct cursor_key *key, const struct account_key *account,
                    const uint8_t *nonce, uint8_t *sealed, void *plain)
{
	int len;

	return EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes, nonce) == 1 &&
	       EVP_DecryptUpdate(ctx, NULL, &len, (const uint8_t *)account->bytes, ACCOUNT_KEY_LEN) == 1 &&
	       EVP_DecryptUpdate(ctx, plain, &len, sealed, (int)PLAIN_BYTES) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, sealed + PLAIN_BYTES) == 1 &&
	       EVP_DecryptFinal_ex(ctx, (uint8_t *)plain + PLAIN_BYTES, &len) == 1;
}

int cursor_seal(const struct cursor_key *key, const struct account_key *account, const struct cursor *cursor,
                struct buf *token, struct buf *iv, struct error *err)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint64_t words[WORDS];
	uint8_t nonce[NONCE_BYTES];
	uint8_t sealed[SEALED_BYTES];
	bool done;

	pack(words, cursor);
	id_random(nonce, sizeof(nonce));
	done = ctx && encrypt(ctx, key, account, nonce, words, sealed);
	EVP_CIPHER_CTX_free(ctx);
	if (!done)
		return error_set(err, ERROR_NOMEM, "A cursor could not be sealed");
	id_base64url_encode(token, sealed, sizeof(sealed));
	id_base64url_encode(iv, nonce, sizeof(nonce));
	if (token->failed || iv->failed)
		return error_set(err, ERROR_NOMEM, "Out of memory for a cursor");
	return 0;
}

/* Decodes text of exactly `bytes` bytes. */
static bool decode(struct str text, uint8_t *out, size_t bytes)
{
	struct buf decoded = { 0 };
	bool right = text.len == BASE64_LEN(bytes) && id_base64url_decode(&decoded, text) && decoded.len == bytes;

	if (right)
		memcpy(out, decoded.data, bytes);
	buf_free(&decoded);
	return right;
}

int cursor_open(const struct cursor_key *key, const struct account_key *account, struct str token, struct str iv,
                struct cursor *cursor, struct error *err)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint64_t words[WORDS];
	uint8_t nonce[NONCE_BYTES];
	uint8_t sealed[SEALED_BYTES];
	bool right;

	if (!ctx)
		return error_set(err, ERROR_NOMEM, "Out of memory for a cursor");
	right = decode(token, sealed, sizeof(sealed)) && decode(iv, nonce, sizeof(nonce)) &&
	        decrypt(ctx, key, account, nonce, sealed, words) && unpack(cursor, words);
	EVP_CIPHER_CTX_free(ctx);
	if (!right)
		return error_set(err, ERROR_INVALID, "Not a cursor that was given to this account");
	return 0;
}
