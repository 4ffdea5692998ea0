/* SPDX-License-Identifier: ISC */
/*
 * snapshot.h: all values of the metrics, taken once; private to metrics/.
 */
#ifndef CDRD_METRICS_SNAPSHOT_H
#define CDRD_METRICS_SNAPSHOT_H

#include "metrics/sources.h"
#include "store/health.h"
#include "meta/quarantine.h"

struct snapshot {
	struct http_stats http;
	const struct http_route_stats *routes;
	size_t routes_count;
	struct ingest_stats ingest;
	struct store_metrics store;
	double catalog_used_ratio;
	double days_used_ratio; /* of the fullest day that is open */
	struct quarantine_stats quarantine;
	int64_t quarantine_age_us; /* of the oldest entry */
	const struct feeds *feeds; /* of them and of consumers, samples are written as they are */
	const struct consumers *consumers;
	struct reports_stats reports;
	struct schedules_stats schedules;
	struct reconciles_stats reconciles;
	struct callbacks_stats callbacks;
	struct billing_stats billing;
	uint64_t limited; /* requests over a limit of their account */
	struct logins_stats logins;
	uint64_t key_uses;
	struct load_shedding_stats guard;
	uint64_t guard_memory_bytes;
	struct histogram lag;
	int64_t lag_recent_max_us;
	struct disk_room disk;
	uint64_t disk_low;
	struct store_health health;
	uint64_t catalog_broken;
	int64_t clock_seen_us;
	uint64_t deletion_held;
	uint64_t access_dropped;
	uint64_t audit_failures;
	uint64_t always_one;  /* for build_info */
	uint64_t tls_expires; /* seconds since 1970 */
	int64_t started_us;
	int64_t cpu_us;
	uint64_t resident_bytes;
	uint64_t virtual_bytes;
};

void snapshot_take(struct snapshot *snapshot, const struct metrics_sources *sources);

#endif
