/* SPDX-License-Identifier: ISC */
/*
 * parquet_unpack.h: a Parquet file read back the way that readers do it, from the footer, with other code than wrote it.
 *
 * It knows what cdrd's files need: flat optional columns, pages of version 1 in zstd, plain values and dictionaries.
 */
#ifndef CDRD_TESTS_UNIT_PARQUET_UNPACK_H
#define CDRD_TESTS_UNIT_PARQUET_UNPACK_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/buf.h"

/* --- Thrift, walked by fields --- */

/* Where a value is. */
struct unpack_at {
	const uint8_t *p;
	int type;
};

static inline uint64_t unpack_varint(const uint8_t **p)
{
	uint64_t number = 0;
	int shift = 0;

	do
		number |= (uint64_t)(**p & 0x7f) << shift, shift += 7;
	while (*(*p)++ & 0x80);
	return number;
}

static inline int64_t unpack_zigzag(const uint8_t **p)
{
	uint64_t number = unpack_varint(p);

	return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

static inline const uint8_t *unpack_list(const uint8_t *p, uint64_t *count, int *type)
{
	*type = *p & 0xf;
	*count = *p++ >> 4;
	if (*count == 15)
		*count = unpack_varint(&p);
	return p;
}

/* What is after a value. */
static inline const uint8_t *unpack_after(struct unpack_at at)
{
	const uint8_t *p = at.p;
	uint64_t count;
	int type;

	switch (at.type) {
	case 1:
	case 2:
		return p;
	case 3:
		return p + 1;
	case 4:
	case 5:
	case 6:
		(void)unpack_varint(&p);
		return p;
	case 8:
		count = unpack_varint(&p);
		return p + count;
	case 9:
		for (p = unpack_list(p, &count, &type); count > 0; count--)
			p = unpack_after((struct unpack_at){ p, type });
		return p;
	case 12:
		while (*p) {
			type = *p & 0xf;
			if (*p++ >> 4 == 0)
				(void)unpack_zigzag(&p);
			p = unpack_after((struct unpack_at){ p, type });
		}
		return p + 1;
	default:
		ck_abort_msg("type %d of Thrift", at.type);
	}
}

/* A field of a struct; type 0 if it is not there. */
static inline struct unpack_at unpack_field(struct unpack_at at, int wanted)
{
	const uint8_t *p = at.p;
	int id = 0;

	ck_assert_int_eq(at.type, 12);
	while (*p) {
		struct unpack_at field = { .type = *p & 0xf };
		int delta = *p++ >> 4;

		id = delta ? id + delta : (int)unpack_zigzag(&p);
		field.p = p;
		if (id == wanted)
			return field;
		p = unpack_after(field);
	}
	return (struct unpack_at){ p, 0 };
}

static inline uint64_t unpack_count(struct unpack_at list)
{
	uint64_t count;
	int type;

	ck_assert_int_eq(list.type, 9);
	(void)unpack_list(list.p, &count, &type);
	return count;
}

static inline struct unpack_at unpack_element(struct unpack_at list, uint64_t number)
{
	struct unpack_at at;
	uint64_t count;

	at.p = unpack_list(list.p, &count, &at.type);
	ck_assert_uint_lt(number, count);
	for (; number > 0; number--)
		at.p = unpack_after(at);
	return at;
}

static inline int64_t unpack_int(struct unpack_at at)
{
	ck_assert_msg(at.type >= 4 && at.type <= 6, "type %d is no number", at.type);
	return unpack_zigzag(&at.p);
}

static inline struct str unpack_binary(struct unpack_at at)
{
	ck_assert_int_eq(at.type, 8);
	uint64_t len = unpack_varint(&at.p);
	return (struct str){ (const char *)at.p, len };
}

/* --- pages --- */

static inline uint32_t unpack_u32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* `count` numbers of the hybrid. */
static inline void unpack_hybrid(const uint8_t *p, const uint8_t *end, int width, uint16_t *out, size_t count)
{
	size_t done = 0;

	while (done < count) {
		ck_assert(p < end);
		uint64_t header = unpack_varint(&p);

		if (header & 1) {
			size_t values = (header >> 1) * 8;

			for (size_t i = 0; i < values && done < count; i++) {
				uint16_t number = 0;

				for (int bit = 0; bit < width; bit++) {
					size_t at = i * (size_t)width + (size_t)bit;

					number |= (uint16_t)((p[at / 8] >> (at % 8) & 1) << bit);
				}
				out[done++] = number;
			}
			p += (header >> 1) * (uint64_t)width;
		} else {
			uint16_t number = *p++;

			if (width > 8)
				number |= (uint16_t)(*p++ << 8);
			for (uint64_t i = 0; i < header >> 1; i++)
				out[done++] = number;
			ck_assert_uint_le(done, count);
		}
	}
	ck_assert_ptr_eq(p, end);
}

/* The values of a chunk, in order: each appended to `out` as u32 length and bytes, the length UINT32_MAX for null. */
struct unpack_chunk {
	struct buf dictionary; /* likewise */
	size_t *places;        /* of its values */
	uint64_t dictionary_count;
	uint64_t rows;
	int physical;
	struct buf out;
};

static inline void unpack_add(struct buf *out, const uint8_t *p, uint32_t len, bool is_null)
{
	uint32_t shown = is_null ? UINT32_MAX : len;

	buf_add(out, &shown, sizeof(shown));
	if (!is_null)
		buf_add(out, p, len);
}

/* Cuts off a plain value. */
static inline const uint8_t *unpack_plain(const uint8_t **p, int physical, uint32_t *len)
{
	const uint8_t *value = *p;

	*len = physical == 2 ? 8 : physical == 7 ? 13 : unpack_u32(*p);
	if (physical == 6)
		value += 4;
	*p = value + *len;
	return value;
}

static inline void unpack_dictionary(struct unpack_chunk *chunk, const uint8_t *p, uint64_t count)
{
	chunk->places = calloc(count + 1, sizeof(*chunk->places));
	chunk->dictionary_count = count;
	for (uint64_t i = 0; i < count; i++) {
		uint32_t len;
		const uint8_t *value = unpack_plain(&p, chunk->physical, &len);

		chunk->places[i] = chunk->dictionary.len;
		unpack_add(&chunk->dictionary, value, len, false);
	}
}

static inline void unpack_values(struct unpack_chunk *chunk, const uint8_t *p, const uint8_t *end, uint64_t count,
                                 int64_t encoding)
{
	uint16_t *levels = calloc(count, sizeof(*levels)), *codes = calloc(count, sizeof(*codes));
	uint32_t levels_len = unpack_u32(p);
	size_t there = 0, next = 0;

	unpack_hybrid(p + 4, p + 4 + levels_len, 1, levels, count);
	p += 4 + levels_len;
	for (uint64_t i = 0; i < count; i++)
		there += levels[i];
	if (encoding == 8)
		unpack_hybrid(p + 1, end, p[0], codes, there);
	for (uint64_t i = 0; i < count; i++) {
		uint32_t len;

		if (!levels[i]) {
			unpack_add(&chunk->out, NULL, 0, true);
		} else if (encoding == 8) {
			ck_assert_uint_lt(codes[next], chunk->dictionary_count);
			const uint8_t *entry = (const uint8_t *)chunk->dictionary.data + chunk->places[codes[next++]];
			unpack_add(&chunk->out, entry + 4, unpack_u32(entry), false);
		} else {
			const uint8_t *value = unpack_plain(&p, chunk->physical, &len);

			unpack_add(&chunk->out, value, len, false);
		}
	}
	if (encoding != 8)
		ck_assert_ptr_eq(p, end);
	chunk->rows += count;
	free(levels);
	free(codes);
}

static inline void unpack_page(struct unpack_chunk *chunk, const uint8_t **at)
{
	struct unpack_at header = { *at, 12 };
	size_t packed = (size_t)unpack_int(unpack_field(header, 3)),
	       plain = (size_t)unpack_int(unpack_field(header, 2));
	bool is_data = unpack_int(unpack_field(header, 1)) == 0;
	struct unpack_at kind = unpack_field(header, is_data ? 5 : 7);
	uint8_t *body = calloc(plain + 8, 1);

	*at = unpack_after(header);
	ck_assert_uint_eq(ZSTD_decompress(body, plain, *at, packed), plain);
	*at += packed;
	uint64_t count = (uint64_t)unpack_int(unpack_field(kind, 1));
	if (is_data)
		unpack_values(chunk, body, body + plain, count, unpack_int(unpack_field(kind, 2)));
	else
		unpack_dictionary(chunk, body, count);
	free(body);
}

/* --- files --- */

static inline struct unpack_at unpack_footer(const struct buf *file)
{
	const uint8_t *data = (const uint8_t *)file->data, *end = data + file->len;

	ck_assert_uint_ge(file->len, 12);
	ck_assert_mem_eq(data, "PAR1", 4);
	ck_assert_mem_eq(end - 4, "PAR1", 4);
	struct unpack_at footer = { end - 8 - unpack_u32(end - 8), 12 };
	ck_assert(footer.p >= data + 4);
	ck_assert_ptr_eq(unpack_after(footer), end - 8);
	return footer;
}

/* The values of a column of a group, as of unpack_chunk. */
static inline void unpack_column(const struct buf *file, uint64_t group, uint64_t column, struct buf *out)
{
	struct unpack_at row_group = unpack_element(unpack_field(unpack_footer(file), 4), group);
	struct unpack_at meta = unpack_field(unpack_element(unpack_field(row_group, 1), column), 3);
	struct unpack_at dictionary = unpack_field(meta, 11);
	int64_t data_at = unpack_int(unpack_field(meta, 9));
	int64_t begin = dictionary.type ? unpack_int(dictionary) : data_at;
	struct unpack_chunk chunk = { .physical = (int)unpack_int(unpack_field(meta, 1)), .out = *out };
	const uint8_t *p = (const uint8_t *)file->data + begin, *end = p + unpack_int(unpack_field(meta, 7));

	ck_assert_int_eq(unpack_int(unpack_field(meta, 4)), 6);
	while (p < end) {
		bool first = p == (const uint8_t *)file->data + begin;

		if (!first || !dictionary.type)
			ck_assert_int_ge(p - (const uint8_t *)file->data, data_at);
		unpack_page(&chunk, &p);
	}
	ck_assert_ptr_eq(p, end);
	ck_assert_int_eq((int64_t)chunk.rows, unpack_int(unpack_field(row_group, 3)));
	ck_assert_int_eq((int64_t)chunk.rows, unpack_int(unpack_field(meta, 5)));
	*out = chunk.out;
	buf_free(&chunk.dictionary);
	free(chunk.places);
}

#endif
