/* SPDX-License-Identifier: ISC */
/*
 * cluster_engine.c: the engine's table of functions, and its life. See cluster_private.h.
 */
#include "store/cluster/cluster_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/cluster.h"
#include "store/cluster/cluster_erase.h"
#include "store/cluster/cluster_mend.h"

#define CONNECT_TIMEOUT_US (2 * CLOCK_US_PER_SECOND)
#define ANSWER_BYTES_MAX ((size_t)128 << 20)

const char *cluster_read_settings(const struct cluster *cluster)
{
	return cluster->quorum > 1 ? "select_sequential_consistency=1" : NULL;
}

const char *cluster_private_settings(const struct cluster *cluster)
{
	return cluster->quorum > 1 ? "select_sequential_consistency=1&" CLUSTER_NO_QUERY_LOG : CLUSTER_NO_QUERY_LOG;
}

int cluster_refuse(const struct cluster *cluster, struct error *err)
{
	*err = cluster->why_not;
	return -1;
}

/* --- its life --- */

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct cluster *cluster = arg;

	struct error err;

	(void)fd;
	(void)what;
	if (!cluster->commit_done)
		return;
	if (cluster->numbers.failure.code != ERROR_NONE) {
		err = cluster->numbers.failure;
		cluster_end_commit(cluster, &err);
	} else if (cluster->numbers.state == CLUSTER_NUMBERS_SETTLED) {
		cluster_end_commit(cluster, NULL);
	} else if (cluster->numbers.state == CLUSTER_NUMBERS_GIVEN && !cluster->inserts &&
	           TAILQ_EMPTY(&cluster->looking)) {
		cluster_looked_up(cluster, NULL);
	}
}

void cluster_free(struct cluster *cluster)
{
	struct cluster_put *put;

	if (!cluster)
		return;
	cluster_hold_keys(cluster, false);
	cluster_forget_mending(cluster);
	cluster_free_lent(cluster);
	cluster_numbers_end(cluster, false);
	cluster_drop(cluster, NULL);
	while ((put = TAILQ_FIRST(&cluster->looking)) || (put = TAILQ_FIRST(&cluster->gathered)) ||
	       (put = TAILQ_FIRST(&cluster->next))) {
		struct cluster_puts *puts = put == TAILQ_FIRST(&cluster->looking)  ? &cluster->looking :
		                            put == TAILQ_FIRST(&cluster->gathered) ? &cluster->gathered :
		                                                                     &cluster->next;

		TAILQ_REMOVE(puts, put, link);
		/* NOLINTNEXTLINE(-Wanalyzer-double-free): it is in that queue no more. */
		free(put);
	}
	clickhouse_free(cluster->clickhouse);
	if (cluster->check_again)
		event_free(cluster->check_again);
	if (cluster->turn)
		event_free(cluster->turn);
	cluster_reader_free(&cluster->reader);
	buf_free(&cluster->scratch);
	buf_free(&cluster->packed);
	buf_free(&cluster->drops);
	free(cluster->known);
	free(cluster->servers);
	free(cluster->database);
	free(cluster);
}

struct cluster *cluster_new(struct store *store, const struct store_cluster *options, struct error *err)
{
	struct cluster *cluster = calloc(1, sizeof(*cluster));
	struct clickhouse_options client;

	if (!cluster) {
		error_set(err, ERROR_NOMEM, "cluster: out of memory");
		return NULL;
	}
	TAILQ_INIT(&cluster->gathered);
	TAILQ_INIT(&cluster->looking);
	TAILQ_INIT(&cluster->next);
	TAILQ_INIT(&cluster->chunks);
	cluster->store = store;
	cluster->base = options->base;
	cluster->quorum = options->quorum;
	cluster->patience_us = options->patience_us;
	cluster->numbers.source = options->numbers;
	cluster_numbers_init(cluster);
	/* What others checked with a copy that is behind this one does not come in: the holder before may have erased a number. */
	cluster_refuse_older(cluster);
	cluster->database = strdup(options->database);
	cluster->known = calloc(CLUSTER_SLOTS, sizeof(struct cluster_known *));
	cluster->check_again = cluster_check_timer(cluster);
	cluster->turn = evtimer_new(options->base, on_turn, cluster);
	error_set(&cluster->why_not, ERROR_UNAVAILABLE, "ClickHouse has not answered yet");
	if (!cluster->database || !cluster->known || !cluster->check_again || !cluster->turn) {
		error_set(err, ERROR_NOMEM, "cluster: out of memory");
		cluster_free(cluster);
		return NULL;
	}
	client = (struct clickhouse_options){
		.hosts = options->hosts,
		.user = options->user,
		.password = options->password,
		.database = options->database,
		.ca_file = options->ca_file,
		.connect_timeout_us = CONNECT_TIMEOUT_US,
		.attempt_timeout_us = options->patience_us / 2,
		.answer_bytes_max = ANSWER_BYTES_MAX,
	};
	cluster->clickhouse = clickhouse_new(options->base, &client, err);
	if (cluster->clickhouse) {
		cluster->servers = calloc(clickhouse_shards(cluster->clickhouse), sizeof(*cluster->servers));
		if (cluster->servers && cluster_load_dropping(cluster, err) == 0)
			return cluster;
		if (!cluster->servers)
			error_set(err, ERROR_NOMEM, "cluster: out of memory");
	}
	cluster_free(cluster);
	return NULL;
}

/* Days that are begun from now on are no longer beside a cluster. */
int store_cluster_is_unused(struct meta *meta, const char *data_dir, struct error *err)
{
	uint64_t ours, begun;

	if (meta_get_number(meta, CLUSTER_NUMBERS_ARE_OURS, &ours, err) != 0 ||
	    meta_get_number(meta, CLUSTER_DAYS_ARE_OURS, &begun, err) != 0)
		return -1;
	if (ours != 0)
		return error_set(
			err, ERROR_INVALID,
			"store: lmdb, but records of data_dir %s are in a ClickHouse cluster, and would be found no "
			"more: set store = clickhouse; after a move, cdrctl move --stop gives it up, with what was "
			"taken in since",
			data_dir);
	return begun != 0 ? meta_set_number(meta, CLUSTER_DAYS_ARE_OURS, 0, err) : 0;
}

/* Records of days would be found no more. The daemon's own may be written before a cluster has answered for the first
 * time, so what counts is whether days are there that this engine has not begun. */
static int check_days(struct store *store, struct error *err)
{
	uint64_t ours, begun;

	if (meta_get_number(store->meta, CLUSTER_NUMBERS_ARE_OURS, &ours, err) != 0 ||
	    meta_get_number(store->meta, CLUSTER_DAYS_ARE_OURS, &begun, err) != 0)
		return -1;
	if (ours != 0 || begun != 0)
		return 0;
	if (store->days_count > 0)
		return error_set(
			err, ERROR_INVALID,
			"store: clickhouse, but data_dir %s has records of %zu days, stored with store = lmdb, which "
			"would be found no more: start with store = lmdb, and move them by cdrctl move --to clickhouse",
			store->options.data_dir, store->days_count);
	return meta_set_number(store->meta, CLUSTER_DAYS_ARE_OURS, 1, err);
}

static int open_store(struct store **out, const struct store_options *options, struct error *err)
{
	if (store_days_engine.open(out, options, err) != 0)
		return -1;
	if (check_days(*out, err) == 0)
		(*out)->cluster = cluster_new(*out, options->cluster, err);
	if ((*out)->cluster) {
		cluster_hold_keys((*out)->cluster, true);
		cluster_check((*out)->cluster);
		return 0;
	}
	store_days_engine.close(*out);
	*out = NULL;
	return -1;
}

static void close_store(struct store *store)
{
	cluster_free(store->cluster);
	store->cluster = NULL;
	store_days_engine.close(store);
}

/* --- the engine's functions: what the daemon writes itself is in days --- */

static void put(struct store *store, const struct record *record, int64_t time_us,
                const struct store_versions *versions, store_put_fn done, void *arg)
{
	if (record->product->own)
		store_days_engine.put(store, record, time_us, versions, done, arg);
	else
		cluster_put(store->cluster, record, time_us, versions, done, arg);
}

static void commit(struct store *store, store_commit_fn done, void *arg)
{
	cluster_commit(store->cluster, done, arg);
}

/* A commit that is under way ends with it, as its insert reads what is dropped. */
static void lose(struct cluster *cluster, const struct error *err)
{
	if (cluster->commit_done) {
		cluster_end_commit(cluster, err);
		return;
	}
	cluster_drop(cluster, err);
}

/* With the days' part of what everybody has put. */
static int commit_own(struct store *store, struct error *err)
{
	struct error dropped;

	if (days_commit(store, err) == 0)
		return 0;
	dropped = *err;
	lose(store->cluster, &dropped);
	return -1;
}

static void abort_all(struct store *store)
{
	struct error err;

	error_set(&err, ERROR_UNAVAILABLE, "records on their way to the cluster were dropped, as others failed");
	lose(store->cluster, &err);
	store_abort(store);
}

static size_t uncommitted(const struct store *store)
{
	const struct cluster *cluster = store->cluster;

	return store->uncommitted + cluster->uncommitted + cluster->gathered_count + cluster->looking_count;
}

static uint64_t aborts(const struct store *store)
{
	return store->aborts;
}

/* Numbers are shared: what is committed in days may be newer than what waits for the cluster. */
static uint64_t snapshot(const struct store *store)
{
	uint64_t waits = cluster_first_open(store->cluster);

	return waits > 0 && waits <= store->snapshot ? waits - 1 : store->snapshot;
}

static struct scan *scan(struct store *store, const struct scan_query *query, const struct scan_position *from,
                         const struct scan_sink *sink, struct error *err)
{
	if (query->product->own)
		return store_days_engine.scan(store, query, from, sink, err);
	return cluster_scan(store, query, from, sink, err);
}

static double share(const struct store *store, const struct scan_query *query, const struct scan_position *position)
{
	int64_t time_us = (int64_t)position->words[2];

	if (query->product->own)
		return store_days_engine.share(store, query, position);
	if (time_us <= query->from_us || query->to_us <= query->from_us)
		return 0;
	return time_us >= query->to_us ? 1 :
	                                 (double)(time_us - query->from_us) / (double)(query->to_us - query->from_us);
}

static struct scan *find(struct store *store, const struct scan_find *sought, const struct scan_sink *sink,
                         struct error *err)
{
	if (sought->product->own)
		return store_days_engine.find(store, sought, sink, err);
	return cluster_find(store, sought, sink, err);
}

static struct aggregate *aggregate(struct store *store, const struct aggregate_query *query, struct error *err)
{
	if (query->scan.product->own)
		return store_days_engine.aggregate(store, query, err);
	return cluster_aggregate(store, query, err);
}

static struct changes *changes(struct store *store, const struct changes_query *query, struct error *err)
{
	if (query->product->own)
		return store_days_engine.changes(store, query, err);
	return cluster_changes(store, query, err);
}

static bool may_have_changes(const struct store *store, const struct catalog_product *product,
                             const struct account_key *account, uint64_t since)
{
	return store_days_engine.may_have_changes(store, product, account, since);
}

static struct erase *erase(struct store *store, const struct erase_scope *scope, struct error *err)
{
	return store_days_engine.erase(store, scope, err);
}

static const int32_t *days(const struct store *store, size_t *count)
{
	return store_days_engine.days(store, count);
}

static int remove_days_before(struct store *store, int32_t day, int max)
{
	cluster_drop_days_before(store->cluster, day);
	return store_days_engine.remove_days_before(store, day, max);
}

void store_cluster_note_rejected(struct store *store)
{
	if (store_ops(store) == &store_cluster_engine)
		cluster_note_check(store->cluster, true);
}

static int32_t removing_before(const struct store *store)
{
	return store->cluster->dropping;
}

bool store_cluster_is_known(const struct store *store)
{
	return store_ops(store) != &store_cluster_engine || store->cluster->is_ready;
}

bool store_cluster_is_missing(const struct store *store, char *why, size_t size)
{
	const struct cluster *cluster = store->cluster;
	struct clickhouse_state state;

	if (!cluster)
		return false;
	clickhouse_state(cluster->clickhouse, cluster->quorum, &state);
	if (cluster->is_ready && !state.has_shard_missing)
		return false;
	str_cut(why, size, state.has_shard_missing ? state.first : cluster->why_not.message);
	return true;
}

int store_needs_days(const struct store *store, const char *what, struct error *err)
{
	if (!store->cluster)
		return 0;
	return error_set(err, ERROR_INVALID, "%s: records are in a ClickHouse cluster, where this cannot be done yet",
	                 what);
}

const struct store_ops store_cluster_engine = {
	.name = "clickhouse",
	.open = open_store,
	.close = close_store,
	.put = put,
	.commit = commit,
	.ends_later = true,
	.commit_own = commit_own,
	.abort = abort_all,
	.uncommitted = uncommitted,
	.aborts = aborts,
	.snapshot = snapshot,
	.scan = scan,
	.share = share,
	.find = find,
	.aggregate = aggregate,
	.changes = changes,
	.may_have_changes = may_have_changes,
	.erase = erase,
	.days = days,
	.remove_days_before = remove_days_before,
	.removing_before = removing_before,
};
