/* SPDX-License-Identifier: ISC */
/*
 * cluster_erase.c: see cluster_erase.h.
 */
#include "store/cluster/cluster_erase.h"

#include <stdlib.h>

#include "base/clock.h"
#include "store/cluster/cluster_search.h"
#include "store/cluster/cluster_sql.h"

#define PUTS_MAX 4000     /* that have not ended: the search pauses */
#define LEFT_KEYS_MAX 100 /* places that records have left, in one statement */
#define ACCOUNTS_MAX 8000 /* in one statement */
#define LOOK_US 200000    /* between two looks whether something has come */
#define LOOKS_MAX 300     /* before a deletion begins anew, if none is under way */
#define PATIENCE_US (600 * CLOCK_US_PER_SECOND)

enum stage { STAGE_SETTLE, STAGE_SEARCH, STAGE_STORE, STAGE_DELETE, STAGE_LOOK, STAGE_DONE };

/* A table of which versions are to be deleted. */
struct table {
	STAILQ_ENTRY(table) link;
	const struct catalog_product *product;
	size_t shard;
	struct buf left; /* places that records have left: statements' conditions, each with its NUL */
	size_t left_keys;
	size_t left_at; /* in `left`: begun up to here, */
	size_t account; /* and of so many of the shard's accounts */
	unsigned looks_left;
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
	uint64_t commits, aborts; /* what STAGE_SETTLE and STAGE_STORE wait for, and that none was lost meanwhile */
	struct cluster_search *search;
	size_t puts; /* that have not ended */
	STAILQ_HEAD(, table) tables;
	struct clickhouse_query *query;
	bool looks;                             /* the query is about what is left, */
	bool has_looked, is_left, is_under_way; /* and this is its answer */
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
		.commits = cluster_commits_to_come(cluster)
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
	buf_free(&table->left);
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

/* A record has left the place, and its last version there holds the number: without that, the one before would stand. */
static void list_left(struct table *table, const struct cluster_row *row)
{
	if (table->left_keys++ % LEFT_KEYS_MAX == 0 && table->left.len > 0)
		buf_add_char(&table->left, '\0');
	else if (table->left.len > 0)
		buf_add_text(&table->left, " OR ");
	buf_addf(&table->left, "(account = %llu AND direction = %d AND day = toDate(%d) AND time = %lld AND id = ",
	         (unsigned long long)row->account, row->direction, row->day, (long long)row->time_us);
	cluster_write_text(&table->left, "", row->id);
	buf_add_char(&table->left, ')');
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
	if (row->is_dead) {
		list_left(table, row);
		return true;
	}
	erase->puts++;
	cluster_put_erased(erase->cluster, record, row->time_us, &erase->eraser, on_put, erase);
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
	erase->scope.newest = erase->cluster->store->last_seq;
	erase->state.found = 0;
	erase->search = cluster_search_new(erase->cluster, &erase->scope, on_found, on_search_ready, erase);
	if (!erase->search)
		return error_set(err, ERROR_NOMEM, "erasing: out of memory");
	erase->stage = STAGE_SEARCH;
	return 0;
}

static int step_search(struct cluster_erase *erase, int64_t deadline_us, struct error *err)
{
	bool done;

	if (erase->puts >= PUTS_MAX) {
		erase->state.dirty = erase->state.waits = true;
		wake_in(erase, LOOK_US);
		return 0;
	}
	if (cluster_search_step(erase->search, deadline_us, &done, err) != 0)
		return -1;
	if (!done) {
		erase->state.waits = cluster_search_waits(erase->search);
		return 0;
	}
	cluster_search_free(erase->search);
	erase->search = NULL;
	erase->state.done = erase->state.found == 0;
	erase->stage = erase->state.done ? STAGE_DONE : STAGE_STORE;
	erase->commits = cluster_commits_to_come(erase->cluster);
	return 0;
}

/* --- commits --- */

/* Of all that was put until the stage began. */
static int await_commit(struct cluster_erase *erase, bool *committed, struct error *err)
{
	struct cluster *cluster = erase->cluster;

	*committed = erase->puts == 0 && (cluster->commits >= erase->commits || !cluster_has_waiting(cluster));
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
	if (err) {
		erase->failure = *err;
	} else if (erase->looks) {
		const char *text = buf_cstr(answer) ? answer->data : "1\t1";
		const char *tab = strchr(text, '\t');

		erase->has_looked = true;
		erase->is_left = text[0] != '0';
		erase->is_under_way = !tab || tab[1] != '0';
	}
	erase->on_ready(erase->arg); /* it may be gone after this */
}

static int ask(struct cluster_erase *erase, const struct table *table, struct buf *sql, const struct buf *accounts,
               struct error *err)
{
	const struct clickhouse_request request = {
		.shard = table->shard,
		.sql = buf_str(sql),
		.set = accounts ? buf_str(accounts) : (struct str){ NULL, 0 },
		.settings = accounts ? cluster_read_settings(erase->cluster) : NULL,
		.patience_us = accounts ? PATIENCE_US : erase->cluster->patience_us,
		.ended = on_answer,
		.arg = erase,
	};

	erase->looks = accounts != NULL;
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

/* The next statement of the table: places first, as their last versions are found by the number. Then it is looked at. */
static int delete_next(struct cluster_erase *erase, struct table *table, struct error *err)
{
	struct buf sql = { 0 }, accounts = { 0 };
	size_t count = cluster_search_accounts(erase->cluster, &erase->scope, table->shard, &accounts);

	if (accounts.failed || table->left.failed) {
		buf_free(&accounts);
		return error_set(err, ERROR_NOMEM, "erasing: out of memory");
	}
	buf_add_text(&sql, "ALTER TABLE ");
	cluster_write_table(&sql, erase->cluster, table->product);
	buf_addf(&sql, " DELETE WHERE version <= %llu AND (", (unsigned long long)erase->scope.newest);
	if (table->left_at < table->left.len) {
		const char *left = table->left.data + table->left_at;
		size_t len = strnlen(left, table->left.len - table->left_at);

		buf_add(&sql, left, len);
		table->left_at += len + 1;
	} else {
		size_t to = table->account + ACCOUNTS_MAX < count ? table->account + ACCOUNTS_MAX : count;

		cluster_search_write_holds(&sql, table->product, &erase->scope);
		buf_add_text(&sql, " AND account IN (");
		write_accounts(&sql, &accounts, table->account, to);
		buf_add_char(&sql, ')');
		table->account = to;
	}
	buf_add_char(&sql, ')');
	if (table->account == count) {
		erase->stage = STAGE_LOOK;
		table->looks_left = LOOKS_MAX;
	}
	buf_free(&accounts);
	return ask(erase, table, &sql, NULL, err);
}

static int look(struct cluster_erase *erase, const struct table *table, struct error *err)
{
	struct buf sql = { 0 }, accounts = { 0 };

	cluster_search_accounts(erase->cluster, &erase->scope, table->shard, &accounts);
	buf_addf(
		&sql,
		"SELECT count(), (SELECT count() FROM system.mutations WHERE database = '%s' AND NOT is_done AND table = '",
		erase->cluster->database);
	schema_write_table_name(&sql, table->product);
	buf_add_text(&sql, "') FROM ");
	cluster_write_table(&sql, erase->cluster, table->product);
	buf_add_text(&sql, " WHERE ");
	cluster_search_write_holds(&sql, table->product, &erase->scope);
	buf_add_text(&sql, " AND account IN numbers FORMAT TSV");
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
	erase->commits = cluster_commits_to_come(erase->cluster);
}

static int step_look(struct cluster_erase *erase, struct table *table, struct error *err)
{
	if (!erase->has_looked)
		return look(erase, table, err);
	erase->has_looked = false;
	if (!erase->is_left) {
		drop_first_table(erase);
		erase->stage = STAGE_DELETE;
		return 0;
	}
	if (!erase->is_under_way && table->looks_left-- == 0) {
		table->left_at = table->account = 0; /* an insert that hung has brought some */
		erase->stage = STAGE_DELETE;
		return 0;
	}
	erase->state.waits = true;
	wake_in(erase, LOOK_US);
	return 0;
}

/* --- steps --- */

static int step(struct cluster_erase *erase, int64_t deadline_us, struct error *err)
{
	struct table *table = STAILQ_FIRST(&erase->tables);
	bool committed;

	switch (erase->stage) {
	case STAGE_SETTLE:
		if (await_commit(erase, &committed, err) != 0)
			return -1;
		return committed ? begin_search(erase, err) : 0;
	case STAGE_SEARCH:
		return step_search(erase, deadline_us, err);
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
		else if (step(erase, deadline_us, err) != 0)
			return -1;
	} while (!erase->state.waits && !erase->state.done && clock_monotonic_us() < deadline_us);
	*state = erase->state;
	return 0;
}
