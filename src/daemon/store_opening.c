/* SPDX-License-Identifier: ISC */
/*
 * store_opening.c: see store_opening.h.
 */
#include "daemon/store_opening.h"

#include "base/first_line.h"
#include "daemon/options_check.h"
#include "store/takeover.h"

int opening_read_password(const char *path, char password[OPENING_PASSWORD_MAX + 1], struct error *err)
{
	password[0] = '\0';
	return path[0] ? first_line_read(path, password, OPENING_PASSWORD_MAX + 1, err) : 0;
}

int opening_read_cluster(struct event_base *base, const struct config *config, struct store_cluster *cluster,
                         char password[OPENING_PASSWORD_MAX + 1], struct error *err)
{
	if (opening_read_password(config->clickhouse_password_file, password, err) != 0)
		return -1;
	*cluster = (struct store_cluster){
		.base = base,
		.hosts = config->clickhouse,
		.user = config->clickhouse_user,
		.password = password,
		.database = config->clickhouse_database,
		.ca_file = config->clickhouse_ca_file,
		.quorum = (size_t)config->clickhouse_quorum,
		.patience_us = config->clickhouse_timeout,
	};
	return 0;
}

/* Where records that are here may be moved to. */
static int open_takeover(struct store *store, const struct config *config, struct event_base *base, struct error *err)
{
	struct store_cluster cluster;
	char password[OPENING_PASSWORD_MAX + 1];

	if (!config->clickhouse[0])
		return takeover_open(store, NULL, err);
	return opening_read_cluster(base, config, &cluster, password, err) == 0 ? takeover_open(store, &cluster, err) :
	                                                                          -1;
}

int opening_open_store(struct store **store, const struct opening *opening, struct error *err)
{
	const struct config *config = opening->config;
	struct store_options options = {
		.data_dir = config->data_dir,
		.day_map_bytes = (size_t)config->day_map_size,
		.days_open_max = (int)config->days_open_max,
		.seal_rows = (uint32_t)config->seal_rows,
		.seal_age_us = config->seal_age,
		.meta = opening->meta,
		.shrinking = opening->shrinking,
	};
	struct store_cluster cluster;
	char password[OPENING_PASSWORD_MAX + 1];
	int result = 0;

	if (options_use_cluster(config)) {
		options.engine = &store_cluster_engine;
		/* NOLINTNEXTLINE(autoVariables): store_open below takes what it needs. */
		options.cluster = &cluster;
		result = opening_read_cluster(opening->base, config, &cluster, password, err);
		cluster.numbers = opening->numbers;
	} else {
		result = store_cluster_is_unused(options.meta, config->data_dir, err);
	}
	if (result == 0)
		result = store_open(store, &options, err);
	return result == 0 && !options_use_cluster(config) ? open_takeover(*store, config, opening->base, err) : result;
}
