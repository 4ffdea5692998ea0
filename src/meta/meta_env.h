/* SPDX-License-Identifier: ISC */
/*
 * meta_env.h: the LMDB environment of meta.h, for the files that use LMDB: the files of meta/, and the store's hot
 * backup, repacking, statistics and verification.
 */
#ifndef CDRD_META_META_ENV_H
#define CDRD_META_META_ENV_H

#include "lmdb/env.h"

struct meta;

/* Its databases, by enum meta_db. */
extern const struct env_db meta_dbs[];

struct env *meta_env(struct meta *meta);

/* The write transaction in which a change runs, begun if need be: NULL with *err. Where the catalog is in PostgreSQL, one of
 * its transactions is begun with it, unless the change is of rows that are here alone. */
MDB_txn *meta_begin(struct meta *meta, bool is_local, struct error *err);

/* Drops it after a change that was not made; what waits stays. */
void meta_drop(struct meta *meta, bool is_local);

/* Commits a change of rows that are here alone. */
MUST_CHECK int meta_commit_local(struct meta *meta, struct error *err);

/* The last transaction has changed an account: see meta_accounts_number. */
void meta_note_accounts(struct meta *meta);

struct shared;
struct shared *meta_shared(struct meta *meta); /* NULL: the catalog is here */

/* The key of the next entry. */
struct quarantine_place {
	char bytes[8];
};
MUST_CHECK int quarantine_next_place(struct env *env, MDB_txn *txn, struct quarantine_place *place, struct error *err);
size_t meta_map_bytes(const struct meta *meta);

/* What accounts.c keeps in memory (its cache of credentials): made at first use, freed by the given function in
 * meta_close. */
struct meta_attachment {
	void *data;
	void (*free)(void *data);
};
struct meta_attachment *meta_attachment(struct meta *meta);

#endif
