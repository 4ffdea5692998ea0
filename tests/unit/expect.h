/* SPDX-License-Identifier: ISC */
/*
 * expect.h: ck_assert_msg for conditions that are looked at many thousand times in a test.
 *
 * Check notes the place of every assertion in a file, whether it holds or not, and reads all of that at the end of the
 * test: with many of them that takes longer than the test. This one says nothing unless it fails.
 */
#ifndef CDRD_TESTS_UNIT_EXPECT_H
#define CDRD_TESTS_UNIT_EXPECT_H

#include <check.h>

#define expect(condition, ...) \
	do { \
		if (!(condition)) \
			ck_abort_msg(__VA_ARGS__); \
	} while (0)

/* Expects 0 of a call that has the test's `err` to say why not. */
#define ASSERT_OK(call) expect((call) == 0, "%s: %s", #call, err.message)

#endif
