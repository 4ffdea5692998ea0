/* SPDX-License-Identifier: ISC */
/*
 * huffman.c: Huffman codes of limited length, canonical as RFC 1951 has them. See codes.h.
 */
#include "deflate/codes.h"

#include <stdbool.h>
#include <string.h>

/* A symbol under its frequency, so that they can be sorted as numbers. */
#define FREQUENCY_SHIFT 16
#define KEY(frequency, symbol) ((uint64_t)(frequency) << FREQUENCY_SHIFT | (symbol))
#define KEY_FREQUENCY(key) ((uint32_t)((key) >> FREQUENCY_SHIFT))
#define KEY_SYMBOL(key) ((size_t)((key)&0xffff))

#define FEW_KEYS 32

static void insert_keys(uint64_t *keys, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		uint64_t key = keys[i];
		size_t at = i;

		for (; at > 0 && keys[at - 1] > key; at--)
			keys[at] = keys[at - 1];
		keys[at] = key;
	}
}

/* Puts keys into the order of one byte; those in which it is the same stay in the order that they have. */
static void sort_by_byte(const uint64_t *keys, size_t count, unsigned shift, uint64_t *sorted)
{
	uint16_t next[257] = { 0 }; /* where the next key with each value of the byte goes */

	for (size_t i = 0; i < count; i++)
		next[1 + (keys[i] >> shift & 0xff)]++;
	for (size_t i = 1; i < 256; i++)
		next[i] = (uint16_t)(next[i] + next[i - 1]);
	for (size_t i = 0; i < count; i++)
		sorted[next[keys[i] >> shift & 0xff]++] = keys[i];
}

/* Many are sorted byte by byte; they come in the order of their symbols, so that their frequencies alone count. */
static void sort_keys(uint64_t *keys, size_t count)
{
	uint64_t other[SYMBOLS_MAX], *from = keys, *to = other, *swapped, all = 0;

	if (count <= FEW_KEYS) {
		insert_keys(keys, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		all |= keys[i];
	for (unsigned shift = FREQUENCY_SHIFT; all >> shift; shift += 8) {
		sort_by_byte(from, count, shift, to);
		swapped = from;
		from = to;
		to = swapped;
	}
	if (from != keys)
		memcpy(keys, from, count * sizeof(*keys));
}

/* Counts the leaves of each depth of the tree over two sorted keys or more; those deeper than the limit count there. */
static void count_depths(const uint64_t *keys, size_t count, unsigned bits_max, uint32_t *depths)
{
	uint32_t weights[2 * SYMBOLS_MAX], parents[2 * SYMBOLS_MAX], depth[2 * SYMBOLS_MAX];
	size_t leaf = 0, inner = count;

	for (size_t i = 0; i < count; i++)
		weights[i] = KEY_FREQUENCY(keys[i]);
	/* Inner nodes are made in the order of their weights: both queues are sorted. */
	for (size_t node = count; node < 2 * count - 1; node++) {
		weights[node] = 0;
		for (int child = 0; child < 2; child++) {
			bool is_leaf = leaf < count && (inner == node || weights[leaf] <= weights[inner]);
			size_t least = is_leaf ? leaf++ : inner++;

			/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): it is a leaf, or a node made before. */
			weights[node] += weights[least];
			parents[least] = (uint32_t)node;
		}
	}
	depth[2 * count - 2] = 0;
	for (size_t i = 2 * count - 2; i-- > 0;) {
		/* NOLINTNEXTLINE(uninitvar): each node but the last has a parent. */
		depth[i] = depth[parents[i]] + 1;
		if (i < count)
			depths[depth[i] < bits_max ? depth[i] : bits_max]++;
	}
}

/* Leaves that were pulled up to the limit took codes that do not exist: others are made a bit longer until all fit. */
static void make_room(uint32_t *depths, unsigned bits_max)
{
	uint32_t used = 0;

	for (unsigned bits = 1; bits <= bits_max; bits++)
		used += depths[bits] << (bits_max - bits);
	for (; used > 1U << bits_max; used--) {
		unsigned bits = bits_max - 1;

		while (!depths[bits])
			bits--;
		depths[bits]--;
		depths[bits + 1] += 2;
		depths[bits_max]--;
	}
}

void deflate_code_lengths(const uint32_t *frequencies, size_t count, unsigned bits_max, uint8_t *lengths)
{
	uint64_t keys[SYMBOLS_MAX];
	uint32_t depths[BITS_MAX + 1] = { 0 };
	size_t used = 0, next = 0;

	memset(lengths, 0, count);
	for (size_t symbol = 0; symbol < count; symbol++)
		if (frequencies[symbol])
			keys[used++] = KEY(frequencies[symbol], symbol);
	if (used < 2) {
		if (used)
			lengths[KEY_SYMBOL(keys[0])] = 1;
		return;
	}
	sort_keys(keys, used);
	count_depths(keys, used, bits_max, depths);
	make_room(depths, bits_max);
	for (unsigned bits = bits_max; bits > 0; bits--)
		for (uint32_t i = 0; i < depths[bits]; i++)
			lengths[KEY_SYMBOL(keys[next++])] = (uint8_t)bits;
}

static uint16_t reversed(uint32_t code, unsigned bits)
{
	code = (code & 0x5555) << 1 | (code >> 1 & 0x5555);
	code = (code & 0x3333) << 2 | (code >> 2 & 0x3333);
	code = (code & 0x0f0f) << 4 | (code >> 4 & 0x0f0f);
	code = (code & 0x00ff) << 8 | (code >> 8 & 0x00ff);
	return (uint16_t)(code >> (16 - bits));
}

void deflate_codes(const uint8_t *lengths, size_t count, uint16_t *codes)
{
	uint32_t of_length[BITS_MAX + 1] = { 0 }, next[BITS_MAX + 1] = { 0 };

	for (size_t symbol = 0; symbol < count; symbol++)
		of_length[lengths[symbol]]++;
	of_length[0] = 0;
	for (unsigned bits = 1; bits <= BITS_MAX; bits++)
		next[bits] = (next[bits - 1] + of_length[bits - 1]) << 1;
	for (size_t symbol = 0; symbol < count; symbol++)
		codes[symbol] = lengths[symbol] ? reversed(next[lengths[symbol]]++, lengths[symbol]) : 0;
}
