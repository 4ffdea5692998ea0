/* SPDX-License-Identifier: ISC */
/*
 * envelope.c: see envelope.h.
 */
#include "base/envelope.h"

#include <openssl/evp.h>

#include "base/id.h"

static bool encrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key, struct str context, const uint8_t *nonce, struct str plain,
                    uint8_t *sealed)
{
	int len;

	return EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
	       EVP_EncryptUpdate(ctx, NULL, &len, (const uint8_t *)context.p, (int)context.len) == 1 &&
	       EVP_EncryptUpdate(ctx, sealed, &len, (const uint8_t *)plain.p, (int)plain.len) == 1 &&
	       EVP_EncryptFinal_ex(ctx, sealed + plain.len, &len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, ENVELOPE_TAG_BYTES, sealed + plain.len) == 1;
}

/* As envelope_decrypt. EVP_DecryptFinal_ex fails when the tag is wrong, what is before it when memory runs out. */
static int decrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key, struct str context, const uint8_t *nonce, struct str sealed,
                   uint8_t *plain)
{
	size_t len = sealed.len - ENVELOPE_TAG_BYTES;
	uint8_t tag[ENVELOPE_TAG_BYTES];
	int done;

	memcpy(tag, sealed.p + len, sizeof(tag));
	if (EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) != 1 ||
	    EVP_DecryptUpdate(ctx, NULL, &done, (const uint8_t *)context.p, (int)context.len) != 1 ||
	    EVP_DecryptUpdate(ctx, plain, &done, (const uint8_t *)sealed.p, (int)len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, ENVELOPE_TAG_BYTES, tag) != 1)
		return -1;
	return EVP_DecryptFinal_ex(ctx, plain + len, &done) == 1;
}

bool envelope_encrypt(const uint8_t key[ENVELOPE_KEY_BYTES], struct str context,
                      const uint8_t nonce[ENVELOPE_NONCE_BYTES], struct str plain, uint8_t *sealed)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): it is the function above, not libc's. */
	bool done = ctx && encrypt(ctx, key, context, nonce, plain, sealed);

	EVP_CIPHER_CTX_free(ctx);
	return done;
}

int envelope_decrypt(const uint8_t key[ENVELOPE_KEY_BYTES], struct str context,
                     const uint8_t nonce[ENVELOPE_NONCE_BYTES], struct str sealed, uint8_t *plain)
{
	EVP_CIPHER_CTX *ctx;
	int right;

	if (sealed.len < ENVELOPE_TAG_BYTES)
		return 0;
	ctx = EVP_CIPHER_CTX_new();
	right = ctx ? decrypt(ctx, key, context, nonce, sealed, plain) : -1;
	EVP_CIPHER_CTX_free(ctx);
	return right;
}

int envelope_make(const uint8_t key[ENVELOPE_KEY_BYTES], struct str context, struct str plain, struct buf *out,
                  struct error *err)
{
	size_t len = ENVELOPE_NONCE_BYTES + plain.len + ENVELOPE_TAG_BYTES;
	uint8_t *at = buf_reserve(out, len) ? (uint8_t *)out->data + out->len : NULL;

	if (at)
		id_random(at, ENVELOPE_NONCE_BYTES);
	if (!at || !envelope_encrypt(key, context, at, plain, at + ENVELOPE_NONCE_BYTES))
		return error_set(err, ERROR_NOMEM, "Out of memory for sealing");
	out->len += len;
	return 0;
}

int envelope_open(const uint8_t key[ENVELOPE_KEY_BYTES], struct str context, struct str sealed, struct buf *out,
                  struct error *err)
{
	int right = 0;

	if (sealed.len >= ENVELOPE_NONCE_BYTES + ENVELOPE_TAG_BYTES) {
		struct str text = { sealed.p + ENVELOPE_NONCE_BYTES, sealed.len - ENVELOPE_NONCE_BYTES };

		right = !buf_reserve(out, sealed.len) ? -1 :
		                                        envelope_decrypt(key, context, (const uint8_t *)sealed.p, text,
		                                                         (uint8_t *)out->data + out->len);
	}
	if (right < 0)
		return error_set(err, ERROR_NOMEM, "Out of memory for opening what is sealed");
	if (right == 0)
		return error_set(err, ERROR_INVALID, "Not something that was sealed here");
	out->len += sealed.len - ENVELOPE_NONCE_BYTES - ENVELOPE_TAG_BYTES;
	return 0;
}
