/* SPDX-License-Identifier: ISC */
/*
 * test_query.c: requests to plans, rule by rule of the reference page, and all that is wrong with one listed at once.
 *
 * Problems are compared as one text, "name: reason; name: reason", so that a failure shows the whole of both.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "query/query.h"

Suite *suite_query(void);

#define ACCOUNT "account_id=abcd1234"
#define A64 "abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"
#define DAY "date_start=2024-06-17T00:00:00Z&date_end=2024-06-18T00:00:00Z"
#define SMS "product=SMS&" ACCOUNT "&direction=outbound"
#define CALLS "product=VOICE-CALL&" ACCOUNT
#define DAY_START_US INT64_C(1718582400000000) /* 2024-06-17T00:00:00Z */
#define NOW_US (DAY_START_US + 15 * CLOCK_US_PER_HOUR)

static struct query_params params;
static struct query_plan plan;
static struct query_problems problems;
static struct query_limits limits;
static struct buf text; /* of problems */

static void setup(void)
{
	memset(&params, 0, sizeof(params));
	memset(&text, 0, sizeof(text));
	limits = (struct query_limits){ .window_max_us = 24 * CLOCK_US_PER_HOUR, .ids_max = 20, .page_max = 1000 };
}

static void teardown(void)
{
	query_params_free(&params);
	buf_free(&text);
}

static bool make(enum query_kind kind, const char *query)
{
	struct error err;

	query_params_free(&params);
	memset(&problems, 0, sizeof(problems));
	ck_assert_int_eq(query_params_decode(&params, str_from(query), &err), 0);
	return query_plan_make(&plan, kind, &params, &limits, NOW_US, &problems);
}

static const char *problems_text(void)
{
	buf_clear(&text);
	if (problems.invalid_filter)
		buf_add_text(&text, problems.detail);
	for (size_t i = 0; i < problems.count; i++) {
		const struct query_problem *problem = &problems.list[i];

		buf_addf(&text, "%s%s: %s", text.len > 0 ? "; " : "", problem->name, problem->reason);
	}
	return buf_cstr(&text);
}

static void assert_plan(const char *query)
{
	bool right = make(QUERY_SYNC, query);

	ck_assert_msg(right, "%s gave %s", query, problems_text());
	ck_assert_uint_eq(problems.count, 0);
}

static void assert_problems(enum query_kind kind, const char *query, const char *wanted)
{
	bool right = make(kind, query);

	ck_assert_msg(!right, "%s was taken", query);
	ck_assert_msg(strcmp(problems_text(), wanted) == 0, "%s\n gave   %s\n wanted %s", query, problems_text(),
	              wanted);
}

static void assert_str(struct str got, const char *wanted)
{
	ck_assert_msg(str_is(got, wanted), "got %.*s, wanted %s", STR_ARGS(got), wanted);
}

/* --- plans --- */

START_TEST(query_by_dates_is_read)
{
	assert_plan(SMS "&" DAY);
	assert_str(plan.product->name, "SMS");
	assert_str(plan.product_name, "SMS");
	ck_assert_str_eq(plan.account, "abcd1234");
	ck_assert(!plan.by_id);
	ck_assert_int_eq(plan.direction, CATALOG_OUTBOUND);
	ck_assert_int_eq(plan.from_us, DAY_START_US);
	ck_assert_int_eq(plan.to_us, DAY_START_US + CLOCK_US_PER_DAY);
	ck_assert(!plan.include_message && !plan.show_concatenated);
	ck_assert_ptr_null(plan.cursor.p);
}
END_TEST

/* Each is 2024-06-17T12:00:00Z. */
static const char *const noons[] = {
	"2024-06-17T12:00:00Z",       "2024-06-17T12:00:00.000Z",   "2024-06-17T14:00:00%2B02:00",
	"2024-06-17T14:00:00%2B0200", "2024-06-17T14:00:00+02:00",  "2024-06-17T14:00:00+0200",
	"2024-06-17T12:00:00-0000",   "2024-06-17T12:00:00%2B0000", "2024-06-17T10:30:00-01:30",
};

START_TEST(dates_are_taken_in_every_form)
{
	char query[256];

	snprintf(query, sizeof(query), CALLS "&date_start=%s&date_end=2024-06-17T13:00:00Z", noons[_i]);
	assert_plan(query);
	ck_assert_int_eq(plan.from_us, DAY_START_US + 12 * CLOCK_US_PER_HOUR);
}
END_TEST

START_TEST(without_dates_the_longest_window_that_ends_now)
{
	assert_plan(SMS);
	ck_assert_int_eq(plan.to_us, NOW_US);
	ck_assert_int_eq(plan.from_us, NOW_US - 24 * CLOCK_US_PER_HOUR);
}
END_TEST

/* Ranges that are not given whole, as hours from DAY_START_US; it is 15 o'clock. */
static const struct {
	enum query_kind kind;
	const char *dates;
	int64_t from_hours;
	int64_t to_hours;
} halves[] = {
	{ QUERY_SYNC, "date_start=2024-06-17T12:00:00Z", 12, 15 },
	{ QUERY_SYNC, "date_start=2024-06-10T00:00:00Z", -7 * 24, -6 * 24 },
	{ QUERY_SYNC, "date_start=2024-06-17", 0, 15 },
	{ QUERY_SYNC, "date_start=2024-06-17T15:00:10Z", 15, 15 }, /* a clock that is ahead */
	{ QUERY_SYNC, "date_end=2024-06-17T12:00:00Z", -12, 12 },
	{ QUERY_SYNC, "date_end=2024-06-17", -24, 0 },
	{ QUERY_SYNC, "date_start=2024-06-17T12:00:00Z&date_end=2024-06-17T12:00:00Z", 12, 12 },
	{ QUERY_SYNC, "date_start=2024-06-16&date_end=2024-06-17", -24, 0 },
	{ QUERY_SYNC, "date_start=2024-06-17&id=", 0, 15 },
	{ QUERY_SUMMARY, "date_start=2020-01-01", -39096, -39072 },
	{ QUERY_SUMMARY, "date_end=2024-06-17", -24, 0 }, /* the usual seven days, but the window is shorter */
	{ QUERY_ASYNC, "date_start=2024-06-17T12:00:00Z&date_end=2024-06-17T12:00:00Z", 12, 12 },
	/* local days of 25 hours, and of 23 */
	{ QUERY_SYNC, "date_start=2024-06-17T00:00:00+02:00&date_end=2024-06-18T00:00:00+01:00", -2, 23 },
	{ QUERY_SYNC, "date_start=2024-06-17T08:30:00-04:00&date_end=2024-06-18T08:30:00-05:00", 12, 37 },
	{ QUERY_SYNC, "date_start=2024-06-17T00:00:00+01:00&date_end=2024-06-18T00:00:00+02:00", -1, 22 },
};

START_TEST(what_is_missing_of_a_range_is_made_up)
{
	char query[256];

	snprintf(query, sizeof(query), SMS "&%s", halves[_i].dates);
	ck_assert_msg(make(halves[_i].kind, query), "%s gave %s", query, problems_text());
	ck_assert_int_eq((plan.from_us - DAY_START_US) / CLOCK_US_PER_HOUR, halves[_i].from_hours);
	ck_assert_int_eq((plan.to_us - DAY_START_US) / CLOCK_US_PER_HOUR, halves[_i].to_hours);
	ck_assert_int_le(plan.from_us, plan.to_us);
}
END_TEST

START_TEST(an_end_near_the_epoch_has_no_beginning_before_it)
{
	assert_plan(CALLS "&date_end=1970-01-01T01:00:00Z");
	ck_assert_int_eq(plan.from_us, 0);
}
END_TEST

START_TEST(limit_is_the_page_size_up_to_page_max)
{
	assert_plan(CALLS "&limit=100");
	ck_assert_uint_eq(plan.limit, 100);
	assert_plan(CALLS "&limit=5000");
	ck_assert_uint_eq(plan.limit, 1000);
	assert_plan(CALLS "&limit=99999999999999999999999999");
	ck_assert_uint_eq(plan.limit, 1000);
	assert_plan(CALLS);
	ck_assert_uint_eq(plan.limit, 0);
}
END_TEST

static const char *const unfiltered[] = { "&status=any", "&status=ANY", "&status=none", "&direction=any" };

START_TEST(any_is_no_filter)
{
	char query[256];

	snprintf(query, sizeof(query), CALLS "%s", unfiltered[_i]);
	assert_plan(query);
	ck_assert_uint_eq(plan.filters_count, 0);
	ck_assert_int_eq(plan.direction, CATALOG_NO_DIRECTION);
}
END_TEST

/* As they may arrive; an unencoded plus is a space. */
static const char *const numbers[] = { "to=447700900000", "to=%2B447700900000", "to=+447700900000",
	                               "to=%20447700900000" };

START_TEST(numbers_are_asked_for_without_a_plus)
{
	char query[256];

	snprintf(query, sizeof(query), CALLS "&%s", numbers[_i]);
	assert_plan(query);
	ck_assert_uint_eq(plan.filters_count, 1);
	ck_assert_int_eq(plan.filters[0].match, SCAN_NUMBER);
	assert_str(plan.filters[0].value, "447700900000");
}
END_TEST

START_TEST(ids_that_are_uuids_are_asked_for_in_either_case)
{
	assert_plan(CALLS "&call_id=AAAAAAAA-bbbb-cccc-dddd-0123456789ab");
	ck_assert_int_eq(plan.filters[0].match, SCAN_NOCASE);
	assert_plan(CALLS "&call_id=dfc0c915f38ae6701d7d114cde2556b1-1");
	ck_assert_int_eq(plan.filters[0].match, SCAN_EXACTLY);
	/* one and the same */
	assert_plan(CALLS "&id=AAAAAAAA-bbbb-cccc-dddd-0123456789ab,aaaaaaaa-BBBB-cccc-dddd-0123456789AB,a,A");
	ck_assert_uint_eq(plan.ids_count, 3);
}
END_TEST

START_TEST(any_is_a_sender_like_others)
{
	assert_plan(CALLS "&from=any");
	ck_assert_uint_eq(plan.filters_count, 1);
}
END_TEST

START_TEST(switches_may_be_off_in_any_query)
{
	assert_plan(CALLS "&include_subaccounts=False&include_message=false&show_concatenated=0");
}
END_TEST

START_TEST(filters_become_columns_and_values)
{
	assert_plan(CALLS "&" DAY "&to=447700900000&status=answered&direction=Inbound");
	ck_assert_uint_eq(plan.filters_count, 3);
	assert_str(plan.product->columns[plan.filters[0].column].name, "to");
	assert_str(plan.filters[0].value, "447700900000");
	assert_str(plan.filters[1].value, "answered");
	ck_assert_int_eq(plan.filters[1].match, SCAN_NOCASE);
	assert_str(plan.product->columns[plan.filters[2].column].name, "direction");
	ck_assert_int_eq(plan.filters[2].match, SCAN_NOCASE);
	ck_assert_int_eq(plan.direction, CATALOG_INBOUND);
}
END_TEST

START_TEST(filter_takes_any_value_where_that_is_set)
{
	limits.any_values = true;
	assert_plan(CALLS "&" DAY "&status=parked");
	ck_assert_uint_eq(plan.filters_count, 1);
	assert_str(plan.filters[0].value, "parked");
}
END_TEST

START_TEST(direction_is_no_filter_where_directions_are_kept_apart)
{
	assert_plan(SMS "&" DAY);
	ck_assert_uint_eq(plan.filters_count, 0);
}
END_TEST

START_TEST(filter_may_match_a_column_of_another_name)
{
	assert_plan("product=NETWORK-API-EVENT&" ACCOUNT "&" DAY "&country=GB");
	assert_str(plan.product->columns[plan.filters[0].column].name, "country_code");
}
END_TEST

/* A value that the filter takes. */
static const char *sample_of(const struct catalog_filter *filter)
{
	if (str_is(filter->name, "direction"))
		return "inbound";
	return filter->values ? filter->values[0] : "x";
}

START_TEST(every_product_takes_its_filters_all_at_once)
{
	const struct catalog_product *product = &catalog_products[_i];
	struct buf query = { 0 };

	ck_assert_uint_le(product->filters_count, SCAN_FILTERS_MAX);
	buf_addf(&query, "product=%.*s&" ACCOUNT "&" DAY, STR_ARGS(product->name));
	for (size_t i = 0; i < product->filters_count; i++)
		buf_addf(&query, "&%.*s=%s", STR_ARGS(product->filters[i].name), sample_of(&product->filters[i]));
	if (product->has_message)
		buf_add_text(&query, "&include_message=true");
	if (product->has_concatenated)
		buf_add_text(&query, "&show_concatenated=true");
	assert_plan(buf_cstr(&query));
	ck_assert_uint_eq(plan.filters_count, product->filters_count - (product->partition_direction ? 1U : 0U));
	buf_free(&query);
}
END_TEST

START_TEST(every_product_is_found_by_id_alone)
{
	const struct catalog_product *product = &catalog_products[_i];
	char query[128];

	snprintf(query, sizeof(query), "product=%.*s&" ACCOUNT "&id=a", STR_ARGS(product->name));
	assert_plan(query);
	ck_assert(plan.by_id);
}
END_TEST

START_TEST(every_product_refuses_the_filters_of_others)
{
	const struct catalog_product *product = &catalog_products[_i];
	static const char *const all[] = { "direction", "status", "from", "to", "call_id", "locale", "session_id" };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char query[256];
		char wanted[128];
		bool required = product->partition_direction;

		if (catalog_filter_find(product, str_from(all[i])))
			continue;
		snprintf(query, sizeof(query), "product=%.*s&" ACCOUNT "&" DAY "&%s=inbound%s", STR_ARGS(product->name),
		         all[i], required ? "&direction=inbound" : "");
		snprintf(wanted, sizeof(wanted), "%s: Invalid filter for product %.*s", all[i],
		         STR_ARGS(product->name));
		assert_problems(QUERY_SYNC, query, wanted);
	}
}
END_TEST

START_TEST(empty_values_count_as_not_given)
{
	assert_plan("product=VOICE-TTS&" ACCOUNT "&direction=&date_start=&date_end=&cursor=&iv=&limit=&nonsense=");
	ck_assert(!plan.by_id);
	ck_assert_uint_eq(plan.filters_count, 0);
	ck_assert_int_eq(plan.to_us, NOW_US);
}
END_TEST

static const struct {
	const char *text;
	bool on;
} switches[] = { { "true", true },   { "false", false }, { "True", true },
	         { "FALSE", false }, { "1", true },      { "0", false } };

START_TEST(switches_are_true_or_false)
{
	char query[256];

	snprintf(query, sizeof(query), SMS "&" DAY "&include_message=%s&show_concatenated=%s", switches[_i].text,
	         switches[_i].text);
	assert_plan(query);
	ck_assert_int_eq(plan.include_message, switches[_i].on);
	ck_assert_int_eq(plan.show_concatenated, switches[_i].on);
}
END_TEST

START_TEST(ids_are_kept_in_order_without_repeats)
{
	assert_plan("product=SMS&" ACCOUNT "&id=b,a,%20c%20,,b&direction=inbound&include_message=true");
	ck_assert(plan.by_id);
	ck_assert_uint_eq(plan.ids_count, 3);
	assert_str(plan.ids[0], "b");
	assert_str(plan.ids[1], "a");
	assert_str(plan.ids[2], "c");
	ck_assert_int_eq(plan.direction, CATALOG_INBOUND);
	ck_assert(plan.include_message);
}
END_TEST

START_TEST(id_query_need_not_name_a_direction)
{
	assert_plan("product=SMS&" ACCOUNT "&id=a");
	ck_assert_int_eq(plan.direction, CATALOG_NO_DIRECTION);
}
END_TEST

START_TEST(deprecated_name_stands_for_a_product)
{
	assert_plan("product=CONVERSATIONS&type=ip-voice&" ACCOUNT "&" DAY "&leg_id=a");
	assert_str(plan.product->name, "IN-APP-VOICE");
	assert_str(plan.product_name, "CONVERSATIONS");
	assert_str(plan.type, "ip-voice");
	assert_plan("type=cs-custom-event&product=CONVERSATIONS&" ACCOUNT "&id=a");
	assert_str(plan.product->name, "CONVERSATION-EVENT");
}
END_TEST

START_TEST(view_has_the_direction_only_where_directions_are_kept_apart)
{
	assert_plan("product=SMS&direction=inbound&" ACCOUNT "&include_message=true");
	ck_assert_int_eq(query_plan_view(&plan).direction, CATALOG_INBOUND);
	ck_assert(query_plan_view(&plan).include_message);
	assert_plan(CALLS "&direction=inbound");
	ck_assert_int_eq(query_plan_view(&plan).direction, CATALOG_NO_DIRECTION);
}
END_TEST

/* --- problems --- */

#define ALL_PRODUCTS \
	"SMS, SMS-TRAFFIC-CONTROL, MESSAGES, VOICE-CALL, VOICE-FAILED, VOICE-TTS, IN-APP-VOICE, WEBSOCKET-CALL, ASR, " \
	"AMD, VERIFY-API, VERIFY-V2, NUMBER-INSIGHT, NUMBER-INSIGHT-V2, CONVERSATION-EVENT, CONVERSATION-MESSAGE, " \
	"VIDEO-API, NETWORK-API-EVENT, REPORTS-USAGE"
#define SMS_STATUSES "delivered, expired, failed, rejected, accepted, buffered, unknown, deleted, submitted"
#define TIME_FORM \
	"is not a time of the form yyyy-mm-ddThh:mm:ss[.sss] followed by Z or an offset, nor a date yyyy-mm-dd"
#define TOO_LONG ": ask for a report instead (POST /v2/reports), or for the parts one after the other"
#define BESIDE_ID "When using id, the following parameters are not supported: "

static const struct {
	const char *query;
	const char *problems;
} wrong[] = {
	/* product and account */
	{ "", "product: Missing required parameter; account_id: Missing required parameter" },
	{ ACCOUNT, "product: Missing required parameter" },
	{ "product=VOICE-CALL", "account_id: Missing required parameter" },
	{ "product=FAX&" ACCOUNT, "product: 'FAX' is not one of: " ALL_PRODUCTS },
	{ "product=sms&" ACCOUNT, "product: 'sms' is not one of: " ALL_PRODUCTS },
	{ "product=VOICE-CALL&account_id=abc.",
	  "account_id: 'abc.' is not an account id, which has 1 to 64 letters, digits, - or _" },
	{ "product=VOICE-CALL&account_id=" A64 "5",
	  "account_id: '" A64 "' is not an account id, which has 1 to 64 letters, digits, - or _" },
	{ "product=VOICE-CALL&account_id=abcd%2F234",
	  "account_id: 'abcd/234' is not an account id, which has 1 to 64 letters, digits, - or _" },
	{ "product=undefined&" ACCOUNT, "product: 'undefined' is not one of: " ALL_PRODUCTS },
	/* the deprecated name */
	{ "product=CONVERSATIONS&" ACCOUNT, "type: Missing required parameter" },
	{ "product=CONVERSATIONS&type=fax&" ACCOUNT, "type: 'fax' is not one of: ip-voice, cs-custom-event" },
	{ "product=VOICE-CALL&type=ip-voice&" ACCOUNT, "type: Valid only with product CONVERSATIONS" },
	{ "product=VOICE-CALL&type=ip-voice&id=a&" ACCOUNT, BESIDE_ID "[type]" },
	/* filters */
	{ "product=SMS&" ACCOUNT "&" DAY, "direction: Missing required parameter" },
	{ "product=MESSAGES&" ACCOUNT, "direction: Missing required parameter" },
	{ "product=SMS&direction=sideways&" ACCOUNT, "direction: 'sideways' is not one of: outbound, inbound" },
	{ CALLS "&direction=undefined", "direction: 'undefined' is not one of: outbound, inbound" },
	{ SMS "&status=Delivered", "status: 'Delivered' is not one of: " SMS_STATUSES },
	{ "product=VOICE-TTS&direction=outbound&" ACCOUNT, "direction: Invalid filter for product VOICE-TTS" },
	{ "product=VOICE-TTS&direction=outbound&id=a&" ACCOUNT, "direction: Invalid filter for product VOICE-TTS" },
	{ CALLS "&include_message=true", "include_message: Invalid filter for product VOICE-CALL" },
	{ "product=MESSAGES&direction=inbound&show_concatenated=true&" ACCOUNT,
	  "show_concatenated: Invalid filter for product MESSAGES" },
	{ "product=CONVERSATIONS&type=ip-voice&to=1&" ACCOUNT, "to: Invalid filter for product IN-APP-VOICE" },
	{ SMS "&to=+", "to: ' ' is not a number" },
	{ SMS "&from=%2B", "from: '+' is not a number" },
	{ SMS "&include_message=yes", "include_message: 'yes' is not one of: true, false" },
	{ CALLS "&colour=red", "colour: Unknown parameter" },
	{ CALLS "&=red", ": Unknown parameter" },
	{ CALLS "&include_subaccounts=true",
	  "include_subaccounts: Known to the Reports API, but not supported here: name the subaccount in account_id, or ask for "
	  "a report (POST /v2/reports)" },
	{ CALLS "&api_secret=a",
	  "api_secret: Known to the Reports API, but not supported here: credentials belong in the Authorization header" },
	{ CALLS "&date_from=2024-06-17", "date_from: Taken by GET /v2/reports alone; here it is date_start" },
	{ CALLS "&limit=0", "limit: '0' is not a number of records from 1 to 1000" },
	{ CALLS "&limit=ten", "limit: 'ten' is not a number of records from 1 to 1000" },
	{ CALLS "&to=1&to=1&to=2", "to: Given more than once" },
	{ CALLS "&product=SMS", "product: Given more than once" },
	/* dates */
	{ CALLS "&date_start=yesterday&date_end=2024-06-31",
	  "date_start: 'yesterday' " TIME_FORM "; date_end: '2024-06-31' " TIME_FORM },
	{ CALLS "&date_start=yesterday", "date_start: 'yesterday' " TIME_FORM },
	{ CALLS "&date_start=2024-06-17T00:00:01Z&date_end=2024-06-17T00:00:00Z", "date_end: Before date_start" },
	{ CALLS "&date_start=2024-06-17T00:00:00Z&date_end=2024-06-18T02:00:00Z",
	  "date_end: 26 hours after date_start, at most 24 hours allowed" TOO_LONG },
	{ CALLS "&date_start=2024-06-17T00:00:00Z&date_end=2024-06-18T00:30:00Z",
	  "date_end: 24 hours 30 minutes after date_start, at most 24 hours allowed" TOO_LONG },
	{ CALLS "&date_start=2024-06-17T00:00:00Z&date_end=2024-06-18T00:00:00.001Z",
	  "date_end: 24 hours 1 millisecond after date_start, at most 24 hours allowed" TOO_LONG },
	{ CALLS "&date_start=2024-06-01&date_end=2024-07-01",
	  "date_end: 30 days after date_start, at most 24 hours allowed" TOO_LONG },
	/* days of a clock change */
	{ CALLS "&date_start=2026-10-25T00:00:00Z&date_end=2026-10-26T01:00:00Z",
	  "date_end: 25 hours after date_start, at most 24 hours allowed" TOO_LONG },
	{ CALLS "&date_start=2026-10-25T01:00:00%2B02:00&date_end=2026-10-26T00:30:00%2B01:00",
	  "date_end: 24 hours 30 minutes after date_start, at most 24 hours allowed" TOO_LONG },
	{ CALLS "&date_start=2026-10-25T00:00:00%2B03:00&date_end=2026-10-26T00:00:00%2B01:00",
	  "date_end: 26 hours after date_start, at most 24 hours allowed" TOO_LONG },
	{ CALLS "&date_start=2026-10-25T00:00:00%2B02:00&date_end=2026-10-27T00:00:00%2B01:00",
	  "date_end: 2 days 1 hour after date_start, at most 24 hours allowed" TOO_LONG },
	/* cursors */
	{ CALLS "&cursor=a", "iv: Missing required parameter" },
	{ CALLS "&iv=a", "cursor: Missing required parameter" },
	/* ids */
	{ CALLS "&id=", "id: Empty: give ids, or date_start and date_end" },
	{ CALLS "&id=&date_start=&date_end=", "id: Empty: give ids, or date_start and date_end" },
	{ CALLS "&id=,%20,", "id: No id between the commas" },
	{ CALLS "&id=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21", "id: 21 ids, at most 20 allowed" },
	{ CALLS "&id=a&" DAY, BESIDE_ID "[date_start, date_end]" },
	{ CALLS "&status=answered&id=a&cursor=b&iv=c&colour=red", BESIDE_ID "[status, cursor, iv, colour]" },
	{ SMS "&id=a&direction=inbound&to=1", BESIDE_ID "[to]; direction: Given more than once" },
	{ "product=FAX&id=a&to=1&account_id=b:",
	  BESIDE_ID "[to]; product: 'FAX' is not one of: " ALL_PRODUCTS
	            "; account_id: 'b:' is not an account id, which has 1 to 64 letters, digits, - or _" },
	/* all at once, in the order sent, what is missing last */
	{ "product=SMS&status=lost&colour=red&date_end=now&account_id=1:&locale=en&iv=a",
	  "status: 'lost' is not one of: " SMS_STATUSES "; colour: Unknown parameter; date_end: 'now' " TIME_FORM
	  "; account_id: '1:' is not an account id, which has 1 to 64 letters, digits, - or _; "
	  "locale: Invalid filter for product SMS; direction: Missing required parameter; "
	  "cursor: Missing required parameter" },
	{ "product=FAX&to=1&colour=red&" ACCOUNT,
	  "product: 'FAX' is not one of: " ALL_PRODUCTS "; colour: Unknown parameter" },
};

START_TEST(every_problem_is_named)
{
	assert_problems(QUERY_SYNC, wrong[_i].query, wrong[_i].problems);
}
END_TEST

START_TEST(long_names_and_values_are_cut_between_characters)
{
	struct buf query = { 0 };

	buf_add_text(&query, CALLS "&direction=");
	for (int i = 0; i < 40; i++)
		buf_add_text(&query, "x%C3%A9");
	buf_add_char(&query, '&');
	for (int i = 0; i < 40; i++)
		buf_add_text(&query, "%C3%A9");
	buf_add_text(&query, "=1");
	ck_assert(!make(QUERY_SYNC, buf_cstr(&query)));
	ck_assert_uint_eq(problems.count, 2);
	ck_assert_uint_eq(strlen(problems.list[1].name), 62);
	ck_assert_ptr_nonnull(strstr(problems.list[0].reason, "\xc3\xa9x' is not one of"));
	buf_free(&query);
}
END_TEST

START_TEST(more_problems_than_can_be_listed_are_left_out)
{
	struct buf query = { 0 };

	for (int i = 0; i < QUERY_PARAMS_MAX; i++)
		buf_addf(&query, "x%d=1&", i);
	ck_assert(!make(QUERY_SYNC, buf_cstr(&query)));
	ck_assert_uint_eq(problems.count, QUERY_PROBLEMS_MAX);
	buf_free(&query);
}
END_TEST

START_TEST(limits_are_settings)
{
	limits = (struct query_limits){ .window_max_us = 48 * CLOCK_US_PER_HOUR, .ids_max = 2 };
	assert_plan(CALLS "&date_start=2024-06-17T00:00:00Z&date_end=2024-06-19T00:00:00Z");
	assert_plan(CALLS "&id=a,b");
	assert_problems(QUERY_SYNC, CALLS "&id=a,b,c", "id: 3 ids, at most 2 allowed");
}
END_TEST

/* --- asynchronous queries --- */

START_TEST(asynchronous_dates_default_to_the_last_seven_days)
{
	limits.window_max_us = 400 * CLOCK_US_PER_DAY;
	ck_assert_msg(make(QUERY_ASYNC, CALLS "&include_subaccounts=true&callback_url=https://example.com"), "%s",
	              problems_text());
	ck_assert(plan.include_subaccounts);
	ck_assert_int_eq(plan.from_us, NOW_US - 7 * CLOCK_US_PER_DAY);
	ck_assert_int_eq(plan.to_us, NOW_US);

	ck_assert(make(QUERY_ASYNC, CALLS "&date_start=2024-06-01T00:00:00Z"));
	ck_assert_int_eq(plan.to_us, NOW_US);
	ck_assert(make(QUERY_ASYNC, CALLS "&date_end=2024-06-17T00:00:00Z"));
	ck_assert_int_eq(plan.from_us, DAY_START_US - 7 * CLOCK_US_PER_DAY);
}
END_TEST

START_TEST(asynchronous_queries_take_neither_ids_nor_cursors)
{
	limits.window_max_us = 400 * CLOCK_US_PER_DAY;
	assert_problems(QUERY_ASYNC, CALLS "&id=a&cursor=b&iv=c",
	                "id: Not taken here, but by: GET /v2/reports/records; "
	                "cursor: Not taken here, but by: GET /v2/reports/records; "
	                "iv: Not taken here, but by: GET /v2/reports/records");
}
END_TEST

START_TEST(format_compression_and_columns_are_read_in_the_order_given)
{
	limits.window_max_us = 400 * CLOCK_US_PER_DAY;
	ck_assert_msg(make(QUERY_ASYNC, SMS "&format=ndjson&compression=zstd&columns=status,%20id,to"), "%s",
	              problems_text());
	ck_assert_int_eq(plan.format, QUERY_NDJSON);
	ck_assert_int_eq(plan.compression, QUERY_ZSTD);
	ck_assert_uint_eq(plan.columns_count, 3);
	assert_str(plan.product->columns[plan.columns[0]].name, "status");
	assert_str(plan.product->columns[plan.columns[1]].name, "id");
	assert_str(plan.product->columns[plan.columns[2]].name, "to");
}
END_TEST

START_TEST(without_them_it_is_csv_in_a_zip_with_all_columns)
{
	limits.window_max_us = 400 * CLOCK_US_PER_DAY;
	ck_assert_msg(make(QUERY_ASYNC, SMS), "%s", problems_text());
	ck_assert_int_eq(plan.format, QUERY_CSV);
	ck_assert_int_eq(plan.compression, QUERY_ZIP);
	ck_assert_uint_eq(plan.columns_count, 0);
}
END_TEST

START_TEST(parquet_may_name_the_compression_that_it_has)
{
	limits.window_max_us = 400 * CLOCK_US_PER_DAY;
	ck_assert_msg(make(QUERY_ASYNC, SMS "&format=parquet"), "%s", problems_text());
	ck_assert_int_eq(plan.format, QUERY_PARQUET);
	ck_assert_msg(make(QUERY_ASYNC, SMS "&compression=zstd&format=parquet"), "%s", problems_text());
}
END_TEST

START_TEST(message_body_is_a_column_when_it_is_asked_for)
{
	limits.window_max_us = 400 * CLOCK_US_PER_DAY;
	ck_assert_msg(make(QUERY_ASYNC, SMS "&include_message=true&columns=message_body"), "%s", problems_text());
	ck_assert_uint_eq(plan.columns_count, 1);
}
END_TEST

static const struct {
	const char *query;
	const char *problems;
} wrong_async[] = {
	{ CALLS "&format=xml&compression=rar",
	  "format: 'xml' is not one of: csv, ndjson, parquet; compression: 'rar' is not one of: zip, gzip, zstd" },
	{ CALLS "&format=parquet&compression=zip",
	  "compression: only zstd with format parquet, whose pages it compresses" },
	{ CALLS "&format=parquet&dialect=excel", "dialect: excel: only with format csv" },
	{ CALLS "&columns=colour,status,status",
	  "columns: 'colour' is not a column of VOICE-CALL; columns: 'status' is given more than once" },
	{ CALLS "&columns=status,", "columns: '' is not a column of VOICE-CALL" },
	{ SMS "&columns=message_body", "columns: 'message_body' needs include_message" },
	{ SMS "&columns=concatenated", "columns: 'concatenated' needs show_concatenated and outbound records" },
	{ "product=SMS&direction=inbound&" ACCOUNT "&columns=status",
	  "columns: 'status' is for outbound records only" },
	{ CALLS "&callback_url=ftp://example.com", "callback_url: 'ftp://example.com' is not an http or https URL" },
	{ CALLS "&callback_url=https://", "callback_url: 'https://' is not an http or https URL" },
	{ CALLS "&callback_url=https://a/b%20c", "callback_url: 'https://a/b c' is not an http or https URL" },
};

START_TEST(every_asynchronous_problem_is_named)
{
	limits.window_max_us = 400 * CLOCK_US_PER_DAY;
	assert_problems(QUERY_ASYNC, wrong_async[_i].query, wrong_async[_i].problems);
}
END_TEST

START_TEST(synchronous_queries_know_nothing_of_files)
{
	assert_problems(QUERY_SYNC, CALLS "&format=csv&compression=zip&columns=status",
	                "format: Not taken here, but by: POST /v2/reports; "
	                "compression: Not taken here, but by: POST /v2/reports; "
	                "columns: Not taken here, but by: POST /v2/reports");
}
END_TEST

/* --- echoes --- */

START_TEST(echo_repeats_what_was_given_and_the_dates)
{
	struct buf out = { 0 };
	struct json json = json_to(&out);

	limits.window_max_us = 400 * CLOCK_US_PER_DAY;
	ck_assert(make(QUERY_ASYNC, SMS "&to=1&include_subaccounts=true&columns=id,to&callback_url=http://a&status="));
	json_object_begin(&json);
	query_plan_echo(&plan, &params, &json);
	json_object_end(&json);
	ck_assert_str_eq(buf_cstr(&out),
	                 "{\"account_id\":\"abcd1234\",\"product\":\"SMS\",\"direction\":\"outbound\",\"to\":\"1\","
	                 "\"include_subaccounts\":true,\"columns\":\"id,to\",\"callback_url\":\"http://a\","
	                 "\"date_start\":\"2024-06-10T15:00:00+00:00\",\"date_end\":\"2024-06-17T15:00:00+00:00\"}");
	buf_free(&out);
}
END_TEST

/* --- fingerprints --- */

static uint64_t fingerprint(const char *query)
{
	assert_plan(query);
	return query_plan_fingerprint(&plan, &params);
}

START_TEST(fingerprint_knows_neither_order_nor_encoding_nor_cursor)
{
	uint64_t first = fingerprint(CALLS "&" DAY "&to=1&from=2");

	ck_assert_uint_eq(first, fingerprint("from=2&" DAY "&to=%31&" CALLS));
	ck_assert_uint_eq(first, fingerprint(CALLS "&" DAY "&to=1&from=2&cursor=a&iv=b&status="));
	ck_assert_uint_eq(first, fingerprint(CALLS "&to=1&from=2&date_start=2024-06-17T02:00:00+02:00"
	                                           "&date_end=2024-06-18T00:00:00.000Z"));
}
END_TEST

START_TEST(fingerprint_of_a_default_window_does_not_move)
{
	uint64_t first = fingerprint(SMS);

	limits.window_max_us += CLOCK_US_PER_HOUR;
	ck_assert_uint_eq(first, fingerprint(SMS));
}
END_TEST

/* Each selects or shows something else than the others. */
static const char *const distinct[] = {
	SMS,
	"product=SMS&direction=inbound&" ACCOUNT,
	"product=MESSAGES&direction=outbound&" ACCOUNT,
	"product=SMS&direction=outbound&account_id=abcd1235",
	SMS "&" DAY,
	SMS "&date_start=2024-06-17T00:00:00Z&date_end=2024-06-17T23:00:00Z",
	SMS "&date_start=2024-06-17T01:00:00Z&date_end=2024-06-18T00:00:00Z",
	SMS "&include_message=true",
	SMS "&show_concatenated=true",
	SMS "&to=1",
	SMS "&from=1",
	SMS "&to=1&from=2",
	SMS "&to=2&from=1",
};

START_TEST(fingerprint_tells_queries_apart)
{
	uint64_t mine = fingerprint(distinct[_i]);

	for (int i = 0; i < _i; i++)
		ck_assert_msg(mine != fingerprint(distinct[i]), "%s and %s", distinct[_i], distinct[i]);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

static void add_plans(Suite *suite)
{
	TCase *tc = tcase_create("plans");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, query_by_dates_is_read);
	tcase_add_loop_test(tc, dates_are_taken_in_every_form, 0, COUNT(noons));
	tcase_add_test(tc, without_dates_the_longest_window_that_ends_now);
	tcase_add_loop_test(tc, what_is_missing_of_a_range_is_made_up, 0, COUNT(halves));
	tcase_add_test(tc, an_end_near_the_epoch_has_no_beginning_before_it);
	tcase_add_test(tc, limit_is_the_page_size_up_to_page_max);
	tcase_add_loop_test(tc, any_is_no_filter, 0, COUNT(unfiltered));
	tcase_add_loop_test(tc, numbers_are_asked_for_without_a_plus, 0, COUNT(numbers));
	tcase_add_test(tc, ids_that_are_uuids_are_asked_for_in_either_case);
	tcase_add_test(tc, any_is_a_sender_like_others);
	tcase_add_test(tc, switches_may_be_off_in_any_query);
	tcase_add_test(tc, filters_become_columns_and_values);
	tcase_add_test(tc, filter_takes_any_value_where_that_is_set);
	tcase_add_test(tc, direction_is_no_filter_where_directions_are_kept_apart);
	tcase_add_test(tc, filter_may_match_a_column_of_another_name);
	tcase_add_loop_test(tc, every_product_takes_its_filters_all_at_once, 0, (int)catalog_products_count);
	tcase_add_loop_test(tc, every_product_is_found_by_id_alone, 0, (int)catalog_products_count);
	tcase_add_loop_test(tc, every_product_refuses_the_filters_of_others, 0, (int)catalog_products_count);
	tcase_add_test(tc, empty_values_count_as_not_given);
	tcase_add_loop_test(tc, switches_are_true_or_false, 0, COUNT(switches));
	tcase_add_test(tc, ids_are_kept_in_order_without_repeats);
	tcase_add_test(tc, id_query_need_not_name_a_direction);
	tcase_add_test(tc, deprecated_name_stands_for_a_product);
	tcase_add_test(tc, view_has_the_direction_only_where_directions_are_kept_apart);
	suite_add_tcase(suite, tc);
}

static void add_problems(Suite *suite)
{
	TCase *tc = tcase_create("problems");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, every_problem_is_named, 0, COUNT(wrong));
	tcase_add_test(tc, long_names_and_values_are_cut_between_characters);
	tcase_add_test(tc, more_problems_than_can_be_listed_are_left_out);
	tcase_add_test(tc, limits_are_settings);
	suite_add_tcase(suite, tc);
}

static void add_asynchronous(Suite *suite)
{
	TCase *tc = tcase_create("asynchronous");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, asynchronous_dates_default_to_the_last_seven_days);
	tcase_add_test(tc, asynchronous_queries_take_neither_ids_nor_cursors);
	tcase_add_test(tc, format_compression_and_columns_are_read_in_the_order_given);
	tcase_add_test(tc, without_them_it_is_csv_in_a_zip_with_all_columns);
	tcase_add_test(tc, parquet_may_name_the_compression_that_it_has);
	tcase_add_test(tc, message_body_is_a_column_when_it_is_asked_for);
	tcase_add_loop_test(tc, every_asynchronous_problem_is_named, 0, COUNT(wrong_async));
	tcase_add_test(tc, synchronous_queries_know_nothing_of_files);
	tcase_add_test(tc, echo_repeats_what_was_given_and_the_dates);
	suite_add_tcase(suite, tc);
}

static void add_fingerprints(Suite *suite)
{
	TCase *tc = tcase_create("fingerprints");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, fingerprint_knows_neither_order_nor_encoding_nor_cursor);
	tcase_add_test(tc, fingerprint_of_a_default_window_does_not_move);
	tcase_add_loop_test(tc, fingerprint_tells_queries_apart, 0, COUNT(distinct));
	suite_add_tcase(suite, tc);
}

Suite *suite_query(void)
{
	Suite *suite = suite_create("query");

	add_plans(suite);
	add_problems(suite);
	add_asynchronous(suite);
	add_fingerprints(suite);
	return suite;
}
