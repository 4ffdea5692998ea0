/* SPDX-License-Identifier: ISC */
/*
 * encoding.h: text in an encoding such as WINDOWS-1252, made UTF-8 in pieces before a parser sees it.
 *
 * For a single-byte encoding that extends ASCII, iconv fills a table first; any other is converted by iconv as it
 * arrives. A byte without meaning in the encoding does not end the body: it becomes ENCODING_BAD, a byte that UTF-8
 * does not have, then its own value in two hexadecimal digits, so that the parser rejects that record alone. So does
 * each byte of a character beyond U+10FFFF, which iconv takes in UTF-8 and UCS-4; of UCS-4, each byte of the UTF-8 that
 * iconv makes of it.
 *
 * What was converted from single bytes can be turned back into the very bytes that were sent, unless the encoding gives
 * two of them the same meaning.
 */
#ifndef CDRD_RECORD_ENCODING_H
#define CDRD_RECORD_ENCODING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#define ENCODING_BAD '\xff'

/* Bytes that it makes of one at most where a table is used; of a character cut by the end of a piece up to ENCODING_CUT_MAX
 * are kept. */
#define ENCODING_GROWTH_MAX 4
#define ENCODING_CUT_MAX 16

struct encoding;

/* NULL with ERROR_INVALID for a name that iconv does not know or an encoding with states, such as UTF-7, or with
 * ERROR_NOMEM. */
MUST_CHECK struct encoding *encoding_new(const char *name, struct error *err);

/* Does nothing on NULL. */
void encoding_free(struct encoding *encoding);

/* Of a text that is read from a place on: what its first bytes say of the rest, as a byte order mark does. */
void encoding_take_beginning(struct encoding *encoding, struct str beginning);

/* How many bytes of the next piece, which begins at byte `at` of the text, are up to the end of a line; 0: none ends in it. */
size_t encoding_line_len(const struct encoding *encoding, struct str piece, uint64_t at);

/* Appends the next piece as UTF-8. Look at out->failed. */
void encoding_convert(struct encoding *encoding, struct str piece, struct buf *out);

/* The text has ended: appends what a cut character at its end becomes. The next piece begins a new text. */
void encoding_end(struct encoding *encoding, struct buf *out);

/* Appends the bytes that were sent for a text that encoding_convert has made. False, with nothing appended, if they
 * cannot be told for sure. */
bool encoding_restore(const struct encoding *encoding, struct str text, struct buf *out);

/* All of a text, as encoding_convert and encoding_end make it; as it is for an empty name. False when out of memory, or
 * if there is no such encoding any more. */
bool encoding_convert_all(const char *name, struct str text, struct buf *out);

#endif
