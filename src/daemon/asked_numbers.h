/* SPDX-License-Identifier: ISC */
/*
 * asked_numbers.h: numbers of changes for a front end that does not hold the catalog, from the one that does: by HTTP, as
 * api/numbers.c answers it.
 */
#ifndef CDRD_DAEMON_ASKED_NUMBERS_H
#define CDRD_DAEMON_ASKED_NUMBERS_H

#include "forward/forward.h"
#include "store/cluster.h"

/* For store_cluster.numbers; the forwarder stays the caller's, and leads to whoever holds the catalog. */
struct store_numbers_source asked_numbers_of(struct forwarder *forwarder);

#endif
