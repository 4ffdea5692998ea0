/* SPDX-License-Identifier: ISC */
/*
 * envelope.h: bytes that a client keeps for us, and can neither read nor change: AES-256-GCM (NIST SP 800-38D) of OpenSSL.
 *
 *	sealed = nonce (12, random) || ciphertext || tag (16)
 *
 * The context is authenticated with them but not part of them: what was sealed for one purpose or account cannot be
 * opened for another.
 */
#ifndef CDRD_BASE_ENVELOPE_H
#define CDRD_BASE_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#define ENVELOPE_KEY_BYTES 32
#define ENVELOPE_NONCE_BYTES 12
#define ENVELOPE_TAG_BYTES 16

/* Appends the sealed bytes. ERROR_NOMEM. */
MUST_CHECK int envelope_make(const uint8_t key[ENVELOPE_KEY_BYTES], struct str context, struct str plain,
                             struct buf *out, struct error *err);

/* Appends the plain bytes. ERROR_INVALID for anything that envelope_make did not make with this key for this context;
 * ERROR_NOMEM. */
MUST_CHECK int envelope_open(const uint8_t key[ENVELOPE_KEY_BYTES], struct str context, struct str sealed,
                             struct buf *out, struct error *err);

/*
 * The same without an allocation for the bytes: ciphertext and tag alone, plain.len + ENVELOPE_TAG_BYTES of them, under
 * a nonce that the caller has drawn (id_random) and uses for nothing else. False when out of memory.
 */
bool envelope_encrypt(const uint8_t key[ENVELOPE_KEY_BYTES], struct str context,
                      const uint8_t nonce[ENVELOPE_NONCE_BYTES], struct str plain, uint8_t *sealed);

/* Its reverse. 1; 0 for what envelope_encrypt did not make with this key, context and nonce; -1 when out of memory. */
int envelope_decrypt(const uint8_t key[ENVELOPE_KEY_BYTES], struct str context,
                     const uint8_t nonce[ENVELOPE_NONCE_BYTES], struct str sealed, uint8_t *plain);

#endif
