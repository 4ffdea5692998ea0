/* SPDX-License-Identifier: ISC */
/*
 * parquet_hybrid.c: the hybrid of run lengths and packed bits ("RLE" in Encodings.md).
 *
 * Numbers are packed by eights, least significant bit first, so a run of one number may only begin where eight are
 * complete. The last eight are filled up with zeros.
 */
#include "parquet/parquet_private.h"
#include "parquet/parquet_thrift.h"

#define RUN_MIN 8 /* shorter runs are packed */

int hybrid_width(uint32_t most)
{
	return most == 0 ? 1 : 32 - __builtin_clz(most);
}

void hybrid_add_run(struct buf *out, uint16_t number, size_t count, int width)
{
	thrift_put_varint(out, (uint64_t)count << 1);
	buf_add_char(out, (char)(number & 0xff));
	if (width > 8)
		buf_add_char(out, (char)(number >> 8));
}

static void add_packed(struct buf *out, const uint16_t *numbers, size_t count, int width)
{
	size_t eights = (count + 7) / 8;
	uint64_t bits = 0;
	int have = 0;

	if (count == 0)
		return;
	thrift_put_varint(out, (uint64_t)eights << 1 | 1);
	if (!buf_reserve(out, eights * (size_t)width))
		return;
	char *to = out->data + out->len;
	for (size_t i = 0; i < eights * 8; i++) {
		bits |= (uint64_t)(i < count ? numbers[i] : 0) << have;
		for (have += width; have >= 8; have -= 8, bits >>= 8)
			*to++ = (char)(bits & 0xff);
	}
	out->len += eights * (size_t)width;
}

static size_t run_at(const uint16_t *numbers, size_t count)
{
	size_t run = 1;

	while (run < count && numbers[run] == numbers[0])
		run++;
	return run;
}

void hybrid_add(struct buf *out, const uint16_t *numbers, size_t count, int width)
{
	size_t packed = 0; /* from where on numbers are to be packed */

	for (size_t at = 0; at < count;) {
		size_t run = run_at(numbers + at, count - at);

		if (run < RUN_MIN) {
			at = at + 8 < count ? at + 8 : count;
			continue;
		}
		add_packed(out, numbers + packed, at - packed, width);
		/* Up to a run's end, or to where the next eight begins. */
		hybrid_add_run(out, numbers[at], run, width);
		at += run;
		packed = at;
	}
	if (packed < count)
		add_packed(out, numbers + packed, count - packed, width);
}
