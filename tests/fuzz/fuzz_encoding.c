/* SPDX-License-Identifier: ISC */
/*
 * fuzz_encoding.c: any bytes in an encoding to UTF-8 and back.
 *
 * An input is the encoding's number, the length of pieces, then the text. What must hold: pieces make no difference,
 * what has no meaning is not UTF-8, and what can be turned back is what was sent.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "record/encoding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "ISO-8859-1", "WINDOWS-1252", "US-ASCII", "UTF-16", "UTF-8",
	                             "SHIFT_JIS",  "GB18030",      "IBM037",   "CP1255", "UCS-4" };
#define NAMES (sizeof(names) / sizeof(names[0]))

static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct encoding *encodings[NAMES];
	struct buf whole = { 0 }, pieces = { 0 }, back = { 0 };
	struct error err;

	if (size < 2)
		return 0;
	struct encoding **encoding = &encodings[data[0] % NAMES];
	struct str text = { (const char *)data + 2, size - 2 };
	size_t step = (size_t)data[1] % 16 + 1;

	if (!*encoding)
		*encoding = encoding_new(names[data[0] % NAMES], &err);
	must(*encoding != NULL);
	encoding_convert(*encoding, text, &whole);
	encoding_end(*encoding, &whole);
	for (size_t at = 0; at < text.len; at += step)
		encoding_convert(*encoding, (struct str){ text.p + at, text.len - at < step ? text.len - at : step },
		                 &pieces);
	encoding_end(*encoding, &pieces);
	must(str_equal(buf_str(&whole), buf_str(&pieces)));
	must(memchr(buf_str(&whole).p, ENCODING_BAD, whole.len) || json_is_utf8(buf_str(&whole)));
	if (encoding_restore(*encoding, buf_str(&whole), &back))
		must(str_equal(buf_str(&back), text));
	buf_free(&whole);
	buf_free(&pieces);
	buf_free(&back);
	return 0;
}
