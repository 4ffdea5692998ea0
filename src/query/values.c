/* SPDX-License-Identifier: ISC */
/*
 * values.c: reads one parameter's value into the plan, or adds a problem.
 */
#include "query/query_private.h"

#include "base/clock.h"
#include "base/id.h"

#define NUMBER_MAX 1000000000

void query_refuse_filter(struct query_making *making, struct str name)
{
	query_problems_add(making->problems, name, "Invalid filter for product %.*s",
	                   STR_ARGS(making->plan->product->name));
}

/* The value is none of `allowed`, which ends with NULL. */
static void refuse_value(struct query_making *making, struct str name, struct str value, const char *const *allowed)
{
	struct buf list = { 0 };

	for (const char *const *word = allowed; *word; word++)
		query_list_add(&list, str_from(*word));
	query_problems_add(making->problems, name, "'%.*s' is not one of: %.*s",
	                   STR_ARGS(query_clip(value, QUERY_VALUE_SHOWN)), STR_ARGS(buf_str(&list)));
	buf_free(&list);
}

void query_take_account(struct query_making *making, struct str value)
{
	if (!id_is_account(value)) {
		query_problems_add(making->problems, STR_LITERAL("account_id"),
		                   "'%.*s' is not an account id, which has 1 to %d letters, digits, - or _",
		                   STR_ARGS(query_clip(value, QUERY_VALUE_SHOWN)), ACCOUNT_ID_MAX);
		return;
	}
	memcpy(making->plan->account, value.p, value.len);
	making->plan->account[value.len] = '\0';
}

static bool str_starts(struct str text, const char *start)
{
	struct str beginning = str_from(start);

	return text.len > beginning.len && memcmp(text.p, beginning.p, beginning.len) == 0;
}

static bool have_id(const struct query_plan *plan, struct str id)
{
	for (size_t i = 0; i < plan->ids_count; i++) {
		if (id_equal(plan->ids[i], id))
			return true;
	}
	return false;
}

void query_take_ids(struct query_making *making, struct str value)
{
	struct query_plan *plan = making->plan;
	size_t max = making->limits->ids_max < QUERY_IDS_MAX ? making->limits->ids_max : QUERY_IDS_MAX;
	struct str rest = value, id;
	size_t given = 0;

	while (query_list_next(&rest, &id)) {
		if (id.len > 0 && ++given <= max && !have_id(plan, id))
			plan->ids[plan->ids_count++] = id;
	}
	if (given > max)
		query_problems_add(making->problems, STR_LITERAL("id"), "%zu ids, at most %zu allowed", given, max);
	else if (given == 0)
		query_problems_add(making->problems, STR_LITERAL("id"), "No id between the commas");
}

static void take_date(struct query_making *making, struct str name, struct str value, int64_t *time_us,
                      int64_t *offset_us)
{
	struct clock_moment moment;

	if (clock_parse_moment(value, &moment)) {
		*time_us = moment.time_us;
		*offset_us = moment.offset_us;
		return;
	}
	making->dates_wrong = true;
	query_problems_add(
		making->problems, name,
		"'%.*s' is not a time of the form yyyy-mm-ddThh:mm:ss[.sss] followed by Z or an offset, nor a "
		"date yyyy-mm-dd",
		STR_ARGS(query_clip(value, QUERY_VALUE_SHOWN)));
}

void query_take_date_start(struct query_making *making, struct str value)
{
	take_date(making, STR_LITERAL("date_start"), value, &making->plan->from_us, &making->from_offset_us);
}

void query_take_date_end(struct query_making *making, struct str value)
{
	take_date(making, STR_LITERAL("date_end"), value, &making->plan->to_us, &making->to_offset_us);
}

/* Python's clients send True, PHP's 1. */
static void take_switch(struct query_making *making, struct str name, struct str value, bool *on)
{
	*on = str_equal_nocase(value, STR_LITERAL("true")) || str_is(value, "1");
	if (!*on && !str_equal_nocase(value, STR_LITERAL("false")) && !str_is(value, "0"))
		query_problems_add(making->problems, name, "'%.*s' is not one of: true, false",
		                   STR_ARGS(query_clip(value, QUERY_VALUE_SHOWN)));
}

/* A product without what the switch shows accepts it only switched off, because some clients send all switches. */
static void take_view(struct query_making *making, struct str name, struct str value, bool has, bool *on)
{
	take_switch(making, name, value, on);
	if (*on && making->plan->product && !has)
		query_refuse_filter(making, name);
}

void query_take_include_message(struct query_making *making, struct str value)
{
	struct query_plan *plan = making->plan;

	take_view(making, STR_LITERAL("include_message"), value, plan->product && plan->product->has_message,
	          &plan->include_message);
}

void query_take_show_concatenated(struct query_making *making, struct str value)
{
	struct query_plan *plan = making->plan;

	take_view(making, STR_LITERAL("show_concatenated"), value, plan->product && plan->product->has_concatenated,
	          &plan->show_concatenated);
}

/* Some clients send it with every query, but a page has one account's records. */
void query_take_include_subaccounts(struct query_making *making, struct str value)
{
	struct str name = STR_LITERAL("include_subaccounts");
	struct query_plan *plan = making->plan;

	take_switch(making, name, value, &plan->include_subaccounts);
	if (making->kind == QUERY_SYNC && plan->include_subaccounts)
		query_problems_add(making->problems, name,
		                   QUERY_KNOWN
		                   ": name the subaccount in account_id, or ask for a report (POST /v2/reports)");
}

/* Whether the URL's host is allowed is known only at connecting; here it must only be a URL. */
void query_take_callback_url(struct query_making *making, struct str value)
{
	bool plain = str_starts(value, "http://") || str_starts(value, "https://");

	for (size_t i = 0; plain && i < value.len; i++)
		plain = (unsigned char)value.p[i] > ' ' && (unsigned char)value.p[i] < 0x7f;
	if (plain)
		making->plan->callback_url = value;
	else
		query_problems_add(making->problems, STR_LITERAL("callback_url"), "'%.*s' is not an http or https URL",
		                   STR_ARGS(query_clip(value, QUERY_VALUE_SHOWN)));
}

/* Whether there is one of this name is the caller's business. */
void query_take_destination(struct query_making *making, struct str value)
{
	making->plan->destination = value;
}

size_t query_take_word(struct query_making *making, struct str name, struct str value, const char *const *words)
{
	for (size_t i = 0; words[i]; i++) {
		if (str_is(value, words[i]))
			return i;
	}
	refuse_value(making, name, value, words);
	return 0;
}

void query_take_format(struct query_making *making, struct str value)
{
	static const char *const words[] = {
		[QUERY_CSV] = "csv", [QUERY_NDJSON] = "ndjson", [QUERY_PARQUET] = "parquet", NULL
	};

	making->plan->format = (enum query_format)query_take_word(making, STR_LITERAL("format"), value, words);
}

void query_take_dialect(struct query_making *making, struct str value)
{
	static const char *const words[] = { [QUERY_PLAIN] = "plain", [QUERY_EXCEL] = "excel", NULL };

	making->plan->dialect = (enum query_dialect)query_take_word(making, STR_LITERAL("dialect"), value, words);
}

void query_take_compression(struct query_making *making, struct str value)
{
	static const char *const words[] = { [QUERY_ZIP] = "zip", [QUERY_GZIP] = "gzip", [QUERY_ZSTD] = "zstd", NULL };

	making->plan->compression =
		(enum query_compression)query_take_word(making, STR_LITERAL("compression"), value, words);
}

void query_take_cursor(struct query_making *making, struct str value)
{
	making->plan->cursor = value;
}

void query_take_iv(struct query_making *making, struct str value)
{
	making->plan->iv = value;
}

void query_take_since(struct query_making *making, struct str value)
{
	making->plan->since = value;
}

/* Reads a whole number; one above NUMBER_MAX is read as a number above it. */
static bool read_number(struct str value, int64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return false;
		if (*number <= NUMBER_MAX)
			*number = *number * 10 + (value.p[i] - '0');
	}
	return value.len > 0;
}

/* A larger one means the largest: the status and the cursor tell that there is more. */
void query_take_limit(struct query_making *making, struct str value)
{
	size_t max = making->limits->page_max;
	int64_t limit;

	if (read_number(value, &limit) && limit > 0)
		making->plan->limit = (size_t)limit < max ? (size_t)limit : max;
	else
		query_problems_add(making->problems, STR_LITERAL("limit"),
		                   "'%.*s' is not a number of records from 1 to %zu",
		                   STR_ARGS(query_clip(value, QUERY_VALUE_SHOWN)), max);
}

/* Whole seconds. */
void query_take_wait(struct query_making *making, struct str value)
{
	int64_t seconds;

	if (read_number(value, &seconds) && seconds <= QUERY_WAIT_MAX)
		making->plan->wait_us = seconds * CLOCK_US_PER_SECOND;
	else
		query_problems_add(making->problems, STR_LITERAL("wait"),
		                   "'%.*s' is not a number of seconds from 0 to %d",
		                   STR_ARGS(query_clip(value, QUERY_VALUE_SHOWN)), QUERY_WAIT_MAX);
}

/* Words that public clients send for "do not filter": `none` is the default of `status` in the API's specification. */
static bool means_any(const struct query_plan *plan, const struct catalog_filter *filter, struct str value)
{
	bool is_status = str_is(filter->name, "status");

	return plan->product->columns[filter->column].kind == CATALOG_ENUM &&
	       (str_equal_nocase(value, STR_LITERAL("any")) ||
	        (is_status && str_equal_nocase(value, STR_LITERAL("none"))));
}

/* The direction is a filter like any other only where the product does not partition by it. */
static bool take_direction(struct query_making *making, struct str name, struct str value)
{
	static const char *const directions[] = { "outbound", "inbound", NULL };
	struct query_plan *plan = making->plan;

	plan->direction = catalog_direction_parse(value);
	if (plan->direction == CATALOG_NO_DIRECTION) {
		refuse_value(making, name, value, directions);
		return false;
	}
	return !plan->product->partition_direction;
}

/* Numbers are stored with or without a plus, as they came; a plus that was not encoded arrives as a space. */
static bool take_number(struct query_making *making, struct str name, struct str value, struct scan_filter *filter)
{
	struct str bare = value;

	while (bare.len > 0 && *bare.p == ' ')
		bare = (struct str){ bare.p + 1, bare.len - 1 };
	if (bare.len > 0 && *bare.p == '+')
		bare = (struct str){ bare.p + 1, bare.len - 1 };
	if (bare.len == 0)
		query_problems_add(making->problems, name, "'%.*s' is not a number",
		                   STR_ARGS(query_clip(value, QUERY_VALUE_SHOWN)));
	filter->match = SCAN_NUMBER;
	filter->value = bare;
	return bare.len > 0;
}

void query_take_filter(struct query_making *making, const struct catalog_filter *filter, struct str value)
{
	struct query_plan *plan = making->plan;
	enum catalog_kind kind = plan->product->columns[filter->column].kind;
	struct scan_filter taken = { .column = filter->column, .value = value };
	bool is_direction = str_is(filter->name, "direction");

	if (!filter->required && means_any(plan, filter, value))
		return;
	if (is_direction && !take_direction(making, filter->name, value))
		return;
	if (!is_direction && !making->limits->any_values && !catalog_filter_knows(filter, value)) {
		refuse_value(making, filter->name, value, filter->values);
		return;
	}
	if (kind == CATALOG_NUMBER && !take_number(making, filter->name, value, &taken))
		return;
	if (filter->nocase || is_direction || (kind == CATALOG_UUID && id_is_uuid(value)))
		taken.match = SCAN_NOCASE;
	plan->filters[plan->filters_count++] = taken;
}
