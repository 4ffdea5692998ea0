/* SPDX-License-Identifier: ISC */
/*
 * mapping_private.h: a compiled mapping; private to mapping/.
 *
 * A program is a list of steps. It works on one text, the *value*: a step loads it, changes it, or does something with
 * it. Steps that test go to another one if the test says so.
 *
 *	[skip]                           TEST, LOAD event, IS "noop", ELSE 5, SKIP
 *	when = {event} is "noop"
 *	[record]                         RECORD VOICE-CALL
 *	id = {uniqueid}-{sequence}       OPEN, LOAD uniqueid, APPEND, ADD "-", LOAD sequence, APPEND, CLOSE, SET id
 *	                                 DONE
 */
#ifndef CDRD_MAPPING_MAPPING_PRIVATE_H
#define CDRD_MAPPING_MAPPING_PRIVATE_H

#include "mapping/mapping.h"
#include "mapping/pool.h"
#include "mapping/tariff.h"
#include "mapping/lookup.h"
#include "mapping/times.h"

#define MAPPING_FIELDS_MAX 256 /* of a row that the mapping names */
#define MAPPING_NO_FIELD 0xffff
#define MAPPING_TABLES_MAX 64
#define MAPPING_TIMES_MAX 64
#define MAPPING_PATTERNS_MAX 16
#define MAPPING_STEPS_MAX 16384
#define MAPPING_DEPTH_MAX 8 /* of paths into JSON */

enum step_code {
	/* tests; `to`: where to go on */
	STEP_TEST,     /* none is true yet */
	STEP_IS,       /* the value is `text` */
	STEP_BEGINS,   /* it begins with `text` */
	STEP_IS_EMPTY, /* it is empty */
	STEP_ELSE,     /* goes to `to` unless one was true */
	STEP_UNLESS,   /* goes to `to` if one was true */
	STEP_SKIP,     /* the row is none of a record: the end */
	STEP_UNTAKEN,  /* no rule takes the row: the end */
	STEP_RECORD,   /* a record of `product` begins */
	STEP_DONE,     /* it is complete: the end */
	/* the value */
	STEP_LOAD,   /* a field */
	STEP_TEXT,   /* a constant */
	STEP_OPEN,   /* a value of parts begins */
	STEP_APPEND, /* the value is its next part */
	STEP_ADD,    /* a constant is */
	STEP_CLOSE,  /* it is complete, and empty if all parts but constants are */
	STEP_SET,    /* the value goes to a column */
	/* changes of it */
	STEP_OR,      /* if it is empty: another field */
	STEP_DEFAULT, /* if it is empty: a constant */
	STEP_BLANK,   /* empty if it is `text` */
	STEP_STRIP,   /* without `text` at its beginning */
	STEP_BEFORE,  /* what stands before `text`, or all of it */
	STEP_AFTER,   /* what stands after `text`, or nothing */
	STEP_PREPEND, /* `text` before it, unless it is empty */
	STEP_LOWER,
	STEP_UPPER,
	STEP_TRIM,
	STEP_URL,    /* percent-decoded */
	STEP_PYTHON, /* a literal of Python, b'...', as its text */
	STEP_TABLE,  /* what a table has for it */
	STEP_PREFIX, /* what it has for the longest key it begins with */
	STEP_TIME,   /* a time of a form */
	/* prices */
	STEP_NUMBER,
	STEP_AMOUNT,
	STEP_CLOCK, /* the value is what the price is asked for */
	STEP_RATE,  /* the price */
};

struct step {
	enum step_code code;
	uint16_t at; /* field, column, or index of a table or form */
	uint32_t to;
	union {
		struct str text;
		const struct catalog_product *product;
	};
	bool updates; /* STEP_RECORD: only what is stored already */
};

enum mapping_form { FORM_NONE, FORM_CSV, FORM_JSON, FORM_PAIRS, FORM_PATTERN };

/* A piece of a pattern: a text that must be there, or a field. */
struct pattern_piece {
	struct str text; /* of a field: the text that follows it; empty: all that is left */
	bool is_field;
	uint16_t field;  /* MAPPING_NO_FIELD: none that is used */
	uint16_t length; /* the field that has its length; MAPPING_NO_FIELD: it ends where `text` begins */
};

struct pattern {
	struct pattern_piece *pieces;
	size_t count;
};

/* A member of an object, or a place in an array, on the way to a field. */
struct path_node {
	struct str name;
	uint16_t field; /* that its value is, or MAPPING_NO_FIELD */
	struct path_node *children, *next;
};

struct mapping {
	unsigned references;
	struct pool pool;
	struct str name, about;

	/* the form of its rows */
	enum mapping_form form;
	bool header;    /* CSV: the first line names the columns */
	bool multiline; /* CSV: values may hold line ends */
	char delimiter;
	char quote;           /* or NUL */
	struct str start;     /* of pairs and JSON: a row is what follows this text in a line; empty: all of it */
	struct str separator; /* of pairs */
	struct str equals;
	struct pattern patterns[MAPPING_PATTERNS_MAX];
	size_t patterns_count;
	bool skips_unmatched;   /* rows that no pattern fits are none of records */
	struct path_node paths; /* of JSON: the children of the outermost object */

	/* fields */
	struct str fields[MAPPING_FIELDS_MAX];
	bool used[MAPPING_FIELDS_MAX];
	bool optional[MAPPING_FIELDS_MAX]; /* of CSV: may be missing */
	uint16_t fields_count;
	uint16_t named_count; /* CSV without a header: the first of them, by their places */

	/* how records are read */
	struct str time_zone, mode;

	struct step *steps;
	uint32_t steps_count;
	struct lookup tables[MAPPING_TABLES_MAX];
	size_t tables_count;
	struct time_form times[MAPPING_TIMES_MAX];
	size_t times_count;
};

/* --- split.c, split_json.c: a row into the values of its fields --- */

struct split {
	const struct mapping *mapping;
	struct str values[MAPPING_FIELDS_MAX];
	uint16_t places[MAPPING_FIELDS_MAX]; /* CSV: the field of each column */
	size_t places_count;
	size_t places_least; /* CSV: columns that must be there */
	struct buf *arena;   /* values that do not stand in the row as they are; it does not move */
	struct json_reader *json;
	char fault[256];
};

/* The field of a name, which is added if it is new; MAPPING_NO_FIELD if there is no room. */
uint16_t mapping_field(struct mapping *mapping, struct str name);

/* The field that a name has, or MAPPING_NO_FIELD. */
uint16_t mapping_find_field(const struct mapping *mapping, struct str name);

/* False with split->fault if the row does not have the form. */
bool split_csv(struct split *split, struct str row);
bool split_pairs(struct split *split, struct str row);
bool split_pattern(struct split *split, struct str row);
bool split_json(struct split *split, struct str row);

/* The header line: which column is which field. */
bool split_csv_header(struct split *split, struct str row);

/* --- evaluate.c: from the values to a record --- */

enum run_result { RUN_RECORD, RUN_SKIP, RUN_UNTAKEN };

struct run {
	const struct mapping *mapping;
	const struct parse_limits *limits;
	const struct str *values; /* of the fields */
	struct buf *arena;
	struct buf parts; /* of the value that is being put together */
	bool any_part;    /* that is no constant is not empty */
	bool check_text;  /* values may not be UTF-8, or hold a NUL */
	struct record record;
	bool updates;
	struct rate_call call;
	/* what is wrong with the record */
	struct parse_fault faults[PARSE_FAULTS_MAX];
	size_t faults_count;
	uint64_t columns_at_fault;
	char reasons[PARSE_FAULTS_MAX][256];
	char reason[256]; /* of the value, until it goes to its column; empty: none */
};

enum run_result mapping_run(struct run *run);

/* --- compile.c, compile_settings.c, expression.c --- */

struct compiler {
	struct mapping *mapping;
	struct mapfile source;
	struct step steps[MAPPING_STEPS_MAX];
	uint32_t steps_count;
	const struct catalog_product *product;                   /* of the section */
	const struct mapfile_line *line;                         /* that is compiled */
	struct mapfile_line whole;                               /* stands for all lines of a section */
	const struct mapfile_section *rates[MAPPING_TABLES_MAX]; /* of each table; NULL: no rates */
	bool in_rates;
};

/* The settings before the first section: those that apply after the sections (`late`), or all others, and whether they
 * fit each other. */
void compile_settings(struct compiler *compiler, bool late);
void compile_check_settings(struct compiler *compiler);

/* yes or no, the value of the current line. False with a fault. */
bool compile_bool(struct compiler *compiler, struct str value, bool *to);

/* Is the line's key there before it? */
bool compile_is_repeated(const struct mapfile_section *section, const struct mapfile_line *line);

/* A fault of the current line. Always false. */
bool compile_fault(struct compiler *compiler, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends a step; NULL, with a fault, if there are too many. */
struct step *compile_step(struct compiler *compiler, enum step_code code);

/* Appends what makes `text` the value: `{field | change ...}` and constants. False with a fault. */
bool compile_value(struct compiler *compiler, struct str text);

/* Appends the test that a `when` is; the step that goes on elsewhere if it fails has yet to be told where. */
bool compile_when(struct compiler *compiler, struct str text, uint32_t *jump);

#endif
