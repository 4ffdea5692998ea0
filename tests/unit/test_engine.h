/* SPDX-License-Identifier: ISC */
/*
 * test_engine.h: the storage engines that the model test runs against, and what it must know of each beyond the seam.
 */
#ifndef CDRD_TESTS_UNIT_TEST_ENGINE_H
#define CDRD_TESTS_UNIT_TEST_ENGINE_H

#include "store/engine.h"
#include "store/scans/scan_private.h"

struct test_engine {
	const struct store_ops *ops;

	/* The number of the newest change, committed or not. */
	uint64_t (*newest)(const struct store *store);

	/* After which day, account, time and number a position resumes. */
	struct scan_at (*at)(const struct scan_position *position);

	/* A turn of the loop: tells scans that wait what has come. NULL: none ever waits. */
	void (*turn)(struct store *store);
};

extern const struct test_engine days_test_engine;   /* the daemon's: store_check.c */
extern const struct test_engine memory_test_engine; /* memory_engine.c */

#endif
