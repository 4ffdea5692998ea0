/* SPDX-License-Identifier: ISC */
/*
 * yajl_room.h: memory for yajl that cannot run out.
 *
 * yajl does not look at what its allocator gives it. So all that reading a text can need is taken at once, before it
 * begins, and handed out piece by piece.
 *
 *	struct yajl_room room;
 *	if (yajl_room_take(&room, text.len) != 0) ...
 *	yajl_handle handle = yajl_alloc(&callbacks, &room.funcs, arg);
 *	...
 *	yajl_free(handle);
 *	yajl_room_give(&room);
 */
#ifndef CDRD_BASE_YAJL_ROOM_H
#define CDRD_BASE_YAJL_ROOM_H

#include <stddef.h>
#include <yajl/yajl_common.h>

struct yajl_room {
	yajl_alloc_funcs funcs;
	char *bytes;
	size_t used, cap;
};

/* For one handle that reads `text_bytes` bytes and gives an error's text. -1 when out of memory. */
int yajl_room_take(struct yajl_room *room, size_t text_bytes);

/* After yajl_free. Does nothing on one that could not be taken. */
void yajl_room_give(struct yajl_room *room);

#endif
