/* SPDX-License-Identifier: ISC */
/*
 * read_back.c: see read_back.h.
 */
#include "store/blocks/read_back.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "store/blocks/inflate_segment.h"

static const char flush[] = { 0, 0, '\xff', '\xff' };

static enum read_back_result compare(struct str made, struct str wanted)
{
	return str_equal(made, wanted) ? READ_BACK_SAME : READ_BACK_DIFFERENT;
}

static bool ends_on_flush(struct str compressed)
{
	return compressed.len > sizeof(flush) &&
	       memcmp(compressed.p + compressed.len - sizeof(flush), flush, sizeof(flush)) == 0;
}

enum read_back_result read_back_lines(struct read_back *read_back, struct str compressed, struct str lines)
{
	size_t left;

	if (!read_back->inflate)
		read_back->inflate = inflate_segment_new();
	buf_clear(&read_back->text);
	/* Room for one byte more, which must stay empty: then nothing follows the expected text. */
	if (!read_back->inflate || !buf_reserve(&read_back->text, lines.len + 1))
		return READ_BACK_NOMEM;
	struct str made = { read_back->text.data, 0 };
	made.len = inflate_segment(read_back->inflate, compressed, read_back->text.data, lines.len + 1, &left);
	return left == 0 && ends_on_flush(compressed) ? compare(made, lines) : READ_BACK_DIFFERENT;
}

enum read_back_result read_back_extra(struct read_back *read_back, struct str compressed, struct str extra)
{
	if (!read_back->zstd)
		read_back->zstd = ZSTD_createDCtx();
	buf_clear(&read_back->text);
	if (!read_back->zstd || !buf_reserve(&read_back->text, extra.len))
		return READ_BACK_NOMEM;
	size_t made =
		ZSTD_decompressDCtx(read_back->zstd, read_back->text.data, extra.len, compressed.p, compressed.len);
	return ZSTD_isError(made) ? READ_BACK_DIFFERENT : compare((struct str){ read_back->text.data, made }, extra);
}

enum read_back_result read_back_places(struct read_back *read_back, struct str value, const struct position *positions)
{
	struct block_view view;

	if (!block_view(&view, value))
		return READ_BACK_DIFFERENT;
	for (uint32_t i = 0; i < view.head.segments; i++) {
		struct block_segment segment = block_segment(&view, i);
		const struct position *wanted = positions + segment.first_row;

		if (!block_places_read(&view, &segment, wanted->direction, read_back->positions))
			return READ_BACK_DIFFERENT;
		for (uint32_t row = 0; row < segment.rows; row++)
			if (position_compare(&read_back->positions[row], &wanted[row]) != 0)
				return READ_BACK_DIFFERENT;
	}
	return READ_BACK_SAME;
}

void read_back_free(struct read_back *read_back)
{
	free(read_back->inflate);
	ZSTD_freeDCtx(read_back->zstd);
	buf_free(&read_back->text);
}
