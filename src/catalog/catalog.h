/* SPDX-License-Identifier: ISC */
/*
 * catalog.h: the products and their columns, as one constant table.
 *
 * products.json in this folder is the only source: tools/gen_catalog.py turns it into catalog_table.c at build time.
 * Adding a product or a column is a change to that file alone; whatever varies by product walks this table. A
 * product's `number` and a column's index are stored on disk: the data file may append, never renumber or reorder.
 */
#ifndef CDRD_CATALOG_CATALOG_H
#define CDRD_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define CATALOG_COLUMNS_MAX 64 /* columns of one product; the generator checks it */
#define CATALOG_NONE 0xff      /* "no such column" */
#define CATALOG_LISTED_MAX 32  /* rows of catalog_listed; the generator checks it */

/* What a column holds. Sample records, checks of values and sums are made by kind; storage is always the text. */
enum catalog_kind {
	CATALOG_TEXT,
	CATALOG_TIME,     /* ISO 8601 */
	CATALOG_MONEY,    /* a decimal number */
	CATALOG_COUNT,    /* a decimal number, mostly whole: of seconds, bytes, events */
	CATALOG_CURRENCY, /* capital letters */
	CATALOG_NUMBER,   /* a telephone number or sender id */
	CATALOG_UUID,
	CATALOG_ENUM, /* few distinct values; `samples` lists some */
	CATALOG_BODY, /* a person's message */
	CATALOG_JSON, /* JSON text, an object in JSON answers */
};

/* When a column is shown. */
enum catalog_shown {
	CATALOG_ALWAYS,
	CATALOG_WITH_MESSAGE,      /* include_message=true */
	CATALOG_WITH_CONCATENATED, /* show_concatenated=true, and the direction is not inbound */
	CATALOG_NEVER,             /* kept for filters, or to compare versions by */
};

enum catalog_direction { CATALOG_NO_DIRECTION = 0, CATALOG_OUTBOUND = 1, CATALOG_INBOUND = 2 };

struct catalog_column {
	struct str name;
	enum catalog_kind kind;
	enum catalog_shown shown;
	bool inbound;               /* among the columns of inbound records */
	const char *const *samples; /* NULL terminated values for sample records, or NULL */
	struct str json_before;     /* before its value in a JSON object: ,"name":" or ,"name": if CATALOG_JSON */
};

struct catalog_filter {
	struct str name;           /* of the parameter */
	uint8_t column;            /* the column that must equal its value */
	bool required;             /* in a query by dates */
	bool nocase;               /* match without regard to case */
	const char *const *values; /* NULL terminated known values, or NULL for any */
};

/* A status that others follow. */
struct catalog_status {
	struct str name;
	uint8_t rank; /* from 1 on */
};

struct catalog_product {
	struct str name;
	uint8_t number;           /* on disk; 1 to 254 */
	bool own;                 /* written by the daemon alone (REPORTS-USAGE) */
	bool partition_direction; /* inbound and outbound are kept apart: a query always names one (SMS, MESSAGES) */
	bool has_message;         /* takes include_message */
	bool has_concatenated;    /* takes show_concatenated */
	uint8_t columns_count;
	const struct catalog_column *columns; /* in CSV order */
	uint8_t account_column;
	uint8_t time_column;
	uint8_t id_column;        /* what makes a record the same record */
	uint8_t id_from_column;   /* serves as the id where there is none; or CATALOG_NONE */
	uint8_t direction_column; /* or CATALOG_NONE */
	uint8_t status_column;    /* or CATALOG_NONE */
	uint8_t version_column;   /* kept to compare versions by, never shown; or CATALOG_NONE */
	uint8_t passing_count;
	const struct catalog_status *passing; /* every other status is final */
	uint64_t time_columns;                /* bit n for column n */
	uint64_t decimal_columns;             /* money and counts */
	uint64_t currency_columns;
	uint8_t lookup_count;
	const uint8_t *lookup; /* columns that the `id` parameter looks up */
	uint8_t filters_count;
	const struct catalog_filter *filters; /* `direction` among them where taken; not the include/show switches */
	uint8_t listed_first;                 /* of its rows in catalog_listed */
	uint8_t listed_count;
	uint8_t hash_shift; /* this and the two below: for catalog_column_find alone */
	uint32_t hash_multiplier;
	const uint8_t *hash_slots; /* indexes of columns by the hash of their names, CATALOG_NONE where there is none */
};

/* A deprecated product name that a `type` parameter resolves. */
struct catalog_alias {
	struct str name; /* CONVERSATIONS */
	struct str type; /* ip-voice */
	const struct catalog_product *product;
};

/* A filter whose column has known values, other than a direction: other values that ingest accepts are counted by
 * these. */
struct catalog_listed {
	const struct catalog_product *product;
	const struct catalog_filter *filter;
};

extern const struct catalog_listed catalog_listed[];
extern const size_t catalog_listed_count;
extern const struct catalog_product catalog_products[];
extern const size_t catalog_products_count;
extern const struct catalog_alias catalog_aliases[];
extern const size_t catalog_aliases_count;

/* Exact name, not an alias; NULL if unknown. */
const struct catalog_product *catalog_product_find(struct str name);

/* By the number on disk; NULL if unknown. */
const struct catalog_product *catalog_product_numbered(uint8_t number);

/* Is it the name of an alias, whatever its type? */
bool catalog_is_alias(struct str name);

/* The product that alias `name` with `type` stands for; NULL if there is none. */
const struct catalog_product *catalog_alias_find(struct str name, struct str type);

/* Index of a column, or CATALOG_NONE. Constant time (a perfect or small hash per product): the hot path of ingest. */
uint8_t catalog_column_find(const struct catalog_product *product, struct str name);

/* Does it have few distinct values, as a rule, so that summaries can be grouped by it? */
bool catalog_column_groups(const struct catalog_column *column);

/* NULL if the product does not take it. */
const struct catalog_filter *catalog_filter_find(const struct catalog_product *product, struct str name);

/* Is it one of the filter's known values? True for any where there is no list. */
bool catalog_filter_knows(const struct catalog_filter *filter, struct str value);

/* "outbound", "inbound"; CATALOG_NO_DIRECTION for any other text. Without regard to case. */
enum catalog_direction catalog_direction_parse(struct str text);

#define CATALOG_FINAL 0xff

/* The rank of a status that others follow, whatever its case; CATALOG_FINAL for any other, and 0 for an empty one. */
uint8_t catalog_status_rank(const struct catalog_product *product, struct str status);

/* Is a column part of an answer or a file of this direction with these switches? */
static inline bool catalog_column_shown(const struct catalog_column *column, enum catalog_direction direction,
                                        bool include_message, bool show_concatenated)
{
	if (direction == CATALOG_INBOUND && !column->inbound)
		return false;
	if (column->shown == CATALOG_WITH_MESSAGE)
		return include_message;
	if (column->shown == CATALOG_WITH_CONCATENATED)
		return show_concatenated && direction != CATALOG_INBOUND;
	return column->shown == CATALOG_ALWAYS;
}

#endif
