/* SPDX-License-Identifier: ISC */
/*
 * schedule_table.h: the rows of schedules in the catalog environment; private to schedule/.
 *
 * `schedules` holds a row per schedule under its id. `schedule_index` has keys that begin with a letter:
 *
 *	a account NUL id(36)  -> nothing    an account's
 *	d at(8) id(36)        -> nothing    those that are not paused, by when they are tried next
 *
 * Times are microseconds, big-endian with the sign flipped, so that keys sort by them.
 */
#ifndef CDRD_SCHEDULE_TABLE_H
#define CDRD_SCHEDULE_TABLE_H

#include "meta/change.h"
#include "meta/rows.h"
#include "schedule/schedule.h"

/* schedule_row.c */
void schedule_row_write(struct buf *out, const struct schedule *schedule);
MUST_CHECK int schedule_row_read(struct schedule *schedule, struct str id, struct str bytes, struct error *err);

/* --- changes; each 0 or -1 --- */

/* Writes one that was to be tried at `was_at_us` until now; 0: it was new or paused. */
MUST_CHECK int schedule_table_put(struct change *change, const struct schedule *schedule, int64_t was_at_us,
                                  struct error *err);
MUST_CHECK int schedule_table_add(struct change *change, const struct schedule *schedule, struct error *err);
MUST_CHECK int schedule_table_remove(struct change *change, const struct schedule *schedule, struct error *err);

/* Removes an entry that leads to none. */
MUST_CHECK int schedule_table_remove_due(struct change *change, struct str id, int64_t at_us, struct error *err);

/* --- reading --- */

/* 1, 0 if there is none, -1. */
MUST_CHECK int schedule_table_get(struct meta *meta, struct str id, struct schedule *schedule, struct error *err);

/* The one that is tried next: 1 with its id and when, 0 if there is none, -1. */
MUST_CHECK int schedule_table_first_due(struct meta *meta, char id[ID_UUID_LEN + 1], int64_t *at_us, struct error *err);

/* Appends the ids (ID_UUID_LEN bytes each) of an account's. */
MUST_CHECK int schedule_table_of_account(struct meta *meta, const char *account, struct buf *ids, struct error *err);

/* Gives each to fn, in the order of ids, from the first after `after`; those that cannot be read are left out. */
MUST_CHECK int schedule_table_each(struct meta *meta, struct str after, schedules_fn fn, void *arg, struct error *err);

#endif
