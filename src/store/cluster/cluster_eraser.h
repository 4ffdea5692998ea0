/* SPDX-License-Identifier: ISC */
/*
 * cluster_eraser.h: what of a record is erased; for cluster_erase.h and for the lookups that all puts go through.
 */
#ifndef CDRD_STORE_CLUSTER_CLUSTER_ERASER_H
#define CDRD_STORE_CLUSTER_CLUSTER_ERASER_H

#include "record/record.h"

/* Which number, and what is done with a record that holds it. */
struct cluster_eraser {
	struct str number; /* without a plus */
	bool (*holds)(void *arg, const struct record *record);
	/* False: it does not hold it, and stays. It is counted, or not. */
	bool (*change)(void *arg, struct record *record, bool is_counted);
	void *arg;
};

#endif
