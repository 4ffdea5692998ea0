/* SPDX-License-Identifier: ISC */
/*
 * schema.h: the tables of a ClickHouse cluster that keep records, made from the catalog: one for each product, but those
 * that the daemon alone writes.
 *
 *	account      the account's key (account_key.h) as a big-endian number; direction 0, 1, 2 as enum catalog_direction
 *	day, time    of the record, in UTC; time in microseconds since 1970. Partitions are days, which retention drops
 *	id           a UUID in lower case, any other id as it is
 *	version      number of the change: of rows with one key, the one with the greatest stands. No two rows have the same
 *	dead         1: the record has left this place at that change, for another time or direction. No is_deleted of the
 *	             engine's: FINAL would hide such a row from who reads as of an earlier change
 *	first        number of the change that put the record at this place: what a snapshot is compared with
 *	past         of a record that has come back to this place: the numbers of the changes that put it there and took it
 *	             away before, in turn, so that a snapshot of then still has it there. [] of nearly all
 *	lookup_X     hash of column X, by which the parameter `id` finds records; 0: none
 *	f_X          column X as it is, which is a filter, a number, or what summaries are grouped by
 *	n_X          column X, which is summed, as a number; 0 where it has no value or one that is no number
 *	unpriced     1: a record of a product with prices that has none
 *	unreadable   1: one of the columns that are summed has a value that is no number
 *	line         what a report has of the record: its CSV line, with LF
 *	rest, body   such lines of the columns that are not in `line`: those of a message in `body`. "" where all are empty
 *
 * Pure.
 */
#ifndef CDRD_CLICKHOUSE_SCHEMA_H
#define CDRD_CLICKHOUSE_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "catalog/catalog.h"

/* What a server can do, by its version. */
struct schema_server {
	bool has_low_cardinality; /* and codecs: from 19.16 on */
	bool tells_failures;      /* in system.mutations, why one fails: from 19.16 on, if not before */
	bool has_parallel_quorum; /* inserts with a quorum wait for no other unless told to, and select_sequential_consistency
	                           * does nothing then: from 20.10 on */
	bool has_skip_index;     /* minmax of a column, without a setting that allows it: from 20.1 on */
	bool may_gather_inserts; /* of several requests, as async_insert says, the default from 26.2 on: from 21.11 on */
	bool has_deduplicate_insert; /* which goes before insert_deduplicate: from 26.2 on */
};

/* Reads the beginning of a version, such as 26.7.1.1; false if it is none. */
bool schema_server_parse(struct str version, struct schema_server *server);

/* Does a cluster have a table of the product? */
static inline bool schema_has(const struct catalog_product *product)
{
	return !product->own;
}

/* A database's name: 1 to 64 letters, digits and underscores, no digit first. */
bool schema_is_name(struct str name);

/* The name of a product's table: sms_traffic_control. */
void schema_write_table_name(struct buf *out, const struct catalog_product *product);

/* Statements without the semicolon after them. */
void schema_write_database(struct buf *out, const char *database);
void schema_write_table(struct buf *out, const struct catalog_product *product, const struct schema_server *server,
                        const char *database);

/* Columns that are filters, that summaries are grouped by, or of kind CATALOG_NUMBER: bit n for column n. */
uint64_t schema_value_columns(const struct catalog_product *product);

/* Columns that are summed: duration, total_price and price, in this order, as far as the product has them. Returns how
 * many there are. */
#define SCHEMA_AMOUNTS_MAX 3
size_t schema_amounts(const struct catalog_product *product, uint8_t columns[SCHEMA_AMOUNTS_MAX]);

/* The names of the table's columns, in order, with commas between. */
void schema_write_columns(struct buf *out, const struct catalog_product *product);

#endif
