/* SPDX-License-Identifier: ISC */
/*
 * schema.c: see schema.h.
 */
#include "clickhouse/schema.h"

#include <ctype.h>
#include <string.h>

#define NAME_MAX_LEN 64

/* Rows of an index step: a page or an id reads little more than it shows. */
#define GRANULE_ROWS 1024

/* As struct decimal. */
#define AMOUNT_TYPE "Decimal(38, 12)"

static const struct fixed_column {
	const char *name, *type;
} keys[] = {
	{ "account", "UInt64" }, { "direction", "UInt8" }, { "day", "Date" },   { "time", "Int64" },
	{ "id", "String" },      { "version", "UInt64" },  { "dead", "UInt8" }, { "first", "UInt64" },
	{ "past", "Array(UInt64)" },
}, faults[] = {
	{ "unpriced", "UInt8" },
	{ "unreadable", "UInt8" },
}, texts[] = {
	{ "line", "String" },
	{ "rest", "String" },
	{ "body", "String" },
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static bool take_number(struct str *text, unsigned *number)
{
	size_t len = 0;

	*number = 0;
	while (len < text->len && len < 5 && isdigit((unsigned char)text->p[len]))
		*number = *number * 10 + (unsigned)(text->p[len++] - '0');
	*text = (struct str){ text->p + len, text->len - len };
	return len > 0;
}

bool schema_server_parse(struct str version, struct schema_server *server)
{
	unsigned year, release = 0;

	if (!take_number(&version, &year))
		return false;
	if (version.len > 0) {
		bool dotted = version.p[0] == '.';

		version = (struct str){ version.p + 1, version.len - 1 };
		if (!dotted || !take_number(&version, &release))
			return false;
	}
	unsigned at = year * 100 + release;

	*server = (struct schema_server){ .has_low_cardinality = at >= 1916,
		                          .tells_failures = at >= 1916,
		                          .has_parallel_quorum = at >= 2010,
		                          .has_skip_index = at >= 2001,
		                          .may_gather_inserts = at >= 2111,
		                          .has_deduplicate_insert = at >= 2602 };
	return true;
}

bool schema_is_name(struct str name)
{
	if (name.len == 0 || name.len > NAME_MAX_LEN || isdigit((unsigned char)name.p[0]))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.p[i]) && name.p[i] != '_')
			return false;
	return true;
}

void schema_write_table_name(struct buf *out, const struct catalog_product *product)
{
	for (size_t i = 0; i < product->name.len; i++) {
		char c = product->name.p[i];

		buf_add_char(out, c == '-' ? '_' : (char)tolower((unsigned char)c));
	}
}

uint64_t schema_value_columns(const struct catalog_product *product)
{
	uint64_t columns = 0;

	for (uint8_t i = 0; i < product->filters_count; i++)
		columns |= UINT64_C(1) << product->filters[i].column;
	for (uint8_t i = 0; i < product->columns_count; i++)
		if (catalog_column_groups(&product->columns[i]) || product->columns[i].kind == CATALOG_NUMBER)
			columns |= UINT64_C(1) << i;
	return columns;
}

size_t schema_amounts(const struct catalog_product *product, uint8_t columns[SCHEMA_AMOUNTS_MAX])
{
	static const char *const names[SCHEMA_AMOUNTS_MAX] = { "duration", "total_price", "price" };
	size_t count = 0;

	for (size_t i = 0; i < SCHEMA_AMOUNTS_MAX; i++) {
		uint8_t column = catalog_column_find(product, str_from(names[i]));

		if (column != CATALOG_NONE)
			columns[count++] = column;
	}
	return count;
}

/* Calls fn(arg, prefix, name, type) for every column in order. */
typedef void (*column_fn)(void *arg, const char *prefix, struct str name, const char *type, bool has_few_values);

static void each_column(const struct catalog_product *product, column_fn fn, void *arg)
{
	uint64_t values = schema_value_columns(product);
	uint8_t amounts[SCHEMA_AMOUNTS_MAX];
	size_t amounts_count = schema_amounts(product, amounts);

	for (size_t i = 0; i < COUNT(keys); i++)
		fn(arg, "", str_from(keys[i].name), keys[i].type, false);
	for (uint8_t i = 0; i < product->lookup_count; i++)
		fn(arg, "lookup_", product->columns[product->lookup[i]].name, "UInt64", false);
	for (uint8_t i = 0; i < product->columns_count; i++)
		if (values >> i & 1)
			fn(arg, "f_", product->columns[i].name, "String", catalog_column_groups(&product->columns[i]));
	for (size_t i = 0; i < amounts_count; i++)
		fn(arg, "n_", product->columns[amounts[i]].name, AMOUNT_TYPE, false);
	for (size_t i = 0; i < COUNT(faults); i++)
		fn(arg, "", str_from(faults[i].name), faults[i].type, false);
	for (size_t i = 0; i < COUNT(texts); i++)
		fn(arg, "", str_from(texts[i].name), texts[i].type, false);
}

struct writing {
	struct buf *out;
	const struct schema_server *server; /* NULL: names alone */
	size_t count;
};

static void write_column(void *arg, const char *prefix, struct str name, const char *type, bool has_few_values)
{
	struct writing *writing = arg;
	struct buf *out = writing->out;
	bool is_low = writing->server && writing->server->has_low_cardinality;

	if (writing->count++ > 0)
		buf_add_char(out, ',');
	if (writing->server)
		buf_add_text(out, "\n\t");
	buf_add_text(out, prefix);
	buf_add_str(out, name);
	if (!writing->server)
		return;
	buf_add_char(out, ' ');
	buf_add_text(out, has_few_values && is_low ? "LowCardinality(String)" : type);
	if (is_low && !prefix[0] && str_is(name, "line"))
		buf_add_text(out, " CODEC(ZSTD(1))");
}

void schema_write_columns(struct buf *out, const struct catalog_product *product)
{
	struct writing writing = { .out = out };

	each_column(product, write_column, &writing);
}

void schema_write_database(struct buf *out, const char *database)
{
	buf_addf(out, "CREATE DATABASE IF NOT EXISTS %s", database);
}

void schema_write_table(struct buf *out, const struct catalog_product *product, const struct schema_server *server,
                        const char *database)
{
	struct writing writing = { .out = out, .server = server };

	buf_addf(out, "CREATE TABLE IF NOT EXISTS %s.", database);
	schema_write_table_name(out, product);
	buf_add_text(out, "\n(");
	each_column(product, write_column, &writing);
	/* Changes are read by versions, of which old rows have small ones. */
	if (server->has_skip_index)
		buf_add_text(out, ",\n\tINDEX versions version TYPE minmax GRANULARITY 1");
	buf_addf(out, "\n)\nENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/%s/", database);
	schema_write_table_name(out, product);
	buf_addf(out,
	         "', '{replica}', version)\nPARTITION BY day\nORDER BY (account, direction, day, time, id)\n"
	         "SETTINGS index_granularity = %d",
	         GRANULE_ROWS);
}
