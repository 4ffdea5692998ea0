/* SPDX-License-Identifier: ISC */
/*
 * parse_fields.c: from names and values to a record, and everything that can be wrong on the way.
 *
 * The reader of a format hands over a record field by field, in order. Each value is put in its place at once, on the
 * assumption that the product is that of the last record; parse_attempt_text does so for a value that is plainly right.
 */
#include "record/parse_json_token.h"
#include "record/parse_private.h"

/* --- values --- */

static bool check_json(struct parser *parser, struct str name, struct str value)
{
	return json_token_is_valid(value, parser->limits.depth_max - 1) || parse_fault(parser, name, "Must be JSON");
}

static bool check_value(struct parser *parser, const struct catalog_column *column, const struct parse_field *field)
{
	struct str name = column->name, value = field->value;
	bool nested = field->kind == PARSE_OBJECT || field->kind == PARSE_ARRAY;
	size_t max = parser->limits.value_max_bytes;

	if (field->kind == PARSE_BINARY)
		return parse_fault(parser, name, "Must be a text, not binary data");
	if (field->kind == PARSE_NOT_FINITE)
		return parse_fault(parser, name, "Must be a finite number");
	if (nested && column->kind != CATALOG_JSON)
		return parse_fault(parser, name, "Must be a text, not an %s",
		                   field->kind == PARSE_OBJECT ? "object" : "array");
	if (value.len > max)
		return parse_fault(parser, name, "%zu bytes, at most %zu allowed", value.len, max);
	if (value.len > 0 && memchr(value.p, '\0', value.len))
		return parse_fault(parser, name, "Contains a NUL character");
	if (!json_is_utf8(value))
		return parse_fault(parser, name, "Not valid UTF-8");
	if (column->kind == CATALOG_JSON && !nested && value.len > 0)
		return check_json(parser, name, value);
	return true;
}

/* --- a record --- */

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
	*attempt = (struct parse_attempt){ .place = PLACE_BEGIN };
	parse_faults_clear(parser);
	assume(parser, attempt, parser->assumed);
}

/* The product is wrong, so the other fields cannot be judged. Always true, for parse_attempt_product. */
static bool lose(struct parser *parser, struct parse_attempt *attempt, const char *reason, struct str shown)
{
	attempt->lost = true;
	parse_faults_clear(parser);
	parse_fault(parser, STR_LITERAL("product"), shown.len > 0 ? "%s \"%.*s\"" : "%s", reason, PARSE_SHOWN(shown));
	return true;
}

bool parse_attempt_product(struct parser *parser, struct parse_attempt *attempt, enum parse_kind kind, struct str name)
{
	static const struct str none = { NULL, 0 };
	const struct catalog_product *product = attempt->product;
	bool again;

	if (attempt->named)
		return lose(parser, attempt, "Given twice", none);
	attempt->named = true;
	if (kind == PARSE_TEXT && product && str_equal(name, product->name))
		return true;
	if (kind != PARSE_TEXT && kind != PARSE_ABSENT)
		return lose(parser, attempt, "Must be a text", none);
	product = kind == PARSE_TEXT ? catalog_product_find(name) : parser->product_default;
	if (!product && kind == PARSE_ABSENT)
		name = str_from(parser->product_name);
	if (!product && name.len > 0)
		return lose(parser, attempt, "Unknown product", name);
	if (!product)
		return lose(parser, attempt, "Missing required field", none);
	if (product == attempt->product)
		return true;
	parser->assumed = product;
	again = attempt->seen != 0 || attempt->passed;
	if (!again)
		assume(parser, attempt, product);
	return !again;
}

/* A field that the product assumed does not have. */
static void take_unknown(struct parser *parser, struct parse_attempt *attempt, struct str name)
{
	const struct catalog_product *product = attempt->product;

	attempt->passed = true;
	if (attempt->lost || !product)
		return;
	attempt->lost = product->own;
	if (product->own)
		parse_fault(parser, STR_LITERAL("product"), "%.*s records are written by the daemon alone",
		            STR_ARGS(product->name));
	else
		parse_fault(parser, name, "Unknown field of %.*s", STR_ARGS(product->name));
}

/* Puts a value in its place, unless it is wrong, or the second for its column. */
static void put(struct parser *parser, struct parse_attempt *attempt, const struct parse_field *field)
{
	const struct catalog_column *column = &attempt->product->columns[field->place];
	struct str *value = &parser->record.values[field->place];
	uint64_t bit = UINT64_C(1) << field->place;
	bool again = attempt->seen & bit;

	attempt->seen |= bit;
	if (attempt->lost || (again && parser->columns_at_fault & bit))
		return;
	if (again ? parse_fault(parser, column->name, "Given twice") : check_value(parser, column, field)) {
		*value = field->value;
		return;
	}
	/* A value that is at fault is left out of the record. */
	*value = (struct str){ NULL, 0 };
	parser->columns_at_fault |= bit;
}

bool parse_attempt_field(struct parser *parser, struct parse_attempt *attempt, const struct parse_field *field)
{
	if (field->place == CATALOG_NONE) {
		take_unknown(parser, attempt, field->name);
		return true;
	}
	attempt->place = field->place;
	if (field->place == PLACE_PRODUCT)
		return parse_attempt_product(parser, attempt, field->kind, field->value);
	put(parser, attempt, field);
	return true;
}

bool parse_attempt_end(struct parser *parser, struct parse_attempt *attempt)
{
	bool named = attempt->named || (attempt->product && attempt->product == parser->product_default);

	if (!named && !parse_attempt_product(parser, attempt, PARSE_ABSENT, (struct str){ NULL, 0 }))
		return false;
	parser->partial = parser->faults_count > 0 && !attempt->lost;
	return true;
}
