/* SPDX-License-Identifier: ISC */
/*
 * encoding.c: see encoding.h.
 */
#include "record/encoding.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define BYTES 256
#define STEP_BYTES 1024 /* converted by iconv at a time */
#define UNIT_MAX 4

struct character {
	unsigned char len;
	char text[ENCODING_GROWTH_MAX];
};

struct encoding {
	iconv_t converter;
	bool has_table;  /* single bytes, and ASCII is ASCII */
	bool restorable; /* and no two are the same character */
	size_t unit;     /* bytes that are left out when they have no meaning */
	char line_end;   /* the byte of a line end's unit that is not 0 */
	struct character table[BYTES];
	unsigned char sorted[BYTES]; /* bytes by their characters */
	char cut[ENCODING_CUT_MAX];  /* a character's beginning */
	size_t cut_len;
};

static const char hex[] = "0123456789abcdef";

static void add_bad(struct buf *out, unsigned char byte)
{
	const char text[] = { ENCODING_BAD, hex[byte >> 4], hex[byte & 15] };

	buf_add(out, text, sizeof(text));
}

static void reset(struct encoding *encoding)
{
	iconv(encoding->converter, NULL, NULL, NULL, NULL);
	encoding->cut_len = 0;
}

/* --- the table --- */

/* What a byte alone becomes. 0, also where that is no text at all, or the errno of the failure. */
static int convert_byte(struct encoding *encoding, unsigned char byte, char *to, size_t size, size_t *len)
{
	char from[] = { (char)byte };
	char *in = from, *out = to;
	size_t in_left = sizeof(from), out_left = size;
	bool failed = iconv(encoding->converter, &in, &in_left, &out, &out_left) == (size_t)-1;
	int why = failed ? errno : 0;

	/* Some converters hold a character back, in case that an accent follows. */
	if (!failed)
		(void)iconv(encoding->converter, NULL, NULL, &out, &out_left);
	*len = size - out_left;
	reset(encoding);
	return why;
}

/* False if the byte alone is no whole character, so that the encoding has longer ones. */
static bool add_character(struct encoding *encoding, unsigned char byte)
{
	struct character *character = &encoding->table[byte];
	char to[ENCODING_GROWTH_MAX * 2];
	size_t len;
	int why = convert_byte(encoding, byte, to, sizeof(to), &len);

	if (why == EILSEQ) {
		character->text[0] = ENCODING_BAD;
		character->text[1] = hex[byte >> 4];
		character->text[2] = hex[byte & 15];
		character->len = 3;
		return byte >= 0x80;
	}
	if (why != 0 || len == 0 || len > sizeof(character->text))
		return false;
	memcpy(character->text, to, len);
	character->len = (unsigned char)len;
	return byte >= 0x80 || (len == 1 && to[0] == (char)byte);
}

/* Do some bytes change the meaning of those after them, as in UTF-7 and ISO-2022-JP? These are ASCII, which in all
 * other encodings of bytes are characters by themselves, or nothing. */
static bool has_state(struct encoding *encoding)
{
	char to[ENCODING_GROWTH_MAX * 2];
	size_t len;

	for (unsigned char byte = 0; encoding->unit == 1 && byte < 0x80; byte++) {
		int why = convert_byte(encoding, byte, to, sizeof(to), &len);

		if (why == EINVAL || (why == 0 && len == 0))
			return true;
	}
	return false;
}

static struct str text_of(const struct encoding *encoding, size_t byte)
{
	return (struct str){ encoding->table[byte].text, encoding->table[byte].len };
}

static int compare(struct str a, struct str b)
{
	int order = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);

	return order != 0 ? order : (int)a.len - (int)b.len;
}

static void sort_table(struct encoding *encoding)
{
	for (size_t i = 0; i < BYTES; i++) {
		size_t at = i;

		for (; at > 0 && compare(text_of(encoding, encoding->sorted[at - 1]), text_of(encoding, i)) > 0; at--)
			encoding->sorted[at] = encoding->sorted[at - 1];
		encoding->sorted[at] = (unsigned char)i;
	}
}

static void make_table(struct encoding *encoding)
{
	encoding->has_table = true;
	for (size_t i = 0; i < BYTES && encoding->has_table; i++)
		encoding->has_table = add_character(encoding, (unsigned char)i);
	if (!encoding->has_table)
		return;
	sort_table(encoding);
	encoding->restorable = true;
	for (size_t i = 1; i < BYTES; i++)
		if (str_equal(text_of(encoding, encoding->sorted[i - 1]), text_of(encoding, encoding->sorted[i])))
			encoding->restorable = false;
}

/* A line end takes as many bytes as units of the encoding have: 2 in UTF-16. */
static void find_unit(struct encoding *encoding, const char *name)
{
	iconv_t back = iconv_open(name, "UTF-8");
	char from[] = "\n\n", to[8 * UNIT_MAX];
	char *in = from, *out = to;
	size_t in_left = 1, out_left = sizeof(to);

	encoding->unit = 1;
	encoding->line_end = '\n';
	if (back == (iconv_t)-1)
		return;
	iconv(back, &in, &in_left, &out, &out_left); /* a byte order mark may come with the first */
	char *first_end = out;

	in_left = 1;
	iconv(back, &in, &in_left, &out, &out_left);
	if (out > first_end && out - first_end <= UNIT_MAX)
		encoding->unit = (size_t)(out - first_end);
	for (const char *at = first_end; at < out; at++)
		if (*at)
			encoding->line_end = *at;
	iconv_close(back);
}

struct encoding *encoding_new(const char *name, struct error *err)
{
	struct encoding *encoding = calloc(1, sizeof(*encoding));

	if (!encoding) {
		error_set(err, ERROR_NOMEM, "encoding %s: out of memory", name);
		return NULL;
	}
	encoding->converter = iconv_open("UTF-8", name);
	if (encoding->converter == (iconv_t)-1) {
		error_set(err, errno == ENOMEM ? ERROR_NOMEM : ERROR_INVALID,
		          "encoding \"%.64s\": iconv does not know it", name);
		free(encoding);
		return NULL;
	}
	find_unit(encoding, name);
	if (has_state(encoding)) {
		error_set(err, ERROR_INVALID,
		          "encoding \"%.64s\": has states, in which one wrong byte would cost all after it", name);
		encoding_free(encoding);
		return NULL;
	}
	make_table(encoding);
	return encoding;
}

void encoding_free(struct encoding *encoding)
{
	if (!encoding)
		return;
	iconv_close(encoding->converter);
	free(encoding);
}

/* --- to UTF-8 --- */

static void convert_by_table(const struct encoding *encoding, struct str piece, struct buf *out)
{
	if (piece.len == 0 || !buf_reserve(out, piece.len * ENCODING_GROWTH_MAX))
		return;
	char *to = out->data + out->len;

	for (size_t i = 0; i < piece.len; i++) {
		const struct character *character = &encoding->table[(unsigned char)piece.p[i]];

		memcpy(to, character->text, sizeof(character->text));
		to += character->len;
	}
	out->len = (size_t)(to - out->data);
}

/* Leaves out what has no meaning. */
static size_t skip_bad(const struct encoding *encoding, const char *in, size_t left, struct buf *out)
{
	size_t count = left < encoding->unit ? left : encoding->unit;

	for (size_t i = 0; i < count; i++)
		add_bad(out, (unsigned char)in[i]);
	return count;
}

/* iconv has made characters beyond U+10FFFF, in five or six bytes too, of the text from `begin` on: these become bad. */
static void mark_beyond_unicode(struct buf *out, size_t begin)
{
	char copy[STEP_BYTES];
	struct str left = { copy, out->len - begin };

	memcpy(copy, out->data + begin, left.len);
	out->len = begin;
	while (left.len > 0) {
		size_t len = json_utf8_len(left);

		buf_add(out, left.p, len);
		if (len < left.len)
			add_bad(out, (unsigned char)left.p[len++]);
		left = (struct str){ left.p + len, left.len - len };
	}
}

/* Converts what it can; returns how many bytes are left: a character's beginning. */
static size_t convert_run(struct encoding *encoding, struct str run, struct buf *out)
{
	char *in = (char *)(uintptr_t)run.p; /* iconv reads it only */
	size_t left = run.len;

	while (left > 0 && buf_reserve(out, STEP_BYTES)) {
		char *to = out->data + out->len;
		size_t room = STEP_BYTES, begin = out->len;
		size_t result = iconv(encoding->converter, &in, &left, &to, &room);
		int why = errno;

		out->len += STEP_BYTES - room;
		if (!json_is_utf8((struct str){ out->data + begin, out->len - begin }))
			mark_beyond_unicode(out, begin);
		if (result != (size_t)-1 || why == E2BIG)
			continue;
		if (why == EINVAL && left < sizeof(encoding->cut))
			return left;
		size_t skipped = skip_bad(encoding, in, left, out);

		in += skipped;
		left -= skipped;
	}
	return 0;
}

void encoding_take_beginning(struct encoding *encoding, struct str beginning)
{
	struct buf text = { 0 };

	if (encoding->unit == 1)
		return;
	encoding_convert(encoding, beginning, &text);
	encoding->cut_len = 0;
	buf_free(&text);
}

size_t encoding_line_len(const struct encoding *encoding, struct str piece, uint64_t at)
{
	const char *end = memchr(piece.p, encoding->line_end, piece.len);
	size_t unit = encoding->unit;

	if (!end)
		return 0;
	size_t of_unit = (size_t)((at + (uint64_t)(end - piece.p)) % unit);
	size_t len = (size_t)(end - piece.p) + unit - of_unit;
	return len <= piece.len ? len : 0;
}

/* Completes a character that the previous piece has begun, a byte at a time. */
static void convert_cut(struct encoding *encoding, struct str *piece, struct buf *out)
{
	while (encoding->cut_len > 0 && piece->len > 0) {
		encoding->cut[encoding->cut_len++] = piece->p[0];
		*piece = (struct str){ piece->p + 1, piece->len - 1 };
		struct str run = { encoding->cut, encoding->cut_len };
		size_t left = convert_run(encoding, run, out);

		memmove(encoding->cut, encoding->cut + run.len - left, left);
		encoding->cut_len = left;
	}
}

void encoding_convert(struct encoding *encoding, struct str piece, struct buf *out)
{
	if (encoding->has_table) {
		convert_by_table(encoding, piece, out);
		return;
	}
	convert_cut(encoding, &piece, out);
	size_t left = convert_run(encoding, piece, out);

	if (left > 0)
		memcpy(encoding->cut, piece.p + piece.len - left, left);
	if (piece.len > 0)
		encoding->cut_len = left;
}

void encoding_end(struct encoding *encoding, struct buf *out)
{
	char held[ENCODING_CUT_MAX];
	char *to = held;
	size_t room = sizeof(held);

	for (size_t i = 0; i < encoding->cut_len; i++)
		add_bad(out, (unsigned char)encoding->cut[i]);
	if (iconv(encoding->converter, NULL, NULL, &to, &room) != (size_t)-1)
		buf_add(out, held, sizeof(held) - room);
	reset(encoding);
}

bool encoding_convert_all(const char *name, struct str text, struct buf *out)
{
	struct error err;

	if (!name[0]) {
		buf_add_str(out, text);
		return !out->failed;
	}
	struct encoding *encoding = encoding_new(name, &err);

	if (!encoding)
		return false;
	encoding_convert(encoding, text, out);
	encoding_end(encoding, out);
	encoding_free(encoding);
	return !out->failed;
}

/* --- and back --- */

/* The byte whose character `text` begins with; BYTES if there is none. No character begins with another one. */
static size_t find_byte(const struct encoding *encoding, struct str text)
{
	size_t from = 0, to = BYTES;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		struct str character = text_of(encoding, encoding->sorted[middle]);
		struct str beginning = { text.p, text.len < character.len ? text.len : character.len };
		int order = compare(character, beginning);

		if (order == 0)
			return encoding->sorted[middle];
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return BYTES;
}

bool encoding_restore(const struct encoding *encoding, struct str text, struct buf *out)
{
	size_t begin = out->len;

	if (!encoding->restorable)
		return false;
	while (text.len > 0) {
		size_t byte = find_byte(encoding, text);

		if (byte == BYTES) { /* the text was cut within a character */
			out->len = begin;
			return false;
		}
		buf_add_char(out, (char)byte);
		text = (struct str){ text.p + encoding->table[byte].len, text.len - encoding->table[byte].len };
	}
	return !out->failed;
}
