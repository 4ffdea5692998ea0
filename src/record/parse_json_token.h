/* SPDX-License-Identifier: ISC */
/*
 * parse_json_token.h: JSON text by RFC 8259, value by value; private to record/.
 *
 * Strict: no comments, no commas too many, no white space but the four characters of it, no half of a surrogate pair, no
 * control character in a text. Only UTF-8 is for the caller to check. Nothing is copied: values point into the text, but
 * for those with escapes, which are resolved into the arena. Each function takes the byte where its value begins, which
 * may be the end, and returns the byte after the value, or NULL when there is none such; then `why` and `at` say what is
 * wrong, but for too_deep, and for arena->failed when memory has run out.
 */
#ifndef CDRD_RECORD_PARSE_JSON_TOKEN_H
#define CDRD_RECORD_PARSE_JSON_TOKEN_H

#include "base/buf.h"
#include "record/parse_scan.h"

#define JSON_NAME_EXPECTED "parse error: a name in quotes expected"
#define JSON_COLON_EXPECTED "parse error: : expected after the name"
#define JSON_COMMA_EXPECTED "parse error: , or } expected"

struct json_source {
	const char *end;
	struct buf *arena; /* its memory never moves while the text is read, once a value is in it */
	bool lines;        /* white space may hold line ends */

	/* What is wrong. */
	const char *why; /* in words, ... */
	const char *at;  /* and at which byte; `end` if the text is cut */
	bool too_deep;
	bool half_pair; /* half of a surrogate pair was met; reading resumes after it, so that this is told last */
};

static inline const char *json_token_space(const struct json_source *source, const char *p)
{
	while (p < source->end && (*p == ' ' || *p == '\t' || (source->lines && (*p == '\n' || *p == '\r'))))
		p++;
	return p;
}

/* After `c` and the white space around it; NULL, with nothing said, if it is not there. */
static inline const char *json_token_pass(const struct json_source *source, const char *p, char c)
{
	if (p < source->end && *p != c)
		p = json_token_space(source, p);
	if (p == source->end || *p != c)
		return NULL;
	p++;
	return p < source->end && (unsigned char)*p <= ' ' ? json_token_space(source, p) : p;
}

/* Says what is wrong at p (that it is the end, if it is). Always NULL. */
const char *json_token_fail(struct json_source *source, const char *p, const char *why);

/* As json_token_text, of one whose first character that has to be looked at is at `stop`. */
const char *json_token_text_odd(struct json_source *source, const char *p, const char *stop, struct str *value);

/* Takes a text after its opening quote. *odd is set if it may hold NUL or what is not ASCII. */
static inline __attribute__((always_inline)) const char *json_token_text(struct json_source *source, const char *p,
                                                                         struct str *value, bool *odd)
{
	const char *stop = scan_json(p, source->end, odd);
	struct str resolved;

	if (stop < source->end && *stop == '"') {
		*value = (struct str){ p, (size_t)(stop - p) };
		return stop + 1;
	}
	p = json_token_text_odd(source, p, stop, &resolved);
	*value = resolved;
	*odd = true;
	return p;
}

/* Takes a number or word; *value is its text, and that of null has p NULL. */
const char *json_token_scalar(struct json_source *source, const char *p, struct str *value);

/* Passes any value that is nested `depth_max` deep at most. */
const char *json_token_skip(struct json_source *source, const char *p, int depth_max);

/* Is it one JSON value, nested `depth_max` deep at most, its UTF-8 apart? */
bool json_token_is_valid(struct str text, int depth_max);

#endif
