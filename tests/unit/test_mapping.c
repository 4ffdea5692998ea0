/* SPDX-License-Identifier: ISC */
/*
 * test_mapping.c: what a mapping's file says is what becomes of rows, and what is wrong with it is told by line.
 */
#include <check.h>

#include "mapping/mapping.h"

Suite *suite_mapping(void);

static struct buf seen; /* a line an item: the record as JSON, or its faults */
static struct config_faults faults;

static void setup(void)
{
	seen = (struct buf){ 0 };
	faults = (struct config_faults){ .count = 0 };
}

static void teardown(void)
{
	buf_free(&seen);
	buf_free(&faults.lines);
}

static void on_item(void *arg, const struct parse_item *item)
{
	(void)arg;
	buf_addf(&seen, "%llu ", (unsigned long long)item->line);
	if (item->updates)
		buf_add_text(&seen, "update ");
	if (item->record && item->faults_count == 0)
		record_write_raw_json(&seen, item->record);
	for (size_t i = 0; i < item->faults_count; i++)
		buf_addf(&seen, "[%s: %s]", item->faults[i].field, item->faults[i].reason);
	buf_add_char(&seen, '\n');
}

static struct mapping *compile(const char *text)
{
	struct mapping *mapping = mapping_compile("dir/test.conf", str_from(text), &faults);

	ck_assert_msg(mapping != NULL, "%s", faults.lines.data ? faults.lines.data : "?");
	return mapping;
}

/* Feeds the text in pieces of `step` bytes. */
static uint64_t map_pieces(struct mapping *mapping, const char *text, size_t step)
{
	static const struct parse_limits limits = { 1000, 100, 16 };
	struct mapping_reader *reader = mapping_reader_new(mapping, &limits, on_item, NULL);
	size_t len = strlen(text);
	struct error err = { .code = ERROR_NONE };
	int result = 0;

	ck_assert(reader != NULL);
	buf_clear(&seen);
	for (size_t at = 0; at < len && result == 0; at += step)
		result = mapping_reader_feed(reader, text + at, len - at < step ? len - at : step, &err);
	if (result == 0)
		result = mapping_reader_finish(reader, &err);
	if (result != 0)
		buf_addf(&seen, "end: %s\n", err.message);
	uint64_t skipped = mapping_reader_skipped(reader);
	mapping_reader_free(reader);
	return skipped;
}

/* The items, however the text is cut. */
static void assert_maps(const char *file, const char *text, const char *wanted)
{
	struct mapping *mapping = compile(file);

	for (size_t step = 1; step <= strlen(text); step += step < 8 ? 1 : strlen(text) / 2) {
		map_pieces(mapping, text, step);
		ck_assert_msg(str_is(buf_str(&seen), wanted), "in pieces of %zu:\n%.*swanted:\n%s", step,
		              STR_ARGS(buf_str(&seen)), wanted);
	}
	mapping_release(mapping);
}

static void assert_value(const char *expression, const char *row, const char *wanted)
{
	struct buf file = { 0 }, line = { 0 };

	buf_addf(&file,
	         "form = csv\nnames = a b\noptional = b\n[record]\nproduct = VOICE-CALL\nid = %s\n"
	         "[table t]\nx = 1\n\"a b\" = 2\n* = other\n[table p]\n44 = uk\n447 = mobile\n"
	         "[rates r]\nnumber = {a}\namount = {b}\ntime = 2026-07-01T00:00:00Z\n"
	         "44 = 0.1 per 60 minimum 90\n447 = 0.000000000001 per 1\n4479 = 5 until 2026-06-30\n49 = 0.2\n",
	         expression);
	buf_addf(&line, "1 %s\n", wanted);
	assert_maps(buf_cstr(&file), row, buf_cstr(&line));
	buf_free(&file);
	buf_free(&line);
}

#define IS(value) "{\"product\":\"VOICE-CALL\",\"id\":\"" value "\"}"

START_TEST(values_are_changed_from_left_to_right)
{
	assert_value("{a}", "x", IS("x"));
	assert_value("{a}-{b}", "x,y", IS("x-y"));
	assert_value("\"a # b\"{a}", "x", IS("a # bx"));
	assert_value("{a}-{b}", ",", "{\"product\":\"VOICE-CALL\"}");
	assert_value("{a}{b | prepend \"-\"}", "x", IS("x"));
	assert_value("{a | or b}", ",y", IS("y"));
	assert_value("{a | default none}", ",", IS("none"));
	assert_value("{a | blank 0 | default none}", "0", IS("none"));
	assert_value("{a | strip +}", "+44", IS("44"));
	assert_value("{a | after / | before -}", "PJSIP/bob-01", IS("bob"));
	assert_value("{a | before x}", "abc", IS("abc"));
	assert_value("{a | upper}{b | lower}", "Aa,Bb", IS("AAbb"));
	assert_value("{a | trim}", "  x ", IS("x"));
	assert_value("{a | urldecode}", "a%20b%zz%2B+", IS("a b%zz++"));
	assert_value("{a | python}", "b'it\\'s \\x41\\\\'", IS("it's A\\\\"));
	assert_value("{a | table t}", "a b", IS("2"));
	assert_value("{a | table t}", "b", IS("other"));
	assert_value("{a | prefix p}", "+44790", IS("mobile"));
	assert_value("{a | prefix p}", "33", "[id: \"33\": not in the table p]");
}
END_TEST

START_TEST(times_are_read_by_their_form)
{
	assert_value("{a | time \"%d/%b/%Y %H:%M:%S.%f %z\"}", "03/Feb/2026 04:05:06.789 +0100",
	             IS("2026-02-03T04:05:06.789+0100"));
	assert_value("{a | time \"%y%m%d%H%M\"}", "2611241403", IS("2026-11-24T14:03:00"));
	assert_value("{a | time epoch_us}", "1795529014123456", IS("1795529014.123456"));
	assert_value("{a | time epoch_ms}", "12", "[id: \"12\": must be a time such as epoch_ms]");
	assert_value("{a | time %Y-%m-%d}", "2026-1x-01", "[id: \"2026-1x-01\": must be a time such as %Y-%m-%d]");
	assert_value("{a | time %Y-%m-%d}", "2026-01-01 ", "[id: \"2026-01-01 \": must be a time such as %Y-%m-%d]");
	assert_value("{a | time %Y-%m-%d | default x}", ",", IS("x"));
}
END_TEST

START_TEST(prices_are_exact_and_of_started_intervals)
{
	assert_value("{rate r}", "4420,0", IS("0"));
	assert_value("{rate r}", "4420,0.5", IS("0.2"));
	assert_value("{rate r}", "4420,120", IS("0.2"));
	assert_value("{rate r}", "4420,120.000000000001", IS("0.3"));
	assert_value("{rate r}", "+44790,3", IS("0.000000000003"));
	assert_value("{rate r}", "49,1000", IS("0.2"));
	assert_value("{rate r}", "33,1", "[id: no rate for \"33\" at 2026-07-01T00:00:00Z in r]");
	assert_value("{rate r}", "44,x", "[id: no rate: \"x\" is no number of seconds]");
	assert_value("{rate r}", "44,-5", "[id: no rate: \"-5\" is no number of seconds]");
}
END_TEST

START_TEST(the_first_section_whose_tests_are_true_takes_a_row)
{
	static const char file[] =
		"form = csv\nnames = a b\n"
		"[skip]\nwhen = {a} is x or \"y z\"\nwhen = {b} is not empty\n"
		"[record one]\nwhen = {a} begins with q or x\nproduct = SMS\nid = {b}\n"
		"[record two]\nwhen = {a} is not x or empty\nproduct = SMS\nupdate = yes\nid = {a}\n";

	assert_maps(file, "x,1\ny z,1\nx,\nq,2\nr,\n,\n",
	            "3 {\"product\":\"SMS\"}\n4 {\"product\":\"SMS\",\"id\":\"2\"}\n"
	            "5 update {\"product\":\"SMS\",\"id\":\"r\"}\n"
	            "6 [: No section [record] or [skip] of the mapping takes this row]\n");
}
END_TEST

START_TEST(a_field_may_be_as_long_as_another_one_says)
{
	static const char file[] = "form = pattern\npattern = \"%{n}|%{text:n}|%{end}%%\"\n"
				   "[record]\nproduct = SMS\nid = {text}\nto = {end}\n";

	assert_maps(file, "3|a|b|c%\n1|ab|%\n1|abc|%\n0||x|y%\n3|abc|x\n",
	            "1 {\"product\":\"SMS\",\"to\":\"c\",\"id\":\"a|b\"}\n2 {\"product\":\"SMS\",\"id\":\"ab\"}\n"
	            "3 [: Does not have the form of the pattern]\n4 {\"product\":\"SMS\",\"to\":\"x|y\"}\n"
	            "5 [: Does not have the form of the pattern]\n");
}
END_TEST

START_TEST(broken_quotes_cost_a_line_and_quoted_lines_are_values_where_that_is_said)
{
	static const char lines[] = "form = csv\nnames = a b\n[record]\nproduct = SMS\nid = {b}\n";
	static const char multiline[] =
		"form = csv\nmultiline = yes\nheader = yes\noptional = c\n[record]\nproduct = SMS\nid = {b}\nto = {c}\n";

	assert_maps(lines, "1,\"2\n\"3\",\"4\"\"5\"\r\n\"6\"x,7\n\n8,9\n",
	            "1 [: Broken quotes: a quoted value must be whole, with its quotes doubled]\n"
	            "2 {\"product\":\"SMS\",\"id\":\"4\\\"5\"}\n"
	            "3 [: Broken quotes: a quoted value must be whole, with its quotes doubled]\n"
	            "5 {\"product\":\"SMS\",\"id\":\"9\"}\n");
	assert_maps(multiline, "\xef\xbb\xbfx,\"b\"\n1,\"2\n\"\"\n,\"\n3\n4,5",
	            "2 {\"product\":\"SMS\",\"id\":\"2\\n\\\"\\n,\"}\n5 [: 1 values, but there must be at least 2]\n"
	            "6 {\"product\":\"SMS\",\"id\":\"5\"}\n");
	assert_maps(multiline, "\"long\r\nname\",b\r\n1,2\r\n", "3 {\"product\":\"SMS\",\"id\":\"2\"}\n");
	assert_maps(multiline, "\"x\",b\r1,2\r3,4\n",
	            "end: The header line has a carriage return in it: lines must end in a line feed\n");
	assert_maps(multiline, "x,c\n1,2\n", "end: The header line lacks \"b\", which the mapping uses\n");
}
END_TEST

START_TEST(a_byte_order_mark_is_no_part_of_the_first_value_however_it_arrives)
{
	static const char header[] = "form = csv\nheader = yes\n[record]\nproduct = SMS\nid = {b}\n";
	static const char rows[] = "form = csv\nnames = a\n[record]\nproduct = SMS\nid = {a}\n";

	assert_maps(header,
	            "\xef\xbb\xbf"
	            "b\n1\n",
	            "2 {\"product\":\"SMS\",\"id\":\"1\"}\n");
	assert_maps(rows,
	            "\xef\xbb\xbf"
	            "1\n",
	            "1 {\"product\":\"SMS\",\"id\":\"1\"}\n");
	assert_maps(rows, "\xef\xbb\xbe\n", "1 {\"product\":\"SMS\",\"id\":\"\xef\xbb\xbe\"}\n");
	assert_maps(rows, "\xef\xbb\xbf\xef\xbb\xbf\n", "1 {\"product\":\"SMS\",\"id\":\"\xef\xbb\xbf\"}\n");
	assert_maps(rows, "\xef\xbb", "1 [id: Not valid UTF-8]\n");
	assert_maps(rows, "\xef\xbb\xbf", "");
}
END_TEST

START_TEST(json_is_read_by_paths_wherever_its_objects_are)
{
	static const char file[] = "form = json\n[record]\nproduct = SMS\nid = {a.1.b}\nto = {c}\nfrom = {d.e}\n";

	assert_maps(
		file,
		"[{\"a\":[{\"b\":\"no\"},{\"b\":\"}\\u00e9\\\"\"}],\n\"c\":1.50},{\"c\":true,\"d\":{\"e\":nan}}]\n"
		"nonsense\n{\"c\":-inf,\"d\":{\"e\":\"x\"}}\n{\"c\":}",
		"1 {\"product\":\"SMS\",\"to\":\"1.50\",\"id\":\"}\xc3\xa9\\\"\"}\n2 {\"product\":\"SMS\",\"to\":\"true\"}\n"
		"3 [: not valid JSON: byte 1: a value was expected]\n4 {\"product\":\"SMS\",\"from\":\"x\"}\n"
		"5 [: not valid JSON: byte 6: a value was expected]\n");
}
END_TEST

START_TEST(rows_begin_after_the_start_and_other_lines_are_skipped)
{
	static const char file[] =
		"form = pairs\nstart = \"ACC: \"\nseparator = \";\"\n[record]\nproduct = SMS\nid = {id}\n";
	struct mapping *mapping = compile(file);

	ck_assert_uint_eq(map_pieces(mapping, "x\nlog ACC: a=1; id = 7 ;b\nACC: nothing\n", 5), 1);
	ck_assert_msg(str_is(buf_str(&seen),
	                     "2 {\"product\":\"SMS\",\"id\":\"7\"}\n3 [: No key and value in the row]\n"),
	              "%.*s", STR_ARGS(buf_str(&seen)));
	mapping_release(mapping);
}
END_TEST

START_TEST(values_that_cannot_be_stored_are_faults_of_their_column)
{
	static const char file[] = "form = csv\nnames = a b\n[record]\nproduct = SMS\nid = {a}\nto = {b | urldecode}\n";
	struct buf row = { 0 };

	assert_maps(file, "\xff,%00\n", "1 [id: Not valid UTF-8][to: Contains a NUL character]\n");
	for (int i = 0; i < 101; i++)
		buf_add_char(&row, 'x');
	buf_add_text(&row, ",1\n");
	assert_maps(file, buf_cstr(&row), "1 [id: 101 bytes, at most 100 allowed]\n");
	for (int i = 0; i < 1001; i++)
		buf_add_char(&row, 'y');
	buf_add_text(&row, "\n1,1\n");
	struct mapping *mapping = compile(file);
	map_pieces(mapping, buf_cstr(&row), 64);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&seen), "2 [: Longer than the 1000 bytes allowed]\n3 {"));
	mapping_release(mapping);
	buf_free(&row);
}
END_TEST

/* What is told of a wrong file, after its path. */
static const struct wrong_file {
	const char *text, *told;
} wrong_files[] = {
	{ "", ":1: form: missing; must be csv, json, pairs or pattern" },
	{ "form = xml", ":1: form: \"xml\": must be csv, json, pairs or pattern" },
	{ "form = csv\nform = csv", ":2: form: given twice" },
	{ "form = json\nnames = a", ":2: names: not of this form of rows" },
	{ "form = json\nnonsense = a", ":2: nonsense: unknown key" },
	{ "form = csv", ":1: CSV has either names or header = yes" },
	{ "form = csv\nnames = a a", ":2: names: \"a\" is there twice" },
	{ "form = json\ntime_zone = Berlin", ":2: time_zone: \"Berlin\": must be a time zone's name" },
	{ "form json", ":1: not of the form \"key = value\"" },
	{ "form = json\n[nonsense]", ":2: [nonsense]: must be skip, record, table or rates" },
	{ "form = json\n[record", ":2: not of the form \"[section]\"" },
	{ "form = json\n[record]\nid = {a}", ":2: product: missing" },
	{ "form = json\n[record]\nproduct = FAX", ":2: product: \"FAX\": no such product" },
	{ "form = json\n[record]\nproduct = SMS\nxy = {a}", ":4: xy: not a column of SMS" },
	{ "form = json\n[record]\nproduct = SMS\nid = {a", ":4: a { without its }" },
	{ "form = json\n[record]\nproduct = SMS\nid = {a | mangle}", ":4: \"mangle\": must be one of or, default" },
	{ "form = json\n[record]\nproduct = SMS\nid = {a | table t}", ":4: \"t\": there is no section [table t]" },
	{ "form = json\n[record]\nproduct = SMS\nid = {a | time x}", ":4: \"x\": must be a form such as" },
	{ "form = json\n[record]\nproduct = SMS\nid = {a | time \"%Y-%m %H:%M\"}",
	  ":4: \"%Y-%m %H:%M\": must be a form" },
	{ "form = json\n[record]\nproduct = SMS\nid = {a | time \"%d.%m %H:%M\"}",
	  ":4: \"%d.%m %H:%M\": must be a form" },
	{ "form = json\n[record]\nproduct = SMS\nid = {a | time \"%Y-%m-%d %e\"}",
	  ":4: \"%Y-%m-%d %e\": must be a form" },
	{ "form = json\n[record]\nproduct = SMS\nwhen = {a} equals b", ":4: the field must be followed by is" },
	{ "form = csv\nnames = a\n[record]\nproduct = SMS\nid = {b}", ":5: \"b\": no such field; names names them" },
	{ "form = json\n[table t]\na = 1\na = 2", ":4: \"a\": given twice" },
	{ "form = json\n[rates r]\n4x = 2", ":3: \"4x\": must be the digits that numbers begin with" },
	{ "form = json\n[rates r]\n4 = 2 per 0", ":3: \"2 per 0\": must be a price" },
	{ "form = json\n[rates r]\n4 = 1 until 2026-05-01\n4 = 2 from 2026-05-01",
	  ":4: \"4\": has another rate on the" },
	{ "form = pattern\npattern = %{a}%{b}", ":2: pattern: two fields with nothing between them" },
	{ "form = pattern\npattern = %{a:n}x", ":2: pattern: \"n\", which has the length of \"a\", must stand before" },
	{ "form = json\n[table t from t.table]", ":2: \"t.table\": must be the name of a file" },
};

START_TEST(what_is_wrong_with_a_file_is_told_by_line)
{
	const struct wrong_file *wrong = &wrong_files[_i];
	struct buf wanted = { 0 };

	buf_addf(&wanted, "dir/test.conf%s", wrong->told);
	ck_assert_ptr_null(mapping_compile("dir/test.conf", str_from(wrong->text), &faults));
	ck_assert_msg(strstr(buf_cstr(&faults.lines), buf_cstr(&wanted)) != NULL, "told:\n%s\nwanted:\n%s",
	              faults.lines.data, wanted.data);
	buf_free(&wanted);
}
END_TEST

Suite *suite_mapping(void)
{
	Suite *suite = suite_create("mapping");
	TCase *tcase = tcase_create("mapping");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, values_are_changed_from_left_to_right);
	tcase_add_test(tcase, times_are_read_by_their_form);
	tcase_add_test(tcase, prices_are_exact_and_of_started_intervals);
	tcase_add_test(tcase, the_first_section_whose_tests_are_true_takes_a_row);
	tcase_add_test(tcase, a_field_may_be_as_long_as_another_one_says);
	tcase_add_test(tcase, broken_quotes_cost_a_line_and_quoted_lines_are_values_where_that_is_said);
	tcase_add_test(tcase, a_byte_order_mark_is_no_part_of_the_first_value_however_it_arrives);
	tcase_add_test(tcase, json_is_read_by_paths_wherever_its_objects_are);
	tcase_add_test(tcase, rows_begin_after_the_start_and_other_lines_are_skipped);
	tcase_add_test(tcase, values_that_cannot_be_stored_are_faults_of_their_column);
	tcase_add_loop_test(tcase, what_is_wrong_with_a_file_is_told_by_line, 0,
	                    (int)(sizeof(wrong_files) / sizeof(wrong_files[0])));
	suite_add_tcase(suite, tcase);
	return suite;
}
