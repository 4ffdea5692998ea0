/* SPDX-License-Identifier: ISC */
/*
 * block.c: splitting a block's value into its parts. See block.h.
 */
#include "store/blocks/block.h"

#include <isa-l/crc.h>

uint64_t block_line_columns(const struct catalog_product *product, uint8_t direction, uint8_t columns_count)
{
	struct record_view view = { .direction = (enum catalog_direction)direction };
	uint64_t columns = record_view_columns(product, &view);

	return columns_count < 64 ? columns & ((UINT64_C(1) << columns_count) - 1) : columns;
}

/* Cuts `len` bytes off the front of *rest. */
static struct str cut(struct str *rest, size_t len)
{
	struct str part = { rest->p, len };

	rest->p += len;
	rest->len -= len;
	return part;
}

static bool segments_fit(const struct block_view *view)
{
	uint32_t row = 0;

	for (uint32_t i = 0; i < view->head.segments; i++) {
		struct block_segment segment = block_segment(view, i);

		if (segment.first_row != row || segment.rows == 0 || segment.rows > SEGMENT_ROWS ||
		    segment.deflate_begin > view->deflate.len ||
		    segment.deflate_bytes > view->deflate.len - segment.deflate_begin ||
		    segment.places_begin > view->positions.len)
			return false;
		row += segment.rows;
	}
	return row == view->head.rows;
}

/* Of the head and what follows it up to `skip`, without a gap. */
static uint32_t crc_of_head(const struct block_view *view)
{
	struct block_head plain = view->head;

	plain.head_crc32 = 0;
	uint32_t crc = crc32_gzip_refl(0, (const void *)&plain, block_head_bytes(plain.magic));
	return crc32_gzip_refl(crc, view->sums, (uint64_t)((const uint8_t *)view->skip.p - view->sums));
}

static bool take_head(struct block_head *head, struct str *rest)
{
	uint32_t magic;

	if (rest->len < sizeof(magic))
		return false;
	memcpy(&magic, rest->p, sizeof(magic));
	size_t bytes = block_head_bytes(magic);
	if (bytes == 0 || rest->len < bytes)
		return false;
	*head = (struct block_head){ 0 };
	memcpy(head, cut(rest, bytes).p, bytes);
	return head->rows != 0 && head->segments != 0 && head->segments <= head->rows &&
	       head->changed_count <= head->rows;
}

bool block_view_unchecked(struct block_view *view, struct str value)
{
	struct block_head *head = &view->head;
	struct str rest = value;

	if (!take_head(head, &rest))
		return false;
	size_t sums = head->sums_count == BLOCK_SUMS_NONE ? 0 : head->sums_count;
	size_t sums_bytes = sums * sizeof(struct block_sum);
	size_t segments_bytes = (size_t)head->segments * sizeof(struct block_segment);
	size_t changed_bytes = (size_t)head->changed_count * sizeof(struct block_change);
	size_t bytes = sums_bytes + segments_bytes + head->places_bytes + changed_bytes + head->skip_bytes +
	               (size_t)head->columns_bytes + head->extra_bytes + head->deflate_bytes;
	if (bytes != rest.len)
		return false;
	view->sums = (const uint8_t *)cut(&rest, sums_bytes).p;
	view->segments = (const uint8_t *)cut(&rest, segments_bytes).p;
	view->positions = cut(&rest, head->places_bytes);
	view->changed = (const uint8_t *)cut(&rest, changed_bytes).p;
	view->skip = cut(&rest, head->skip_bytes);
	view->columns = cut(&rest, head->columns_bytes);
	view->extra = cut(&rest, head->extra_bytes);
	view->deflate = rest;
	return true;
}

bool block_view(struct block_view *view, struct str value)
{
	return block_view_unchecked(view, value) && crc_of_head(view) == view->head.head_crc32 && segments_fit(view);
}

uint32_t block_segment_of(const struct block_view *view, uint32_t row)
{
	uint32_t low = 0, high = view->head.segments;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (block_segment(view, mid).first_row <= row)
			low = mid;
		else
			high = mid;
	}
	return low;
}

bool block_number_changes(char *value, size_t len, uint64_t pending, uint64_t first)
{
	struct block_view view;

	if (!block_view(&view, (struct str){ value, len }))
		return false;
	char *at = value + (view.changed - (const uint8_t *)value);
	for (uint32_t i = 0; i < view.head.changed_count; i++, at += sizeof(struct block_change)) {
		struct block_change change = block_change(&view, i);

		if (change.seq >= pending)
			change.seq = first + (change.seq - pending);
		memcpy(at, &change, sizeof(change));
	}
	view.head.head_crc32 = crc_of_head(&view);
	memcpy(value, &view.head, block_head_bytes(view.head.magic));
	return true;
}
