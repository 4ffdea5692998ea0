/* SPDX-License-Identifier: ISC */
/*
 * id.c: random bytes and secrets (OpenSSL), UUIDs (RFC 9562, version 4), XXH3 and base64 (RFC 4648).
 *
 * Base64 takes 3 bytes to 4 characters of 6 bits; 1 or 2 bytes that are left over become 2 or 3 characters, whose
 * unused bits are zero. Decoding requires those zeros, so that each run of bytes has one text: changing a cursor's or
 * credential's last character always changes its meaning.
 */
#include "base/id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

#include <openssl/err.h>
#include <openssl/rand.h>
#include <xxhash.h>

#define ACCOUNT_ID_LONG 8 /* characters: nobody writes as many by chance */
#define UUID_BYTES 16

static const char letters_and_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void id_random(void *out, size_t count)
{
	if (RAND_bytes_ex(NULL, out, count, 0) == 1)
		return;
	/* OpenSSL's generator takes memory when it is seeded again. */
	for (size_t done = 0; done < count;) {
		ssize_t got = getrandom((char *)out + done, count - done, 0);

		if (got < 0 && errno != EINTR)
			break;
		done += got > 0 ? (size_t)got : 0;
		if (done == count)
			return;
	}
	/* Continuing would mean keys and secrets that can be guessed. */
	fprintf(stderr, "no random bytes from OpenSSL or the system: %s\n", ERR_error_string(ERR_get_error(), NULL));
	abort();
}

static bool is_uuid_dash(size_t at)
{
	return at == 8 || at == 13 || at == 18 || at == 23;
}

/* Writes 16 random bytes as a UUID. */
static void format_uuid(unsigned char bytes[UUID_BYTES], char out[ID_UUID_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	size_t nibble = 0;

	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version 4 */
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* variant of RFC 9562 */
	for (size_t i = 0; i < ID_UUID_LEN; i++) {
		if (is_uuid_dash(i)) {
			out[i] = '-';
			continue;
		}
		out[i] = hex[(bytes[nibble / 2] >> (nibble % 2 ? 0 : 4)) & 15];
		nibble++;
	}
	out[ID_UUID_LEN] = '\0';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

void id_uuid(char out[ID_UUID_LEN + 1])
{
	unsigned char bytes[UUID_BYTES];

	id_random(bytes, sizeof(bytes));
	format_uuid(bytes, out);
}

void id_uuid_from(struct id_pool *pool, char out[ID_UUID_LEN + 1])
{
	if (pool->left < UUID_BYTES) {
		id_random(pool->bytes, sizeof(pool->bytes));
		pool->left = sizeof(pool->bytes);
	}
	pool->left -= UUID_BYTES;
	format_uuid(pool->bytes + pool->left, out);
}

bool id_is_uuid(struct str text)
{
	if (text.len != ID_UUID_LEN)
		return false;
	for (size_t i = 0; i < ID_UUID_LEN; i++) {
		char c = text.p[i];
		bool hex = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

		if (is_uuid_dash(i) ? c != '-' : !hex)
			return false;
	}
	return true;
}

bool id_equal(struct str a, struct str b)
{
	return str_equal(a, b) || (str_equal_nocase(a, b) && id_is_uuid(a));
}

void id_uuid_lower(char out[ID_UUID_LEN], const char *id)
{
	for (size_t i = 0; i < ID_UUID_LEN; i++)
		out[i] = id[i] >= 'A' && id[i] <= 'F' ? (char)(id[i] | 0x20) : id[i];
}

void id_uuid_upper(char out[ID_UUID_LEN], const char *id)
{
	for (size_t i = 0; i < ID_UUID_LEN; i++)
		out[i] = id[i] >= 'a' && id[i] <= 'f' ? (char)(id[i] & ~0x20) : id[i];
}

static bool is_of_account(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

bool id_is_account(struct str text)
{
	if (text.len == 0 || text.len > ACCOUNT_ID_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!is_of_account(text.p[i]))
			return false;
	return true;
}

bool id_account_is_in(struct str text, const char *id)
{
	const char *end = text.p + text.len, *at = text.p;
	size_t len = strlen(id);

	for (; text.len >= len && (at = memmem(at, (size_t)(end - at), id, len)); at++) {
		bool is_word = (at == text.p || !is_of_account(at[-1])) && (at + len == end || !is_of_account(at[len]));

		if (is_word || len >= ACCOUNT_ID_LONG)
			return true;
	}
	return false;
}

void id_secret(char *out, size_t len)
{
	const unsigned count = sizeof(letters_and_digits) - 1;
	unsigned char bytes[64];
	size_t at = 0;

	while (at < len) {
		id_random(bytes, sizeof(bytes));
		for (size_t i = 0; i < sizeof(bytes) && at < len; i++) {
			/* Bytes past the last whole multiple are discarded: they would favour the first letters. */
			if (bytes[i] < 256 / count * count)
				out[at++] = letters_and_digits[bytes[i] % count];
		}
	}
	out[len] = '\0';
	OPENSSL_cleanse(bytes, sizeof(bytes));
}

uint64_t id_hash64(const void *data, size_t len, uint64_t seed)
{
	return XXH3_64bits_withSeed(data, len, seed);
}

/* Has a text of ID_UUID_LEN bytes any of 0x40 to 0x5f, which include capitals? Called for each record put. */
static bool may_have_capitals(const char *text)
{
	const uint64_t bit_6 = UINT64_C(0x4040404040404040);
	uint64_t found = 0, word;

	for (size_t i = 0; i + sizeof(word) <= ID_UUID_LEN; i += sizeof(word)) {
		memcpy(&word, text + i, sizeof(word));
		found |= word & ~(word << 1);
	}
	memcpy(&word, text + ID_UUID_LEN - sizeof(word), sizeof(word));
	return ((found | (word & ~(word << 1))) & bit_6) != 0;
}

uint64_t id_hash64_of_id(struct str id, uint64_t seed)
{
	char lower[ID_UUID_LEN];

	if (id.len != ID_UUID_LEN || !may_have_capitals(id.p) || !id_is_uuid(id))
		return id_hash64(id.p, id.len, seed);
	id_uuid_lower(lower, id.p);
	return id_hash64(lower, sizeof(lower), seed);
}

void id_base64url_encode(struct buf *out, const void *data, size_t len)
{
	const unsigned char *p = data;
	unsigned bits = 0;
	unsigned count = 0; /* of bits not written yet */

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | p[i];
		for (count += 8; count >= 6; count -= 6)
			buf_add_char(out, base64url[bits >> (count - 6) & 63]);
	}
	if (count > 0)
		buf_add_char(out, base64url[bits << (6 - count) & 63]);
}

/* The number of a character, or -1. Both alphabets begin with the same 62. */
static int sextet(char c, const char *alphabet)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

static bool base64_append(struct buf *out, struct str text, const char *alphabet)
{
	size_t start = out->len;
	unsigned bits = 0;
	unsigned count = 0; /* of bits not taken out yet */

	for (size_t i = 0; i < text.len; i++) {
		int number = sextet(text.p[i], alphabet);

		if (number < 0)
			goto invalid;
		bits = bits << 6 | (unsigned)number;
		count += 6;
		if (count >= 8) {
			count -= 8;
			buf_add_char(out, (char)(unsigned char)(bits >> count & 255));
		}
	}
	/* A single character is left with 6 bits, less than a byte. */
	if (count < 6 && (bits & ((1u << count) - 1)) == 0)
		return !out->failed;
invalid:
	out->len = start;
	return false;
}

bool id_base64url_decode(struct buf *out, struct str text)
{
	return base64_append(out, text, base64url);
}

bool id_base64_decode(struct buf *out, struct str text)
{
	size_t padding = 0;

	while (padding < 2 && padding < text.len && text.p[text.len - 1 - padding] == '=')
		padding++;
	if (padding > 0 && text.len % 4 != 0)
		return false;
	text.len -= padding;
	return base64_append(out, text, base64);
}
