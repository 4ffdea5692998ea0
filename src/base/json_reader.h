/* SPDX-License-Identifier: ISC */
/*
 * json_reader.h: reading JSON (RFC 8259), an event at a time.
 *
 * Strict: no comments, no NaN, no comma before a bracket, numbers as the RFC writes them, strings in UTF-8 and without
 * control characters, escapes of whole characters only. Nothing is lost: a number is the text that was sent, a name
 * that occurs twice is reported twice, a NUL is a byte like others. For records there is record/parse.h instead.
 *
 *	struct json_reader reader = json_reader_of(text);
 *	enum json_event event;
 *
 *	while ((event = json_reader_next(&reader, &err)) > JSON_EVENT_END)
 *		...
 *	json_reader_free(&reader);
 *	return event == JSON_EVENT_END ? 0 : -1;
 *
 * Memory: a byte for each open container, and the longest string with an escape, each in a buffer that doubles; so at
 * most about three times the text, whose size is limited where it comes over a socket.
 */
#ifndef CDRD_BASE_JSON_READER_H
#define CDRD_BASE_JSON_READER_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

enum json_event {
	JSON_EVENT_FAULT = -1, /* the reader must not be used further; *err says why */
	JSON_EVENT_END,        /* one whole value was read, followed by nothing but white space */
	JSON_EVENT_OBJECT,     /* begins */
	JSON_EVENT_OBJECT_END,
	JSON_EVENT_ARRAY,
	JSON_EVENT_ARRAY_END,
	JSON_EVENT_NAME,   /* of a member, whose value comes next; reader->text holds it */
	JSON_EVENT_STRING, /* reader->text holds it */
	JSON_EVENT_NUMBER, /* reader->text holds it as it was written */
	JSON_EVENT_TRUE,
	JSON_EVENT_FALSE,
	JSON_EVENT_NULL,
};

struct json_reader {
	struct str text; /* of the event, unescaped; valid until the next event */
	size_t depth;    /* containers that are open */
	bool takes_nan;  /* nan and inf, in any case and with a sign, are null: programs write them by mistake */

	/* Private. */
	struct str all;
	size_t at;
	int wanted;
	struct buf open; /* '{' or '[' of each open container, the innermost last */
	struct buf unescaped;
};

/* The text must outlive the reader. */
static inline struct json_reader json_reader_of(struct str text)
{
	return (struct json_reader){ .all = text };
}

/* Begins to read another text, with the memory that the reader has. */
void json_reader_restart(struct json_reader *reader, struct str text);

/* ERROR_INVALID names the byte at fault, counted from 1, and what was expected there; ERROR_NOMEM is possible, too. */
MUST_CHECK enum json_event json_reader_next(struct json_reader *reader, struct error *err);

void json_reader_free(struct json_reader *reader);

#endif
