/* SPDX-License-Identifier: ISC */
/*
 * json.c: the JSON writer (RFC 8259).
 *
 * json_quote copies runs that need no escape at once; most values are one run. Runs are found eight bytes at a time
 * while they are plain ASCII, then byte by byte with a table of classes. Bytes from 0x80 on are checked as UTF-8, by
 * the table of RFC 3629, section 4:
 *
 *	C2..DF 80..BF                 E0 A0..BF 80..BF              E1..EC, EE, EF 80..BF 80..BF   ED 80..9F 80..BF
 *	F0 90..BF 80..BF 80..BF       F1..F3 80..BF 80..BF 80..BF   F4 80..8F 80..BF 80..BF
 */
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

/* What a byte is inside a string. Any other class is the letter of a two-character escape. */
enum byte_class {
	PLAIN = 0,
	CONTROL = 1, /* written as \u00NN */
	HIGH = 2,    /* part of a UTF-8 sequence, or broken */
};

#define HIGH_16 HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH
#define CONTROL_8 CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL

/* Bytes not named are PLAIN. */
static const unsigned char byte_classes[256] = {
	[0x00] = CONTROL_8,
	[0x08] = 'b',
	't',
	'n',
	CONTROL,
	'f',
	'r',
	CONTROL,
	CONTROL,
	[0x10] = CONTROL_8,
	CONTROL_8,
	['"'] = '"',
	['\\'] = '\\',
	[0x80] = HIGH_16,
	HIGH_16,
	HIGH_16,
	HIGH_16,
	HIGH_16,
	HIGH_16,
	HIGH_16,
	HIGH_16,
};

static bool in_range(unsigned char byte, unsigned char low, unsigned char high)
{
	return byte >= low && byte <= high;
}

/* Does the second byte fit the first? This rules out overlong forms, surrogates and code points above U+10FFFF. */
static bool second_fits(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return in_range(second, 0xa0, 0xbf);
	case 0xed:
		return in_range(second, 0x80, 0x9f);
	case 0xf0:
		return in_range(second, 0x90, 0xbf);
	case 0xf4:
		return in_range(second, 0x80, 0x8f);
	default:
		return in_range(second, 0x80, 0xbf);
	}
}

/* The length of the valid multi-byte sequence at p, 0 if there is none. */
static size_t sequence_length(const unsigned char *p, size_t left)
{
	size_t length = 0;

	if (in_range(p[0], 0xc2, 0xdf))
		length = 2;
	else if (in_range(p[0], 0xe0, 0xef))
		length = 3;
	else if (in_range(p[0], 0xf0, 0xf4))
		length = 4;
	if (length == 0 || length > left || !second_fits(p[0], p[1]))
		return 0;
	for (size_t i = 2; i < length; i++) {
		if (!in_range(p[i], 0x80, 0xbf))
			return 0;
	}
	return length;
}

#define EVERY_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * Is each of the 8 bytes plain? A byte that is not sets its high bit in one of the four words. A borrow may set more
 * high bits further up, but only a byte that is not plain borrows.
 */
static bool eight_plain(const unsigned char *p)
{
	uint64_t word, below_space, quote, backslash;

	memcpy(&word, p, sizeof(word));
	below_space = word - EVERY_BYTE(0x20);
	quote = (word ^ EVERY_BYTE('"')) - EVERY_BYTE(1);
	backslash = (word ^ EVERY_BYTE('\\')) - EVERY_BYTE(1);
	return ((word | below_space | quote | backslash) & EVERY_BYTE(0x80)) == 0;
}

/* How many bytes from p on need no escape in a JSON string. */
static size_t run_length(const unsigned char *p, size_t left)
{
	size_t at = 0;

	while (at + 8 <= left && eight_plain(p + at))
		at += 8;
	while (at < left) {
		unsigned char class = byte_classes[p[at]];
		size_t length = 1;

		if (class == HIGH)
			length = sequence_length(p + at, left - at);
		else if (class != PLAIN)
			length = 0;
		if (length == 0)
			break;
		at += length;
	}
	return at;
}

static void add_escaped(struct buf *out, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char class = byte_classes[byte];

	if (class == HIGH) {
		buf_add_text(out, "\xef\xbf\xbd"); /* U+FFFD */
	} else if (class == CONTROL) {
		char text[] = { '\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15] };

		buf_add(out, text, sizeof(text));
	} else {
		char text[] = { '\\', (char)class };

		buf_add(out, text, sizeof(text));
	}
}

void json_quote(struct buf *out, struct str value)
{
	const unsigned char *p = (const unsigned char *)value.p;
	size_t left = value.len;

	/* One check of room for the usual case; escapes may still make it grow. */
	if (left > SIZE_MAX - 2 || !buf_reserve(out, left + 2))
		return;
	buf_add_char(out, '"');
	if (left == 0)
		buf_add_str(out, value); /* which may be that of a buf that has failed */
	while (left > 0) {
		size_t run = run_length(p, left);

		buf_add(out, p, run);
		p += run;
		left -= run;
		if (left > 0) {
			add_escaped(out, *p++);
			left--;
		}
	}
	buf_add_char(out, '"');
}

size_t json_utf8_len(struct str text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	size_t at = 0;

	while (at < text.len) {
		size_t length = p[at] < 0x80 ? 1 : sequence_length(p + at, text.len - at);

		if (length == 0)
			break;
		at += length;
	}
	return at;
}

bool json_is_utf8(struct str text)
{
	return json_utf8_len(text) == text.len;
}

static void separate(struct json *j)
{
	if (j->comma)
		buf_add_char(j->out, ',');
	j->comma = true;
}

static void begin(struct json *j, char bracket)
{
	separate(j);
	buf_add_char(j->out, bracket);
	j->comma = false;
}

static void end(struct json *j, char bracket)
{
	buf_add_char(j->out, bracket);
	j->comma = true;
}

void json_object_begin(struct json *j)
{
	begin(j, '{');
}

void json_object_end(struct json *j)
{
	end(j, '}');
}

void json_array_begin(struct json *j)
{
	begin(j, '[');
}

void json_array_end(struct json *j)
{
	end(j, ']');
}

void json_key_str(struct json *j, struct str key)
{
	json_str(j, key);
	buf_add_char(j->out, ':');
	j->comma = false;
}

void json_key(struct json *j, const char *key)
{
	json_key_str(j, str_from(key));
}

void json_str(struct json *j, struct str value)
{
	separate(j);
	json_quote(j->out, value);
}

void json_text(struct json *j, const char *value)
{
	if (value)
		json_str(j, str_from(value));
	else
		json_null(j);
}

void json_int(struct json *j, int64_t value)
{
	separate(j);
	buf_addf(j->out, "%" PRId64, value);
}

void json_uint(struct json *j, uint64_t value)
{
	separate(j);
	buf_add_uint(j->out, value);
}

void json_bool(struct json *j, bool value)
{
	json_raw(j, value ? STR_LITERAL("true") : STR_LITERAL("false"));
}

void json_null(struct json *j)
{
	json_raw(j, STR_LITERAL("null"));
}

void json_raw(struct json *j, struct str value)
{
	separate(j);
	buf_add_str(j->out, value);
}

void json_member_str(struct json *j, const char *key, struct str value)
{
	json_key(j, key);
	json_str(j, value);
}

void json_member_text(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	json_text(j, value);
}

void json_member_int(struct json *j, const char *key, int64_t value)
{
	json_key(j, key);
	json_int(j, value);
}

void json_member_uint(struct json *j, const char *key, uint64_t value)
{
	json_key(j, key);
	json_uint(j, value);
}

void json_member_bool(struct json *j, const char *key, bool value)
{
	json_key(j, key);
	json_bool(j, value);
}

void json_member_decimal(struct json *j, const char *key, struct decimal value)
{
	struct buf text = { 0 };

	decimal_format(&text, value);
	json_member_str(j, key, buf_str(&text));
	j->out->failed = j->out->failed || text.failed;
	buf_free(&text);
}
