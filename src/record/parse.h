/*
 * parse.h: bodies of records, parsed as they arrive.
 *
 * A parser is fed a body in pieces of any size and calls back once for each record in it, good or not, in order.
 * Memory is bounded by parse_limits.line_max whatever the size of the body. A record that cannot be read costs only
 * itself where the format allows it (a line of NDJSON or CSV, an element of a msgpack sequence that is well formed but
 * no map of texts); a JSON array or msgpack sequence that is broken in the middle ends there, with an item that says
 * so.
 *
 * Formats: NDJSON (one object a line), a JSON array of objects, a msgpack sequence of maps (concatenated, or one array
 * of maps), CSV with a header line (RFC 4180, LF or CRLF). `product` is a pseudo-field in all of them; in CSV it may
 * be given once for the whole body instead.
 *
 * Numbers and booleans are taken as their text as it was sent (JSON) or as the shortest exact decimal (msgpack), null
 * as absent; a nested object or array is its JSON text for a CATALOG_JSON column and an error elsewhere.
 */
#ifndef CDRD_RECORD_PARSE_H
#define CDRD_RECORD_PARSE_H

#include "base/buf.h"
#include "base/error.h"
#include "record/record.h"

enum parse_format { PARSE_NDJSON, PARSE_JSON_ARRAY, PARSE_MSGPACK, PARSE_CSV };

struct parse_limits {
	size_t line_max_bytes;  /* one record as sent */
	size_t value_max_bytes; /* one value */
	int depth_max;          /* nesting of JSON and msgpack */
};

/*
 * One record of the body, or why there is none. Valid only during the callback. `raw` is the record as it was sent, cut
 * at line_max_bytes, when it was JSON. Of msgpack and CSV it is a JSON object when there is a fault (a line of CSV that
 * has no columns to tell it by: as it was sent), and empty when there is none: the record says it all.
 */
struct parse_item {
	uint64_t line;               /* 1-based line (NDJSON, CSV) or element (JSON array, msgpack) */
	const struct record *record; /* NULL when it could not be read */
	const char *field;           /* the field at fault, "" if none; NULL when there is no fault */
	const char *reason;          /* for the person; NULL when there is no fault */
	struct str raw;
};

typedef void (*parse_item_fn)(void *arg, const struct parse_item *item);

struct parser;

/* `product_name` is the product of records that name none (CSV of a report file), or NULL. NULL when out of memory. */
struct parser *parser_new(enum parse_format format, const struct parse_limits *limits, const char *product_name,
                          parse_item_fn on_item, void *arg);

/* Takes the next piece; calls on_item for each record completed by it. Returns 0, or -1 when nothing more can be read
 * from this body (broken framing, out of memory): the fault was reported as an item, further pieces are ignored. */
int parser_feed(struct parser *parser, const char *data, size_t len, struct error *err);

/* The body has ended: completes a last line without LF, reports a cut element. Same result as parser_feed. */
int parser_finish(struct parser *parser, struct error *err);

/* Does nothing on NULL. */
void parser_free(struct parser *parser);

/* Guesses the format of a JSON body from its first byte that is not white space: '[' is an array, all else lines. */
enum parse_format parse_format_of_json(struct str beginning);

#endif
