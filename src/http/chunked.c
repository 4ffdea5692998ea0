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

/* In this order: those of an extension before CHUNK_SIZE_LF, those of trailers after CHUNK_DATA. */
enum chunk_state {
	CHUNK_SIZE,        /* must be 0: the state of a zeroed struct */
	CHUNK_SPACE,       /* white space before a ';' (RFC 9112, 7.1.1: bad, but to be skipped) */
	CHUNK_NAME_START,  /* after ';' */
	CHUNK_NAME,        /* of an extension */
	CHUNK_NAME_SPACE,  /* after it */
	CHUNK_VALUE_START, /* after '=' */
	CHUNK_VALUE,
	CHUNK_QUOTED,
	CHUNK_QUOTED_ESCAPE, /* after a backslash */
	CHUNK_QUOTED_END,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER_START, /* of a line */
	CHUNK_TRAILER_NAME,
	CHUNK_TRAILER, /* after the colon */
	CHUNK_TRAILER_LF,
	CHUNK_END_LF,
	CHUNK_END,
	CHUNK_BROKEN,
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_text(char c)
{
	unsigned char u = (unsigned char)c;

	return u == '\t' || (u >= ' ' && u != 0x7f);
}

static enum chunk_state after_size(struct http_chunked *chunked, char c)
{
	int value = str_hex_value(c);

	if (value >= 0) {
		if (++chunked->digits > CHUNK_DIGITS_MAX)
			return CHUNK_BROKEN;
		chunked->left = chunked->left << 4 | (uint64_t)value;
		return CHUNK_SIZE;
	}
	if (chunked->digits == 0)
		return CHUNK_BROKEN;
	return c == '\r' ? CHUNK_SIZE_LF : c == ';' ? CHUNK_NAME_START : is_space(c) ? CHUNK_SPACE : CHUNK_BROKEN;
}

/* What may follow a complete extension. */
static enum chunk_state after_extension(char c, enum chunk_state space)
{
	return c == '\r' ? CHUNK_SIZE_LF : c == ';' ? CHUNK_NAME_START : is_space(c) ? space : CHUNK_BROKEN;
}

static enum chunk_state step_extension(enum chunk_state state, char c)
{
	switch (state) {
	case CHUNK_SPACE: /* no CR, or the line would end with white space */
		return c == ';' ? CHUNK_NAME_START : is_space(c) ? CHUNK_SPACE : CHUNK_BROKEN;
	case CHUNK_NAME_START:
		return http_is_token(c) ? CHUNK_NAME : is_space(c) ? CHUNK_NAME_START : CHUNK_BROKEN;
	case CHUNK_NAME:
		return http_is_token(c) ? CHUNK_NAME :
		       c == '='         ? CHUNK_VALUE_START :
		                          after_extension(c, CHUNK_NAME_SPACE);
	case CHUNK_NAME_SPACE:
		return c == '=' ? CHUNK_VALUE_START : c == '\r' ? CHUNK_BROKEN : after_extension(c, CHUNK_NAME_SPACE);
	case CHUNK_VALUE_START:
		return c == '"'         ? CHUNK_QUOTED :
		       http_is_token(c) ? CHUNK_VALUE :
		       is_space(c)      ? CHUNK_VALUE_START :
		                          CHUNK_BROKEN;
	case CHUNK_VALUE:
		return http_is_token(c) ? CHUNK_VALUE : after_extension(c, CHUNK_SPACE);
	case CHUNK_QUOTED:
		return c == '"'   ? CHUNK_QUOTED_END :
		       c == '\\'  ? CHUNK_QUOTED_ESCAPE :
		       is_text(c) ? CHUNK_QUOTED :
		                    CHUNK_BROKEN;
	case CHUNK_QUOTED_ESCAPE:
		return is_text(c) ? CHUNK_QUOTED : CHUNK_BROKEN;
	default: /* CHUNK_QUOTED_END */
		return after_extension(c, CHUNK_SPACE);
	}
}

static enum chunk_state step_trailer(enum chunk_state state, char c)
{
	switch (state) {
	case CHUNK_TRAILER_START:
		return c == '\r' ? CHUNK_END_LF : http_is_token(c) ? CHUNK_TRAILER_NAME : CHUNK_BROKEN;
	case CHUNK_TRAILER_NAME:
		return c == ':' ? CHUNK_TRAILER : http_is_token(c) ? CHUNK_TRAILER_NAME : CHUNK_BROKEN;
	case CHUNK_TRAILER:
		return c == '\r' ? CHUNK_TRAILER_LF : is_text(c) ? CHUNK_TRAILER : CHUNK_BROKEN;
	default: /* CHUNK_TRAILER_LF */
		return c == '\n' ? CHUNK_TRAILER_START : CHUNK_BROKEN;
	}
}

static enum chunk_state after_size_line(struct http_chunked *chunked, char c)
{
	chunked->digits = 0;
	return c != '\n' ? CHUNK_BROKEN : chunked->left > 0 ? CHUNK_DATA : CHUNK_TRAILER_START;
}

/* The state that byte `c` leads to; never called in CHUNK_DATA, CHUNK_END and CHUNK_BROKEN. */
static enum chunk_state step(struct http_chunked *chunked, char c)
{
	enum chunk_state state = (enum chunk_state)chunked->state;

	switch (state) {
	case CHUNK_SIZE:
		return after_size(chunked, c);
	case CHUNK_SIZE_LF:
		return after_size_line(chunked, c);
	case CHUNK_DATA_CR:
		return c == '\r' ? CHUNK_DATA_LF : CHUNK_BROKEN;
	case CHUNK_DATA_LF:
		return c == '\n' ? CHUNK_SIZE : CHUNK_BROKEN;
	case CHUNK_END_LF:
		return c == '\n' ? CHUNK_END : CHUNK_BROKEN;
	default:
		return state < CHUNK_SIZE_LF ? step_extension(state, c) : step_trailer(state, c);
	}
}

static bool is_overhead(int state)
{
	return (state >= CHUNK_SPACE && state < CHUNK_SIZE_LF) || state == CHUNK_TRAILER_NAME || state == CHUNK_TRAILER;
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
