/* SPDX-License-Identifier: ISC */
/*
 * engine.c: the store's interface, to its engine. See engine.h.
 */
#include "store/engine.h"

int scan_step(struct scan *scan, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	return scan->ops->step(scan, deadline_us, end, err);
}

void scan_position(const struct scan *scan, struct scan_position *position)
{
	scan->ops->position(scan, position);
}

void scan_ready(struct scan *scan)
{
	if (scan->sink.on_ready)
		scan->sink.on_ready(scan->sink.arg);
}

void scan_cancel(struct scan *scan)
{
	if (scan)
		scan->ops->cancel(scan);
}
