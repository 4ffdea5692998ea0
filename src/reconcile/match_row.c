/* SPDX-License-Identifier: ISC */
/*
 * match_row.c: rows packed and unpacked. See match_row.h.
 */
#include "reconcile/match_row.h"

struct head {
	uint64_t serial;
	uint64_t hash;
	uint64_t check;
	int64_t time_us;
	uint16_t lens[MATCH_TEXTS];
};

void match_row_pack(struct buf *out, const struct match_row *row)
{
	struct head head = { row->serial, row->hash, row->check, row->time_us, { 0 } };
	uint32_t size = MATCH_ROW_SIZE_BYTES + sizeof(head);

	for (size_t i = 0; i < MATCH_TEXTS; i++) {
		size_t len = row->texts[i].len;

		head.lens[i] = (uint16_t)(len < MATCH_TEXT_MAX ? len : MATCH_TEXT_MAX);
		size += head.lens[i];
	}
	buf_add(out, &size, sizeof(size));
	buf_add(out, &head, sizeof(head));
	for (size_t i = 0; i < MATCH_TEXTS; i++)
		if (head.lens[i] > 0)
			buf_add(out, row->texts[i].p, head.lens[i]);
}

size_t match_row_size(const char *packed)
{
	uint32_t size;

	memcpy(&size, packed, sizeof(size));
	return size;
}

void match_row_unpack(const char *packed, struct match_row *row)
{
	const char *at = packed + MATCH_ROW_SIZE_BYTES;
	struct head head;

	memcpy(&head, at, sizeof(head));
	at += sizeof(head);
	row->serial = head.serial;
	row->hash = head.hash;
	row->check = head.check;
	row->time_us = head.time_us;
	for (size_t i = 0; i < MATCH_TEXTS; i++) {
		row->texts[i] = (struct str){ at, head.lens[i] };
		at += head.lens[i];
	}
}

struct match_order match_row_order(const char *packed)
{
	struct head head;

	memcpy(&head, packed + MATCH_ROW_SIZE_BYTES, sizeof(head));
	return (struct match_order){ head.hash, head.time_us, head.serial };
}
