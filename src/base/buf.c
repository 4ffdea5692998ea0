/* SPDX-License-Identifier: ISC */
/*
 * buf.c: growth and appends of struct buf.
 *
 * max_bytes bounds len, not cap: the NUL that buf_cstr puts after the contents does not count, so one byte more may be
 * allocated. Once failed, a buf accepts nothing until it is cleared or freed: contents with a gap in the middle would
 * look complete.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 64

const char buf_failed_run[1] = "";

static bool fail(struct buf *b)
{
	b->failed = true;
	return false;
}

/* Makes cap at least `need`, usually doubling it, but not past the limit (and its NUL) unless needed. */
static bool grow(struct buf *b, size_t need)
{
	size_t cap = b->cap < CAP_MIN / 2 ? CAP_MIN : b->cap;
	char *data;

	if (need <= b->cap)
		return true;
	if (b->cap >= CAP_MIN / 2)
		cap = b->cap > SIZE_MAX / 2 ? SIZE_MAX : b->cap * 2;
	if (b->max_bytes != 0 && cap > b->max_bytes)
		cap = b->max_bytes;
	if (cap < need)
		cap = need;
	data = realloc(b->data, cap);
	if (!data)
		return fail(b);
	b->data = data;
	b->cap = cap;
	return true;
}

bool buf_make_room(struct buf *b, size_t more)
{
	size_t limit = b->max_bytes != 0 ? b->max_bytes : SIZE_MAX - 1;

	if (b->failed)
		return false;
	if (b->len > limit || more > limit - b->len)
		return fail(b);
	return grow(b, b->len + more);
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (len == 0 && data == buf_failed_run)
		(void)fail(b);
	if (len == 0 || !buf_reserve(b, len))
		return;
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

void buf_add_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.len);
}

void buf_add_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_add_uint(struct buf *b, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_addf(struct buf *b, const char *format, ...)
{
	char small[256];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	if (len < 0) {
		(void)fail(b);
		return;
	}
	if ((size_t)len < sizeof(small)) {
		buf_add(b, small, (size_t)len);
		return;
	}
	/* vsnprintf also writes a NUL, which the limit does not count. */
	if (!buf_reserve(b, (size_t)len) || !grow(b, b->len + (size_t)len + 1))
		return;
	va_start(args, format);
	(void)vsnprintf(b->data + b->len, (size_t)len + 1, format, args);
	va_end(args);
	b->len += (size_t)len;
}

const char *buf_cstr(struct buf *b)
{
	if (b->failed || !grow(b, b->len + 1))
		return NULL;
	b->data[b->len] = '\0';
	return b->data;
}

void buf_drain(struct buf *b, size_t count)
{
	if (count >= b->len) {
		b->len = 0;
		return;
	}
	if (count == 0)
		return;
	memmove(b->data, b->data + count, b->len - count);
	b->len -= count;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ .max_bytes = b->max_bytes };
}

void buf_move(struct buf *to, struct buf *from)
{
	buf_free(to);
	*to = *from;
	*from = (struct buf){ 0 };
}
