/* SPDX-License-Identifier: ISC */
/*
 * str.h: a borrowed run of bytes.
 *
 * Values of a record, parts of a request and keys of the store are runs of bytes inside a buffer that something else
 * owns (a parser's arena, a request, an LMDB page). `struct str` names such a run. It is never NUL terminated, may hold
 * any byte, and is valid as long as its owner. `p` is NULL for a value that is absent; an empty value has len 0.
 */
#ifndef CDRD_BASE_STR_H
#define CDRD_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct str {
	const char *p;
	size_t len;
};

/* Printf arguments for "%.*s". */
#define STR_ARGS(s) (int)(s).len, ((s).p ? (s).p : "")

#define STR_LITERAL(text) ((struct str){ (text), sizeof(text) - 1 })

static inline struct str str_from(const char *text)
{
	return (struct str){ text, text ? strlen(text) : 0 };
}

static inline bool str_equal(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* Copies a text with its NUL into `size` bytes. It fits: whoever calls has seen to its length. */
static inline void str_copy(char *to, size_t size, const char *text)
{
	size_t len = strlen(text) + 1;

	if (len > size) /* no INVARIANT, which logs, as the log is made of this */
		abort();
	memcpy(to, text, len);
}

/* Copies as much of a text as there is room for in `size` bytes with its NUL, and no part of a character of UTF-8. */
static inline void str_cut(char *to, size_t size, const char *text)
{
	size_t len = strnlen(text, size);

	if (len == size)
		for (len--; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80; len--)
			;
	memcpy(to, text, len);
	to[len] = '\0';
}

/* Writes bytes as hexadecimal digits in lower case, and a NUL: 2 * count + 1 characters. */
static inline void str_write_hex(char *out, const void *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		unsigned char byte = ((const unsigned char *)bytes)[i];

		*out++ = digits[byte >> 4];
		*out++ = digits[byte & 0xf];
	}
	*out = '\0';
}

/* The value of a hexadecimal digit, either case; -1 for anything else. */
static inline int str_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that two hexadecimal digits at p stand for, -1 if they are not both there before `end`. */
static inline int str_hex_byte(const char *p, const char *end)
{
	int high = end - p >= 2 ? str_hex_value(p[0]) : -1;
	int low = high >= 0 ? str_hex_value(p[1]) : -1;

	return low < 0 ? -1 : high * 16 + low;
}

/* ASCII letters compare without regard to case. */
static inline bool str_equal_nocase(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(a.p, b.p, a.len) == 0);
}

static inline bool str_is(struct str a, const char *text)
{
	return str_equal(a, str_from(text));
}

/* Without spaces and tabs at its ends. */
static inline struct str str_trim(struct str text)
{
	while (text.len > 0 && (text.p[0] == ' ' || text.p[0] == '\t')) {
		text.p++;
		text.len--;
	}
	while (text.len > 0 && (text.p[text.len - 1] == ' ' || text.p[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* The length of the byte order mark of UTF-8, with which editors and shells of Windows begin files; 0 where there is none. */
static inline size_t str_mark_length(struct str text)
{
	static const struct str mark = { "\xef\xbb\xbf", 3 };

	return text.len >= mark.len && memcmp(text.p, mark.p, mark.len) == 0 ? mark.len : 0;
}

static inline struct str str_without_mark(struct str text)
{
	size_t mark = str_mark_length(text);

	return mark > 0 ? (struct str){ text.p + mark, text.len - mark } : text;
}

/* Cuts the next word, without white space around it, off a list in which `separator` stands between words; it may be empty.
 * False at the end of the list. */
static inline bool str_next(struct str *list, char separator, struct str *word)
{
	const char *end = list->len > 0 ? memchr(list->p, separator, list->len) : NULL;

	if (list->len == 0)
		return false;
	*word = str_trim((struct str){ list->p, end ? (size_t)(end - list->p) : list->len });
	*list = end ? (struct str){ end + 1, list->len - (size_t)(end - list->p) - 1 } : STR_LITERAL("");
	return true;
}

/* Is it, in any case, one of a list with commas? */
static inline bool str_is_listed_nocase(struct str name, struct str list)
{
	while (list.len > 0) {
		const char *comma = memchr(list.p, ',', list.len);
		size_t len = comma ? (size_t)(comma - list.p) : list.len;

		if (str_equal_nocase(name, str_trim((struct str){ list.p, len })))
			return true;
		len += comma != NULL;
		list = (struct str){ list.p + len, list.len - len };
	}
	return false;
}

#endif
