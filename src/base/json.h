/* SPDX-License-Identifier: ISC */
/*
 * json.h: writing JSON into a buf.
 *
 * The writer puts the commas; the caller keeps keys and values in step. Strings are escaped as RFC 8259 asks;
 * bytes that are not UTF-8 become U+FFFD, so that an answer always is valid JSON. json_reader.h reads it.
 *
 *	struct json j = json_to(&buf);
 *	json_object_begin(&j);
 *	json_member_uint(&j, "items_count", 3);
 *	json_object_end(&j);
 */
#ifndef CDRD_BASE_JSON_H
#define CDRD_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/decimal.h"
#include "base/str.h"

struct json {
	struct buf *out;
	bool comma; /* a value precedes the next one */
};

static inline struct json json_to(struct buf *out)
{
	return (struct json){ .out = out };
}

void json_object_begin(struct json *j);
void json_object_end(struct json *j);
void json_array_begin(struct json *j);
void json_array_end(struct json *j);

void json_key(struct json *j, const char *key);
void json_key_str(struct json *j, struct str key);

void json_str(struct json *j, struct str value);
void json_text(struct json *j, const char *value); /* NULL writes null */
void json_int(struct json *j, int64_t value);
void json_uint(struct json *j, uint64_t value);
void json_bool(struct json *j, bool value);
void json_null(struct json *j);

/* A member of an object: its key and its value. */
void json_member_str(struct json *j, const char *key, struct str value);
void json_member_text(struct json *j, const char *key, const char *value);
void json_member_int(struct json *j, const char *key, int64_t value);
void json_member_uint(struct json *j, const char *key, uint64_t value);
void json_member_bool(struct json *j, const char *key, bool value);

/* As a text, so that nobody reads it into a double. */
void json_member_decimal(struct json *j, const char *key, struct decimal value);

/* Text that is valid JSON already, as it is. */
void json_raw(struct json *j, struct str value);

/* Appends the quoted and escaped string alone. This is the hot path of a page: fast for plain ASCII. */
void json_quote(struct buf *out, struct str value);

/* Is it valid UTF-8 (RFC 3629: shortest forms, no surrogates, nothing beyond U+10FFFF)? NUL is valid. */
bool json_is_utf8(struct str text);

/* How many bytes at its beginning are valid UTF-8. */
size_t json_utf8_len(struct str text);

#endif
