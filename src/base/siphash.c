/* SPDX-License-Identifier: ISC */
/*
 * siphash.c: see siphash.h. A word of eight bytes at a time, two rounds each; the last word holds the rest and the
 * length in its highest byte; then four rounds for each word of the result.
 */
#include "base/siphash.h"

#include <endian.h>
#include <string.h>

#define ROUNDS_WORD 2
#define ROUNDS_END 4

struct state {
	uint64_t v[4];
};

static uint64_t rotate(uint64_t value, int bits)
{
	return (value << bits) | (value >> (64 - bits));
}

static void mix(struct state *s, int rounds)
{
	uint64_t *v = s->v;

	for (int i = 0; i < rounds; i++) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static uint64_t word_at(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return le64toh(word);
}

static void take_word(struct state *s, uint64_t word)
{
	s->v[3] ^= word;
	mix(s, ROUNDS_WORD);
	s->v[0] ^= word;
}

static uint64_t folded(const struct state *s)
{
	return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

struct siphash siphash(const uint8_t key[SIPHASH_KEY_BYTES], const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t k0 = word_at(key), k1 = word_at(key + 8), last = (uint64_t)len << 56;
	struct state s = { { UINT64_C(0x736f6d6570736575) ^ k0, UINT64_C(0x646f72616e646f6d) ^ k1 ^ 0xee,
		             UINT64_C(0x6c7967656e657261) ^ k0, UINT64_C(0x7465646279746573) ^ k1 } };
	struct siphash hash;
	size_t at = 0;

	for (; at + 8 <= len; at += 8)
		take_word(&s, word_at(p + at));
	for (int shift = 0; at < len; at++, shift += 8)
		last |= (uint64_t)p[at] << shift;
	take_word(&s, last);
	s.v[2] ^= 0xee;
	mix(&s, ROUNDS_END);
	hash.word[0] = folded(&s);
	s.v[1] ^= 0xdd;
	mix(&s, ROUNDS_END);
	hash.word[1] = folded(&s);
	return hash;
}
