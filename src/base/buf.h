/* SPDX-License-Identifier: ISC */
/*
 * buf.h: a growable run of bytes that its holder owns.
 *
 * Zero-initialised is empty and valid. Growth doubles. When memory runs out (or max_bytes would be passed) the
 * append is dropped, `failed` is set and stays set, so that a writer can append freely and check once at the end.
 */
#ifndef CDRD_BASE_BUF_H
#define CDRD_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max_bytes; /* 0: no limit but memory */
	bool failed;
};

/* Makes room for `more` bytes after len; false (and failed set) when it cannot. Pointers into data may move. */
static inline bool buf_reserve(struct buf *b, size_t more);

void buf_add(struct buf *b, const void *data, size_t len);
void buf_add_str(struct buf *b, struct str s);
void buf_add_text(struct buf *b, const char *text); /* a C string, without its NUL */
static inline void buf_add_char(struct buf *b, char c);
void buf_add_uint(struct buf *b, uint64_t number); /* in decimal, without printf: for the hot path of requests */
void buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* buf_reserve where there may be no room yet: it and buf_add_char begin with a look, which is all that most calls take. */
bool buf_make_room(struct buf *b, size_t more);

static inline bool buf_reserve(struct buf *b, size_t more)
{
	return (more <= b->cap - b->len && b->max_bytes == 0 && !b->failed) || buf_make_room(b, more);
}

static inline void buf_add_char(struct buf *b, char c)
{
	if (buf_reserve(b, 1))
		b->data[b->len++] = c;
}

/* Puts a NUL after the contents (not counted in len) and returns data; NULL when failed. */
const char *buf_cstr(struct buf *b);

/* Where the run of a failed buf begins. It is empty, and a buf that it is added to fails, too: what could not be written
 * whole is missing from no answer in silence. */
extern const char buf_failed_run[1];

/* The contents as a run that is valid until the next change of b. */
static inline struct str buf_str(const struct buf *b)
{
	return b->failed ? (struct str){ buf_failed_run, 0 } : (struct str){ b->data ? b->data : "", b->len };
}

/* Drops the first `count` bytes, moving the rest to the front. */
void buf_drain(struct buf *b, size_t count);

/* Empties b and keeps its memory; `failed` is reset. */
void buf_clear(struct buf *b);

/* Frees the memory; b is empty and valid again, with the same max_bytes. */
void buf_free(struct buf *b);

/* Frees what `to` has, and gives it what `from` has, which is zero-initialised then. */
void buf_move(struct buf *to, struct buf *from);

#endif
