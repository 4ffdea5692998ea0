/* SPDX-License-Identifier: ISC */
/*
 * upgrade.h: blocks of the format before become blocks of the present one; private to store/.
 *
 * Both can be read. A data directory of the format before is taken over at its first start: all days that it has are
 * noted, "upgrade:2026-11-24" in the catalog's meta, together with the new number of the format. Maintenance then
 * merges the runs of these days that have old blocks, as it does those with many deleted rows: a run at a time, each in
 * one transaction, so that a crash leaves all of it or none. When a day has none left, its note is removed.
 */
#ifndef CDRD_STORE_SEALING_UPGRADE_H
#define CDRD_STORE_SEALING_UPGRADE_H

#include "store/days_store.h"

/* Takes the data directory over: notes all days and the number of the format, durably. */
MUST_CHECK int upgrade_begin(struct store *store, uint64_t format, struct error *err);

/* Reads which days are noted. */
MUST_CHECK int upgrade_load(struct store *store, struct error *err);

/* Is the block of this key an old one? 1, 0 (or there is none), -1. */
MUST_CHECK int upgrade_is_old(struct day *day, MDB_txn *txn, MDB_val key, struct error *err);

/* Nothing that is old is left in a day: removes its note. */
MUST_CHECK int upgrade_end(struct store *store, struct day *day, struct error *err);

#endif
