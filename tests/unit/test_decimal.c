/* SPDX-License-Identifier: ISC */
/*
 * test_decimal.c: money is exact.
 */
#include <check.h>

#include "base/decimal.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
__extension__ typedef unsigned __int128 magnitude;

#define UNITS_MAX ((decimal_units)(((magnitude)1 << 127) - 1))

static struct decimal parsed(const char *text)
{
	struct decimal value = { 0 };

	ck_assert_msg(decimal_parse(str_from(text), &value), "\"%s\" was refused", text);
	return value;
}

static void assert_text(struct decimal value, const char *expected)
{
	struct buf out = { 0 };

	decimal_format(&out, value);
	ck_assert_str_eq(buf_cstr(&out), expected);
	buf_free(&out);
}

static const struct {
	const char *text;
	const char *shortest;
} readable[] = {
	{ "0", "0" },
	{ "-0", "0" },
	{ "-0.000", "0" },
	{ "4", "4" },
	{ "+4", "4" },
	{ "0.12", "0.12" },
	{ "-1.5", "-1.5" },
	{ "007.500", "7.5" },
	{ "10", "10" },
	{ "0.0004", "0.0004" },
	{ "0.000000000001", "0.000000000001" },
	{ "-0.000000000001", "-0.000000000001" },
	{ "1.0000000000000000000", "1" },
	{ "0.1234567890120000", "0.123456789012" },
	{ "999999999999999999.999999999999", "999999999999999999.999999999999" },
	{ "-999999999999999999.999999999999", "-999999999999999999.999999999999" },
};

START_TEST(text_reads_and_writes_exactly)
{
	assert_text(parsed(readable[_i].text), readable[_i].shortest);
}
END_TEST

static const char *const unreadable[] = {
	"",
	"+",
	"-",
	".",
	".5",
	"5.",
	"-.5",
	"+-1",
	"--1",
	"1e3",
	"1,5",
	" 1",
	"1 ",
	"0x1",
	"1.2.3",
	"1.-2",
	"NaN",
	"inf",
	"1000000000000000000", /* 19 digits before the point */
	"0000000000000000001",
	"0.0000000000001", /* 13 places */
	"0.0000000000000000001",
	"0.0000000000000x",
};

START_TEST(anything_else_is_refused)
{
	struct decimal value = { 7 };

	ck_assert_msg(!decimal_parse(str_from(unreadable[_i]), &value), "\"%s\" was read", unreadable[_i]);
	ck_assert_msg(value.units == 7, "\"%s\" was refused, yet changed the value", unreadable[_i]);
}
END_TEST

static const struct {
	const char *text;
	enum decimal_fault fault;
	const char *shortest;
} written[] = {
	{ "0.12", DECIMAL_FINE, "0.12" },
	{ "5e-05", DECIMAL_FINE, "0.00005" },
	{ "5E-05", DECIMAL_FINE, "0.00005" },
	{ "-1.25e+3", DECIMAL_FINE, "-1250" },
	{ "1250e-3", DECIMAL_FINE, "1.25" },
	{ "0.00125e3", DECIMAL_FINE, "1.25" },
	{ "0e99999999999999999999", DECIMAL_FINE, "0" },
	{ "0e-99999999999999999999", DECIMAL_FINE, "0" },
	{ "-0.0", DECIMAL_FINE, "0" },
	{ ".5", DECIMAL_FINE, "0.5" },
	{ "5.", DECIMAL_FINE, "5" },
	{ "+5", DECIMAL_FINE, "5" },
	{ "0000000000000000000000000000001", DECIMAL_FINE, "1" },
	{ "1.0000000000000000000000000000000", DECIMAL_FINE, "1" },
	{ "  1.5\t", DECIMAL_FINE, "1.5" },
	{ "100.50", DECIMAL_FINE, "100.5" },
	{ "1e17", DECIMAL_FINE, "100000000000000000" },
	{ "1e-12", DECIMAL_FINE, "0.000000000001" },
	{ "999999999999999999.999999999999", DECIMAL_FINE, "999999999999999999.999999999999" },
	{ "999999999999999999999999999999e-12", DECIMAL_FINE, "999999999999999999.999999999999" },
	{ "1e18", DECIMAL_TOO_LARGE, NULL },
	{ "1000000000000000000", DECIMAL_TOO_LARGE, NULL },
	{ "1e99999999999999999999", DECIMAL_TOO_LARGE, NULL },
	{ "1e-13", DECIMAL_TOO_PRECISE, NULL },
	{ "0.0000000000001", DECIMAL_TOO_PRECISE, NULL },
	{ "1e-99999999999999999999", DECIMAL_TOO_PRECISE, NULL },
	{ "0.30000000000000004", DECIMAL_TOO_PRECISE, NULL },
	{ "", DECIMAL_NO_NUMBER, NULL },
	{ " ", DECIMAL_NO_NUMBER, NULL },
	{ ".", DECIMAL_NO_NUMBER, NULL },
	{ "-", DECIMAL_NO_NUMBER, NULL },
	{ "e5", DECIMAL_NO_NUMBER, NULL },
	{ "1e", DECIMAL_NO_NUMBER, NULL },
	{ "1e+", DECIMAL_NO_NUMBER, NULL },
	{ "1e5.0", DECIMAL_NO_NUMBER, NULL },
	{ "0,02", DECIMAL_NO_NUMBER, NULL },
	{ "1.2.3", DECIMAL_NO_NUMBER, NULL },
	{ "--1", DECIMAL_NO_NUMBER, NULL },
	{ "- 1", DECIMAL_NO_NUMBER, NULL },
	{ "abc", DECIMAL_NO_NUMBER, NULL },
	{ "$1", DECIMAL_NO_NUMBER, NULL },
	{ "3 min", DECIMAL_NO_NUMBER, NULL },
	{ "nan", DECIMAL_NO_NUMBER, NULL },
	{ "Infinity", DECIMAL_NO_NUMBER, NULL },
	{ "0x10", DECIMAL_NO_NUMBER, NULL },
	{ "1_000", DECIMAL_NO_NUMBER, NULL },
};

START_TEST(number_is_read_as_programs_write_it)
{
	struct decimal value;
	enum decimal_fault fault = decimal_read(str_from(written[_i].text), &value);

	ck_assert_msg(fault == written[_i].fault, "\"%s\": fault %d, not %d", written[_i].text, (int)fault,
	              (int)written[_i].fault);
	if (fault == DECIMAL_FINE)
		assert_text(value, written[_i].shortest);
}
END_TEST

START_TEST(plain_number_is_one_that_reads_as_it_stands)
{
	static const char *const plain[] = { "0", "0.0", "7", "0.04010", "10", "999999999999999999.999999999999" };
	static const char *const other[] = { "",
		                             "-1",
		                             "+1",
		                             "01",
		                             "00",
		                             ".5",
		                             "5.",
		                             "1e3",
		                             " 1",
		                             "1.2.3",
		                             "1,5",
		                             "1000000000000000000",
		                             "0.0000000000001",
		                             "0.0000000000000" };

	for (size_t i = 0; i < COUNT(plain); i++)
		ck_assert_msg(decimal_is_plain(str_from(plain[i])), "\"%s\"", plain[i]);
	for (size_t i = 0; i < COUNT(other); i++)
		ck_assert_msg(!decimal_is_plain(str_from(other[i])), "\"%s\"", other[i]);
}
END_TEST

START_TEST(prices_of_the_reference_come_out_exact)
{
	struct decimal total;

	ck_assert(decimal_multiply(parsed("0.0004"), 300, &total));
	assert_text(total, "0.12");
	ck_assert(decimal_multiply(parsed("0.0004"), 10000, &total));
	assert_text(total, "4");
	ck_assert(decimal_multiply(parsed("-0.00721"), 3, &total));
	assert_text(total, "-0.02163");
	ck_assert(decimal_multiply(parsed("1"), UINT64_MAX, &total));
	assert_text(total, "18446744073709551615");
	ck_assert(decimal_multiply(parsed("5"), 0, &total));
	assert_text(total, "0");
}
END_TEST

START_TEST(many_small_sums_do_not_drift)
{
	struct decimal sum = { 0 };

	for (int i = 0; i < 100000; i++)
		ck_assert(decimal_add(&sum, parsed("0.000000000001")));
	assert_text(sum, "0.0000001");
	ck_assert(decimal_add(&sum, parsed("-0.0000002")));
	assert_text(sum, "-0.0000001");
}
END_TEST

START_TEST(overflow_is_refused_and_changes_nothing)
{
	struct decimal most = { UNITS_MAX };
	struct decimal least = { -UNITS_MAX - 1 };
	struct decimal out = { 7 };

	ck_assert(!decimal_add(&most, (struct decimal){ 1 }));
	ck_assert(most.units == UNITS_MAX);
	ck_assert(!decimal_add(&least, (struct decimal){ -1 }));
	ck_assert(least.units == -UNITS_MAX - 1);
	ck_assert(!decimal_multiply(most, 2, &out));
	ck_assert(!decimal_multiply(parsed("999999999999999999"), UINT64_MAX, &out));
	ck_assert(out.units == 7);
}
END_TEST

START_TEST(ends_of_the_range_are_written_whole)
{
	assert_text((struct decimal){ UNITS_MAX }, "170141183460469231731687303.715884105727");
	assert_text((struct decimal){ -UNITS_MAX - 1 }, "-170141183460469231731687303.715884105728");
}
END_TEST

START_TEST(sum_is_read_as_it_was_written)
{
	const decimal_units sums[] = {
		0, -1, UNITS_MAX, -UNITS_MAX, UNITS_MAX / 10, parsed("-999999999999999999").units * 2
	};
	struct buf out = { 0 };

	for (size_t i = 0; i < COUNT(sums); i++) {
		struct decimal read;

		buf_clear(&out);
		decimal_format(&out, (struct decimal){ sums[i] });
		ck_assert_msg(decimal_parse_sum(buf_str(&out), &read) && read.units == sums[i], "%s", buf_cstr(&out));
		buf_add_char(&out, '0');
		buf_add_char(&out, 'x');
		ck_assert(!decimal_parse_sum(buf_str(&out), &read));
	}
	struct decimal too_large;

	ck_assert(!decimal_parse_sum(STR_LITERAL("170141183460469231731687303.715884105728"), &too_large));
	ck_assert(!decimal_parse_sum(STR_LITERAL("999999999999999999999999999"), &too_large));
	buf_free(&out);
}
END_TEST

Suite *suite_decimal(void);

Suite *suite_decimal(void)
{
	Suite *suite = suite_create("decimal");
	TCase *text = tcase_create("text");
	TCase *sums = tcase_create("sums");

	tcase_add_loop_test(text, text_reads_and_writes_exactly, 0, COUNT(readable));
	tcase_add_loop_test(text, anything_else_is_refused, 0, COUNT(unreadable));
	tcase_add_test(text, ends_of_the_range_are_written_whole);
	tcase_add_test(text, sum_is_read_as_it_was_written);
	tcase_add_loop_test(text, number_is_read_as_programs_write_it, 0, COUNT(written));
	tcase_add_test(text, plain_number_is_one_that_reads_as_it_stands);
	tcase_add_test(sums, prices_of_the_reference_come_out_exact);
	tcase_add_test(sums, many_small_sums_do_not_drift);
	tcase_add_test(sums, overflow_is_refused_and_changes_nothing);
	suite_add_tcase(suite, text);
	suite_add_tcase(suite, sums);
	return suite;
}
