/*
 * block.c: taking a block's value apart. See block.h.
 */
#include "store/block.h"

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
		    segment.places_begin > view->places.len)
			return false;
		row += segment.rows;
	}
	return row == view->head.rows;
}

bool block_view(struct block_view *view, struct str value)
{
	struct block_head *head = &view->head;
	struct str rest = value;
	if (value.len < sizeof(*head))
		return false;
	memcpy(head, cut(&rest, sizeof(*head)).p, sizeof(*head));
	size_t sums = head->sums_count == BLOCK_SUMS_NONE ? 0 : head->sums_count;
	size_t sums_bytes = sums * sizeof(struct block_sum);
	size_t segments_bytes = (size_t)head->segments * sizeof(struct block_segment);
	size_t bytes = sums_bytes + segments_bytes + head->places_bytes + head->skip_bytes + head->extra_bytes +
	               head->deflate_bytes;
	if (head->magic != BLOCK_MAGIC || head->rows == 0 || head->segments == 0 || head->segments > head->rows ||
	    bytes != rest.len)
		return false;
	view->sums = (const uint8_t *)cut(&rest, sums_bytes).p;
	view->segments = (const uint8_t *)cut(&rest, segments_bytes).p;
	view->places = cut(&rest, head->places_bytes);
	view->skip = cut(&rest, head->skip_bytes);
	view->extra = cut(&rest, head->extra_bytes);
	view->deflate = rest;
	struct block_head plain = *head;
	plain.head_crc32 = 0;
	uint32_t crc = crc32_gzip_refl(0, (const void *)&plain, sizeof(plain));
	crc = crc32_gzip_refl(crc, view->sums, sums_bytes + segments_bytes + head->places_bytes);
	return crc == head->head_crc32 && segments_fit(view);
}
