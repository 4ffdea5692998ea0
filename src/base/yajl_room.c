/* SPDX-License-Identifier: ISC */
/*
 * yajl_room.c: see yajl_room.h.
 *
 * Each piece has its size before it. Nothing is given back before the end: yajl's buffers double, so that what they leave
 * is less than what they become, and there are four of them (texts, the lexer's, states by depth, the handle).
 */
#include "base/yajl_room.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 16
#define FIXED_BYTES ((size_t)64 << 10)
#define BYTES_A_BYTE 24

static void *allocate(void *ctx, size_t bytes)
{
	struct yajl_room *room = ctx;
	size_t whole = ALIGN + (bytes + ALIGN - 1) / ALIGN * ALIGN;
	assert(whole <= room->cap - room->used);
	char *piece = room->bytes + room->used;
	memcpy(piece, &bytes, sizeof(bytes));
	room->used += whole;
	return piece + ALIGN;
}

static void *reallocate(void *ctx, void *old, size_t bytes)
{
	struct yajl_room *room = ctx;
	size_t had = 0;
	if (old) {
		memcpy(&had, (char *)old - ALIGN, sizeof(had));
		/* The last piece grows where it is: states by depth do so a little at a time. */
		if ((char *)old + (had + ALIGN - 1) / ALIGN * ALIGN == room->bytes + room->used)
			room->used = (size_t)((char *)old - ALIGN - room->bytes);
	}
	void *piece = allocate(ctx, bytes);
	if (!old)
		return piece;
	memmove(piece, old, had < bytes ? had : bytes);
	return piece;
}

static void release(void *ctx, void *old)
{
	(void)ctx;
	(void)old;
}

int yajl_room_take(struct yajl_room *room, size_t text_bytes)
{
	*room = (struct yajl_room){ .funcs = { allocate, reallocate, release, room } };
	room->cap = FIXED_BYTES + BYTES_A_BYTE * text_bytes;
	room->bytes = malloc(room->cap);
	return room->bytes ? 0 : -1;
}

void yajl_room_give(struct yajl_room *room)
{
	free(room->bytes);
	room->bytes = NULL;
}
