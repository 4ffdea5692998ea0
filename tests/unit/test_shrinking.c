/* SPDX-License-Identifier: ISC */
/*
 * test_shrinking.c: large files are removed a piece at a time, and stay whole for who has them.
 */
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/shrinking.h"

#define LARGE_BYTES (((off_t)9 << 20) + 5)

static struct event_base *base;
static struct shrinking *shrinking;
static char dir[64];
static char path[128];

static void set_up(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/cdrd-test-shrinking-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/file", dir);
	base = event_base_new();
	shrinking = shrinking_new(base);
	ck_assert_ptr_nonnull(shrinking);
}

static void tear_down(void)
{
	shrinking_free(shrinking);
	event_base_free(base);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* Open for reading. */
static int make_file(off_t bytes)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, bytes), 0);
	ck_assert_int_eq(pwrite(fd, "end", 3, bytes - 3), 3);
	close(fd);
	return open(path, O_RDONLY);
}

static void run_for_ms(int ms)
{
	struct timeval time = { ms / 1000, ms % 1000 * 1000 };

	event_base_loopexit(base, &time);
	event_base_dispatch(base);
}

static void remove_it(void)
{
	ck_assert_int_eq(shrinking_unlink(shrinking, AT_FDCWD, path), 0);
	ck_assert_int_eq(access(path, F_OK), -1);
}

/* Whether it takes long, or a busy machine does. */
static void await_none(void)
{
	for (int i = 0; i < 100 && shrinking_count(shrinking) > 0; i++)
		run_for_ms(100);
	ck_assert_uint_eq(shrinking_count(shrinking), 0);
}

/* Where there are no leases, as in some containers' file systems, files go in one go. */
static bool has_leases(void)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	ck_assert_int_ge(fd, 0);
	bool leased = fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
	close(fd);
	ck_assert_int_eq(unlink(path), 0);
	return leased;
}

START_TEST(large_file_goes_in_pieces)
{
	int turns = 0;

	if (!has_leases())
		return;
	close(make_file(LARGE_BYTES));
	remove_it();
	ck_assert_uint_eq(shrinking_count(shrinking), 1);
	for (; shrinking_count(shrinking) > 0; turns++)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_int_ge(turns, 3); /* pieces of 4 MiB */
}
END_TEST

START_TEST(small_file_goes_at_once)
{
	close(make_file(1000));
	remove_it();
	ck_assert_uint_eq(shrinking_count(shrinking), 0);
}
END_TEST

START_TEST(file_stays_whole_for_who_reads_it)
{
	struct stat found;
	char end[4] = "";

	if (!has_leases())
		return;
	int fd = make_file(LARGE_BYTES);
	remove_it();
	run_for_ms(500);
	ck_assert_int_eq(fstat(fd, &found), 0);
	ck_assert_int_eq(found.st_size, LARGE_BYTES);
	ck_assert_int_eq(pread(fd, end, 3, LARGE_BYTES - 3), 3);
	ck_assert_str_eq(end, "end");
	ck_assert_uint_eq(shrinking_count(shrinking), 1);
	close(fd);
	await_none();
}
END_TEST

START_TEST(file_stays_whole_for_who_has_mapped_it)
{
	int fd = make_file(LARGE_BYTES);
	char *map = mmap(NULL, (size_t)LARGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(map, MAP_FAILED);
	close(fd);
	remove_it();
	run_for_ms(500);
	ck_assert_int_eq(map[LARGE_BYTES - 1], 'd');
	ck_assert_int_eq(munmap(map, (size_t)LARGE_BYTES), 0);
	await_none();
}
END_TEST

START_TEST(file_that_is_read_holds_up_no_other)
{
	if (!has_leases())
		return;
	int fd = make_file(LARGE_BYTES);

	remove_it();
	close(make_file(LARGE_BYTES));
	remove_it();
	for (int i = 0; i < 100 && shrinking_count(shrinking) > 1; i++)
		run_for_ms(100);
	ck_assert_uint_eq(shrinking_count(shrinking), 1);
	close(fd);
	await_none();
}
END_TEST

START_TEST(file_that_another_one_replaces_goes_in_pieces)
{
	struct shrinking_file file;
	struct stat found;
	char other[160];

	if (!has_leases())
		return;
	close(make_file(LARGE_BYTES));
	(void)snprintf(other, sizeof(other), "%s.new", path);
	ck_assert_int_eq(rename(path, other), 0);
	int fd = make_file(LARGE_BYTES);
	shrinking_open(shrinking, AT_FDCWD, path, &file);
	ck_assert_int_eq(rename(other, path), 0);
	shrinking_begin(shrinking, &file);
	ck_assert_uint_eq(shrinking_count(shrinking), 1);
	close(fd);
	await_none();
	ck_assert_int_eq(stat(path, &found), 0);
	ck_assert_int_eq(found.st_size, LARGE_BYTES);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(what_is_not_there_is_told)
{
	ck_assert_int_eq(shrinking_unlink(shrinking, AT_FDCWD, path), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

Suite *suite_shrinking(void);

Suite *suite_shrinking(void)
{
	Suite *suite = suite_create("shrinking");
	TCase *tcase = tcase_create("shrinking");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, large_file_goes_in_pieces);
	tcase_add_test(tcase, small_file_goes_at_once);
	tcase_add_test(tcase, file_stays_whole_for_who_reads_it);
	tcase_add_test(tcase, file_stays_whole_for_who_has_mapped_it);
	tcase_add_test(tcase, file_that_is_read_holds_up_no_other);
	tcase_add_test(tcase, file_that_another_one_replaces_goes_in_pieces);
	tcase_add_test(tcase, what_is_not_there_is_told);
	suite_add_tcase(suite, tcase);
	return suite;
}
