/*
 * values.c: one parameter's value, read into its place in the plan or named as a problem.
 */
#include "query/query_private.h"

#include "base/clock.h"
#include "base/id.h"

_Static_assert(SCAN_ACCOUNT_LEN == 8, "the reason below says so");

void query_refuse_filter(struct query_making *making, struct str name)
{
	query_problems_add(making->problems, name, "Invalid filter for product %.*s",
	                   STR_ARGS(making->plan->product->name));
}

void query_refuse_value(struct query_making *making, struct str name, struct str value, const char *const *allowed)
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
		                   "'%.*s' is not an account id, which has 8 letters or digits",
		                   STR_ARGS(query_clip(value, QUERY_VALUE_SHOWN)));
		return;
	}
	memcpy(making->plan->account, value.p, SCAN_ACCOUNT_LEN);
	making->plan->account[SCAN_ACCOUNT_LEN] = '\0';
}

static bool str_starts(struct str text, const char *start)
{
	struct str beginning = str_from(start);

	return text.len > beginning.len && memcmp(text.p, beginning.p, beginning.len) == 0;
}

struct str query_trim(struct str text)
{
	while (text.len > 0 && text.p[0] == ' ') {
		text.p++;
		text.len--;
	}
	while (text.len > 0 && text.p[text.len - 1] == ' ')
		text.len--;
	return text;
}

static bool have_id(const struct query_plan *plan, struct str id)
{
	for (size_t i = 0; i < plan->ids_count; i++) {
		if (str_equal(plan->ids[i], id))
			return true;
	}
	return false;
}

void query_take_ids(struct query_making *making, struct str value)
{
	struct query_plan *plan = making->plan;
	size_t max = making->limits->ids_max < QUERY_IDS_MAX ? making->limits->ids_max : QUERY_IDS_MAX;
	size_t given = 0;

	for (size_t at = 0; at <= value.len;) {
		const char *comma = memchr(value.p + at, ',', value.len - at);
		size_t end = comma ? (size_t)(comma - value.p) : value.len;
		struct str id = query_trim((struct str){ value.p + at, end - at });

		at = end + 1;
		if (id.len == 0)
			continue;
		if (++given <= max && !have_id(plan, id))
			plan->ids[plan->ids_count++] = id;
	}
	if (given > max)
		query_problems_add(making->problems, STR_LITERAL("id"), "%zu ids, at most %zu allowed", given, max);
	else if (given == 0)
		query_problems_add(making->problems, STR_LITERAL("id"), "No id between the commas");
}

static void take_date(struct query_making *making, struct str name, struct str value, int64_t *time_us)
{
	if (clock_parse_iso8601(value, time_us))
		return;
	making->dates_wrong = true;
	query_problems_add(making->problems, name,
	                   "'%.*s' is not a time of the form yyyy-mm-ddThh:mm:ss[.sss] followed by Z or an offset",
	                   STR_ARGS(query_clip(value, QUERY_VALUE_SHOWN)));
}

void query_take_date_start(struct query_making *making, struct str value)
{
	take_date(making, STR_LITERAL("date_start"), value, &making->plan->from_us);
}

void query_take_date_end(struct query_making *making, struct str value)
{
	take_date(making, STR_LITERAL("date_end"), value, &making->plan->to_us);
}

/* Some clients send Python's True. */
static void take_switch(struct query_making *making, struct str name, struct str value, bool *on)
{
	*on = str_equal_nocase(value, STR_LITERAL("true"));
	if (!*on && !str_equal_nocase(value, STR_LITERAL("false")))
		query_problems_add(making->problems, name, "'%.*s' is not one of: true, false",
		                   STR_ARGS(query_clip(value, QUERY_VALUE_SHOWN)));
}

void query_take_include_message(struct query_making *making, struct str value)
{
	struct str name = STR_LITERAL("include_message");

	if (making->plan->product && !making->plan->product->has_message)
		query_refuse_filter(making, name);
	else
		take_switch(making, name, value, &making->plan->include_message);
}

void query_take_show_concatenated(struct query_making *making, struct str value)
{
	struct str name = STR_LITERAL("show_concatenated");

	if (making->plan->product && !making->plan->product->has_concatenated)
		query_refuse_filter(making, name);
	else
		take_switch(making, name, value, &making->plan->show_concatenated);
}

void query_take_include_subaccounts(struct query_making *making, struct str value)
{
	take_switch(making, STR_LITERAL("include_subaccounts"), value, &making->plan->include_subaccounts);
}

/* What the URL's host may be is known only when it is connected to; here it must be one at all. */
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

size_t query_take_word(struct query_making *making, struct str name, struct str value, const char *const *words)
{
	for (size_t i = 0; words[i]; i++) {
		if (str_is(value, words[i]))
			return i;
	}
	query_refuse_value(making, name, value, words);
	return 0;
}

void query_take_format(struct query_making *making, struct str value)
{
	static const char *const words[] = { [QUERY_CSV] = "csv", [QUERY_NDJSON] = "ndjson", NULL };

	making->plan->format = (enum query_format)query_take_word(making, STR_LITERAL("format"), value, words);
}

void query_take_compression(struct query_making *making, struct str value)
{
	static const char *const words[] = { [QUERY_ZIP] = "zip", [QUERY_GZIP] = "gzip", [QUERY_ZSTD] = "zstd", NULL };

	making->plan->compression = (enum query_compression)query_take_word(making, STR_LITERAL("compression"), value, words);
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

/* Whole seconds. */
void query_take_wait(struct query_making *making, struct str value)
{
	int64_t seconds = 0;
	bool number = value.len <= 4;

	for (size_t i = 0; number && i < value.len; i++) {
		number = value.p[i] >= '0' && value.p[i] <= '9';
		seconds = seconds * 10 + (value.p[i] - '0');
	}
	if (number && seconds <= QUERY_WAIT_MAX)
		making->plan->wait_us = seconds * CLOCK_US_PER_SECOND;
	else
		query_problems_add(making->problems, STR_LITERAL("wait"), "'%.*s' is not a number of seconds from 0 to %d",
		                   STR_ARGS(query_clip(value, QUERY_VALUE_SHOWN)), QUERY_WAIT_MAX);
}

/* Directions are a filter like any other only where the product does not keep them apart. */
static bool take_direction(struct query_making *making, struct str name, struct str value)
{
	static const char *const directions[] = { "outbound", "inbound", NULL };
	struct query_plan *plan = making->plan;

	plan->direction = catalog_direction_parse(value);
	if (plan->direction == CATALOG_NO_DIRECTION) {
		query_refuse_value(making, name, value, directions);
		return false;
	}
	return !plan->product->partition_direction;
}

void query_take_filter(struct query_making *making, const struct catalog_filter *filter, struct str value)
{
	struct query_plan *plan = making->plan;
	bool is_direction = str_is(filter->name, "direction");

	if (is_direction && !take_direction(making, filter->name, value))
		return;
	if (!is_direction && !making->limits->any_values && !catalog_filter_knows(filter, value)) {
		query_refuse_value(making, filter->name, value, filter->values);
		return;
	}
	plan->filters[plan->filters_count++] = (struct scan_filter){
		.column = filter->column,
		.nocase = filter->nocase || is_direction,
		.value = value,
	};
}
