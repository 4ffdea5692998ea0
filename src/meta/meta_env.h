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
size_t meta_map_bytes(const struct meta *meta);

/* What accounts.c keeps in memory (its cache of credentials): made at first use, freed by the given function in
 * meta_close. */
struct meta_attachment {
	void *data;
	void (*free)(void *data);
};
struct meta_attachment *meta_attachment(struct meta *meta);

#endif
