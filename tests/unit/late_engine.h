/* SPDX-License-Identifier: ISC */
/*
 * late_engine.h: the daemon's storage engine, but each put and commit ends in a later turn of the loop.
 */
#ifndef CDRD_TESTS_UNIT_LATE_ENGINE_H
#define CDRD_TESTS_UNIT_LATE_ENGINE_H

#include <event2/event.h>
#include <stdbool.h>

#include "store/engine.h"

/* For one store at a time, whose loop is `base`. */
const struct store_ops *late_engine_begin(struct event_base *base);

/* After the store is closed: drops what has not ended. */
void late_engine_end(void);

/* The next commit fails, and with it what was put before it ends. */
void late_engine_fail_commit(void);

/* How many puts have not ended, and is a commit under way? */
size_t late_engine_puts(void);
bool late_engine_commits(void);

#endif
