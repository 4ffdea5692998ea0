/* SPDX-License-Identifier: ISC */
/*
 * envelope.c: see envelope.h.
 */
#include "base/envelope.h"

#include <openssl/evp.h>

#include "base/id.h"

static bool encrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key, struct str context, struct str plain, uint8_t *out)
{
	uint8_t *text = out + ENVELOPE_NONCE_BYTES;
	int len;

	return EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, out) == 1 &&
	       EVP_EncryptUpdate(ctx, NULL, &len, (const uint8_t *)context.p, (int)context.len) == 1 &&
	       EVP_EncryptUpdate(ctx, text, &len, (const uint8_t *)plain.p, (int)plain.len) == 1 &&
	       EVP_EncryptFinal_ex(ctx, text + plain.len, &len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, ENVELOPE_TAG_BYTES, text + plain.len) == 1;
}

/* EVP_DecryptFinal_ex fails when the tag is wrong. */
static bool decrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key, struct str context, struct str sealed, uint8_t *out)
{
	const uint8_t *nonce = (const uint8_t *)sealed.p, *text = nonce + ENVELOPE_NONCE_BYTES;
	size_t text_len = sealed.len - ENVELOPE_NONCE_BYTES - ENVELOPE_TAG_BYTES;
	uint8_t tag[ENVELOPE_TAG_BYTES];
	int len;

	memcpy(tag, text + text_len, sizeof(tag));
	return EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
	       EVP_DecryptUpdate(ctx, NULL, &len, (const uint8_t *)context.p, (int)context.len) == 1 &&
	       EVP_DecryptUpdate(ctx, out, &len, text, (int)text_len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, ENVELOPE_TAG_BYTES, tag) == 1 &&
	       EVP_DecryptFinal_ex(ctx, out + text_len, &len) == 1;
}

int envelope_make(const uint8_t key[ENVELOPE_KEY_BYTES], struct str context, struct str plain, struct buf *out,
                  struct error *err)
{
	size_t len = ENVELOPE_NONCE_BYTES + plain.len + ENVELOPE_TAG_BYTES;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool done = ctx && buf_reserve(out, len);
	uint8_t *at = done ? (uint8_t *)out->data + out->len : NULL;

	if (done) {
		id_random(at, ENVELOPE_NONCE_BYTES);
		done = encrypt(ctx, key, context, plain, at);
	}
	EVP_CIPHER_CTX_free(ctx);
	if (!done)
		return error_set(err, ERROR_NOMEM, "Out of memory for sealing");
	out->len += len;
	return 0;
}

int envelope_open(const uint8_t key[ENVELOPE_KEY_BYTES], struct str context, struct str sealed, struct buf *out,
                  struct error *err)
{
	EVP_CIPHER_CTX *ctx;
	bool right;

	if (sealed.len < ENVELOPE_NONCE_BYTES + ENVELOPE_TAG_BYTES)
		return error_set(err, ERROR_INVALID, "Not something that was sealed here");
	if (!buf_reserve(out, sealed.len))
		return error_set(err, ERROR_NOMEM, "Out of memory for opening what is sealed");
	ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return error_set(err, ERROR_NOMEM, "Out of memory for opening what is sealed");
	right = decrypt(ctx, key, context, sealed, (uint8_t *)out->data + out->len);
	EVP_CIPHER_CTX_free(ctx);
	if (!right)
		return error_set(err, ERROR_INVALID, "Not something that was sealed here");
	out->len += sealed.len - ENVELOPE_NONCE_BYTES - ENVELOPE_TAG_BYTES;
	return 0;
}
