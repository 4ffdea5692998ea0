/* SPDX-License-Identifier: ISC */
/*
 * chunked.c: the frames of a chunked body (RFC 9112, 7.1), byte by byte, declared in parser.h.
 *
 * Data is never copied: the walk stops where it begins and the caller takes it from its own buffer. Sizes are at most
 * 15 hexadecimal digits, which no body reaches; extensions and trailers together may not exceed CHUNK_OVERHEAD_MAX
 * between two pieces of data, so that they cannot be used to send without end.
 */
#include "http/parser.h"

#define CHUNK_DIGITS_MAX 15
#define CHUNK_OVERHEAD_MAX 8192

enum chunk_state {
	CHUNK_SIZE,          /* must be 0: the state of a zeroed struct */
	CHUNK_SPACE,         /* white space between size and ';' (RFC 9110, 5.6.3: bad, but to be passed over) */
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER_START, /* of a line */
	CHUNK_TRAILER,
	CHUNK_TRAILER_LF,
	CHUNK_END_LF,
	CHUNK_END,
	CHUNK_BROKEN,
};

static bool is_text(char c)
{
	unsigned char u = (unsigned char)c;

	return u == '\t' || (u >= ' ' && u != 0x7f);
}

static enum chunk_state after_size(struct http_chunked *chunked, char c)
{
	int value = http_hex_value(c);

	if (value >= 0) {
		if (++chunked->digits > CHUNK_DIGITS_MAX)
			return CHUNK_BROKEN;
		chunked->left = chunked->left << 4 | (uint64_t)value;
		return CHUNK_SIZE;
	}
	if (chunked->digits == 0)
		return CHUNK_BROKEN;
	return c == '\r' ? CHUNK_SIZE_LF : c == ';' ? CHUNK_EXTENSION : c == ' ' || c == '\t' ? CHUNK_SPACE : CHUNK_BROKEN;
}

static enum chunk_state after_size_line(struct http_chunked *chunked, char c)
{
	chunked->digits = 0;
	return c != '\n' ? CHUNK_BROKEN : chunked->left > 0 ? CHUNK_DATA : CHUNK_TRAILER_START;
}

/* The state that byte `c` leads to; never called in CHUNK_DATA, CHUNK_END and CHUNK_BROKEN. */
static enum chunk_state step(struct http_chunked *chunked, char c)
{
	switch ((enum chunk_state)chunked->state) {
	case CHUNK_SIZE:
		return after_size(chunked, c);
	case CHUNK_SPACE:
		return c == ';' ? CHUNK_EXTENSION : c == ' ' || c == '\t' ? CHUNK_SPACE : CHUNK_BROKEN;
	case CHUNK_EXTENSION:
		return c == '\r' ? CHUNK_SIZE_LF : is_text(c) ? CHUNK_EXTENSION : CHUNK_BROKEN;
	case CHUNK_SIZE_LF:
		return after_size_line(chunked, c);
	case CHUNK_DATA_CR:
		return c == '\r' ? CHUNK_DATA_LF : CHUNK_BROKEN;
	case CHUNK_DATA_LF:
		return c == '\n' ? CHUNK_SIZE : CHUNK_BROKEN;
	case CHUNK_TRAILER_START:
		return c == '\r' ? CHUNK_END_LF : is_text(c) && c != ' ' && c != '\t' ? CHUNK_TRAILER : CHUNK_BROKEN;
	case CHUNK_TRAILER:
		return c == '\r' ? CHUNK_TRAILER_LF : is_text(c) ? CHUNK_TRAILER : CHUNK_BROKEN;
	case CHUNK_TRAILER_LF:
		return c == '\n' ? CHUNK_TRAILER_START : CHUNK_BROKEN;
	case CHUNK_END_LF:
		return c == '\n' ? CHUNK_END : CHUNK_BROKEN;
	default:
		return CHUNK_BROKEN;
	}
}

static bool is_overhead(int state)
{
	return state == CHUNK_SPACE || state == CHUNK_EXTENSION || state == CHUNK_TRAILER;
}

enum http_chunk http_chunked_next(struct http_chunked *chunked, struct str *in, struct http_fault *fault)
{
	for (;;) {
		if (chunked->state == CHUNK_END)
			return HTTP_CHUNK_END;
		if (chunked->state == CHUNK_BROKEN) {
			http_fault_set(fault, 400, "The chunked body is malformed.");
			return HTTP_CHUNK_FAULT;
		}
		if (in->len == 0)
			return HTTP_CHUNK_MORE;
		if (chunked->state == CHUNK_DATA)
			return HTTP_CHUNK_DATA;
		chunked->state = (int)step(chunked, in->p[0]);
		if (is_overhead(chunked->state) && ++chunked->overhead > CHUNK_OVERHEAD_MAX)
			chunked->state = CHUNK_BROKEN;
		in->p++;
		in->len--;
	}
}

void http_chunked_take(struct http_chunked *chunked, size_t count)
{
	chunked->left -= count;
	if (count > 0)
		chunked->overhead = 0;
	if (chunked->left == 0)
		chunked->state = CHUNK_DATA_CR;
}
