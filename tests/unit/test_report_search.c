/* SPDX-License-Identifier: ISC */
/*
 * test_report_search.c: a number in a report's file, wherever it stands.
 */
#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "expect.h"
#include "report/search.h"
#include "store/erase.h"
#include "store_fixture.h"

Suite *suite_report_search(void);

#define NUMBER "447700900999"
#define PIECE ((size_t)64 << 10) /* what a reader gives at once */

struct searching {
	struct fixture f;
	struct erase *erase;
	char path[128];
	enum archive_kind kind;
};

static void begin(struct searching *s, enum archive_kind kind)
{
	static const struct account_key accounts[1] = { { "abcd1234" } };
	struct erase_scope scope = { .accounts = accounts, .accounts_count = 1, .number = STR_LITERAL("+" NUMBER) };
	struct error err = { 0 };

	fixture_open(&s->f, FIXTURE_MAP_BYTES);
	s->erase = erase_new(s->f.store, &scope, &err);
	ck_assert_msg(s->erase, "%s", err.message);
	snprintf(s->path, sizeof(s->path), "%s/file", s->f.dir);
	s->kind = kind;
}

static void end(struct searching *s)
{
	erase_free(s->erase);
	fixture_close(&s->f);
}

static void write_file(const struct searching *s, struct str content)
{
	struct archive_options options = { .kind = s->kind, .name = STR_LITERAL("x.csv") };
	struct error err = { 0 };
	struct archive *archive = archive_new(s->path, &options, &err);

	ck_assert_msg(archive, "%s", err.message);
	/* in two parts, as a report has many */
	size_t half = content.len / 2;
	ck_assert_int_eq(archive_put(archive, (struct str){ content.p, half }, 0, &err), ARCHIVE_PUT);
	ck_assert_int_eq(archive_put(archive, (struct str){ content.p + half, content.len - half }, 0, &err),
	                 ARCHIVE_PUT);
	ck_assert_int_eq(archive_finish(archive, &err), 0);
	archive_free(archive);
}

/* 1 if it is there, 0 if not, -1. */
static int search(const struct searching *s)
{
	struct report_search search = { 0 };
	struct error err = { 0 };
	bool found = false;
	int known = report_search_begin(&search, s->path, s->kind, &err);

	while (known == 0)
		known = report_search_step(&search, s->erase, 0, &found, &err);
	ck_assert_ptr_null(search.reader);
	return known < 0 ? -1 : found;
}

static int search_with(const struct searching *s, size_t at, const char *text)
{
	static char content[3 * PIECE];

	memset(content, ',', sizeof(content));
	memcpy(content + at, text, strlen(text));
	write_file(s, (struct str){ content, sizeof(content) });
	return search(s);
}

START_TEST(a_number_is_found_wherever_it_stands)
{
	struct searching s;

	begin(&s, (enum archive_kind)(_i));
	size_t len = strlen(NUMBER);
	for (size_t before = 0; before <= len + 4; before++) {
		size_t at = PIECE - before;

		expect(search_with(&s, at, NUMBER) == 1, "across the end of a piece");
		expect(search_with(&s, at, "1" NUMBER) == 0, "as the end of a longer one");
		expect(search_with(&s, at, NUMBER "1") == 0, "as the beginning of a longer one");
	}
	expect(search_with(&s, 0, NUMBER) == 1, "first of all");
	expect(search_with(&s, 3 * PIECE - len, NUMBER) == 1, "last of all");
	expect(search_with(&s, 100, "nothing") == 0, "not at all");
	end(&s);
}
END_TEST

START_TEST(a_file_that_is_cut_short_is_an_error)
{
	struct searching s;

	begin(&s, (enum archive_kind)(_i));
	expect(search_with(&s, 2 * PIECE + 7, NUMBER) == 1, "whole");
	ck_assert_int_eq(truncate(s.path, 60), 0);
	expect(search(&s) == -1, "cut short");
	ck_assert_int_eq(unlink(s.path), 0);
	expect(search(&s) == -1, "gone");
	end(&s);
}
END_TEST

Suite *suite_report_search(void)
{
	Suite *suite = suite_create("report_search");
	TCase *tcase = tcase_create("report_search");

	tcase_add_loop_test(tcase, a_number_is_found_wherever_it_stands, ARCHIVE_ZIP, ARCHIVE_ZSTD + 1);
	tcase_add_loop_test(tcase, a_file_that_is_cut_short_is_an_error, ARCHIVE_ZIP, ARCHIVE_ZSTD + 1);
	suite_add_tcase(suite, tcase);
	return suite;
}
