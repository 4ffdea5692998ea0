/* SPDX-License-Identifier: ISC */
/*
 * stats.c: see store_metrics in store.h.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/days/hot_rows.h"
#include "store/days_store.h"
#include "store/sealing/upgrade.h"

static void add_env(const struct env *env, struct store_env_stats *stats)
{
	MDB_envinfo info;
	MDB_stat stat;

	if (!env->mdb || mdb_env_info(env->mdb, &info) || mdb_env_stat(env->mdb, &stat))
		return;
	uint64_t used = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
	bool fuller = (double)used * (double)stats->fullest_map_bytes >
	              (double)stats->fullest_used_bytes * (double)info.me_mapsize;
	if (stats->count == 0 || fuller) {
		stats->fullest_used_bytes = used;
		stats->fullest_map_bytes = info.me_mapsize;
	}
	stats->count++;
	stats->map_bytes += info.me_mapsize;
	stats->used_bytes += used;
	stats->readers += info.me_numreaders;
	stats->reader_slots += info.me_maxreaders;
}

void store_metrics(const struct store *store, struct store_metrics *metrics)
{
	*metrics = (struct store_metrics){ .days = store->days_count, .sealing = store->sealing };
	add_env(meta_env(store->meta), &metrics->catalog);
	for (size_t i = 0; i < store->days_count; i++) {
		const struct day *day = store->days[i];

		if (!day->is_open)
			continue;
		add_env(&day->env, &metrics->open_days);
		metrics->hot_rows += day->hot.rows;
	}
}

const struct store_seal_stats *store_sealing(const struct store *store)
{
	return &store->sealing;
}
