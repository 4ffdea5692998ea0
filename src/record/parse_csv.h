/* SPDX-License-Identifier: ISC */
/*
 * parse_csv.h: what the files of the CSV reader share; private to record/.
 */
#ifndef CDRD_RECORD_PARSE_CSV_H
#define CDRD_RECORD_PARSE_CSV_H

#include "record/parse_private.h"

#define CSV_COLUMNS_MAX 256

struct parse_csv {
	struct str names[CSV_COLUMNS_MAX]; /* in `header` */
	size_t names_count;
	size_t product_at;                    /* the name that is `product`; names_count if there is none */
	const struct catalog_product *placed; /* the product that `places` is for */
	uint8_t places[CSV_COLUMNS_MAX];
	struct str cells[CSV_COLUMNS_MAX]; /* of the current row */
	size_t cells_count;                /* also those for which there is no room */
	bool odd;                          /* there is a byte in them that is NUL or not ASCII */
	char header[];                     /* the line as it was sent, then the names */
};

/* --- parse_csv.c --- */

struct str parse_csv_without_cr(struct str line);

enum parse_csv_split { SPLIT_WHOLE, SPLIT_CUT, SPLIT_BROKEN };

/* Splits the row at *at into cells; it ends at a line's end, or at `end` if the text is all there is of it. *at is
 * then its end. */
enum parse_csv_split parse_csv_split(struct parser *parser, const char **at, const char *end, bool all);

/* Reads and delivers a row; parse_csv_direct is parse_format_ops.direct. */
void parse_csv_row(struct parser *parser, struct str text);
const char *parse_csv_direct(struct parser *parser, const char *p, const char *end);

/* --- parse_csv_header.c --- */

/* Takes the header line; ends the body if no row could be right with it. */
void parse_csv_header(struct parser *parser, struct str line);

/* Ends the body because the header line is longer than allowed. */
void parse_csv_header_too_long(struct parser *parser);

/* Takes one that was taken before, unchecked; false if it can't be split. */
bool parse_csv_header_again(struct parser *parser, struct str header);

#endif
