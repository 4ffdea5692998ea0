/* SPDX-License-Identifier: ISC */
/*
 * test_catalog.c: the table of products: what stands on disk stays where it is, and everything in it is found.
 *
 * The data file is checked by its generator; what is checked here is what a right file may still get wrong.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "catalog/catalog.h"
#include "store/scan.h"

Suite *suite_catalog(void);

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

static const struct catalog_product *product_of(const char *name)
{
	const struct catalog_product *product = catalog_product_find(str_from(name));

	ck_assert_msg(product != NULL, "no product %s", name);
	return product;
}

static const struct catalog_column *column_of(const struct catalog_product *product, const char *name)
{
	uint8_t position = catalog_column_find(product, str_from(name));

	ck_assert_msg(position != CATALOG_NONE, "%.*s has no column %s", STR_ARGS(product->name), name);
	return &product->columns[position];
}

static const struct catalog_filter *filter_of(const char *product, const char *name)
{
	const struct catalog_filter *filter = catalog_filter_find(product_of(product), str_from(name));

	ck_assert_msg(filter != NULL, "%s has no filter %s", product, name);
	return filter;
}

static bool is_listed(const char *const *list, const char *text, bool nocase)
{
	for (; *list; list++)
		if (nocase ? strcasecmp(*list, text) == 0 : strcmp(*list, text) == 0)
			return true;
	return false;
}

/* A copy whose neighbours may not be read. Freed by the caller. */
static struct str copy_of(struct str text)
{
	char *copy = malloc(text.len > 0 ? text.len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text.p, text.len);
	return (struct str){ copy, text.len };
}

/* --- what stands on disk --- */

/* Stores hold these numbers and places. Append to the lists; a failure here means data that can no longer be read. */
static const struct {
	const char *product;
	uint8_t number;
	const char *columns;
} on_disk[] = {
	{ "SMS", 1,
	  "account_id message_id account_ref client_ref direction from to forced_from changed_from "
	  "concatenated message_body network network_name country country_name date_received date_finalized "
	  "latency status error_code error_code_description currency total_price id dcs validity_period "
	  "ip_address udh workflow_id tier_volume" },
	{ "SMS-TRAFFIC-CONTROL", 2, "account_id message_id queued_time queue_duration status id" },
	{ "MESSAGES", 3,
	  "account_id message_id client_ref direction from to message_body country country_name provider "
	  "network network_name session_type session_id date_received date_finalized latency status "
	  "error_code provider_error_code currency estimated_price total_price id pricing_model pricing_type "
	  "workflow_id workflow_items_number workflow_items_total tier_volume" },
	{ "VOICE-CALL", 4,
	  "account_id call_id direction from to network network_name country country_name date_start "
	  "date_end duration status status_code status_description currency price total_price id forced_from "
	  "tier_volume" },
	{ "VOICE-FAILED", 5,
	  "account_id call_id direction from to network network_name country country_name date_start "
	  "date_end status status_code status_description id" },
	{ "VOICE-TTS", 6,
	  "account_id id trace_id from to creation_date start_time end_time duration language style tts_type "
	  "premium length size status currency price total_price" },
	{ "IN-APP-VOICE", 7,
	  "account_id request_id application_id client_ref conversation_id user_id leg_id date_start "
	  "date_end duration status currency price total_price id" },
	{ "WEBSOCKET-CALL", 8, "account_id call_id date_start date_end duration status currency price total_price id" },
	{ "ASR", 9,
	  "account_id call_id direction from to call_date_start date_start date_end duration asr_type status "
	  "status_description currency price total_price id country network" },
	{ "AMD", 10,
	  "account_id call_id start_time end_time amd_beep_detection_result amd_detection_result "
	  "amd_result_sent amd_user_defined_beep_timeout amd_user_defined_behavior amd_user_defined_mode "
	  "currency total_price id" },
	{ "VERIFY-API", 11,
	  "account_id request_id from to locale number_type network network_name country country_name "
	  "date_received date_finalized first_event_date last_event_date status sms_event_count "
	  "tts_event_count sms_price tts_price currency pricing_model price estimated_price id" },
	{ "VERIFY-V2", 12,
	  "account_id request_id parent_request_id channel client_ref to locale country network network_name "
	  "date_received status pin_length sms_event_count tts_event_count email_event_count "
	  "whatsapp_event_count rcs_event_count silentauth_event_count if_fraud_check currency total_price id" },
	{ "NUMBER-INSIGHT", 13,
	  "account_id request_id product_type number date_received status response_code network network_name "
	  "network_type country country_name valid ported reachable first_name last_name currency "
	  "total_price id" },
	{ "NUMBER-INSIGHT-V2", 14,
	  "account_id request_id number request_type risk swapped status country network date_received "
	  "currency total_price id" },
	{ "CONVERSATION-EVENT", 15,
	  "account_id request_id application_id client_ref conversation_id user_id creation_date status "
	  "currency price total_price id" },
	{ "CONVERSATION-MESSAGE", 16,
	  "account_id application_id client_ref conversation_id creation_date from_channel from_member_id "
	  "from_message_id from_user_id other_ids trace_id currency price total_price id" },
	{ "VIDEO-API", 17,
	  "account_id application_id session_id meeting_id feature_name archive_id broadcast_id composer_id "
	  "hls_id subscriber_id date_start date_end duration currency total_price tier_volume id" },
	{ "NETWORK-API-EVENT", 18,
	  "account_id application_id product_name request_type request_session_id product_path "
	  "correlation_id msisdn country_code network event_time record_creation_time response_result status "
	  "currency total_price id" },
	{ "REPORTS-USAGE", 19,
	  "account_id acc master_account_id product_type request_product job_type status date_received "
	  "date_started date_finished items_written is_charged currency price total_price tier_volume "
	  "request_params id" },
};

START_TEST(numbers_and_places_of_columns_never_change)
{
	const struct catalog_product *product = product_of(on_disk[_i].product);
	struct str left = str_from(on_disk[_i].columns);

	ck_assert_uint_eq(product->number, on_disk[_i].number);
	for (uint8_t i = 0; left.len > 0; i++) {
		const char *space = memchr(left.p, ' ', left.len);
		struct str name = { left.p, space ? (size_t)(space - left.p) : left.len };
		size_t step = space ? name.len + 1 : name.len;

		ck_assert_uint_lt(i, product->columns_count);
		ck_assert_msg(str_equal(product->columns[i].name, name), "%s: column %u is %.*s, on disk it is %.*s",
		              on_disk[_i].product, (unsigned)i, STR_ARGS(product->columns[i].name), STR_ARGS(name));
		left.p += step;
		left.len -= step;
	}
}
END_TEST

START_TEST(every_product_is_one_of_those_on_disk)
{
	ck_assert_msg(catalog_products_count == (size_t)COUNT(on_disk),
	              "%zu products, %d in the test's list: add new ones", catalog_products_count, COUNT(on_disk));
}
END_TEST

START_TEST(numbers_are_unique_and_found)
{
	bool seen[256] = { false };

	for (size_t i = 0; i < catalog_products_count; i++) {
		uint8_t number = catalog_products[i].number;

		ck_assert(number >= 1 && number <= 254 && !seen[number]);
		seen[number] = true;
	}
	for (int number = 0; number < 256; number++) {
		const struct catalog_product *product = catalog_product_numbered((uint8_t)number);

		ck_assert_msg((product != NULL) == seen[number], "number %d", number);
		if (product)
			ck_assert_int_eq(product->number, number);
	}
}
END_TEST

/* --- names --- */

START_TEST(product_is_found_by_its_exact_name)
{
	static const char *const others[] = {
		"", "sms", "SM", "SMSS", "SMS ", "VOICE", "CONVERSATIONS", "REPORTS_USAGE"
	};

	for (size_t i = 0; i < catalog_products_count; i++) {
		struct str name = copy_of(catalog_products[i].name);

		ck_assert_ptr_eq(catalog_product_find(name), &catalog_products[i]);
		ck_assert(!catalog_is_alias(name));
		free((void *)(uintptr_t)name.p);
	}
	for (int i = 0; i < COUNT(others); i++)
		ck_assert_msg(!catalog_product_find(str_from(others[i])), "'%s' was found", others[i]);
	ck_assert_ptr_null(catalog_product_find((struct str){ NULL, 0 }));
}
END_TEST

START_TEST(alias_with_a_type_stands_for_a_product)
{
	struct str name = STR_LITERAL("CONVERSATIONS");

	ck_assert(catalog_is_alias(name));
	ck_assert(!catalog_is_alias(STR_LITERAL("Conversations")));
	ck_assert(!catalog_is_alias((struct str){ NULL, 0 }));
	ck_assert_ptr_eq(catalog_alias_find(name, STR_LITERAL("ip-voice")), product_of("IN-APP-VOICE"));
	ck_assert_ptr_eq(catalog_alias_find(name, STR_LITERAL("cs-custom-event")), product_of("CONVERSATION-EVENT"));
	ck_assert_ptr_null(catalog_alias_find(name, STR_LITERAL("fax")));
	ck_assert_ptr_null(catalog_alias_find(name, (struct str){ NULL, 0 }));
	ck_assert_ptr_null(catalog_alias_find(STR_LITERAL("SMS"), STR_LITERAL("ip-voice")));
	ck_assert_uint_eq(catalog_aliases_count, 2);
}
END_TEST

START_TEST(every_column_is_found_by_its_name)
{
	const struct catalog_product *product = &catalog_products[_i];

	for (uint8_t i = 0; i < product->columns_count; i++) {
		struct str name = copy_of(product->columns[i].name);
		uint8_t found = catalog_column_find(product, name);

		ck_assert_msg(found == i, "%.*s: column %u is found as %u", STR_ARGS(name), (unsigned)i,
		              (unsigned)found);
		free((void *)(uintptr_t)name.p);
	}
}
END_TEST

/* By walking the list, as the hash must agree with it. */
static uint8_t search_column(const struct catalog_product *product, struct str name)
{
	for (uint8_t i = 0; i < product->columns_count; i++)
		if (str_equal(product->columns[i].name, name))
			return i;
	return CATALOG_NONE;
}

static void assert_found_alike(const struct catalog_product *product, struct str name)
{
	struct str copy = copy_of(name);

	ck_assert_msg(catalog_column_find(product, copy) == search_column(product, name), "%.*s in %.*s",
	              STR_ARGS(name), STR_ARGS(product->name));
	free((void *)(uintptr_t)copy.p);
}

/* Each name cut short, made longer, and with each byte changed. */
static void assert_neighbours_found_alike(const struct catalog_product *product, struct str name)
{
	char text[64];

	ck_assert_uint_lt(name.len, sizeof(text));
	memcpy(text, name.p, name.len);
	text[name.len] = 'x';
	for (size_t len = 0; len <= name.len + 1; len++)
		assert_found_alike(product, (struct str){ text, len });
	for (size_t i = 0; i < name.len; i++) {
		text[i] ^= ' '; /* the other case */
		assert_found_alike(product, (struct str){ text, name.len });
		text[i] = '\0';
		assert_found_alike(product, (struct str){ text, name.len });
		text[i] = name.p[i];
	}
}

START_TEST(no_other_name_is_a_column)
{
	const struct catalog_product *product = &catalog_products[_i];
	static char long_name[70000];

	for (size_t other = 0; other < catalog_products_count; other++)
		for (uint8_t i = 0; i < catalog_products[other].columns_count; i++)
			assert_found_alike(product, catalog_products[other].columns[i].name);
	for (uint8_t i = 0; i < product->columns_count; i++)
		assert_neighbours_found_alike(product, product->columns[i].name);
	ck_assert_uint_eq(catalog_column_find(product, (struct str){ NULL, 0 }), CATALOG_NONE);
	ck_assert_uint_eq(catalog_column_find(product, (struct str){ long_name, sizeof(long_name) }), CATALOG_NONE);
}
END_TEST

/* --- the table --- */

START_TEST(product_is_whole)
{
	const struct catalog_product *product = &catalog_products[_i];

	ck_assert(product->columns_count > 0 && product->columns_count <= CATALOG_COLUMNS_MAX);
	ck_assert(str_is(product->columns[product->account_column].name, "account_id"));
	ck_assert(str_is(product->columns[product->id_column].name, "id"));
	ck_assert_int_eq(product->columns[product->time_column].kind, CATALOG_TIME);
	ck_assert_uint_eq(product->direction_column, search_column(product, STR_LITERAL("direction")));
	ck_assert_uint_ge(product->lookup_count, 1);
	for (uint8_t i = 0; i < product->lookup_count; i++)
		ck_assert_uint_lt(product->lookup[i], product->columns_count);
	ck_assert_msg(memchr(product->lookup, product->id_column, product->lookup_count), "id looks nothing up");
}
END_TEST

START_TEST(column_is_whole)
{
	const struct catalog_product *product = &catalog_products[_i];

	for (uint8_t i = 0; i < product->columns_count; i++) {
		const struct catalog_column *column = &product->columns[i];
		char before[128];

		snprintf(before, sizeof(before), ",\"%.*s\":%s", STR_ARGS(column->name),
		         column->kind == CATALOG_JSON ? "" : "\"");
		ck_assert_msg(str_is(column->json_before, before), "%.*s", STR_ARGS(column->json_before));
		ck_assert_uint_eq(strlen(column->name.p), column->name.len); /* ingest shows it as a C string */
		if (column->kind == CATALOG_ENUM)
			ck_assert_msg(column->samples && column->samples[0], "%s has no samples", column->name.p);
	}
}
END_TEST

START_TEST(parallel_samples_have_one_length)
{
	static const char *const parallel[] = { "status",
		                                "status_code",
		                                "status_description",
		                                "error_code",
		                                "error_code_description",
		                                "provider_error_code",
		                                "response_code" };
	const struct catalog_product *product = &catalog_products[_i];
	size_t length = 0;

	for (int i = 0; i < COUNT(parallel); i++) {
		uint8_t position = catalog_column_find(product, str_from(parallel[i]));
		size_t count = 0;

		if (position == CATALOG_NONE)
			continue;
		for (const char *const *sample = product->columns[position].samples; *sample; sample++)
			count++;
		if (length == 0)
			length = count;
		ck_assert_msg(count == length, "%s has %zu samples, those before have %zu", parallel[i], count, length);
	}
}
END_TEST

START_TEST(filter_is_whole)
{
	const struct catalog_product *product = &catalog_products[_i];

	ck_assert_uint_le(product->filters_count, SCAN_FILTERS_MAX);
	for (uint8_t i = 0; i < product->filters_count; i++) {
		const struct catalog_filter *filter = &product->filters[i];

		ck_assert_ptr_eq(catalog_filter_find(product, filter->name), filter);
		ck_assert_uint_lt(filter->column, product->columns_count);
		if (!filter->values)
			continue;
		ck_assert_ptr_nonnull(filter->values[0]);
		for (const char *const *sample = product->columns[filter->column].samples; sample && *sample; sample++)
			ck_assert_msg(is_listed(filter->values, *sample, filter->nocase),
			              "%.*s: samples have %s, which %.*s "
			              "does not take",
			              STR_ARGS(product->name), *sample, STR_ARGS(filter->name));
	}
	ck_assert_ptr_null(catalog_filter_find(product, STR_LITERAL("include_message")));
	ck_assert_ptr_null(catalog_filter_find(product, (struct str){ NULL, 0 }));
}
END_TEST

START_TEST(directions_are_kept_apart_where_the_filter_is_required)
{
	const struct catalog_product *product = &catalog_products[_i];
	bool apart = str_is(product->name, "SMS") || str_is(product->name, "MESSAGES");

	ck_assert_int_eq(product->partition_direction, apart);
	for (uint8_t i = 0; i < product->filters_count; i++)
		ck_assert_int_eq(product->filters[i].required, apart && str_is(product->filters[i].name, "direction"));
	for (uint8_t i = 0; !apart && i < product->columns_count; i++)
		ck_assert_msg(product->columns[i].inbound, "%s", product->columns[i].name.p);
	if (apart)
		ck_assert_uint_ne(product->direction_column, CATALOG_NONE);
}
END_TEST

static unsigned count_inbound(const struct catalog_product *product)
{
	unsigned count = 0;

	for (uint8_t i = 0; i < product->columns_count; i++)
		count += product->columns[i].inbound;
	return count;
}

START_TEST(inbound_records_have_fewer_columns)
{
	ck_assert_uint_eq(count_inbound(product_of("SMS")), 15);
	ck_assert_uint_eq(count_inbound(product_of("MESSAGES")), 14);
	ck_assert(column_of(product_of("SMS"), "message_body")->inbound);
	ck_assert(!column_of(product_of("SMS"), "status")->inbound);
	ck_assert(!column_of(product_of("MESSAGES"), "country")->inbound);
}
END_TEST

START_TEST(only_the_daemon_writes_reports_usage)
{
	for (size_t i = 0; i < catalog_products_count; i++)
		ck_assert_int_eq(catalog_products[i].own, str_is(catalog_products[i].name, "REPORTS-USAGE"));
	ck_assert_int_eq(column_of(product_of("REPORTS-USAGE"), "request_params")->kind, CATALOG_JSON);
}
END_TEST

START_TEST(switches_belong_to_the_products_that_have_the_columns)
{
	for (size_t i = 0; i < catalog_products_count; i++) {
		const struct catalog_product *product = &catalog_products[i];
		bool sms = str_is(product->name, "SMS");

		ck_assert_int_eq(product->has_message, sms || str_is(product->name, "MESSAGES"));
		ck_assert_int_eq(product->has_concatenated, sms);
	}
}
END_TEST

START_TEST(filter_values_are_those_of_the_reference)
{
	static const char *const older[] = { "started",  "ringing", "answered", "machine",   "completed",
		                             "timeout",  "failed",  "rejected", "cancelled", "busy",
		                             "ANSWERED", "MACHINE", "ERROR" };
	const struct catalog_filter *status = filter_of("VOICE-CALL", "status");

	ck_assert(status->nocase);
	for (int i = 0; i < COUNT(older); i++)
		ck_assert_msg(is_listed(status->values, older[i], true), "VOICE-CALL does not take %s", older[i]);
	ck_assert(filter_of("VOICE-FAILED", "status")->nocase);
	ck_assert_ptr_null(filter_of("VOICE-FAILED", "status")->values);
	ck_assert(!filter_of("SMS", "status")->nocase);
	ck_assert(is_listed(filter_of("SMS", "status")->values, "buffered", false));
	ck_assert(is_listed(filter_of("MESSAGES", "provider")->values, "viber_service_msg", false));
	ck_assert(is_listed(filter_of("VERIFY-V2", "channel")->values, "silent_auth", false));
	ck_assert_ptr_null(filter_of("SMS", "to")->values);
}
END_TEST

START_TEST(filter_may_match_a_column_of_another_name)
{
	const struct catalog_filter *filter = filter_of("NETWORK-API-EVENT", "country");

	ck_assert(str_is(product_of("NETWORK-API-EVENT")->columns[filter->column].name, "country_code"));
}
END_TEST

/* --- directions and views --- */

static const struct {
	const char *text;
	enum catalog_direction direction;
} directions[] = {
	{ "outbound", CATALOG_OUTBOUND },      { "inbound", CATALOG_INBOUND },
	{ "OUTBOUND", CATALOG_OUTBOUND },      { "Inbound", CATALOG_INBOUND },
	{ "", CATALOG_NO_DIRECTION },          { NULL, CATALOG_NO_DIRECTION },
	{ "in", CATALOG_NO_DIRECTION },        { "inbound ", CATALOG_NO_DIRECTION },
	{ "sideways", CATALOG_NO_DIRECTION },  { "sidebar", CATALOG_NO_DIRECTION },
	{ "outbounds", CATALOG_NO_DIRECTION },
};

START_TEST(direction_is_read_without_regard_to_case)
{
	ck_assert_int_eq(catalog_direction_parse(str_from(directions[_i].text)), directions[_i].direction);
}
END_TEST

static const struct {
	enum catalog_shown shown;
	bool inbound;
	enum catalog_direction direction;
	bool message, concatenated;
	bool is_shown;
} views[] = {
	{ CATALOG_ALWAYS, true, CATALOG_OUTBOUND, false, false, true },
	{ CATALOG_ALWAYS, true, CATALOG_INBOUND, false, false, true },
	{ CATALOG_ALWAYS, false, CATALOG_INBOUND, true, true, false },
	{ CATALOG_ALWAYS, false, CATALOG_NO_DIRECTION, false, false, true },
	{ CATALOG_WITH_MESSAGE, true, CATALOG_INBOUND, true, false, true },
	{ CATALOG_WITH_MESSAGE, true, CATALOG_OUTBOUND, true, false, true },
	{ CATALOG_WITH_MESSAGE, true, CATALOG_OUTBOUND, false, true, false },
	{ CATALOG_WITH_MESSAGE, false, CATALOG_INBOUND, true, false, false },
	{ CATALOG_WITH_CONCATENATED, false, CATALOG_OUTBOUND, false, true, true },
	{ CATALOG_WITH_CONCATENATED, true, CATALOG_NO_DIRECTION, false, true, true },
	{ CATALOG_WITH_CONCATENATED, true, CATALOG_INBOUND, false, true, false },
	{ CATALOG_WITH_CONCATENATED, true, CATALOG_OUTBOUND, true, false, false },
	{ CATALOG_NEVER, true, CATALOG_OUTBOUND, true, true, false },
};

START_TEST(column_is_shown_by_direction_and_switches)
{
	struct catalog_column column = { .shown = views[_i].shown, .inbound = views[_i].inbound };

	ck_assert_int_eq(catalog_column_shown(&column, views[_i].direction, views[_i].message, views[_i].concatenated),
	                 views[_i].is_shown);
}
END_TEST

Suite *suite_catalog(void)
{
	Suite *suite = suite_create("catalog");
	int products = (int)catalog_products_count;
	TCase *disk = tcase_create("on disk");
	TCase *names = tcase_create("names");
	TCase *table = tcase_create("table");

	tcase_add_loop_test(disk, numbers_and_places_of_columns_never_change, 0, COUNT(on_disk));
	tcase_add_test(disk, every_product_is_one_of_those_on_disk);
	tcase_add_test(disk, numbers_are_unique_and_found);
	suite_add_tcase(suite, disk);

	tcase_add_test(names, product_is_found_by_its_exact_name);
	tcase_add_test(names, alias_with_a_type_stands_for_a_product);
	tcase_add_loop_test(names, every_column_is_found_by_its_name, 0, products);
	tcase_add_loop_test(names, no_other_name_is_a_column, 0, products);
	suite_add_tcase(suite, names);

	tcase_add_loop_test(table, product_is_whole, 0, products);
	tcase_add_loop_test(table, column_is_whole, 0, products);
	tcase_add_loop_test(table, parallel_samples_have_one_length, 0, products);
	tcase_add_loop_test(table, filter_is_whole, 0, products);
	tcase_add_loop_test(table, directions_are_kept_apart_where_the_filter_is_required, 0, products);
	tcase_add_test(table, inbound_records_have_fewer_columns);
	tcase_add_test(table, only_the_daemon_writes_reports_usage);
	tcase_add_test(table, switches_belong_to_the_products_that_have_the_columns);
	tcase_add_test(table, filter_values_are_those_of_the_reference);
	tcase_add_test(table, filter_may_match_a_column_of_another_name);
	tcase_add_loop_test(table, direction_is_read_without_regard_to_case, 0, COUNT(directions));
	tcase_add_loop_test(table, column_is_shown_by_direction_and_switches, 0, COUNT(views));
	suite_add_tcase(suite, table);
	return suite;
}
