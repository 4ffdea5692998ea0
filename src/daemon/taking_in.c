/* SPDX-License-Identifier: ISC */
/*
 * taking_in.c: see taking_in.h.
 */
#include "daemon/taking_in.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/log.h"
#include "base/shrinking.h"
#include "daemon/asked_numbers.h"
#include "daemon/store_opening.h"
#include "ingest/ingest.h"
#include "limits/limits.h"
#include "mapping/mapping.h"
#include "report/worker.h"
#include "store/cluster.h"
#include "store/erased.h"

#define FOLLOW_EVERY_US (CLOCK_US_PER_SECOND / 10)
#define FRESH_US (CLOCK_US_PER_SECOND * 3 / 4) /* so that with what a request takes, it is less than a second */

struct intake {
	struct intake_options options;
	struct store_numbers_source numbers;
	struct meta *meta;
	struct store *store;
	struct shrinking *shrinking;
	struct disk *disk;
	struct mappings *mappings;
	struct ingest *ingest;
	struct limits *limits;
	struct report_worker *worker;
	bool is_broken;
};

static void on_lost(void *arg, const char *why)
{
	struct intake *intake = arg;

	log_warn("forward", "records are forwarded until the catalog is copied anew: %s", why);
	intake->is_broken = true;
}

static void on_taken(void *arg, uint32_t dbs)
{
	struct intake *intake = arg;
	struct error err;

	if (!intake->store) /* it is being opened, and reads all of it */
		return;
	if ((dbs & 1U << META_DB_ERASED) && erased_reload(intake->store, &err) != 0)
		on_lost(intake, err.message);
	else if ((dbs & 1U << META_DB_VALUES) && store_cluster_take_dropping(intake->store, &err) != 0)
		on_lost(intake, err.message);
}

static int open_catalog(struct intake *intake, struct error *err)
{
	const struct config *config = intake->options.config;
	struct meta_shared_options shared = *intake->options.catalog;
	const struct meta_options options = {
		.data_dir = config->data_dir,
		.map_bytes = (size_t)config->catalog_map_size,
		.shared_ops = &meta_shared_postgresql,
		.shared = &shared,
	};
	const struct meta_following following = { .every_us = FOLLOW_EVERY_US, .on_taken = on_taken, .arg = intake };

	shared.lease_us = 0;
	shared.on_lost = on_lost;
	shared.arg = intake;
	return meta_open(&intake->meta, &options, err) == 0 ? meta_follow(intake->meta, &following, err) : -1;
}

static int open_store(struct intake *intake, struct error *err)
{
	const struct opening opening = {
		.config = intake->options.config,
		.base = intake->options.catalog->base,
		.meta = intake->meta,
		.shrinking = intake->shrinking,
		.numbers = &intake->numbers,
	};

	intake->numbers = asked_numbers_of(intake->options.forwarder);
	return opening_open_store(&intake->store, &opening, err) == 0 ?
	               store_cluster_take_dropping(intake->store, err) :
	               -1;
}

static int open_ingest(struct intake *intake, struct error *err)
{
	const struct config *config = intake->options.config;
	struct config_faults faults = { .count = 0 };

	intake->disk = disk_new(intake->options.catalog->base, config, err);
	if (!intake->disk)
		return -1;
	intake->ingest = ingest_new(intake->options.tasks, config, intake->meta, intake->store);
	intake->mappings = mappings_new();
	if (!intake->ingest || !intake->mappings)
		return error_set(err, ERROR_NOMEM, "ingest: out of memory");
	ingest_only_take_in(intake->ingest);
	if (mappings_load(intake->mappings, mappings_directory(config), &faults) != 0)
		log_error("main", "mappings: some cannot be read, see the log of a start or cdrd -t");
	buf_free(&faults.lines);
	ingest_use_mappings(intake->ingest, intake->mappings);
	ingest_watch_disk(intake->ingest, intake->disk);
	intake->limits = limits_new(intake->options.catalog->base, config, NULL, err);
	return intake->limits ? 0 : -1;
}

static int open_worker(struct intake *intake, struct error *err)
{
	intake->worker = report_worker_new(&(struct report_worker_options){ .tasks = intake->options.tasks,
	                                                                    .config = intake->options.config,
	                                                                    .store = intake->store,
	                                                                    .disk = intake->disk,
	                                                                    .shrinking = intake->shrinking,
	                                                                    .key = intake->options.key },
	                                   err);
	return intake->worker ? 0 : -1;
}

static int serve(struct intake *intake, struct error *err)
{
	struct api *api = intake->options.api;

	*api = (struct api){
		.base = intake->options.catalog->base,
		.config = intake->options.config,
		.audit = intake->options.audit,
		.disk = intake->disk,
		.tasks = intake->options.tasks,
		.http = intake->options.http,
		.meta = intake->meta,
		.store = intake->store,
		.ingest = intake->ingest,
		.mappings = intake->mappings,
		.limits = intake->limits,
	};
	return api_watch_passes(api, err);
}

struct intake *intake_new(const struct intake_options *options, struct error *err)
{
	struct intake *intake = calloc(1, sizeof(*intake));

	if (!intake) {
		error_set(err, ERROR_NOMEM, "ingest: out of memory");
		return NULL;
	}
	intake->options = *options;
	intake->shrinking = shrinking_new(options->catalog->base);
	if (!intake->shrinking)
		error_set(err, ERROR_NOMEM, "ingest: out of memory");
	else if (open_catalog(intake, err) == 0 && open_store(intake, err) == 0 && open_ingest(intake, err) == 0 &&
	         open_worker(intake, err) == 0 && serve(intake, err) == 0)
		return intake;
	intake_free(intake);
	return NULL;
}

void intake_free(struct intake *intake)
{
	struct error err;

	if (!intake)
		return;
	error_set(&err, ERROR_UNAVAILABLE, "this front end takes no records in now");
	api_cdrs_end_all(intake->options.api, &err);
	api_unwatch_passes(intake->options.api);
	report_worker_free(intake->worker);
	limits_free(intake->limits);
	ingest_free(intake->ingest);
	mappings_free(intake->mappings);
	disk_free(intake->disk);
	store_close(intake->store);
	meta_close(intake->meta);
	shrinking_free(intake->shrinking);
	free(intake);
}

struct report_worker *intake_worker(struct intake *intake)
{
	return intake->worker;
}

bool intake_is_broken(const struct intake *intake)
{
	return intake->is_broken;
}

bool intake_is_fresh(const struct intake *intake, char *why, size_t size)
{
	if (intake->is_broken)
		snprintf(why, size, "the copy of the catalog has to be made anew");
	else if (clock_monotonic_us() - meta_fresh_us(intake->meta) > FRESH_US)
		snprintf(why, size, "the copy of the catalog is not fresh");
	else if (!store_cluster_is_known(intake->store))
		snprintf(why, size, "ClickHouse has not shown its tables yet");
	else
		why[0] = '\0';
	return why[0] == '\0';
}
