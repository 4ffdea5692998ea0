/* SPDX-License-Identifier: ISC */
/*
 * siphash.h: SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012): a keyed hash of short texts that reveals nothing
 * about them without the key, in a few dozen nanoseconds. The result is stable and may be stored.
 */
#ifndef CDRD_BASE_SIPHASH_H
#define CDRD_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_BYTES 16

struct siphash {
	uint64_t word[2]; /* the 16 bytes of the hash, little-endian */
};

struct siphash siphash(const uint8_t key[SIPHASH_KEY_BYTES], const void *data, size_t len);

#endif
