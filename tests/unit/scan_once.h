/* SPDX-License-Identifier: ISC */
/*
 * scan_once.h: one step of a scan of its own, from a position to the next one.
 */
#ifndef CDRD_TESTS_UNIT_SCAN_ONCE_H
#define CDRD_TESTS_UNIT_SCAN_ONCE_H

#include "store/scan.h"

/* As scan_step of a scan that begins at *position, which is moved to where it would resume. */
static inline int scan_once(struct store *store, const struct scan_query *query, struct scan_position *position,
                            int64_t deadline_us, const struct scan_sink *sink, enum scan_end *end, struct error *err)
{
	struct scan *scan = scan_start(store, query, position, sink, err);
	int result = scan ? scan_step(scan, deadline_us, end, err) : -1;

	if (scan)
		scan_position(scan, position);
	scan_cancel(scan);
	return result;
}

#endif
