/* SPDX-License-Identifier: ISC */
/*
 * render.h: shows any command's result to people.
 *
 *	an object             a line a key, values aligned; objects in it as indented sections, arrays of objects as tables
 *	an array of objects   a table: a column a key, in the order in which keys first come
 *	an array of others    a line each
 *	anything else         one line; null is nothing
 *
 * See text.h for the meaning of keys' names.
 */
#ifndef CDRD_CTL_RENDER_H
#define CDRD_CTL_RENDER_H

#include "base/buf.h"

struct tree;

void render(struct buf *out, const struct tree *value);

/* table_keys.c: the keys of an array's objects, in the order in which they first come; they die with the tree. */
#define TABLE_KEYS_MAX 64
struct table_keys {
	size_t count;
	const char *names[TABLE_KEYS_MAX];
};
void table_keys_collect(struct table_keys *keys, const struct tree *array);

/* csv.c: the first array of objects in it as CSV (RFC 4180), a column a key. */
void render_csv(struct buf *out, const struct tree *value);

/* grid.c: an array of objects as a table, each line indented by `indent` spaces. */
void render_grid(struct buf *out, const struct tree *array, int indent);

#endif
