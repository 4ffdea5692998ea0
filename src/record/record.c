/* SPDX-License-Identifier: ISC */
/*
 * record.c: what does not depend on a format. The codecs are in pack.c, json.c and csv.c.
 */
#include "record/record.h"

void record_clear(struct record *record, const struct catalog_product *product)
{
	record->product = product;
	record->account_number = 0;
	for (uint8_t i = 0; i < product->columns_count; i++)
		record->values[i] = (struct str){ NULL, 0 };
}

enum catalog_direction record_partition(const struct record *record)
{
	const struct catalog_product *product = record->product;

	if (!product->partition_direction)
		return CATALOG_NO_DIRECTION;
	return catalog_direction_parse(record_value(record, product->direction_column));
}

bool record_equal(const struct record *a, const struct record *b)
{
	if (a->product != b->product)
		return false;
	for (uint8_t i = 0; i < a->product->columns_count; i++)
		if (!str_equal(a->values[i], b->values[i]))
			return false;
	return true;
}
