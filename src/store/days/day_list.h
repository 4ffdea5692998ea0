/* SPDX-License-Identifier: ISC */
/*
 * day_list.h: the catalog knows which days there are, so that one that is lost is missed; private to store/.
 *
 *	days   yyyy-mm-dd -> nothing
 *
 * A day is listed with the first commit that has put something into it, and taken off the list before retention removes
 * it: what a crash leaves between is a day that is not listed, and is listed at the next start.
 */
#ifndef CDRD_STORE_DAYS_DAY_LIST_H
#define CDRD_STORE_DAYS_DAY_LIST_H

#include "store/days_store.h"

/* For store_open, after the directory was listed: days that the catalog alone knows are added, and named in the log. */
MUST_CHECK int day_list_load(struct store *store, struct error *err);

/* Lists days that were committed to for the first time, durably; where it fails, the next call tries again. */
MUST_CHECK int day_list_write(struct store *store, struct error *err);

/* Takes a day off the list, durably. */
MUST_CHECK int day_list_remove(struct store *store, const struct day *day, struct error *err);

#endif
