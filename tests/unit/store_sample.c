/* SPDX-License-Identifier: ISC */
/*
 * store_sample.c: random records. See store_sample.h.
 */
#include "store_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"

#define VALUE_MAX 70000

static const char *const few[] = { "delivered", "Delivered", "failed", "REJECTED", "submitted" };
static const char *const odd[] = { "say \"hi\"",
	                           "\"",
	                           "\"\"",
	                           "a,b",
	                           "line\nbreak",
	                           "\r\n",
	                           "Zo\xc3\xab \xe2\x80\x94",
	                           "\xe3\x81\x82\xe3\x82\x8a",
	                           "\",\"",
	                           "\"\n\"",
	                           " ",
	                           "\\",
	                           "\xf0\x9f\x93\xa8" };
static const char *const currencies[] = { "EUR", "EUR", "EUR", "USD", "GBP", "" };
static const char *const amounts[] = { "0.0401", "-1.5", "12", "0", "", "5e-05", "000123456789012345.123456789012" };

static const char *const versions[] = {
	"1", "2", "3", "10", "2.5", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00+00:00", "soon"
};

static char value_bytes[VALUE_MAX];

static struct str text_of(const char *text)
{
	return str_from(text);
}

static struct str long_value(struct sampler *sampler)
{
	uint32_t len = pick_percent(&sampler->pick, 3) ? pick_below(&sampler->pick, VALUE_MAX) :
	                                                 pick_below(&sampler->pick, 2000);

	for (uint32_t i = 0; i < len; i++) {
		uint32_t letter = pick_below(&sampler->pick, 64);

		value_bytes[i] = letter == 0 ? '"' : letter == 1 ? '\n' : (char)('A' + letter % 26 + (letter & 32));
	}
	return (struct str){ value_bytes, len };
}

static struct str many_value(struct sampler *sampler)
{
	int len = snprintf(value_bytes, sizeof(value_bytes), "4477%06u", pick_below(&sampler->pick, 700) * 1009);

	return (struct str){ value_bytes, (size_t)len };
}

static struct str any_value(struct sampler *sampler)
{
	uint32_t kind = pick_below(&sampler->pick, 100);

	if (kind < 15)
		return (struct str){ NULL, 0 };
	if (kind < 30)
		return STR_LITERAL("");
	if (kind < 50)
		return text_of(odd[pick_below(&sampler->pick, sizeof(odd) / sizeof(odd[0]))]);
	if (kind == 99 && sampler->wild)
		return long_value(sampler);
	return many_value(sampler);
}

static struct str money_value(struct sampler *sampler)
{
	return text_of(amounts[pick_below(&sampler->pick, sizeof(amounts) / sizeof(amounts[0]))]);
}

static struct str currency_value(struct sampler *sampler)
{
	if (sampler->wild && pick_percent(&sampler->pick, 5)) {
		int len = snprintf(value_bytes, sizeof(value_bytes), "CURRENC%u", pick_below(&sampler->pick, 20));

		return (struct str){ value_bytes, (size_t)len };
	}
	return text_of(currencies[pick_below(&sampler->pick, sizeof(currencies) / sizeof(currencies[0]))]);
}

struct str sample_value(struct sampler *sampler, const struct catalog_product *product, uint8_t column)
{
	uint8_t key[2] = { product->number, column };
	uint64_t style = id_hash64(key, sizeof(key), sampler->styles);

	if (column == product->version_column)
		return pick_percent(&sampler->pick, 50) ?
		               (struct str){ NULL, 0 } :
		               text_of(versions[pick_below(&sampler->pick, sizeof(versions) / sizeof(versions[0]))]);
	if (column == product->status_column && product->passing_count > 0 && pick_percent(&sampler->pick, 50))
		return product->passing[pick_below(&sampler->pick, product->passing_count)].name;
	if (str_is(product->columns[column].name, "currency"))
		return currency_value(sampler);
	if (product->columns[column].kind == CATALOG_MONEY)
		return money_value(sampler);
	switch (style % 4) {
	case 0:
		return text_of(few[style / 4 % 5]);
	case 1:
		return text_of(few[pick_below(&sampler->pick, sizeof(few) / sizeof(few[0]))]);
	case 2:
		return many_value(sampler);
	default:
		return any_value(sampler);
	}
}

/* --- putting a record together --- */

/* Values as offsets, since the buffer moves. */
struct draft {
	const struct catalog_product *product;
	struct buf bytes;
	struct {
		bool there;
		size_t offset;
		size_t len;
	} values[CATALOG_COLUMNS_MAX];
};

static void draft_set(struct draft *draft, uint8_t column, struct str value)
{
	draft->values[column].there = value.p != NULL;
	draft->values[column].offset = draft->bytes.len;
	draft->values[column].len = value.len;
	buf_add_str(&draft->bytes, value);
}

static void draft_set_time(struct draft *draft, int64_t time_us)
{
	struct buf text = { 0 };

	clock_format_record(&text, time_us);
	draft_set(draft, draft->product->time_column, buf_str(&text));
	buf_free(&text);
}

struct account_key sample_account_key(const char *id)
{
	return account_key_of(str_from(id), strlen(id));
}

static struct sample *draft_end(struct draft *draft, int64_t time_us)
{
	struct sample *sample = malloc(sizeof(*sample) + draft->bytes.len);

	if (!sample)
		abort();
	sample->time_us = time_us;
	if (draft->bytes.len > 0)
		memcpy(sample->bytes, draft->bytes.data, draft->bytes.len);
	record_clear(&sample->record, draft->product);
	for (uint8_t i = 0; i < draft->product->columns_count; i++)
		if (draft->values[i].there)
			sample->record.values[i] =
				(struct str){ sample->bytes + draft->values[i].offset, draft->values[i].len };
	struct str account = sample->record.values[draft->product->account_column];
	sample->record.account_number = account_key_is_id(account) ? 0 : account.len;
	buf_free(&draft->bytes);
	return sample;
}

/* Of the columns that look-ups use: what other records may have, too. */
static struct str lookup_value(struct sampler *sampler, struct str id)
{
	uint32_t kind = pick_below(&sampler->pick, 10);
	int len;

	if (kind < 4)
		return id;
	if (kind == 4)
		return (struct str){ NULL, 0 };
	if (kind == 5)
		len = snprintf(value_bytes, sizeof(value_bytes), "shared-%u", pick_below(&sampler->pick, 12));
	else
		len = snprintf(value_bytes, sizeof(value_bytes), "other-%u", pick_below(&sampler->pick, 1000000));
	return (struct str){ value_bytes, (size_t)len };
}

static bool is_lookup(const struct catalog_product *product, uint8_t column)
{
	for (uint8_t i = 0; i < product->lookup_count; i++)
		if (product->lookup[i] == column)
			return true;
	return false;
}

static bool is_fixed(const struct catalog_product *product, uint8_t column)
{
	return column == product->account_column || column == product->id_column || column == product->time_column ||
	       (product->partition_direction && column == product->direction_column);
}

static struct str direction_value(struct sampler *sampler, enum catalog_direction direction)
{
	if (direction == CATALOG_INBOUND)
		return STR_LITERAL("inbound");
	return pick_percent(&sampler->pick, 90) ? STR_LITERAL("outbound") : STR_LITERAL("Outbound");
}

struct sample *sample_new(struct sampler *sampler, const struct catalog_product *product, const char *account,
                          uint32_t id, enum catalog_direction direction, int64_t time_us)
{
	struct draft draft = { .product = product };
	char id_text[24];

	snprintf(id_text, sizeof(id_text), "id-%08x", id);
	for (uint8_t i = 0; i < product->columns_count; i++)
		if (is_lookup(product, i))
			draft_set(&draft, i, lookup_value(sampler, str_from(id_text)));
		else if (!is_fixed(product, i))
			draft_set(&draft, i, sample_value(sampler, product, i));
	draft_set(&draft, product->account_column, str_from(account));
	draft_set(&draft, product->id_column, str_from(id_text));
	draft_set_time(&draft, time_us);
	if (product->partition_direction)
		draft_set(&draft, product->direction_column, direction_value(sampler, direction));
	return draft_end(&draft, time_us);
}

struct sample *sample_changed(struct sampler *sampler, const struct sample *from, enum catalog_direction direction,
                              int64_t time_us, unsigned changes)
{
	const struct catalog_product *product = from->record.product;
	struct draft draft = { .product = product };

	for (uint8_t i = 0; i < product->columns_count; i++)
		draft_set(&draft, i, from->record.values[i]);
	for (unsigned i = 0; i < changes; i++) {
		uint8_t column = (uint8_t)pick_below(&sampler->pick, product->columns_count);

		if (pick_percent(&sampler->pick, 30)) /* what versions are compared by */
			column = pick_percent(&sampler->pick, 50) ? product->status_column : product->version_column;
		if (column == CATALOG_NONE || is_fixed(product, column))
			continue;
		draft_set(&draft, column,
		          is_lookup(product, column) ? lookup_value(sampler, from->record.values[product->id_column]) :
		                                       sample_value(sampler, product, column));
	}
	draft_set_time(&draft, time_us);
	if (product->partition_direction && direction != record_partition(&from->record))
		draft_set(&draft, product->direction_column, direction_value(sampler, direction));
	return draft_end(&draft, time_us);
}

struct sample *sample_part(struct sampler *sampler, const struct sample *from)
{
	const struct catalog_product *product = from->record.product;
	struct draft draft = { .product = product };
	uint32_t share = pick_below(&sampler->pick, 100);

	for (uint8_t i = 0; i < product->columns_count; i++) {
		bool needed = i == product->account_column || i == product->id_column || i == product->time_column;

		if (needed || pick_percent(&sampler->pick, share))
			draft_set(&draft, i, from->record.values[i]);
	}
	return draft_end(&draft, from->time_us);
}

struct sample *sample_copy(const struct record *record, int64_t time_us)
{
	struct draft draft = { .product = record->product };

	for (uint8_t i = 0; i < record->product->columns_count; i++)
		draft_set(&draft, i, record->values[i]);
	return draft_end(&draft, time_us);
}
