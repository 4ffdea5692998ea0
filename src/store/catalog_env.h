/* SPDX-License-Identifier: ISC */
/*
 * catalog_env.h: the catalog environment, shared by the files of store/ that keep things in it; private to store/.
 *
 *	meta        name -> integer or text: format version, sequence reserve, next quarantine number
 *	accounts    account id (8 bytes) -> msgpack (accounts.c)
 *	children    parent id (8) + account id (8) -> nothing: a parent's subaccounts in order
 *	producers   name -> msgpack (accounts.c)
 *	quarantine  number (8 bytes big-endian) -> msgpack (quarantine.c)
 *	callbacks   number (8 bytes big-endian) -> msgpack (callback/row.c)
 *	webhooks    account id (8 bytes) -> msgpack (callback/secret.c)
 *	reports     request id (36 characters) -> msgpack (report/row.c)
 *	report_index  where to look for reports (report/table.h)
 *	usage       account id (8 bytes) -> msgpack (billing/volume.c)
 *	erased      account id (8 bytes), hash of a number (16 bytes) -> msgpack (erased.c)
 *	days        yyyy-mm-dd -> nothing (day_list.c); not in backups, in which a day may have come since
 */
#ifndef CDRD_STORE_CATALOG_ENV_H
#define CDRD_STORE_CATALOG_ENV_H

#include "lmdb/env.h"
#include "store/store.h"

enum catalog_db {
	CATALOG_DB_META,
	CATALOG_DB_ACCOUNTS,
	CATALOG_DB_CHILDREN,
	CATALOG_DB_PRODUCERS,
	CATALOG_DB_QUARANTINE,
	CATALOG_DB_CALLBACKS,
	CATALOG_DB_WEBHOOKS,
	CATALOG_DB_REPORTS,
	CATALOG_DB_REPORT_INDEX,
	CATALOG_DB_USAGE,
	CATALOG_DB_ERASED,
	CATALOG_DB_DAYS, /* the last: copying.c leaves it out */
};

/* The catalog environment of a store. */
struct env *store_catalog(struct store *store);

/* State that accounts.c keeps in memory for a store (its cache of credentials): made at first use, freed by the given
 * function in store_close. */
struct store_attachment {
	void *data;
	void (*free)(void *data);
};
struct store_attachment *store_accounts_attachment(struct store *store);

/*
 * A change that must be durable at once: write with env_write(store_catalog(store)), then call this. It commits only
 * the catalog (quarantine entries that wait in the same transaction become durable early); if it fails, what else
 * waited there is lost with it, and the next store_commit fails as well, so that nothing is acknowledged that is not on disk.
 */
int store_catalog_commit(struct store *store, struct error *err);

#endif
