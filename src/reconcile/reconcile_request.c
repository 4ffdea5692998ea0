/* SPDX-License-Identifier: ISC */
/*
 * reconcile_request.c: see reconcile_request.h. A parameter is a row of a table.
 */
#include "reconcile/reconcile_request.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/zone.h"

#define TIME_TOLERANCE_DEFAULT_S 60
#define TIME_TOLERANCE_MAX_S 86400
#define DECIMAL_ONE ((decimal_units)1000000000000)

struct reading {
	const struct query_params *params;
	struct reconcile_request *request;
	struct query_problems *problems;
	struct str name; /* of the parameter that is being read */
	struct str month;
	int64_t time_tolerance_s;
};

static void refuse(struct reading *reading, const char *reason)
{
	query_problems_add(reading->problems, reading->name, "%s", reason);
}

/* --- a parameter each --- */

static void read_product(struct reading *reading, struct str value)
{
	reading->request->product = catalog_product_find(value);
	if (!reading->request->product || reading->request->product->own)
		refuse(reading, "Must be the name of a product; GET /v2/reports/products lists them");
}

static void read_account(struct reading *reading, struct str value)
{
	if (!id_is_account(value)) {
		refuse(reading, "Must be the id of an account");
		return;
	}
	memcpy(reading->request->account, value.p, value.len);
	reading->request->account[value.len] = '\0';
}

static void read_month(struct reading *reading, struct str value)
{
	reading->month = value;
}

static void read_setting(struct reading *reading, struct str value)
{
	struct error why;

	for (size_t i = 0; i < INGEST_SETTINGS_COUNT; i++)
		if (str_is(reading->name, ingest_settings_name(i)) &&
		    ingest_settings_set(&reading->request->settings, i, value, &why) != 0)
			refuse(reading, why.message);
}

static void read_direction(struct reading *reading, struct str value)
{
	reading->request->direction = catalog_direction_parse(value);
	if (reading->request->direction == CATALOG_NO_DIRECTION)
		refuse(reading, "Must be inbound or outbound");
}

static void read_match(struct reading *reading, struct str value)
{
	static const char *const words[] = {
		[REQUEST_MATCH_ID] = "id",
		[REQUEST_MATCH_NUMBER] = "number",
		[REQUEST_MATCH_NUMBERS] = "numbers",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_is(value, words[i])) {
			reading->request->match = (enum request_match)i;
			return;
		}
	refuse(reading, "Must be id, number or numbers");
}

static void read_decimal(struct reading *reading, struct str value, struct decimal *out)
{
	if (!decimal_parse(value, out) || out->units < 0)
		refuse(reading, "Must be a decimal number, 0 or more");
}

static void read_time_tolerance(struct reading *reading, struct str value)
{
	struct decimal seconds = { 0 };

	read_decimal(reading, value, &seconds);
	if (seconds.units > TIME_TOLERANCE_MAX_S * DECIMAL_ONE || seconds.units % DECIMAL_ONE != 0)
		refuse(reading, "Must be whole seconds, at most 86400");
	else
		reading->time_tolerance_s = (int64_t)(seconds.units / DECIMAL_ONE);
}

static void read_duration_tolerance(struct reading *reading, struct str value)
{
	read_decimal(reading, value, &reading->request->rules.duration_tolerance);
}

static void read_price_tolerance(struct reading *reading, struct str value)
{
	read_decimal(reading, value, &reading->request->rules.price_tolerance);
}

static void read_compare(struct reading *reading, struct str value)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = { { "price", PAIRING_PRICE }, { "duration", PAIRING_DURATION }, { "status", PAIRING_STATUS } };
	struct str rest = value, item;

	reading->request->rules.compared = 0;
	while (query_list_next(&rest, &item)) {
		unsigned bit = 0;

		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (str_is(item, words[i].word))
				bit = words[i].bit;
		reading->request->rules.compared |= bit;
		if (bit == 0 && value.len > 0) {
			refuse(reading, "Must be a list of price, duration and status");
			return;
		}
	}
}

static void read_subaccounts(struct reading *reading, struct str value)
{
	reading->request->include_subaccounts = str_equal_nocase(value, STR_LITERAL("true"));
	if (!reading->request->include_subaccounts && !str_equal_nocase(value, STR_LITERAL("false")))
		refuse(reading, "Must be true or false");
}

static void read_compression(struct reading *reading, struct str value)
{
	static const char *const words[] = { [ARCHIVE_ZIP] = "zip", [ARCHIVE_GZIP] = "gzip", [ARCHIVE_ZSTD] = "zstd" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_is(value, words[i])) {
			reading->request->compression = (enum archive_kind)i;
			return;
		}
	refuse(reading, "Must be zip, gzip or zstd");
}

static void read_file_name(struct reading *reading, struct str value)
{
	bool plain = value.len <= REQUEST_FILE_NAME_MAX;

	for (size_t i = 0; plain && i < value.len; i++)
		plain = (unsigned char)value.p[i] >= ' ' && value.p[i] != 0x7f;
	if (!plain) {
		refuse(reading, "Must be at most 128 bytes, without control characters");
		return;
	}
	memcpy(reading->request->file_name, value.p, value.len);
	reading->request->file_name[value.len] = '\0';
}

static const struct {
	const char *name;
	void (*read)(struct reading *reading, struct str value);
} rows[] = {
	{ "product", read_product },
	{ "account_id", read_account },
	{ "include_subaccounts", read_subaccounts },
	{ "month", read_month },
	{ "mapping", read_setting },
	{ "time_zone", read_setting },
	{ "encoding", read_setting },
	{ "direction", read_direction },
	{ "match", read_match },
	{ "time_tolerance", read_time_tolerance },
	{ "duration_tolerance", read_duration_tolerance },
	{ "price_tolerance", read_price_tolerance },
	{ "compare", read_compare },
	{ "compression", read_compression },
	{ "file_name", read_file_name },
};

static void read_param(struct reading *reading, const struct query_param *param)
{
	reading->name = param->name;
	for (const struct query_param *other = reading->params->list; other < param; other++)
		if (str_equal(other->name, param->name)) {
			refuse(reading, "Given more than once");
			return;
		}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_is(param->name, rows[i].name)) {
			rows[i].read(reading, param->value);
			return;
		}
	refuse(reading, "Unknown parameter of a reconciliation");
}

/* --- what they must be together --- */

static void require(struct reading *reading, const char *name, bool given)
{
	if (!given && !query_params_get(reading->params, name).p)
		query_problems_add(reading->problems, str_from(name), "Missing required parameter");
}

static bool parse_month(struct str text, int64_t *first_us, int64_t *next_us)
{
	char day[11] = "yyyy-mm-01";
	int32_t first, next;
	int month, date;

	if (text.len != 7)
		return false;
	memcpy(day, text.p, text.len);
	if (!clock_parse_day((struct str){ day, 10 }, &first))
		return false;
	next = first + 28;
	for (clock_date_of(next, &month, &date); date != 1; clock_date_of(next, &month, &date))
		next++;
	*first_us = clock_day_start_us(first);
	*next_us = clock_day_start_us(next);
	return true;
}

/* The month begins and ends at midnight of the time zone. */
static void set_range(struct reading *reading)
{
	struct reconcile_request *request = reading->request;
	const char *name = request->settings.time_zone;
	struct zone zone = { 0 };
	struct error why;

	reading->name = STR_LITERAL("month");
	if (!parse_month(reading->month, &request->from_us, &request->to_us)) {
		refuse(reading, "Must be a month such as 2026-11");
		return;
	}
	if (!name[0])
		return;
	if (zone_load(&zone, str_from(name), request->from_us, request->to_us, &why) != 0) {
		query_problems_add_error(reading->problems, reading->name, &why, why.message);
		return;
	}
	request->from_us = zone_moment_us(&zone, request->from_us);
	request->to_us = zone_moment_us(&zone, request->to_us);
	zone_free(&zone);
}

static void check_product(struct reading *reading)
{
	struct reconcile_request *request = reading->request;
	struct request_columns columns;

	request_columns_find(request->product, &columns);
	if (request->product->partition_direction && request->direction == CATALOG_NO_DIRECTION)
		request->direction = CATALOG_OUTBOUND;
	if (request->direction != CATALOG_NO_DIRECTION && request->product->direction_column == CATALOG_NONE)
		query_problems_add(reading->problems, STR_LITERAL("direction"), "Records of %.*s have none",
		                   STR_ARGS(request->product->name));
	if ((request->match != REQUEST_MATCH_ID && columns.to == CATALOG_NONE) ||
	    (request->match == REQUEST_MATCH_NUMBERS && columns.from == CATALOG_NONE))
		query_problems_add(reading->problems, STR_LITERAL("match"), "Records of %.*s have no such number",
		                   STR_ARGS(request->product->name));
}

bool reconcile_request_read(const struct query_params *params, bool all_accounts, struct reconcile_request *request,
                            struct query_problems *problems)
{
	struct reading reading = {
		.params = params, .request = request, .problems = problems, .time_tolerance_s = TIME_TOLERANCE_DEFAULT_S
	};

	*request = (struct reconcile_request){ .rules.compared = PAIRING_ALL };
	for (size_t i = 0; i < params->count; i++)
		read_param(&reading, &params->list[i]);
	require(&reading, "product", false);
	require(&reading, "account_id", all_accounts);
	require(&reading, "month", false);
	require(&reading, "mapping", false);
	if (reading.month.p)
		set_range(&reading);
	if (request->product)
		check_product(&reading);
	request->rules.time_tolerance_us =
		request->match == REQUEST_MATCH_ID ? INT64_MAX : reading.time_tolerance_s * CLOCK_US_PER_SECOND;
	return problems->count == 0;
}

/* --- columns --- */

static uint8_t find_first(const struct catalog_product *product, const char *const *names)
{
	uint8_t column = CATALOG_NONE;

	for (size_t i = 0; names[i] && column == CATALOG_NONE; i++)
		column = catalog_column_find(product, str_from(names[i]));
	return column;
}

void request_columns_find(const struct catalog_product *product, struct request_columns *columns)
{
	static const char *const to[] = { "to", "number", "msisdn", NULL }, *const from[] = { "from", NULL },
				 *const country[] = { "country", "country_code", NULL },
				 *const duration[] = { "duration", NULL },
				 *const price[] = { "total_price", "price", NULL },
				 *const currency[] = { "currency", NULL };

	*columns = (struct request_columns){
		.id = product->id_column,
		.account = product->account_column,
		.from = find_first(product, from),
		.to = find_first(product, to),
		.country = find_first(product, country),
		.duration = find_first(product, duration),
		.status = product->status_column,
		.price = find_first(product, price),
		.currency = find_first(product, currency),
	};
}
