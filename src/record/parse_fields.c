/* SPDX-License-Identifier: ISC */
/*
 * parse_fields.c: from names and values to a record, and everything that can be wrong on the way.
 *
 * The full readers hand over a list of fields; the fast ones put values in place themselves and keep to the same rules
 * by declining whatever is not plainly right.
 */
#include "base/json.h"
#include "record/parse_private.h"
#include "record/parse_scan.h"

/* --- product --- */

const struct catalog_product *parse_find_product(struct parser *parser, struct str name)
{
	const struct catalog_product *product = parser->product_default;

	if (!name.p && !product)
		name = str_from(parser->product_name);
	if (name.p)
		product = catalog_product_find(name);
	if (product)
		return product;
	if (name.len > 0)
		parse_fault(parser, STR_LITERAL("product"), "Unknown product \"%.*s\"", PARSE_SHOWN(name));
	else
		parse_fault(parser, STR_LITERAL("product"), "Missing required field");
	return NULL;
}

static const struct catalog_product *take_product(struct parser *parser, const struct parse_fields *fields)
{
	static const struct str name = { "product", 7 };

	if (fields->products > 1) {
		parse_fault(parser, name, "Given twice");
		return NULL;
	}
	switch (fields->product.kind) {
	case PARSE_TEXT:
		return parse_find_product(parser, fields->product.value);
	case PARSE_ABSENT:
		return parse_find_product(parser, (struct str){ NULL, 0 });
	default:
		parse_fault(parser, name, "Must be a text");
		return NULL;
	}
}

/* --- values --- */

static bool check_json(struct parser *parser, struct str name, struct str value)
{
	bool no_memory = false;

	if (parse_json_valid(value, parser->limits.depth_max - 1, &no_memory))
		return true;
	if (no_memory)
		parse_no_memory(parser);
	return parse_fault(parser, name, "Must be JSON");
}

static bool check_text(struct parser *parser, const struct catalog_column *column, struct str value)
{
	struct str name = column->name;
	size_t max = parser->limits.value_max_bytes;

	if (value.len > max)
		return parse_fault(parser, name, "%zu bytes, at most %zu allowed", value.len, max);
	if (!scan_is_plain(value.p, value.len)) {
		if (memchr(value.p, '\0', value.len))
			return parse_fault(parser, name, "Contains a NUL character");
		if (!json_is_utf8(value))
			return parse_fault(parser, name, "Not valid UTF-8");
	}
	if (column->kind == CATALOG_JSON && value.len > 0)
		return check_json(parser, name, value);
	return true;
}

static bool check_value(struct parser *parser, const struct catalog_column *column, const struct parse_field *field)
{
	switch (field->kind) {
	case PARSE_BINARY:
		return parse_fault(parser, column->name, "Must be a text, not binary data");
	case PARSE_NOT_FINITE:
		return parse_fault(parser, column->name, "Must be a finite number");
	case PARSE_OBJECT:
	case PARSE_ARRAY:
		if (column->kind != CATALOG_JSON)
			return parse_fault(parser, column->name, "Must be a text, not an %s",
			                   field->kind == PARSE_OBJECT ? "object" : "array");
		break;
	case PARSE_TEXT:
	case PARSE_ABSENT:
		break;
	}
	return check_text(parser, column, field->value);
}

/* --- fields --- */

void parse_fields_add(struct parse_fields *fields, const struct parse_field *field)
{
	if (str_equal(field->name, STR_LITERAL("product"))) {
		fields->product = *field;
		fields->products++;
	} else if (fields->count < PARSE_FIELDS_MAX) {
		fields->list[fields->count++] = *field;
	}
}

/* The arena no longer grows. */
static void settle(const struct parser *parser, struct parse_field *field)
{
	if (field->in_arena)
		field->value.p = parser->arena.data + field->arena_at;
}

/* A value that is at fault is left out of the record. */
static void take_field(struct parser *parser, uint8_t column, const struct parse_field *field, bool again)
{
	struct str *value = &parser->record.values[column];
	uint64_t bit = UINT64_C(1) << column;

	if (again && parser->columns_at_fault & bit)
		return;
	if (again ? parse_fault(parser, field->name, "Given twice") :
	            check_value(parser, &parser->record.product->columns[column], field)) {
		*value = field->value;
		return;
	}
	*value = (struct str){ NULL, 0 };
	parser->columns_at_fault |= bit;
}

bool parse_fields_take(struct parser *parser, struct parse_fields *fields)
{
	struct parse_field none = { .kind = PARSE_ABSENT };
	const struct catalog_product *product;
	uint64_t seen = 0;

	settle(parser, &fields->product);
	if (fields->products == 0)
		product = parse_find_product(parser, none.value);
	else
		product = take_product(parser, fields);
	if (!product)
		return false;
	record_clear(&parser->record, product);
	for (size_t i = 0; i < fields->count; i++) {
		struct parse_field *field = &fields->list[i];
		uint8_t column = catalog_column_find(product, field->name);

		settle(parser, field);
		if (column == CATALOG_NONE && product->own)
			return parse_fault(parser, STR_LITERAL("product"),
			                   "%.*s records are written by the daemon alone", STR_ARGS(product->name));
		if (column == CATALOG_NONE) {
			parse_fault(parser, field->name, "Unknown field of %.*s", STR_ARGS(product->name));
			continue;
		}
		take_field(parser, column, field, seen >> column & 1);
		seen |= UINT64_C(1) << column;
	}
	parser->assumed = product;
	parser->partial = parser->faults_count > 0;
	return parser->faults_count == 0;
}

/* --- the fast readers' guesses --- */

uint8_t parse_place_find(struct parser *parser, const struct catalog_product *product, uint8_t previous,
                         struct str name)
{
	uint8_t place = CATALOG_NONE;

	if (str_equal(name, STR_LITERAL("product")))
		place = PLACE_PRODUCT;
	else if (product)
		place = catalog_column_find(product, name);
	if (place != CATALOG_NONE)
		parser->follows[previous] = place;
	return place;
}

static void assume(struct parser *parser, struct parse_attempt *attempt, const struct catalog_product *product)
{
	attempt->product = product;
	if (product)
		record_clear(&parser->record, product);
}

void parse_attempt_begin(struct parser *parser, struct parse_attempt *attempt)
{
	attempt->seen = 0;
	attempt->place = PLACE_BEGIN;
	attempt->named = false;
	assume(parser, attempt, parser->assumed);
}

bool parse_attempt_product(struct parser *parser, struct parse_attempt *attempt, struct str name)
{
	const struct catalog_product *product = attempt->product;

	if (attempt->named)
		return false;
	attempt->named = true;
	if (product && str_equal(name, product->name))
		return true;
	product = catalog_product_find(name);
	if (!product)
		return false;
	parser->assumed = product;
	if (attempt->seen != 0)
		return false;
	assume(parser, attempt, product);
	return true;
}

bool parse_attempt_end(struct parser *parser, const struct parse_attempt *attempt)
{
	if (attempt->named || (attempt->product && attempt->product == parser->product_default))
		return true;
	if (parser->product_default)
		parser->assumed = parser->product_default;
	return false;
}
