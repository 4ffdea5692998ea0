/* SPDX-License-Identifier: ISC */
/*
 * catalog.c: finding things in the table of products.
 *
 * Names of columns are hashed by their length and a few of their bytes, times a multiplier that tools/gen_catalog.py
 * chose for the product so that nearly every name has a slot of its own: one look and one comparison find it.
 */
#include "catalog/catalog.h"

bool catalog_column_groups(const struct catalog_column *column)
{
	static const char *const texts[] = { "account_id",   "account_ref",  "acc",
		                             "client_ref",   "country",      "country_code",
		                             "country_name", "locale",       "master_account_id",
		                             "network",      "network_name", "request_product",
		                             "status" };

	if (column->kind == CATALOG_ENUM || column->kind == CATALOG_CURRENCY)
		return true;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (str_is(column->name, texts[i]))
			return true;
	}
	return false;
}

const struct catalog_product *catalog_product_find(struct str name)
{
	for (size_t i = 0; i < catalog_products_count; i++)
		if (str_equal(catalog_products[i].name, name))
			return &catalog_products[i];
	return NULL;
}

const struct catalog_product *catalog_product_numbered(uint8_t number)
{
	for (size_t i = 0; i < catalog_products_count; i++)
		if (catalog_products[i].number == number)
			return &catalog_products[i];
	return NULL;
}

bool catalog_is_alias(struct str name)
{
	for (size_t i = 0; i < catalog_aliases_count; i++)
		if (str_equal(catalog_aliases[i].name, name))
			return true;
	return false;
}

const struct catalog_product *catalog_alias_find(struct str name, struct str type)
{
	for (size_t i = 0; i < catalog_aliases_count; i++)
		if (str_equal(catalog_aliases[i].name, name) && str_equal(catalog_aliases[i].type, type))
			return catalog_aliases[i].product;
	return NULL;
}

/* The same as hash_key of the generator. `name` is not empty. */
static uint32_t hash_key(struct str name)
{
	const unsigned char *p = (const unsigned char *)name.p;

	return ((uint32_t)p[0] | (uint32_t)p[name.len / 2] << 8 | (uint32_t)p[name.len - 1] << 16 |
	        (uint32_t)name.len << 24) ^
	       (uint32_t)p[name.len / 4] << 11;
}

uint8_t catalog_column_find(const struct catalog_product *product, struct str name)
{
	uint32_t mask = UINT32_MAX >> product->hash_shift;
	uint32_t slot;
	uint8_t place;

	if (name.len == 0)
		return CATALOG_NONE;
	slot = (hash_key(name) * product->hash_multiplier) >> product->hash_shift;
	/* at most half of the slots are taken: it ends */
	while ((place = product->hash_slots[slot]) != CATALOG_NONE && !str_equal(product->columns[place].name, name))
		slot = (slot + 1) & mask;
	return place;
}

const struct catalog_filter *catalog_filter_find(const struct catalog_product *product, struct str name)
{
	for (uint8_t i = 0; i < product->filters_count; i++)
		if (str_equal(product->filters[i].name, name))
			return &product->filters[i];
	return NULL;
}

bool catalog_filter_knows(const struct catalog_filter *filter, struct str value)
{
	if (!filter->values)
		return true;
	if (value.len == 0)
		return false;
	for (const char *const *known = filter->values; *known; known++) {
		/* for every record: the first letter tells most of them apart */
		if (((unsigned char)(*known)[0] ^ (unsigned char)value.p[0]) & ~0x20)
			continue;
		if (filter->nocase ? str_equal_nocase(value, str_from(*known)) : str_is(value, *known))
			return true;
	}
	return false;
}

enum catalog_direction catalog_direction_parse(struct str text)
{
	if (str_equal_nocase(text, STR_LITERAL("outbound")))
		return CATALOG_OUTBOUND;
	return str_equal_nocase(text, STR_LITERAL("inbound")) ? CATALOG_INBOUND : CATALOG_NO_DIRECTION;
}

uint8_t catalog_status_rank(const struct catalog_product *product, struct str status)
{
	if (status.len == 0)
		return 0;
	for (uint8_t i = 0; i < product->passing_count; i++)
		if (str_equal_nocase(product->passing[i].name, status))
			return product->passing[i].rank;
	return CATALOG_FINAL;
}
