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

	/* The number of the newest change, committed or not, as scans tell it of a record that it has put at a new place. */
	uint64_t (*newest)(const struct store *store);

	/* After which day, account, time and number a position resumes. */
	struct scan_at (*at)(const struct scan_position *position);

	/* A turn of the loop: tells scans that wait what has come. NULL: none ever waits. */
	void (*turn)(struct store *store);

	/* NULL, or: of an engine that needs something beside the store's directory, which `begin` makes; */
	void (*begin)(struct store_options *options, uint64_t seed);
	void (*end)(void);

	/* and turns of the loop until the store serves, and all that was put or is to be removed has been looked at. */
	void (*settle)(struct store *store);

	bool reopens;     /* what was committed is there when the store is opened anew */
	bool reads_ahead; /* what is committed while a scan is under way need not be seen by it, until it is resumed anew */
	bool forgets_moves; /* to a scan that began before a record has moved, what becomes of it later is not shown */
};

extern const struct test_engine days_test_engine;   /* the daemon's: store_check.c */
extern const struct test_engine memory_test_engine; /* memory_engine.c */

/* A real cluster, whose hosts CDRD_TEST_CLICKHOUSE has: model_cluster.c, which tests/cluster/test_model.py runs. */
extern const struct test_engine cluster_test_engine;

#endif
