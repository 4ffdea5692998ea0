/* SPDX-License-Identifier: ISC */
/*
 * parse.h: bodies of records, parsed as they arrive.
 *
 * A parser is fed a body in pieces of any size and calls back once for each record in it, good or not, in order.
 * Memory is bounded by a small multiple of parse_limits.line_max whatever the size of the body.
 *
 * A record that cannot be read costs only itself: the reader finds the next one. Not part of any item are the bytes
 * between records (white space, commas, brackets, the header line) and everything after the point where a body becomes
 * unreadable: a byte that msgpack does not have, text after a JSON array, a header line that does not fit. parser_feed
 * and parser_finish then return -1, and parser_position says where that was.
 *
 * Formats: NDJSON (one object a line), a JSON array of objects, a msgpack sequence of maps (concatenated, or one array
 * of maps), CSV with a header line (RFC 4180). Lines end with LF, CR LF or, if the first one does so, CR. Text may
 * begin with the byte order mark of UTF-8. `product` is a pseudo-field in all formats; it may be given once for the
 * whole body instead.
 *
 * Numbers and booleans are taken as their text as it was sent (JSON) or as the shortest exact decimal (msgpack), null
 * as absent; a nested object or array is its JSON text for a CATALOG_JSON column and an error elsewhere.
 */
#ifndef CDRD_RECORD_PARSE_H
#define CDRD_RECORD_PARSE_H

#include "base/buf.h"
#include "base/error.h"
#include "record/record.h"

enum parse_format {
	PARSE_NDJSON,
	PARSE_JSON_ARRAY,
	PARSE_MSGPACK,
	PARSE_CSV,
	PARSE_JSON,   /* an array or lines, by the first byte; of items only a body that could not be read */
	PARSE_MAPPED, /* rows of a mapping (mapping/mapping.h), which has its own reader */
};

struct parse_limits {
	size_t line_max_bytes;  /* one record as sent */
	size_t value_max_bytes; /* one value */
	int depth_max;          /* nesting of JSON and msgpack */
};

#define PARSE_FAULTS_MAX 16 /* of one record; further ones are not reported */

struct parse_fault {
	const char *field;  /* "" when it is none of a field */
	const char *reason; /* for the person */
};

/*
 * One record of the body and what is wrong with it. Valid only during the callback.
 *
 * A record with faults is not to be stored. Where its product is known `record` is set all the same, without the
 * values at fault, so that a caller can look for further faults in the rest.
 *
 * `raw` is the record's bytes as they were sent, in every format: a line without its end, an element of an array
 * without the white space around it, a msgpack value. With `format` and `header` it can be read again
 * (parse_write_body). Of a record longer than line_max_bytes it is the beginning.
 */
struct parse_item {
	uint64_t line;                    /* 1-based line (NDJSON, CSV) or element (JSON array, msgpack) */
	const struct record *record;      /* NULL when it could not be read */
	const struct parse_fault *faults; /* at least one when `record` is NULL */
	size_t faults_count;
	uint64_t columns_at_fault; /* of record->product, by bit */
	struct str raw;
	uint64_t size; /* of the record as it was sent */
	bool raw_cut;  /* that is more than `raw` holds */
	enum parse_format format;
	struct str header; /* CSV: the header line as it was sent, without a byte order mark; else empty */
	bool updates;      /* a mapped row: changes a stored record, and is none of its own */
};

typedef void (*parse_item_fn)(void *arg, const struct parse_item *item);

struct parser;

/* `product_name` is the product of records that name none (CSV of a report file), or NULL. NULL when out of memory. */
struct parser *parser_new(enum parse_format format, const struct parse_limits *limits, const char *product_name,
                          parse_item_fn on_item, void *arg);

/* Takes the next piece; calls on_item for each record completed by it. Returns 0, or -1 when nothing more can be read
 * from this body, and further pieces are ignored: ERROR_INVALID says what is wrong with it, or ERROR_NOMEM. */
MUST_CHECK int parser_feed(struct parser *parser, const char *data, size_t len, struct error *err);

/* The body has ended: completes a last line without LF, reports a cut element. Same result as parser_feed. Not for a
 * body that was cut short: what there is of its last line may look whole. */
MUST_CHECK int parser_finish(struct parser *parser, struct error *err);

/* Where reading has ended or got to: the record that was not taken whole, or the next one. */
struct parse_position {
	uint64_t line;    /* as parse_item.line */
	uint64_t byte;    /* of the body, from 0, where that record begins */
	const char *unit; /* of `line`: "line" or "element" */
};
void parser_position(const struct parser *parser, struct parse_position *position);

/* Does nothing on NULL. */
void parser_free(struct parser *parser);

/*
 * Appends a body that holds the one record which was sent as `raw`: a parser of the same format (and product) reads it
 * as it was read then, but for its line number.
 */
void parse_write_body(struct buf *out, enum parse_format format, struct str header, struct str raw);

/*
 * Appends `raw` as JSON, for a person to read and to mend: JSON as it was sent, msgpack as far as JSON can say it, a
 * line of CSV as an object of its values that are not empty (with `product_name`, or NULL, if it names no product).
 * False, with nothing appended, for a line of CSV that does not fit its header, and for a mapping's row.
 */
bool parse_write_json(struct buf *out, enum parse_format format, struct str header, struct str raw,
                      const char *product_name);

#endif
