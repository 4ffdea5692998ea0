/* SPDX-License-Identifier: ISC */
/*
 * parse_msgpack_token.c: see parse_msgpack_token.h.
 */
#include "record/parse_msgpack_token.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* --- heads --- */

/* First bytes c0 to df: the type, and the bytes of its number. */
static const struct {
	uint8_t type, bytes;
	uint8_t number; /* where it has none of its own */
} heads[32] = {
	{ MSGPACK_NIL, 0, 0 },   { MSGPACK_INVALID, 0, 0 }, { MSGPACK_BOOLEAN, 0, 0 }, { MSGPACK_BOOLEAN, 0, 1 },
	{ MSGPACK_BIN, 1, 0 },   { MSGPACK_BIN, 2, 0 },     { MSGPACK_BIN, 4, 0 },     { MSGPACK_EXT, 1, 0 },
	{ MSGPACK_EXT, 2, 0 },   { MSGPACK_EXT, 4, 0 },     { MSGPACK_FLOAT32, 4, 0 }, { MSGPACK_FLOAT64, 8, 0 },
	{ MSGPACK_UINT, 1, 0 },  { MSGPACK_UINT, 2, 0 },    { MSGPACK_UINT, 4, 0 },    { MSGPACK_UINT, 8, 0 },
	{ MSGPACK_INT, 1, 0 },   { MSGPACK_INT, 2, 0 },     { MSGPACK_INT, 4, 0 },     { MSGPACK_INT, 8, 0 },
	{ MSGPACK_EXT, 0, 2 },   { MSGPACK_EXT, 0, 3 },     { MSGPACK_EXT, 0, 5 },     { MSGPACK_EXT, 0, 9 },
	{ MSGPACK_EXT, 0, 17 },  { MSGPACK_STR, 1, 0 },     { MSGPACK_STR, 2, 0 },     { MSGPACK_STR, 4, 0 },
	{ MSGPACK_ARRAY, 2, 0 }, { MSGPACK_ARRAY, 4, 0 },   { MSGPACK_MAP, 2, 0 },     { MSGPACK_MAP, 4, 0 },
};

struct msgpack_token msgpack_first(unsigned char byte, unsigned *number_bytes)
{
	*number_bytes = 0;
	if (byte < 0x80)
		return (struct msgpack_token){ MSGPACK_UINT, byte };
	if (byte < 0x90)
		return (struct msgpack_token){ MSGPACK_MAP, byte & 0x0f };
	if (byte < 0xa0)
		return (struct msgpack_token){ MSGPACK_ARRAY, byte & 0x0f };
	if (byte < 0xc0)
		return (struct msgpack_token){ MSGPACK_STR, byte & 0x1f };
	if (byte >= 0xe0)
		return (struct msgpack_token){ MSGPACK_INT, (uint64_t)(int8_t)byte };
	*number_bytes = heads[byte & 0x1f].bytes;
	return (struct msgpack_token){ (enum msgpack_type)heads[byte & 0x1f].type, heads[byte & 0x1f].number };
}

/* ext's length does not count its type, ours does; signed numbers of fewer bytes are extended. */
static uint64_t adjusted(enum msgpack_type type, uint64_t number, unsigned bytes)
{
	unsigned unused_bits = 64 - 8 * bytes;

	if (type == MSGPACK_EXT)
		return number + 1;
	if (type == MSGPACK_INT && (number << unused_bits) >> 63)
		return number | ~(UINT64_MAX >> unused_bits);
	return number;
}

const char *msgpack_read(const char *p, const char *end, struct msgpack_token *token)
{
	unsigned bytes;

	if (p == end)
		return NULL;
	*token = msgpack_first((unsigned char)*p++, &bytes);
	if (bytes > 0) {
		if ((size_t)(end - p) < bytes)
			return NULL;
		for (unsigned i = 0; i < bytes; i++)
			token->number = token->number << 8 | (unsigned char)*p++;
		token->number = adjusted(token->type, token->number, bytes);
	}
	if (token->type == MSGPACK_STR || token->type == MSGPACK_BIN || token->type == MSGPACK_EXT)
		return token->number <= (size_t)(end - p) ? p : NULL;
	return token->type == MSGPACK_INVALID ? NULL : p;
}

/* --- nesting, without recursion --- */

static uint64_t values_within(const struct msgpack_token *token)
{
	if (token->type == MSGPACK_MAP)
		return 2 * token->number;
	return token->type == MSGPACK_ARRAY ? token->number : 0;
}

static uint64_t payload_bytes(const struct msgpack_token *token)
{
	bool bytes = token->type == MSGPACK_STR || token->type == MSGPACK_BIN || token->type == MSGPACK_EXT;

	return bytes ? token->number : 0;
}

const char *msgpack_skip(const char *p, const char *end)
{
	struct msgpack_token token;

	/* Each value takes a byte, so that more of them than bytes are cut for sure: no sum overflows. */
	for (uint64_t values = 1; values > 0; values--) {
		p = values <= (size_t)(end - p) ? msgpack_read(p, end, &token) : NULL;
		if (!p)
			return NULL;
		p += payload_bytes(&token);
		values += values_within(&token);
	}
	return p;
}

static int depth_of_values(const char **p, const char *end, uint64_t values, int most)
{
	struct msgpack_token token;
	int deepest = 0;

	for (; values > 0 && *p; values--) {
		*p = msgpack_read(*p, end, &token);
		if (!*p)
			break;
		*p += payload_bytes(&token);
		if (token.type != MSGPACK_MAP && token.type != MSGPACK_ARRAY)
			continue;
		int depth = 1 + (most > 0 ? depth_of_values(p, end, values_within(&token), most - 1) : 0);

		if (depth > deepest)
			deepest = depth;
		if (deepest > most)
			break;
	}
	return deepest;
}

int msgpack_depth(const char *p, const char *end, int most)
{
	return depth_of_values(&p, end, 1, most);
}

/* --- numbers --- */

static double double_of(const struct msgpack_token *token)
{
	uint32_t bits32 = (uint32_t)token->number;
	double number;
	float number32;

	if (token->type == MSGPACK_FLOAT32) {
		memcpy(&number32, &bits32, sizeof(number32));
		return (double)number32;
	}
	memcpy(&number, &token->number, sizeof(number));
	return number;
}

bool msgpack_is_finite(const struct msgpack_token *token)
{
	if (token->type != MSGPACK_FLOAT32 && token->type != MSGPACK_FLOAT64)
		return true;
	return isfinite(double_of(token));
}

/* "d.ddde+xx" with the fewest digits that read back as the same number. */
static void shortest_digits(char *text, size_t size, double number, bool single)
{
	int precision = single ? 5 : 14;
	int most = single ? 8 : 16;
	bool same;

	do {
		snprintf(text, size, "%.*e", precision, number);
		same = single ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number;
	} while (!same && precision++ < most);
}

/* The same without exponent: digits "12345" with `point` of them before the point. */
static void write_positional(struct buf *out, const char *digits, size_t len, int point)
{
	if (point <= 0)
		buf_add_text(out, "0.");
	for (int i = point; i < 0; i++)
		buf_add_char(out, '0');
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (int)i == point)
			buf_add_char(out, '.');
		buf_add_char(out, digits[i]);
	}
	for (int i = (int)len; i < point; i++)
		buf_add_char(out, '0');
}

static void write_float(struct buf *out, double number, bool single)
{
	char text[40];
	char digits[24];
	size_t len = 0;
	char *exponent;

	shortest_digits(text, sizeof(text), number, single);
	exponent = strchr(text, 'e');
	for (char *p = text; p < exponent; p++)
		if (*p >= '0' && *p <= '9')
			digits[len++] = *p;
	while (len > 1 && digits[len - 1] == '0')
		len--;
	if (text[0] == '-')
		buf_add_char(out, '-');
	write_positional(out, digits, len, atoi(exponent + 1) + 1);
}

void msgpack_write_number(struct buf *out, const struct msgpack_token *token)
{
	switch (token->type) {
	case MSGPACK_BOOLEAN:
		buf_add_text(out, token->number ? "true" : "false");
		break;
	case MSGPACK_INT:
		buf_addf(out, "%" PRId64, (int64_t)token->number);
		break;
	case MSGPACK_FLOAT32:
	case MSGPACK_FLOAT64:
		write_float(out, double_of(token), token->type == MSGPACK_FLOAT32);
		break;
	default:
		buf_addf(out, "%" PRIu64, token->number);
		break;
	}
}

/* --- JSON --- */

static void write_scalar(struct buf *out, const char *payload, const struct msgpack_token *token)
{
	if (payload_bytes(token) > 0 || token->type == MSGPACK_STR || token->type == MSGPACK_BIN)
		json_quote(out, (struct str){ payload, (size_t)token->number });
	else if (token->type == MSGPACK_NIL || !msgpack_is_finite(token))
		buf_add_text(out, "null");
	else
		msgpack_write_number(out, token);
}

/* Keys that are no text become one; nothing nested, for quotes of quotes would grow without bound. */
static const char *write_key(struct buf *out, const char *p, const char *end)
{
	struct msgpack_token token;
	const char *payload = msgpack_read(p, end, &token);

	if (!payload || token.type == MSGPACK_MAP || token.type == MSGPACK_ARRAY) {
		buf_add_text(out, "\"?\":");
		return payload ? msgpack_skip(p, end) : NULL;
	}
	if (payload_bytes(&token) > 0 || token.type == MSGPACK_STR || token.type == MSGPACK_BIN) {
		json_quote(out, (struct str){ payload, (size_t)token.number });
	} else {
		buf_add_char(out, '"');
		write_scalar(out, payload, &token);
		buf_add_char(out, '"');
	}
	buf_add_char(out, ':');
	return payload + payload_bytes(&token);
}

static const char *write_values(struct buf *out, const char *p, const char *end, const struct msgpack_token *token,
                                int depth_max)
{
	for (uint64_t i = 0; p && p < end && i < token->number; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		if (token->type == MSGPACK_MAP)
			p = write_key(out, p, end);
		if (p)
			p = msgpack_write_json(out, p, end, depth_max);
		else
			buf_add_text(out, "null");
	}
	return p;
}

const char *msgpack_write_json(struct buf *out, const char *p, const char *end, int depth_max)
{
	struct msgpack_token token;
	const char *begin = p;
	bool map;

	p = msgpack_read(p, end, &token);
	map = p && token.type == MSGPACK_MAP;
	if (p && !map && token.type != MSGPACK_ARRAY) {
		write_scalar(out, p, &token);
		return p + payload_bytes(&token);
	}
	if (!p || depth_max <= 0) {
		buf_add_text(out, "null");
		return p ? msgpack_skip(begin, end) : NULL;
	}
	buf_add_char(out, map ? '{' : '[');
	p = write_values(out, p, end, &token, depth_max - 1);
	buf_add_char(out, map ? '}' : ']');
	return p;
}
