/* SPDX-License-Identifier: ISC */
/*
 * cursor.c: cursor tokens, sealed and opened with AES-256-GCM (base/envelope.h).
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
#include <string.h>

#include "base/envelope.h"
#include "base/id.h"

#define VERSION 2

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
#define SEALED_BYTES (PLAIN_BYTES + ENVELOPE_TAG_BYTES)
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

static struct str context_of(const struct account_key *account)
{
	return (struct str){ (const char *)account->bytes, ACCOUNT_KEY_LEN };
}

int cursor_seal(const struct cursor_key *key, const struct account_key *account, const struct cursor *cursor,
                struct buf *token, struct buf *iv, struct error *err)
{
	uint64_t words[WORDS];
	uint8_t nonce[ENVELOPE_NONCE_BYTES];
	uint8_t sealed[SEALED_BYTES];

	pack(words, cursor);
	id_random(nonce, sizeof(nonce));
	if (!envelope_encrypt(key->bytes, context_of(account), nonce, (struct str){ (const char *)words, PLAIN_BYTES },
	                      sealed))
		return error_set(err, ERROR_NOMEM, "A cursor could not be sealed");
	id_base64url_encode(token, sealed, sizeof(sealed));
	id_base64url_encode(iv, nonce, sizeof(nonce));
	if (token->failed || iv->failed)
		return error_set(err, ERROR_NOMEM, "Out of memory for a cursor");
	return 0;
}

/* Decodes text of exactly `bytes` bytes: 1, 0 when it is none, -1 when out of memory. */
static int decode(struct str text, uint8_t *out, size_t bytes)
{
	struct buf decoded = { 0 };
	int right = text.len == BASE64_LEN(bytes) && id_base64url_decode(&decoded, text) && decoded.len == bytes;

	if (decoded.failed)
		right = -1;
	if (right > 0)
		memcpy(out, decoded.data, bytes);
	buf_free(&decoded);
	return right;
}

int cursor_open(const struct cursor_key *key, const struct account_key *account, struct str token, struct str iv,
                struct cursor *cursor, struct error *err)
{
	uint64_t words[WORDS];
	uint8_t nonce[ENVELOPE_NONCE_BYTES];
	uint8_t sealed[SEALED_BYTES];
	int right = decode(token, sealed, sizeof(sealed));

	if (right > 0)
		right = decode(iv, nonce, sizeof(nonce));
	if (right > 0)
		right = envelope_decrypt(key->bytes, context_of(account), nonce,
		                         (struct str){ (const char *)sealed, sizeof(sealed) }, (uint8_t *)words);
	if (right < 0)
		return error_set(err, ERROR_NOMEM, "Out of memory for a cursor");
	if (!right || !unpack(cursor, words))
		return error_set(err, ERROR_INVALID, "Not a cursor that was given to this account");
	return 0;
}
