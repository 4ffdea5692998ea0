/* SPDX-License-Identifier: ISC */
/*
 * test_admin_args.c: synopses of commands, and arguments read by them from command lines and from JSON.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "admin/args.h"
#include "admin/specs.h"
#include "admin/tree.h"

Suite *suite_admin_args(void);

static struct args_synopsis synopsis;
static struct args args;
static struct buf text;
static struct error err;

static void setup(void)
{
	memset(&synopsis, 0, sizeof(synopsis));
	memset(&args, 0, sizeof(args));
	memset(&text, 0, sizeof(text));
	memset(&err, 0, sizeof(err));
}

static void teardown(void)
{
	args_free(&args);
	buf_free(&text);
}

static void parse(const char *wanted)
{
	ck_assert_msg(args_synopsis_parse(&synopsis, wanted, &err) == 0, "%s: %s", wanted, err.message);
}

static const char *json_of_args(void)
{
	struct json j = json_to(&text);

	buf_clear(&text);
	args_write_json(&args, &j);
	return buf_cstr(&text);
}

/* Reads a command line, its words separated by bars. */
static int read_line(const char *line)
{
	static char copy[512];
	char *argv[32];
	int argc = 0;

	args_free(&args);
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = copy; word && *line; argc++) {
		argv[argc] = word;
		char *bar = strchr(word, '|');
		if (bar)
			*bar = '\0';
		word = bar ? bar + 1 : NULL;
	}
	return args_read_argv(&args, &synopsis, argc, argv, NULL, NULL, &err);
}

static int read_json(const char *json)
{
	args_free(&args);
	struct tree *tree = tree_parse(str_from(json), &err);
	ck_assert_msg(tree != NULL, "%s: %s", json, err.message);
	int result = args_read_json(&args, &synopsis, tree, &err);
	if (result == 0)
		json_of_args();
	tree_free(tree);
	return result;
}

#define ASSERT_LINE(line, json) \
	do { \
		ck_assert_msg(read_line(line) == 0, "%s: %s", line, err.message); \
		ck_assert_str_eq(json_of_args(), json); \
	} while (0)

#define ASSERT_LINE_FAILS(line, wanted) \
	do { \
		ck_assert_int_eq(read_line(line), -1); \
		ck_assert_str_eq(err.message, wanted); \
	} while (0)

#define ASSERT_JSON(given, json) \
	do { \
		ck_assert_msg(read_json(given) == 0, "%s: %s", given, err.message); \
		ck_assert_str_eq(buf_cstr(&text), json); \
	} while (0)

#define ASSERT_JSON_FAILS(given, wanted) \
	do { \
		ck_assert_int_eq(read_json(given), -1); \
		ck_assert_str_eq(err.message, wanted); \
	} while (0)

/* --- synopses --- */

START_TEST(synopsis_of_every_command_can_be_read)
{
	for (size_t i = 0; i < command_specs_count; i++)
		ck_assert_msg(args_synopsis_parse(&synopsis, command_specs[i].arguments, &err) == 0, "%s: %s",
		              command_specs[i].words, err.message);
}
END_TEST

START_TEST(synopsis_tells_positionals_options_and_switches)
{
	parse("ID [--parent ID] [--all] [--set FIELD=VALUE...] [FILE-NAME...]");
	ck_assert_uint_eq(synopsis.count, 5);
	static const struct {
		enum args_kind kind;
		const char *name;
		bool required, repeated;
	} wanted[] = {
		{ ARGS_POSITIONAL, "id", true, false },        { ARGS_OPTION, "parent", false, false },
		{ ARGS_SWITCH, "all", false, false },          { ARGS_OPTION, "set", false, true },
		{ ARGS_POSITIONAL, "file_name", false, true },
	};
	for (size_t i = 0; i < synopsis.count; i++) {
		ck_assert_int_eq(synopsis.params[i].kind, wanted[i].kind);
		ck_assert_str_eq(synopsis.params[i].name, wanted[i].name);
		ck_assert_int_eq(synopsis.params[i].required, wanted[i].required);
		ck_assert_int_eq(synopsis.params[i].repeated, wanted[i].repeated);
	}
}
END_TEST

START_TEST(synopsis_has_required_options)
{
	parse("--from TIME --to TIME");
	ck_assert_uint_eq(synopsis.count, 2);
	ck_assert(synopsis.params[1].required);
	ASSERT_LINE("--to|2|--from|1", "{\"from\":\"1\",\"to\":\"2\"}");
	ASSERT_LINE_FAILS("--to|2", "--from is missing");
}
END_TEST

START_TEST(synopsis_that_is_wrong_is_refused)
{
	static const char *const wrong[] = {
		"[ID",
		"ID]",
		"[--x ID",
		"--",
		"[--]",
		"--x",
		"A A",
		"ID [--id ID]",
		"[A] B",
		"A... B",
		"A... [B]",
		"ID=VALUE",
		"[[A]]",
		"A_NAME_OF_MORE_THAN_THIRTY_ONE_LETTERS",
		"A B C D E F G H I J K L M N O P Q R S T U V W X Y",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(args_synopsis_parse(&synopsis, wrong[i], &err) == -1, "%s", wrong[i]);
}
END_TEST

/* --- command lines --- */

START_TEST(line_may_have_options_anywhere)
{
	parse("ID [--parent ID] [--all]");
	ASSERT_LINE("a", "{\"id\":\"a\"}");
	ASSERT_LINE("a|--parent|b|--all", "{\"id\":\"a\",\"parent\":\"b\",\"all\":true}");
	ASSERT_LINE("--all|--parent=b=c|a", "{\"id\":\"a\",\"parent\":\"b=c\",\"all\":true}");
	ASSERT_LINE("--parent=|a", "{\"id\":\"a\",\"parent\":\"\"}");
	ASSERT_LINE("--parent|--all|a", "{\"id\":\"a\",\"parent\":\"--all\"}");
}
END_TEST

START_TEST(line_may_repeat_what_repeats)
{
	parse("[--set FIELD=VALUE...] FILE...");
	ASSERT_LINE("--set|a=1|x|--set|b=2|-", "{\"set\":[\"a=1\",\"b=2\"],\"file\":[\"x\",\"-\"]}");
	ck_assert_uint_eq(args_count(&args, "file"), 2);
	ck_assert_str_eq(args_get_at(&args, "set", 1), "b=2");
	ck_assert_ptr_null(args_get_at(&args, "set", 2));
	ck_assert_ptr_null(args_get(&args, "other"));
}
END_TEST

START_TEST(line_takes_anything_as_positional_after_two_dashes)
{
	parse("NAME [MORE]");
	ASSERT_LINE("--|--json|-x", "{\"name\":\"--json\",\"more\":\"-x\"}");
}
END_TEST

START_TEST(line_that_is_wrong_is_refused_with_the_argument_named)
{
	parse("ID [--parent ID] [--all]");
	ASSERT_LINE_FAILS("", "ID is missing");
	ASSERT_LINE_FAILS("a|b", "\"b\": one argument too many");
	ASSERT_LINE_FAILS("a|--nonsense", "--nonsense: no such option");
	ASSERT_LINE_FAILS("a|-x", "-x: no such option");
	ASSERT_LINE_FAILS("a|--parent", "--parent: ID is missing");
	ASSERT_LINE_FAILS("a|--all=yes", "--all: takes no value");
	ASSERT_LINE_FAILS("a|--all|--all", "--all: given twice");
	ASSERT_LINE_FAILS("a|--parent|b|--parent|c", "--parent: given twice");
}
END_TEST

/* --- JSON --- */

START_TEST(json_takes_texts_numbers_switches_and_arrays)
{
	parse("NUMBER [--all] [--name TEXT] [--set FIELD=VALUE...]");
	ASSERT_JSON("{\"number\":7}", "{\"number\":\"7\"}");
	ASSERT_JSON("{\"number\":\"7\",\"all\":false,\"name\":null}", "{\"number\":\"7\"}");
	ASSERT_JSON("{\"set\":[\"a=1\",\"b=2\"],\"all\":true,\"number\":\"7\"}",
	            "{\"number\":\"7\",\"all\":true,\"set\":[\"a=1\",\"b=2\"]}");
	ASSERT_JSON("{\"set\":\"a=1\",\"number\":\"7\"}", "{\"number\":\"7\",\"set\":[\"a=1\"]}");
}
END_TEST

START_TEST(json_that_is_wrong_is_refused_with_the_argument_named)
{
	parse("NUMBER [--all] [--set FIELD=VALUE...]");
	ASSERT_JSON_FAILS("{}", "NUMBER is missing");
	ASSERT_JSON_FAILS("[]", "args: must be an object");
	ASSERT_JSON_FAILS("{\"number\":\"7\",\"smell\":\"nice\"}", "smell: no such argument");
	ASSERT_JSON_FAILS("{\"number\":{}}", "number: must be a text");
	ASSERT_JSON_FAILS("{\"number\":[\"7\"]}", "number: must be a text");
	ASSERT_JSON_FAILS("{\"number\":\"7\",\"all\":\"yes\"}", "all: must be true or false");
	ASSERT_JSON_FAILS("{\"number\":\"7\",\"set\":[1,[]]}", "set: must be a text or an array of texts");
}
END_TEST

START_TEST(numbers_have_bounds)
{
	uint64_t number = 42;

	parse("[COUNT]");
	ck_assert_int_eq(read_line(""), 0);
	ck_assert_int_eq(args_get_number(&args, "count", 1, 10, &number, &err), 0);
	ck_assert_uint_eq(number, 42);
	ck_assert_int_eq(read_line("10"), 0);
	ck_assert_int_eq(args_get_number(&args, "count", 1, 10, &number, &err), 0);
	ck_assert_uint_eq(number, 10);
	static const char *const wrong[] = {
		"0", "11", "x", "1x", "+1", "99999999999999999999", "18446744073709551616"
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_int_eq(read_line(wrong[i]), 0);
		ck_assert_msg(args_get_number(&args, "count", 1, 10, &number, &err) == -1, "%s", wrong[i]);
		ck_assert_ptr_nonnull(strstr(err.message, wrong[i]));
	}
}
END_TEST

/* --- the table --- */

START_TEST(commands_are_found_by_their_words)
{
	char *line[] = { "account", "add", "abcd1234", NULL };
	char *half[] = { "account", NULL };
	int used;
	const struct command_spec *spec = command_spec_match(3, line, &used);

	ck_assert_ptr_nonnull(spec);
	ck_assert_str_eq(spec->words, "account add");
	ck_assert_int_eq(used, 2);
	ck_assert_ptr_eq(command_spec_find("account add"), spec);
	ck_assert_ptr_null(command_spec_match(1, half, &used));
	ck_assert(command_spec_begins(spec, 1, half));
	ck_assert(command_spec_begins(spec, 0, half));
	ck_assert(!command_spec_begins(spec, 3, line));
	ck_assert_ptr_null(command_spec_find("account  add"));
}
END_TEST

/* --- trees --- */

START_TEST(trees_are_made_of_small_and_flat_documents_only)
{
	static const char *const wrong[] = { "",
		                             "{",
		                             "nonsense",
		                             "{} {}",
		                             "{\"a\":\"\\u0000\"}",
		                             "{\"a\\u0000\":1}",
		                             "\"\xff\"",
		                             "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memset(&err, 0, sizeof(err));
		ck_assert_msg(tree_parse(str_from(wrong[i]), &err) == NULL, "%s", wrong[i]);
		ck_assert_int_eq(err.code, ERROR_INVALID);
		ck_assert_str_ne(err.message, "");
	}
	ck_assert_ptr_null(tree_parse((struct str){ "{}\0", 3 }, &err));
}
END_TEST

START_TEST(trees_are_written_back_as_they_were)
{
	static const char json[] = "{\"a\":1.50,\"b\":[true,false,null,\"x\\ny\\\\u0000\"],\"c\":{},\"d\":1e999}";
	struct json j = json_to(&text);

	tree_write_text(str_from(json), &j);
	ck_assert_str_eq(buf_cstr(&text), json);
}
END_TEST

START_TEST(text_that_is_no_tree_is_written_as_a_string)
{
	struct json j = json_to(&text);

	tree_write_text(STR_LITERAL("{\"a\":"), &j);
	tree_write_text(STR_LITERAL("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), &j);
	ck_assert_str_eq(buf_cstr(&text), "\"{\\\"a\\\":\",\"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]\"");
}
END_TEST

Suite *suite_admin_args(void)
{
	Suite *suite = suite_create("admin_args");
	TCase *tcase = tcase_create("admin_args");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, synopsis_of_every_command_can_be_read);
	tcase_add_test(tcase, synopsis_tells_positionals_options_and_switches);
	tcase_add_test(tcase, synopsis_has_required_options);
	tcase_add_test(tcase, synopsis_that_is_wrong_is_refused);
	tcase_add_test(tcase, line_may_have_options_anywhere);
	tcase_add_test(tcase, line_may_repeat_what_repeats);
	tcase_add_test(tcase, line_takes_anything_as_positional_after_two_dashes);
	tcase_add_test(tcase, line_that_is_wrong_is_refused_with_the_argument_named);
	tcase_add_test(tcase, json_takes_texts_numbers_switches_and_arrays);
	tcase_add_test(tcase, json_that_is_wrong_is_refused_with_the_argument_named);
	tcase_add_test(tcase, numbers_have_bounds);
	tcase_add_test(tcase, commands_are_found_by_their_words);
	tcase_add_test(tcase, trees_are_made_of_small_and_flat_documents_only);
	tcase_add_test(tcase, trees_are_written_back_as_they_were);
	tcase_add_test(tcase, text_that_is_no_tree_is_written_as_a_string);
	suite_add_tcase(suite, tcase);
	return suite;
}
