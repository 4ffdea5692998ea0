/* SPDX-License-Identifier: ISC */
/*
 * parse_private.h: what the parsers share; private to record/.
 *
 * parse.c drives a format through its row of functions, `struct parse_format_ops`. Each format has one reader. A record
 * that lies whole in the current piece, and of which the reader sees that it does, is taken straight from it
 * (`direct`). Of any other the end is found first (`scan`, which resumes from piece to piece, while the driver carries
 * the bytes over), and then all of it is read at once (`record`). A record may turn out to have ended before the point
 * that `scan` has come to: then `scan` says how many of its bytes are its own, and what follows them is read again.
 */
#ifndef CDRD_RECORD_PARSE_PRIVATE_H
#define CDRD_RECORD_PARSE_PRIVATE_H

#include "base/json.h"
#include "record/parse.h"
#include "record/parse_scan.h"

#define PARSE_REASON_MAX 256
#define PARSE_SHOWN_MAX 64 /* bytes of a name or value in a reason */

/* Printf arguments for "%.*s" of a text that may be long. */
#define PARSE_SHOWN(s) (int)((s).len < PARSE_SHOWN_MAX ? (s).len : PARSE_SHOWN_MAX), ((s).p ? (s).p : "")

/* --- the format's functions and what they keep from piece to piece --- */

struct parse_format_ops {
	/* Skips what stands between records: where the next begins, or `end`. May end the body (parse_break). */
	const char *(*between)(struct parser *parser, const char *p, const char *end);
	/* Reads and delivers one record at p, or what is wrong with its fields: after it. NULL, with nothing delivered,
	 * if it is not plain where it ends. */
	const char *(*direct)(struct parser *parser, const char *p, const char *end);
	/* Scans to the end of the record: returns `end`, or the record's end with *whole set, and parser->keep if it
	 * ended before. What is to be read again it puts into parser->again, or sets parser->reread for all of it. */
	const char *(*scan)(struct parser *parser, const char *p, const char *end, bool *whole);
	/* Reads and delivers a whole record, or what is wrong with it. */
	void (*record)(struct parser *parser, struct str text);
	/* The body ended, inside a record (`text` is what there is of it) or between records (p NULL). As `scan`, it
	 * may find that the record has ended before. */
	void (*finish)(struct parser *parser, struct str text);
};

extern const struct parse_format_ops parse_ndjson_ops, parse_json_ops, parse_json_array_ops, parse_msgpack_ops,
	parse_csv_ops;

struct ndjson_scan {
	bool cr; /* the last byte; it ends the line, as soon as the next is known */
};

struct json_scan {
	uint64_t arrays; /* of the outermost brackets that are open, by bit: those of arrays */
	size_t depth;
	size_t solid;        /* bytes up to the last that is no white space outside of strings */
	size_t before_comma; /* `solid` at the last comma outside of strings, ... */
	size_t before_stray; /* and at the last ] that closes nothing */
	size_t object_end;   /* after the } that `tail` begins with */
	int tail;            /* enum json_tail */
	char last;           /* byte outside of strings that was no white space */
	bool in_string, escaped;
	bool in_atom;  /* a number or word, not in brackets */
	bool complete; /* a whole value, if nothing but its end follows */
	bool junk;     /* no value any more */
};

struct msgpack_scan {
	uint64_t open;         /* values still to come after the current one */
	uint64_t skip;         /* bytes of payload still to come */
	uint64_t length;       /* what there is of a length, ... */
	unsigned length_bytes; /* of which these are still to come */
	int type;              /* of the value with that length */
	bool invalid;          /* a byte was met that msgpack does not have */
};

struct csv_scan {
	int state;
	uint64_t line_ends; /* in quoted values */
	size_t cells;       /* before the current one */
	size_t value_begin; /* of a quoted one */
	size_t first_end;   /* of a line, within a quoted value; 0: none yet */
	int inner_state;    /* of the line within the quoted value, read as a row of its own, ... */
	size_t inner_cells; /* and its cells */
	bool row_within;    /* a line was as wide as the header */
	bool cr;            /* the last byte, and how lines end is not known yet */
};

/* All zero at the beginning of a record. */
union parse_scan {
	struct ndjson_scan ndjson;
	struct json_scan json;
	struct msgpack_scan msgpack;
	struct csv_scan csv;
};

struct parse_csv; /* the header; see parse_csv.h */

#define PARSE_BEGINNING_MAX 3 /* bytes that tell of a byte order mark */

/*
 * Producers send a record's fields in the same order every time, so the readers guess that a field is the one which
 * followed its predecessor in the last record. A place is a column, or one of these two.
 */
#define PLACE_PRODUCT CATALOG_COLUMNS_MAX     /* the field `product` */
#define PLACE_BEGIN (CATALOG_COLUMNS_MAX + 1) /* before the first field */
#define PLACES (CATALOG_COLUMNS_MAX + 2)

struct parser {
	const struct parse_format_ops *ops;
	enum parse_format format;
	struct parse_limits limits;
	parse_item_fn on_item;
	void *arg;
	char *product_name;                            /* of records that name none, or NULL */
	const struct catalog_product *product_default; /* found by it */
	struct error end;                              /* why nothing more is read; code ERROR_NONE while all is well */

	/* The current piece, and where in the body it begins. */
	const char *piece;
	uint64_t piece_at;
	uint64_t fed;                        /* bytes of the pieces before */
	uint64_t begun_at;                   /* where the current record begins */
	uint64_t end_at;                     /* where reading has ended; NOWHERE as long as that is not known */
	char beginning[PARSE_BEGINNING_MAX]; /* of the body, until they are all there */
	size_t beginning_len;
	bool opened; /* they have been looked at */

	uint64_t line; /* of the current record; parse_item.line */
	bool begun;    /* a record has begun and its end was not in the piece */
	size_t size;   /* bytes of it seen so far */
	size_t keep;   /* of which these are its own, when it is whole; SIZE_MAX: all */
	bool reread;   /* the others are to be read again */
	union parse_scan scan;
	struct buf carry; /* its bytes, at most line_max_bytes + 1 */
	struct buf tail;  /* a JSON string's end, which may be the next element's beginning */
	struct buf again; /* bytes that are to be read before the next piece */

	int state;              /* between records; the format's own */
	char line_end;          /* LF, CR, or NUL as long as there was none */
	uint64_t elements_left; /* of a msgpack array */
	struct parse_csv *csv;
	struct str header; /* parse_item.header, in `csv` */

	struct record record;
	struct buf arena;                      /* values that do not stand in the body as they are */
	struct buf nested;                     /* JSON text of a msgpack value */
	const struct catalog_product *assumed; /* the last record's product, the guess for the next */
	uint8_t follows[PLACES];               /* the place that followed each place the last time */

	/* What is wrong with the current record. */
	struct parse_fault faults[PARSE_FAULTS_MAX];
	size_t faults_count;
	uint64_t columns_at_fault;
	bool partial; /* `record` has what could be read of it */
	struct {
		char field[PARSE_SHOWN_MAX + 1];
		char reason[PARSE_REASON_MAX];
	} told[PARSE_FAULTS_MAX];
};

/* --- parse.c: items --- */

/* Notes a fault of the record. Always false, so that a reader can return it. */
bool parse_fault(struct parser *parser, struct str field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Drops the faults noted. */
void parse_faults_clear(struct parser *parser);

/* Calls back with parser->record if there are no faults, with them otherwise. */
void parse_deliver_read(struct parser *parser, struct str raw);

/* Ends the body: nothing more can be read from it. Nothing if it has ended already. */
void parse_stop(struct parser *parser, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Calls back with the faults noted, the first of which ends the body. */
void parse_break(struct parser *parser, struct str raw);

/* Ends the body: out of memory. */
void parse_no_memory(struct parser *parser);

/* The current record is whole, or as much of it as is kept: reads and delivers it, or says that it is too long. */
void parse_complete(struct parser *parser, struct str text);

/* Is the current record longer than allowed? */
static inline bool parse_is_too_long(const struct parser *parser)
{
	return parser->size > parser->limits.line_max_bytes;
}

/* --- parse_fields.c: from names and values to a record --- */

enum parse_kind { PARSE_TEXT, PARSE_ABSENT, PARSE_OBJECT, PARSE_ARRAY, PARSE_BINARY, PARSE_NOT_FINITE };

struct parse_field {
	struct str name;  /* just of one that has no place */
	struct str value; /* of an object or array its JSON text, where the column takes that; absent: NULL */
	enum parse_kind kind;
	uint8_t place; /* CATALOG_NONE: the product assumed has no such column */
};

/* Is it UTF-8 without NUL? */
static inline bool parse_is_text(struct str value)
{
	return !memchr(value.p, '\0', value.len) && json_is_utf8(value);
}

/* The same where most are ASCII, and quicker to find so. */
static inline bool parse_is_likely_text(struct str value)
{
	return scan_is_plain(value.p, value.len) || parse_is_text(value);
}

/* The name of a place of the product, which may be NULL; len 0 if there is none. */
static inline struct str parse_place_name(const struct catalog_product *product, uint8_t place)
{
	if (product && place < product->columns_count)
		return product->columns[place].name;
	return place == PLACE_PRODUCT ? STR_LITERAL("product") : (struct str){ NULL, 0 };
}

/* Finds the place of a name and remembers that it follows `previous`; CATALOG_NONE if there is none. */
uint8_t parse_place_find(struct parser *parser, const struct catalog_product *product, uint8_t previous,
                         struct str name);

/*
 * A record that is being read. Its product is assumed until it is named. When the name comes after other fields and is
 * another one, all is read again with that one assumed: the functions that return bool then say false.
 */
struct parse_attempt {
	const struct catalog_product *product; /* NULL: none was named in the body yet */
	uint64_t seen;                         /* columns, by bit */
	uint8_t place;                         /* of the last field */
	bool named;                            /* the field `product` was there */
	bool passed;                           /* so was one without a place */
	bool lost;                             /* the fault is known: those of other fields are not reported */
};

/* Clears parser->record for the product assumed, and the faults. */
void parse_attempt_begin(struct parser *parser, struct parse_attempt *attempt);

/* The record names its product, as `name` (no value: absent). */
bool parse_attempt_product(struct parser *parser, struct parse_attempt *attempt, enum parse_kind kind, struct str name);

/* Takes a field: its value into its place, or a fault. */
bool parse_attempt_field(struct parser *parser, struct parse_attempt *attempt, const struct parse_field *field);

/* All fields are there. */
bool parse_attempt_end(struct parser *parser, struct parse_attempt *attempt);

/* As parse_attempt_field, of a text. One that is plainly right, as nearly all are, never leaves the registers. */
static inline __attribute__((always_inline)) bool parse_attempt_text(struct parser *parser,
                                                                     struct parse_attempt *attempt, uint8_t place,
                                                                     struct str name, struct str value, bool plain)
{
	if (!plain || place >= CATALOG_COLUMNS_MAX || attempt->seen >> place & 1 ||
	    value.len > parser->limits.value_max_bytes || attempt->product->columns[place].kind == CATALOG_JSON) {
		struct parse_field field = { name, value, PARSE_TEXT, place };

		return parse_attempt_field(parser, attempt, &field);
	}
	attempt->seen |= UINT64_C(1) << place;
	attempt->place = place;
	parser->record.values[place] = value;
	return true;
}

/* --- lines --- */

/* Does a line end with this byte, outside of quotes? */
static inline bool parse_is_line_end(const struct parser *parser, char c)
{
	return c == '\n' || (c == '\r' && parser->line_end == '\r');
}

/* Between records: counts a line that ends, and notes how lines end. */
static inline void parse_pass_line_end(struct parser *parser, char c)
{
	parser->line += parse_is_line_end(parser, c);
	if (c == '\n' && !parser->line_end)
		parser->line_end = '\n';
}

/*
 * The byte at p, at offset `at` of the record, as long as it is not known how the lines of the body end: does the line
 * end here? Then that is known, and in parser->line_end. *cr is the scan's.
 */
bool parse_first_line_end(struct parser *parser, bool *cr, const char *p, const char *end, size_t at);

/* --- parse_csv.c --- */

/* As parse_write_json. */
bool parse_csv_write_json(struct buf *out, struct str header, struct str line, const char *product_name);

/* --- JSON: parse_json.c --- */

/* White space of JSON, line ends included. */
static inline bool parse_json_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static inline const char *parse_json_skip_space(const char *p, const char *end)
{
	while (p < end && parse_json_is_space(*p))
		p++;
	return p;
}

/* Without the white space at its end. */
struct str parse_json_trimmed(struct str text);

/* Reads and delivers a record, or its faults. */
void parse_json_record(struct parser *parser, struct str text);

/* Reads the object at p into parser->record, or notes what is wrong with its fields: after it, or NULL if it is not
 * JSON, too deep or cut. White space may hold line ends if `lines`. */
const char *parse_json_object(struct parser *parser, const char *p, const char *end, bool lines);

#endif
