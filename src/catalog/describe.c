/* SPDX-License-Identifier: ISC */
/*
 * describe.c: the catalog as JSON. See describe.h.
 */
#include "catalog/describe.h"

static const char *const kind_names[] = {
	[CATALOG_TEXT] = "text",         [CATALOG_TIME] = "time",     [CATALOG_MONEY] = "money",
	[CATALOG_COUNT] = "count",       [CATALOG_NUMBER] = "number", [CATALOG_UUID] = "uuid",
	[CATALOG_ENUM] = "enum",         [CATALOG_BODY] = "body",     [CATALOG_JSON] = "json",
	[CATALOG_CURRENCY] = "currency",
};

static const char *const shown_names[] = {
	[CATALOG_ALWAYS] = "always",
	[CATALOG_WITH_MESSAGE] = "with_message",
	[CATALOG_WITH_CONCATENATED] = "with_concatenated",
	[CATALOG_NEVER] = "never",
};

static void write_column_name(struct json *j, const struct catalog_product *product, uint8_t column)
{
	if (column == CATALOG_NONE)
		json_null(j);
	else
		json_str(j, product->columns[column].name);
}

/* Statuses that are not final, grouped by rank. */
static void write_passing(struct json *j, const struct catalog_product *product)
{
	json_key(j, "passing");
	json_array_begin(j);
	for (uint8_t i = 0; i < product->passing_count; i++) {
		const struct catalog_status *status = &product->passing[i];

		if (i == 0 || status->rank != status[-1].rank)
			json_array_begin(j);
		json_str(j, status->name);
		if (i + 1 == product->passing_count || status->rank != status[1].rank)
			json_array_end(j);
	}
	json_array_end(j);
}

static void write_lookup(struct json *j, const struct catalog_product *product)
{
	json_key(j, "lookup");
	json_array_begin(j);
	for (uint8_t i = 0; i < product->lookup_count; i++)
		write_column_name(j, product, product->lookup[i]);
	json_array_end(j);
}

/* Deprecated names, each with the type that makes it this product. */
static void write_aliases(struct json *j, const struct catalog_product *product)
{
	json_key(j, "aliases");
	json_array_begin(j);
	for (size_t i = 0; i < catalog_aliases_count; i++) {
		if (catalog_aliases[i].product != product)
			continue;
		json_object_begin(j);
		json_member_str(j, "product", catalog_aliases[i].name);
		json_member_str(j, "type", catalog_aliases[i].type);
		json_object_end(j);
	}
	json_array_end(j);
}

static void write_columns(struct json *j, const struct catalog_product *product)
{
	json_array_begin(j);
	for (uint8_t i = 0; i < product->columns_count; i++) {
		const struct catalog_column *column = &product->columns[i];

		json_object_begin(j);
		json_member_str(j, "name", column->name);
		json_member_text(j, "kind", kind_names[column->kind]);
		json_member_text(j, "shown", shown_names[column->shown]);
		json_member_bool(j, "inbound", column->inbound);
		json_member_bool(j, "groups", catalog_column_groups(column));
		json_object_end(j);
	}
	json_array_end(j);
}

static void write_filters(struct json *j, const struct catalog_product *product)
{
	json_array_begin(j);
	for (uint8_t i = 0; i < product->filters_count; i++) {
		const struct catalog_filter *filter = &product->filters[i];

		json_object_begin(j);
		json_member_str(j, "name", filter->name);
		json_key(j, "column");
		write_column_name(j, product, filter->column);
		json_member_text(j, "kind", kind_names[product->columns[filter->column].kind]);
		json_member_bool(j, "required", filter->required);
		json_member_bool(j, "nocase", filter->nocase);
		json_key(j, "values");
		json_array_begin(j);
		for (size_t v = 0; filter->values && filter->values[v]; v++)
			json_text(j, filter->values[v]);
		json_array_end(j);
		json_object_end(j);
	}
	json_array_end(j);
}

void catalog_write_product(struct json *j, const struct catalog_product *product)
{
	json_object_begin(j);
	json_member_str(j, "name", product->name);
	json_member_bool(j, "own", product->own);
	json_member_bool(j, "partition_direction", product->partition_direction);
	json_member_bool(j, "has_message", product->has_message);
	json_member_bool(j, "has_concatenated", product->has_concatenated);
	json_key(j, "account");
	write_column_name(j, product, product->account_column);
	json_key(j, "time");
	write_column_name(j, product, product->time_column);
	json_key(j, "id");
	write_column_name(j, product, product->id_column);
	json_key(j, "id_from");
	write_column_name(j, product, product->id_from_column);
	json_key(j, "direction");
	write_column_name(j, product, product->direction_column);
	write_lookup(j, product);
	write_passing(j, product);
	write_aliases(j, product);
	json_key(j, "columns");
	write_columns(j, product);
	json_key(j, "filters");
	write_filters(j, product);
	json_object_end(j);
}

void catalog_write_products(struct json *j)
{
	json_array_begin(j);
	for (size_t i = 0; i < catalog_products_count; i++) {
		const struct catalog_product *product = &catalog_products[i];

		json_object_begin(j);
		json_member_str(j, "name", product->name);
		json_key(j, "time");
		write_column_name(j, product, product->time_column);
		write_lookup(j, product);
		json_member_uint(j, "columns", product->columns_count);
		json_member_uint(j, "filters", product->filters_count);
		json_object_end(j);
	}
	json_array_end(j);
}
