/* SPDX-License-Identifier: ISC */
/*
 * record.h: one call detail record in memory.
 *
 * A record is its product and a value for each of the product's columns, as borrowed strings: the codecs below and
 * the store fill it with pointers into their own buffers. Values are the strings that were sent; an absent value has
 * p NULL. Nothing here allocates.
 */
#ifndef CDRD_RECORD_RECORD_H
#define CDRD_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/account_key.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "catalog/catalog.h"

struct record {
	const struct catalog_product *product;
	uint64_t account_number; /* of the account's key; 0 where the key is the id, or nobody has asked for it */
	struct str values[CATALOG_COLUMNS_MAX]; /* the first product->columns_count count */
};

/* The key of the account, which the record must have. */
static inline struct account_key record_account_key(const struct record *record)
{
	return account_key_of(record->values[record->product->account_column], record->account_number);
}

/* For a record that was read: its account is the one with this key. */
static inline void record_set_account_key(struct record *record, const struct account_key *key)
{
	record->account_number = account_key_number(key);
}

/* Which columns of a record an answer or a file shows. */
struct record_view {
	enum catalog_direction direction; /* CATALOG_INBOUND leaves out what inbound records do not have */
	bool include_message;
	bool show_concatenated;
};

/* The columns that a view shows, bit n for column n. */
static inline uint64_t record_view_columns(const struct catalog_product *product, const struct record_view *view)
{
	uint64_t columns = 0;

	for (uint8_t i = 0; i < product->columns_count; i++)
		if (catalog_column_shown(&product->columns[i], view->direction, view->include_message,
		                         view->show_concatenated))
			columns |= UINT64_C(1) << i;
	return columns;
}

/* Absent values everywhere. */
void record_clear(struct record *record, const struct catalog_product *product);

static inline struct str record_value(const struct record *record, uint8_t column)
{
	return column == CATALOG_NONE ? (struct str){ NULL, 0 } : record->values[column];
}

/* The direction a record is kept under: CATALOG_NO_DIRECTION unless the product keeps directions apart. */
enum catalog_direction record_partition(const struct record *record);

/* Same product and same values; an absent value and an empty one are the same. */
bool record_equal(const struct record *a, const struct record *b);

/*
 * The stored row: a msgpack array [changed_seq, value...] in column order, str or nil, absent values at the end left
 * out. Columns appended to a product later read as absent from older rows.
 */
void record_pack(struct buf *out, const struct record *record, uint64_t changed_seq);

/* Fills `record` with pointers into `row`. ERROR_CORRUPT if the row is not one. `product` comes from the row's key. */
MUST_CHECK int record_unpack(struct record *record, const struct catalog_product *product, struct str row,
                             uint64_t *changed_seq, struct error *err);

/* The changed_seq of a row alone; false if it is not one. */
bool record_changed_seq(struct str row, uint64_t *changed_seq);

/* A JSON object with the view's columns in order; absent values are "", CATALOG_JSON columns raw (absent: {}). */
void record_write_json(struct buf *out, const struct record *record, const struct record_view *view);

/* The same, given the view's record_view_columns. */
void record_write_json_columns(struct buf *out, const struct record *record, uint64_t columns);

/* A JSON object with "product" and every value that is there, as ingest takes it. */
void record_write_raw_json(struct buf *out, const struct record *record);

/* The CSV header line and a CSV line: every value quoted, a quote doubled, LF at the end. True when none was
 * doubled. */
void record_write_csv_header(struct buf *out, const struct catalog_product *product, const struct record_view *view);
bool record_write_csv(struct buf *out, const struct record *record, const struct record_view *view);

/* One value as it stands in such a line. */
void record_write_csv_value(struct buf *out, struct str value);

#endif
