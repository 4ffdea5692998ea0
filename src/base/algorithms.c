/* SPDX-License-Identifier: ISC */
/*
 * algorithms.c: see algorithms.h.
 */
#include "base/algorithms.h"

#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <openssl/store.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIND(type, name) \
	static bool load_##type(void) \
	{ \
		/* NOLINTNEXTLINE(bugprone-macro-parentheses): the name of a type */ \
		type *one = type##_fetch(NULL, name, NULL); \
\
		type##_free(one); \
		return one != NULL; \
	}

/* One of each kind; the others of a kind come with it. */
KIND(EVP_CIPHER, "AES-256-GCM")
KIND(EVP_MD, "SHA256")
KIND(EVP_MAC, "HMAC")
KIND(EVP_KDF, "PBKDF2")
KIND(EVP_RAND, "CTR-DRBG")
KIND(EVP_KEYMGMT, "EC")
KIND(EVP_KEYEXCH, "ECDH")
KIND(EVP_SIGNATURE, "ECDSA")
KIND(EVP_ASYM_CIPHER, "RSA")
KIND(EVP_KEM, "RSA")
KIND(OSSL_ENCODER, "EC")
KIND(OSSL_DECODER, "EC")
KIND(OSSL_STORE_LOADER, "file")

static bool (*const kinds[])(void) = {
	load_EVP_CIPHER,   load_EVP_MD,       load_EVP_MAC,           load_EVP_KDF,         load_EVP_RAND,
	load_EVP_KEYMGMT,  load_EVP_KEYEXCH,  load_EVP_SIGNATURE,     load_EVP_ASYM_CIPHER, load_EVP_KEM,
	load_OSSL_ENCODER, load_OSSL_DECODER, load_OSSL_STORE_LOADER,
};

int algorithms_load(struct error *err)
{
	uint8_t byte;
	/* Threads of librdkafka's may outlive main, with TLS connections of theirs. */
	bool loaded = OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL) == 1;

	loaded = loaded && RAND_bytes(&byte, 1) == 1; /* the generators, too, are made once */

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		loaded = loaded && kinds[i]();
	return loaded ? 0 :
	                error_set(err, ERROR_NOMEM,
	                          "OpenSSL's algorithms could not be loaded, for want of memory or of its files");
}
