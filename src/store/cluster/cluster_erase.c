/* SPDX-License-Identifier: ISC */
/*
 * cluster_erase.c: see cluster_erase.h.
 */
#include "store/cluster/cluster_erase.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/cluster/cluster_search.h"
#include "store/cluster/cluster_sql.h"

#define PUTS_MAX 4000     /* that have not ended: the search pauses, as it does when half of CLUSTER_FULL_BYTES waits */
#define ACCOUNTS_MAX 8000 /* in one statement */
#define LOOK_US 200000    /* between two looks whether something has come, */
#define PAUSE_MAX_US (5 * CLOCK_US_PER_SECOND)  /* which grows to this while servers delete */
#define AGAIN_US (60 * CLOCK_US_PER_SECOND)     /* a deletion begins anew after this, if none is under way */
#define COUNT_US (30 * CLOCK_US_PER_SECOND)     /* rows are looked for at least so often, */
#define COUNT_SHARE 4                           /* and for no more than a fifth of the time */
#define STALLED_US (7200 * CLOCK_US_PER_SECOND) /* with no part done: it will not end */
#define PATIENCE_US (600 * CLOCK_US_PER_SECOND)

enum stage { STAGE_SETTLE, STAGE_SEARCH, STAGE_STORE, STAGE_DELETE, STAGE_LOOK, STAGE_COUNT, STAGE_DONE };

/* A table of which versions are to be deleted. */
struct table {
	STAILQ_ENTRY(table) link;
	const struct catalog_product *product;
	size_t shard;
	size_t account;    /* deletions of so many of the shard's accounts have begun */
	int64_t begun_us;  /* when the last one has begun */
	int64_t pause_us;  /* before the next look */
	bool is_under_way; /* one was when it was last looked at, */
	uint64_t parts;    /* with so many parts to be done, */
	int64_t parts_us;  /* for so long; 0: not known */
	char failure[160]; /* why one cannot go on; "" */
	int64_t looked_us; /* when rows that hold it were last looked for */
};

struct cluster_erase {
	struct cluster *cluster;
	struct cluster_eraser eraser;
	struct cluster_search_scope scope;
	void (*on_ready)(void *arg);
	void *arg;
	struct event *timer;
	enum stage stage;
	struct cluster_erase_state state;
	struct cluster_point until; /* what STAGE_SETTLE and STAGE_STORE wait for, of other front ends, too, */
	uint64_t aborts;            /* and that none was lost meanwhile */
	struct cluster_search *search;
	size_t puts; /* that have not ended */
	STAILQ_HEAD(, table) tables;
	struct clickhouse_query *query;
	bool has_answer; /* of the last query that the stage has asked */
	struct buf answer;
	struct error failure;
};

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct cluster_erase *erase = arg;

	(void)fd;
	(void)what;
	erase->on_ready(erase->arg); /* it may be gone after this */
}

static void wake_in(struct cluster_erase *erase, int64_t pause_us)
{
	struct timeval pause = clock_timeval(pause_us);

	evtimer_add(erase->timer, &pause);
}

void cluster_refuse_older(struct cluster *cluster)
{
	cluster->numbers.catalog_least = meta_shared_number(cluster->store->meta);
}

struct cluster_erase *cluster_erase_new(struct cluster *cluster, const struct cluster_eraser *eraser,
                                        const struct account_key *accounts, size_t accounts_count,
                                        void (*on_ready)(void *arg), void *arg)
{
	struct cluster_erase *erase = calloc(1, sizeof(*erase));

	if (!erase)
		return NULL;
	*erase = (struct cluster_erase){
		.cluster = cluster,
		.eraser = *eraser,
		.scope = { .accounts = accounts, .accounts_count = accounts_count, .number = eraser->number },
		.on_ready = on_ready,
		.arg = arg,
		.state = { .pass = 1 },
		.until = cluster_point(cluster)
	};
	STAILQ_INIT(&erase->tables);
	erase->timer = evtimer_new(cluster->base, on_event, erase);
	if (erase->timer)
		return erase;
	free(erase);
	return NULL;
}

static void drop_first_table(struct cluster_erase *erase)
{
	struct table *table = STAILQ_FIRST(&erase->tables);

	STAILQ_REMOVE_HEAD(&erase->tables, link);
	free(table);
}

void cluster_erase_free(struct cluster_erase *erase)
{
	if (!erase)
		return;
	cluster_forget_erasing(erase->cluster, &erase->eraser);
	cluster_search_free(erase->search);
	clickhouse_cancel(erase->query);
	while (!STAILQ_EMPTY(&erase->tables))
		drop_first_table(erase);
	event_free(erase->timer);
	buf_free(&erase->answer);
	free(erase);
}

/* --- the search --- */

static struct table *table_of(struct cluster_erase *erase, const struct catalog_product *product, size_t shard)
{
	struct table *table;

	STAILQ_FOREACH(table, &erase->tables, link)
		if (table->product == product && table->shard == shard)
			return table;
	table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	table->product = product;
	table->shard = shard;
	STAILQ_INSERT_TAIL(&erase->tables, table, link);
	return table;
}

static void on_put(void *arg, enum store_put_result result, const struct error *err)
{
	struct cluster_erase *erase = arg;

	(void)result;
	erase->puts--;
	if (err)
		erase->failure = *err;
}

static bool on_found(void *arg, const struct cluster_row *row, size_t shard, const struct record *record)
{
	struct cluster_erase *erase = arg;
	struct table *table = table_of(erase, record->product, shard);

	erase->state.found++;
	if (!table) {
		error_set(&erase->failure, ERROR_NOMEM, "erasing: out of memory");
		return false;
	}
	if (row->version > erase->scope.newest || !erase->eraser.holds(erase->eraser.arg, record))
		return true; /* older versions hold it */
	erase->puts++;
	cluster_put_erased(erase->cluster, record, row, &erase->eraser, on_put, erase);
	return true;
}

static void on_search_ready(void *arg)
{
	struct cluster_erase *erase = arg;

	erase->on_ready(erase->arg); /* it may be gone after this */
}

static int begin_search(struct cluster_erase *erase, struct error *err)
{
	erase->aborts = erase->cluster->store->aborts;
	erase->scope.newest = cluster_newest_stored(erase->cluster);
	erase->state.found = 0;
	if (erase->scope.newest == 0) { /* which the scope has for any */
		erase->state.done = true;
		erase->stage = STAGE_DONE;
		return 0;
	}
	erase->search = cluster_search_new(erase->cluster, &erase->scope, on_found, on_search_ready, erase);
	if (!erase->search)
		return error_set(err, ERROR_NOMEM, "erasing: out of memory");
	erase->stage = STAGE_SEARCH;
	return 0;
}

static int step_search(struct cluster_erase *erase, struct error *err)
{
	bool done;

	if (erase->puts >= PUTS_MAX || cluster_waiting_bytes(erase->cluster) >= CLUSTER_FULL_BYTES / 2) {
		erase->state.dirty = erase->state.waits = true;
		wake_in(erase, LOOK_US);
		return 0;
	}
	if (cluster_search_step(erase->search, 0, &done, err) != 0) /* a record at a time */
		return -1;
	if (!done) {
		erase->state.waits = cluster_search_waits(erase->search);
		return 0;
	}
	cluster_search_free(erase->search);
	erase->search = NULL;
	erase->state.done = erase->state.found == 0;
	erase->stage = erase->state.done ? STAGE_DONE : STAGE_STORE;
	erase->until = cluster_point(erase->cluster);
	return 0;
}

/* --- commits --- */

/* Of all that was put until the stage began. */
static int await_commit(struct cluster_erase *erase, bool *committed, struct error *err)
{
	struct cluster *cluster = erase->cluster;

	*committed = erase->puts == 0 && cluster_has_settled(cluster, &erase->until);
	if (erase->stage == STAGE_STORE && erase->aborts != cluster->store->aborts)
		return error_set(err, ERROR_UNAVAILABLE,
		                 "the cluster has failed meanwhile; the number is erased in part, erase it again");
	if (*committed)
		return 0;
	erase->state.dirty = erase->state.waits = true;
	wake_in(erase, LOOK_US);
	return 0;
}

/* --- versions that hold it --- */

static void on_answer(void *arg, struct buf *answer, const struct error *err)
{
	struct cluster_erase *erase = arg;

	erase->query = NULL;
	erase->has_answer = !err;
	if (err)
		erase->failure = *err;
	else
		buf_move(&erase->answer, answer);
	erase->on_ready(erase->arg); /* it may be gone after this */
}

static int ask(struct cluster_erase *erase, const struct table *table, struct buf *sql, const struct buf *accounts,
               struct error *err)
{
	const struct clickhouse_request request = {
		.shard = table->shard,
		.sql = buf_str(sql),
		.set = accounts ? buf_str(accounts) : (struct str){ NULL, 0 },
		.settings = accounts ? cluster_private_settings(erase->cluster) : CLUSTER_NO_QUERY_LOG,
		.patience_us = accounts ? PATIENCE_US : erase->cluster->patience_us,
		.ended = on_answer,
		.arg = erase,
	};

	erase->has_answer = false;
	if (sql->failed)
		error_set(err, ERROR_NOMEM, "erasing: out of memory");
	else
		erase->query = clickhouse_start(erase->cluster->clickhouse, &request, err);
	buf_free(sql);
	erase->state.waits = erase->query != NULL;
	return erase->query ? 0 : -1;
}

static void write_accounts(struct buf *sql, const struct buf *accounts, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		uint64_t number;

		memcpy(&number, accounts->data + i * sizeof(number), sizeof(number));
		buf_addf(sql, "%s%llu", i > from ? "," : "", (unsigned long long)le64toh(number));
	}
}

/* The next statement of the table. After the last one it is looked at. */
static int delete_next(struct cluster_erase *erase, struct table *table, struct error *err)
{
	struct buf sql = { 0 }, accounts = { 0 };
	size_t count = cluster_search_accounts(erase->cluster, &erase->scope, table->shard, &accounts);

	erase->has_answer = false;
	if (table->account == count) {
		buf_free(&accounts);
		erase->stage = STAGE_LOOK;
		return 0;
	}
	if (accounts.failed) {
		buf_free(&accounts);
		return error_set(err, ERROR_NOMEM, "erasing: out of memory");
	}
	buf_add_text(&sql, "ALTER TABLE ");
	cluster_write_table(&sql, erase->cluster, table->product);
	buf_add_text(&sql, " DELETE WHERE ");
	cluster_search_write_holds(&sql, table->product, &erase->scope);
	buf_add_text(&sql, " AND account IN (");
	size_t to = table->account + ACCOUNTS_MAX < count ? table->account + ACCOUNTS_MAX : count;
	write_accounts(&sql, &accounts, table->account, to);
	buf_add_char(&sql, ')');
	table->account = to;
	table->begun_us = clock_monotonic_us();
	table->pause_us = LOOK_US;
	table->parts_us = 0;
	buf_free(&accounts);
	return ask(erase, table, &sql, NULL, err);
}

static int ask_under_way(struct cluster_erase *erase, const struct table *table, struct error *err)
{
	struct buf sql = { 0 };

	buf_addf(
		&sql,
		"SELECT count(), sum(parts_to_do), %s FROM system.mutations WHERE database = '%s' AND NOT is_done AND table = '",
		erase->cluster->servers[table->shard].tells_failures ? "max(latest_fail_reason)" : "''",
		erase->cluster->database);
	schema_write_table_name(&sql, table->product);
	buf_add_text(&sql, "' FORMAT TSV");
	return ask(erase, table, &sql, NULL, err);
}

static int ask_left(struct cluster_erase *erase, const struct table *table, struct error *err)
{
	struct buf sql = { 0 }, accounts = { 0 };

	cluster_search_accounts(erase->cluster, &erase->scope, table->shard, &accounts);
	buf_add_text(&sql, "SELECT version FROM ");
	cluster_write_table(&sql, erase->cluster, table->product);
	buf_add_text(&sql, " WHERE ");
	cluster_search_write_holds(&sql, table->product, &erase->scope);
	buf_add_text(&sql, " AND account IN numbers LIMIT 1 FORMAT TSV");
	sql.failed |= accounts.failed;
	int result = ask(erase, table, &sql, &accounts, err);
	buf_free(&accounts);
	return result;
}

static void end_pass(struct cluster_erase *erase)
{
	erase->state.done = erase->state.pass == ERASE_PASSES_MAX;
	erase->stage = erase->state.done ? STAGE_DONE : STAGE_SETTLE;
	erase->state.pass += !erase->state.done;
	erase->until = cluster_point(erase->cluster);
}

static void pause_look(struct cluster_erase *erase, struct table *table, int64_t pause_us)
{
	erase->stage = STAGE_LOOK;
	erase->state.waits = true;
	wake_in(erase, pause_us > table->pause_us ? pause_us : table->pause_us);
	table->pause_us = 2 * table->pause_us < PAUSE_MAX_US ? 2 * table->pause_us : PAUSE_MAX_US;
}

/* What the server says of deletions in the table. Parts that are to be done need hold nothing: 18.16 leaves some alone for
 * long. So what is left is counted, too. */
static int step_look(struct cluster_erase *erase, struct table *table, struct error *err)
{
	struct str left = buf_str(&erase->answer), line, count, parts;
	int64_t now_us = clock_monotonic_us();

	if (!erase->has_answer)
		return ask_under_way(erase, table, err);
	erase->has_answer = false;
	if (!str_next(&left, '\n', &line) || !str_next(&line, '\t', &count) || !str_next(&line, '\t', &parts))
		return error_set(err, ERROR_CORRUPT, "ClickHouse: deletions under way cannot be read");
	uint64_t number = strtoull(parts.p, NULL, 10);
	bool goes_on = number != table->parts || table->parts_us == 0;
	if (goes_on)
		table->parts_us = now_us;
	table->parts = number;
	table->is_under_way = !str_is(count, "0");
	snprintf(table->failure, sizeof(table->failure), "%.*s", STR_ARGS(line));
	if (goes_on || !table->is_under_way || table->failure[0] || now_us - table->looked_us >= COUNT_US)
		erase->stage = STAGE_COUNT;
	else
		pause_look(erase, table, 0);
	return 0;
}

/* Some are left: an insert that hung may have brought them; or the server that was asked does not know of a deletion yet. */
static int judge_left(const struct table *table, int64_t now_us, bool *again, struct error *err)
{
	*again = !table->is_under_way && now_us - table->begun_us >= AGAIN_US;
	if (table->failure[0])
		return error_set(
			err, ERROR_UNAVAILABLE,
			"ClickHouse, shard %zu: a deletion in the table of %.*s fails, so the number is erased in "
			"part: %s",
			table->shard + 1, STR_ARGS(table->product->name), table->failure);
	if (table->is_under_way && now_us - table->parts_us >= STALLED_US)
		return error_set(
			err, ERROR_UNAVAILABLE,
			"ClickHouse, shard %zu: a deletion in the table of %.*s has not gone on for %d hours, so "
			"the number is erased in part",
			table->shard + 1, STR_ARGS(table->product->name),
			(int)(STALLED_US / CLOCK_US_PER_SECOND / 3600));
	return 0;
}

static int step_count(struct cluster_erase *erase, struct table *table, struct error *err)
{
	int64_t now_us = clock_monotonic_us();
	bool again;

	if (!erase->has_answer) {
		table->looked_us = now_us;
		return ask_left(erase, table, err);
	}
	erase->has_answer = false;
	if (erase->answer.len == 0) {
		drop_first_table(erase);
		erase->stage = STAGE_DELETE;
		return 0;
	}
	if (judge_left(table, now_us, &again, err) != 0)
		return -1;
	if (again) {
		table->account = 0;
		erase->stage = STAGE_DELETE;
		return 0;
	}
	pause_look(erase, table, COUNT_SHARE * (now_us - table->looked_us));
	return 0;
}

/* --- steps --- */

static int step(struct cluster_erase *erase, struct error *err)
{
	struct table *table = STAILQ_FIRST(&erase->tables);
	bool committed;

	switch (erase->stage) {
	case STAGE_SETTLE:
		if (await_commit(erase, &committed, err) != 0)
			return -1;
		return committed ? begin_search(erase, err) : 0;
	case STAGE_SEARCH:
		return step_search(erase, err);
	case STAGE_STORE:
		if (await_commit(erase, &committed, err) != 0)
			return -1;
		if (committed)
			erase->stage = STAGE_DELETE;
		return 0;
	case STAGE_DELETE:
		if (table)
			return delete_next(erase, table, err);
		end_pass(erase);
		return 0;
	case STAGE_LOOK:
		return step_look(erase, table, err);
	case STAGE_COUNT:
		return step_count(erase, table, err);
	case STAGE_DONE:
		break;
	}
	return 0;
}

int cluster_erase_step(struct cluster_erase *erase, int64_t deadline_us, struct cluster_erase_state *state,
                       struct error *err)
{
	erase->state.dirty = erase->state.waits = false;
	if (!erase->cluster->is_ready)
		return cluster_refuse(erase->cluster, err);
	evtimer_del(erase->timer);
	do {
		if (erase->failure.code != ERROR_NONE) {
			*err = erase->failure;
			return -1;
		}
		if (erase->query)
			erase->state.waits = true;
		else if (step(erase, err) != 0)
			return -1;
	} while (!erase->state.waits && !erase->state.done && clock_monotonic_us() < deadline_us);
	*state = erase->state;
	return 0;
}
