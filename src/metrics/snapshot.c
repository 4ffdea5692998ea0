/* SPDX-License-Identifier: ISC */
/*
 * snapshot.c: queries the modules. Nothing here takes longer than a few dozen microseconds, however much is stored.
 */
#include "metrics/snapshot.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/clock_watch.h"

static double ratio(const struct store_env_stats *stats)
{
	return stats->fullest_map_bytes ? (double)stats->fullest_used_bytes / (double)stats->fullest_map_bytes : 0;
}

/* 0 without /proc. */
static void take_memory(struct snapshot *snapshot)
{
	unsigned long long total = 0, resident = 0;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	char text[128];
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return;
	text[len] = '\0';
	if (sscanf(text, "%llu %llu", &total, &resident) != 2)
		return;
	snapshot->virtual_bytes = total * page;
	snapshot->resident_bytes = resident * page;
}

static void take_cpu(struct snapshot *snapshot)
{
	struct rusage usage = { 0 };

	getrusage(RUSAGE_SELF, &usage);
	snapshot->cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * CLOCK_US_PER_SECOND +
	                   usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

void snapshot_take(struct snapshot *snapshot, const struct metrics_sources *sources)
{
	struct clock_watch clock;
	struct error err;

	*snapshot = (struct snapshot){ .started_us = sources->started_us, .always_one = 1 };
	http_server_stats(sources->http, &snapshot->http);
	snapshot->routes = http_server_route_stats(sources->http, &snapshot->routes_count);
	ingest_stats(sources->ingest, &snapshot->ingest);
	store_metrics(sources->store, &snapshot->store);
	snapshot->catalog_used_ratio = ratio(&snapshot->store.catalog);
	snapshot->days_used_ratio = ratio(&snapshot->store.open_days);
	if (quarantine_stats(sources->meta, &snapshot->quarantine, &err) != 0)
		snapshot->quarantine = (struct quarantine_stats){ 0 };
	snapshot->quarantine_age_us = quarantine_age_us(sources->meta, clock_now_us());
	snapshot->feeds = sources->feeds;
	snapshot->consumers = sources->consumers;
	reports_stats(sources->reports, &snapshot->reports);
	schedules_get_stats(sources->schedules, &snapshot->schedules);
	reconciles_get_stats(sources->reconciles, &snapshot->reconciles);
	callbacks_get_stats(sources->callbacks, &snapshot->callbacks);
	billing_stats(sources->billing, &snapshot->billing);
	snapshot->limited = limits_exceeded(sources->limits);
	logins_get_stats(limits_logins(sources->limits), &snapshot->logins);
	snapshot->key_uses = key_uses_count(limits_key_uses(sources->limits));
	load_shedding_stats(limits_load_shedding(sources->limits), &snapshot->guard);
	snapshot->guard_memory_bytes = (uint64_t)snapshot->guard.memory_bytes;
	snapshot->lag = *lag_histogram(sources->lag);
	snapshot->lag_recent_max_us = lag_recent_max_us(sources->lag);
	disk_room(sources->disk, &snapshot->disk);
	snapshot->disk_low = snapshot->disk.low;
	if (sources->tls)
		snapshot->tls_expires = (uint64_t)tls_expires(sources->tls);
	store_health(sources->store, &snapshot->health);
	snapshot->catalog_broken = snapshot->health.catalog_broken;
	store_clock_watch(sources->store, &clock);
	snapshot->clock_seen_us = clock.seen_us;
	snapshot->deletion_held = clock.held;
	snapshot->access_dropped = http_access_dropped(sources->access);
	snapshot->audit_failures = audit_failures(sources->audit);
	take_memory(snapshot);
	take_cpu(snapshot);
}
