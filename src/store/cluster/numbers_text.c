/* SPDX-License-Identifier: ISC */
/*
 * numbers_text.c: what front ends say to each other of numbers, as bytes; all is 8 bytes, little-endian. See store/cluster.h.
 *
 *	request   numbers, catalog, rejected, count || hashes, count of them
 *	numbers   from, to, count of doubts || doubts, STORE_DOUBTS_MAX of them: from, to
 */
#include <endian.h>
#include <string.h>

#include "store/cluster.h"
#include "store/cluster/cluster_private.h"

#define REQUEST_HEAD 32

_Static_assert(STORE_NUMBERS_BYTES == 8 * (3 + 2 * STORE_DOUBTS_MAX), "as it says above");

static void add(struct buf *out, uint64_t number)
{
	number = htole64(number);
	buf_add(out, &number, sizeof(number));
}

static uint64_t take(struct str *text)
{
	uint64_t number = 0;

	if (!cluster_take_number(text, sizeof(number), &number))
		text->len = 0;
	return number;
}

void store_numbers_write_request(struct buf *out, const struct store_numbers_request *request)
{
	add(out, request->numbers);
	add(out, request->catalog);
	add(out, request->rejected);
	add(out, request->count);
	for (size_t i = 0; i < request->count; i++)
		add(out, request->hashes[i]);
}

bool store_numbers_read_request(struct str text, struct store_numbers_request *request, struct buf *hashes)
{
	if (text.len < REQUEST_HEAD)
		return false;
	request->numbers = take(&text);
	request->catalog = take(&text);
	request->rejected = take(&text);
	request->count = take(&text);
	if (request->numbers == 0 || request->numbers > UINT32_MAX || text.len % 8 != 0 ||
	    request->count != text.len / 8)
		return false;
	for (size_t i = 0; i < request->count; i++) {
		uint64_t hash = take(&text);

		buf_add(hashes, &hash, sizeof(hash));
	}
	request->hashes = (const uint64_t *)(const void *)hashes->data;
	return !hashes->failed;
}

void store_numbers_write(struct buf *out, const struct store_numbers *numbers)
{
	add(out, numbers->from);
	add(out, numbers->to);
	add(out, numbers->doubts.count);
	for (size_t i = 0; i < STORE_DOUBTS_MAX; i++) {
		bool is_there = i < numbers->doubts.count;

		add(out, is_there ? numbers->doubts.list[i].from : 0);
		add(out, is_there ? numbers->doubts.list[i].to : 0);
	}
}

bool store_numbers_read(struct str text, struct store_numbers *numbers)
{
	if (text.len != STORE_NUMBERS_BYTES)
		return false;
	numbers->from = take(&text);
	numbers->to = take(&text);
	numbers->doubts.count = take(&text);
	for (size_t i = 0; i < STORE_DOUBTS_MAX; i++) {
		numbers->doubts.list[i].from = take(&text);
		numbers->doubts.list[i].to = take(&text);
	}
	return numbers->doubts.count <= STORE_DOUBTS_MAX && numbers->from > 0 && numbers->to >= numbers->from;
}
