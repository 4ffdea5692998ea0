/* SPDX-License-Identifier: ISC */
/*
 * engine.h: what lies below the store's interface: for those who write an engine of it, and nobody else.
 */
#ifndef CDRD_STORE_ENGINE_H
#define CDRD_STORE_ENGINE_H

#include "store/scan.h"

/* See the functions of scan.h. `step` may set *end to SCAN_WAITS, if it has seen to it that scan_ready is called. */
struct scan_ops {
	int (*step)(struct scan *scan, int64_t deadline_us, enum scan_end *end, struct error *err);
	void (*position)(const struct scan *scan, struct scan_position *position);
	void (*cancel)(struct scan *scan);
};

/* An engine's own struct of a scan begins with this one. */
struct scan {
	const struct scan_ops *ops;
	struct scan_query query;
	struct scan_sink sink;
};

/* Something has come for a scan that waits: to be called from the loop, not from within `step`. */
void scan_ready(struct scan *scan);

#endif
