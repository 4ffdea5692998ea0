/* SPDX-License-Identifier: ISC */
/*
 * cluster_mend.c: mends moves of which only a part is stored. See cluster_mend.h.
 *
 * A move is two rows of two partitions: the one that says that the record has left, with version v, and that of where it goes, with
 * first v + 1. A pass asks servers, table by table of each shard, for ids of which a row has a doubtful number and its other half
 * is missing, as far as a query can tell, in pages by account and hash of the id. All rows of these are put again, for the next
 * commit: with what it looks up, under the lock of their ids, cluster_apply.c judges whether something is to be mended.
 *
 * Passes follow a start and commits that failed; what servers were sent may come later, so they are repeated for a while.
 */
#include "store/cluster/cluster_mend.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/cluster/cluster_sql.h"

#define IDS_MAX 500 /* of a page */
#define PATIENCE_US (600 * CLOCK_US_PER_SECOND)
#define FIRST_US (5 * CLOCK_US_PER_SECOND) /* after a failure: as long as a server waits for a quorum */
#define AGAIN_US (60 * CLOCK_US_PER_SECOND)
#define SLICE_NUMBERS (CLUSTER_DOUBTED_AT_START / 4) /* of those of a start, in one query */

static void ask_next(struct cluster *cluster);

/* --- which numbers --- */

/* Round 0 has those of commits that failed, the others slices of those of the last start. */
static void write_numbers(struct buf *sql, const struct cluster *cluster, const char *column)
{
	const struct cluster_mend *mend = &cluster->mend;
	const struct store_doubts *doubts = &cluster->doubts;

	if (mend->round > 0) {
		buf_addf(sql, "(%s >= %llu AND %s <= %llu)", column, (unsigned long long)mend->slice.from, column,
		         (unsigned long long)mend->slice.to);
		return;
	}
	for (size_t i = cluster->doubts_of_starts; i < doubts->count; i++)
		buf_addf(sql, "%s(%s >= %llu AND %s <= %llu)", i > cluster->doubts_of_starts ? " OR " : "(", column,
		         (unsigned long long)doubts->list[i].from, column, (unsigned long long)doubts->list[i].to);
	buf_add_char(sql, ')');
}

static uint64_t least_number(const struct cluster *cluster)
{
	return cluster->mend.round > 0 ? cluster->mend.slice.from :
	                                 cluster->doubts.list[cluster->doubts_of_starts].from;
}

/* False: there is no such round. */
static bool begin_round(struct cluster *cluster)
{
	struct cluster_mend *mend = &cluster->mend;
	const struct store_doubt *start = &cluster->doubts.list[cluster->doubts_of_starts - 1];

	if (mend->round == 0)
		return cluster->doubts.count > cluster->doubts_of_starts;
	mend->slice.from = start->from + (mend->round - 1) * SLICE_NUMBERS;
	mend->slice.to =
		start->to - mend->slice.from < SLICE_NUMBERS ? start->to : mend->slice.from + SLICE_NUMBERS - 1;
	return mend->is_of_start && mend->slice.from <= start->to;
}

/* --- the queries --- */

static const struct catalog_product *product_of(const struct cluster *cluster)
{
	return &catalog_products[cluster->mend.product];
}

static void write_hash(struct buf *sql, const struct cluster *cluster)
{
	const struct catalog_product *product = product_of(cluster);

	buf_addf(sql, "lookup_%.*s", STR_ARGS(product->columns[product->id_column].name));
}

/* Rows that have a doubtful number, of days that are kept. */
static void write_doubtful(struct buf *sql, const struct cluster *cluster)
{
	cluster_write_table(sql, cluster, product_of(cluster));
	buf_addf(sql, " WHERE day >= toDate(%d) AND version >= %llu AND (",
	         clock_day_of(store_kept_from_us(cluster->store)), (unsigned long long)least_number(cluster));
	write_numbers(sql, cluster, "version");
	buf_add_text(sql, " OR ");
	write_numbers(sql, cluster, "first");
	buf_add_char(sql, ')');
}

/* The places of ids that have such a row, each as its newest row has it. */
static void write_places(struct buf *sql, const struct cluster *cluster)
{
	const struct cluster_mend *mend = &cluster->mend;

	buf_add_text(sql, "SELECT account, ");
	write_hash(sql, cluster);
	buf_add_text(sql, " AS hash, direction, day, time, id, max(version) AS newest, argMax(first, version) AS came, "
	                  "argMax(dead, version) AS gone FROM ");
	cluster_write_table(sql, cluster, product_of(cluster));
	buf_add_text(sql, " WHERE day >= (SELECT toDate(min(day) - 1) FROM ");
	write_doubtful(sql, cluster);
	buf_add_text(sql, ") AND (account, ");
	write_hash(sql, cluster);
	buf_add_text(sql, ") IN (SELECT account, ");
	write_hash(sql, cluster);
	buf_add_text(sql, " FROM ");
	write_doubtful(sql, cluster);
	buf_addf(sql, ") AND (account > %llu OR (account = %llu AND ", (unsigned long long)mend->after_account,
	         (unsigned long long)mend->after_account);
	write_hash(sql, cluster);
	buf_addf(sql, " > %llu)) GROUP BY account, hash, direction, day, time, id",
	         (unsigned long long)mend->after_hash);
}

/* Ids of which a place has a doubtful number, another one is in the day beside it, and none was left just before; or was left, and
 * nothing came just after. */
static void write_ids(struct buf *sql, const struct cluster *cluster)
{
	buf_add_text(sql,
	             "SELECT account, hash FROM (SELECT account, hash, groupArray(toInt64(toUInt16(day))) AS days, "
	             "groupArray(came) AS cames, groupArray(newest) AS versions, groupArray(gone) AS gones FROM (");
	write_places(sql, cluster);
	buf_add_text(sql, ") GROUP BY account, hash) WHERE arrayExists((d, c) -> ");
	write_numbers(sql, cluster, "c");
	buf_add_text(
		sql,
		" AND NOT arrayExists((g, v) -> g AND (v + 1 = c OR v = c), gones, versions) AND "
		"(has(days, d - 1) OR has(days, d + 1)), days, cames) OR arrayExists((g, c, v) -> g AND c < v AND ");
	write_numbers(sql, cluster, "v");
	buf_addf(
		sql,
		" AND NOT has(cames, v + 1) AND NOT has(cames, v), gones, cames, versions) ORDER BY account, hash LIMIT %d",
		IDS_MAX);
}

static void write_query(struct buf *sql, const struct cluster *cluster)
{
	buf_add_text(sql, "SELECT ");
	write_hash(sql, cluster);
	buf_add_text(sql, ", " CLUSTER_ROW_COLUMNS " FROM ");
	cluster_write_table(sql, cluster, product_of(cluster));
	buf_add_text(sql, " PREWHERE (account, ");
	write_hash(sql, cluster);
	buf_add_text(sql, ") IN (");
	write_ids(sql, cluster);
	buf_addf(sql, ") WHERE day >= toDate(%d) ORDER BY account, ", clock_day_of(store_kept_from_us(cluster->store)));
	write_hash(sql, cluster);
	buf_add_text(sql, ", direction, day, time, id, version DESC FORMAT RowBinary");
}

/* --- a pass --- */

static void end_pass(struct cluster *cluster, const struct error *err)
{
	struct cluster_mend *mend = &cluster->mend;
	int64_t now_us = clock_monotonic_us();

	if (err)
		log_warn("cluster", "moves that are stored in part: %s", err->message);
	if (mend->mended > 0)
		log_info("cluster", "mended %zu moves that were stored in part", mend->mended);
	mend->is_running = false;
	mend->due_us = err || now_us < mend->until_us ? now_us + (err ? FIRST_US : AGAIN_US) : 0;
	mend->is_of_start &= mend->due_us > 0;
	if (mend->is_wanted)
		mend->due_us = now_us + FIRST_US;
	mend->is_wanted = false;
}

static void next_page(struct cluster_mend *mend)
{
	mend->after_account = mend->after_hash = 0;
}

/* From the place on: to a table that there is. False at the end. */
static bool seek_table(struct cluster *cluster)
{
	struct cluster_mend *mend = &cluster->mend;

	for (;; mend->product++) {
		if (mend->product == catalog_products_count) {
			mend->product = 0;
			mend->shard++;
		}
		if (mend->shard == clickhouse_shards(cluster->clickhouse)) {
			mend->shard = 0;
			mend->round++;
		}
		bool has_round = begin_round(cluster);
		if (!has_round && mend->round > 0)
			return false;
		if (!has_round) {
			mend->round = 1;
			mend->product = mend->shard = 0;
			if (!begin_round(cluster))
				return false;
		}
		if (schema_has(product_of(cluster)))
			return true;
	}
}

static void on_put(void *arg, enum store_put_result result, const struct error *err)
{
	struct cluster *cluster = arg;
	struct cluster_mend *mend = &cluster->mend;

	mend->puts--;
	mend->mended += !err && result != STORE_DUPLICATE;
	if (err)
		mend->failure = *err;
}

static int put_row(struct cluster *cluster, const struct cluster_row *row, struct error *err)
{
	struct cluster_mend *mend = &cluster->mend;
	const struct catalog_product *product = product_of(cluster);
	struct record record;
	int64_t goes_us;

	if (cluster_row_record(&cluster->reader, row, product, &record, err) != 0)
		return -1;
	if (!clock_parse_iso8601(record.values[product->time_column], &goes_us))
		goes_us = row->time_us;
	mend->puts++;
	cluster_put_mending(cluster, &record, row, goes_us, on_put, cluster);
	return 0;
}

/* Puts what is there of some ids; *count: how many. */
static int put_rows(struct cluster *cluster, struct str text, size_t *count, struct error *err)
{
	struct cluster_mend *mend = &cluster->mend;
	struct cluster_row row, last = { .time_us = INT64_MIN };
	uint64_t hash;

	for (*count = 0; text.len > 0; last = row) {
		if (!cluster_take_number(&text, sizeof(hash), &hash) || !cluster_row_read(&text, &row))
			return error_set(err, ERROR_CORRUPT, "ClickHouse: rows of %.*s cannot be read",
			                 STR_ARGS(product_of(cluster)->name));
		*count += *count == 0 || row.account != mend->after_account || hash != mend->after_hash;
		mend->after_account = row.account;
		mend->after_hash = hash;
		if (!cluster_row_is_same_key(&row, &last) && put_row(cluster, &row, err) != 0)
			return -1;
	}
	return 0;
}

static void on_answer(void *arg, struct buf *answer, const struct error *failure)
{
	struct cluster *cluster = arg;
	struct cluster_mend *mend = &cluster->mend;
	struct error err;
	size_t count;

	mend->query = NULL;
	if (!failure && put_rows(cluster, buf_str(answer), &count, &err) != 0)
		failure = &err;
	if (failure) {
		end_pass(cluster, failure);
		return;
	}
	if (count < IDS_MAX) {
		next_page(mend);
		mend->product++;
	}
	if (mend->puts == 0)
		ask_next(cluster);
}

static void ask_next(struct cluster *cluster)
{
	struct cluster_mend *mend = &cluster->mend;
	struct buf sql = { 0 };
	struct error err;

	if (!seek_table(cluster)) {
		end_pass(cluster, NULL);
		return;
	}
	write_query(&sql, cluster);
	const struct clickhouse_request request = { .shard = mend->shard,
		                                    .sql = buf_str(&sql),
		                                    .settings = cluster_read_settings(cluster),
		                                    .patience_us = PATIENCE_US,
		                                    .ended = on_answer,
		                                    .arg = cluster };

	if (sql.failed)
		error_set(&err, ERROR_NOMEM, "a query to ClickHouse: out of memory");
	else
		mend->query = clickhouse_start(cluster->clickhouse, &request, &err);
	buf_free(&sql);
	if (!mend->query)
		end_pass(cluster, &err);
}

static void begin_pass(struct cluster *cluster)
{
	struct cluster_mend *mend = &cluster->mend;

	mend->is_running = true;
	mend->failure.code = ERROR_NONE;
	mend->round = mend->shard = mend->product = mend->mended = 0;
	next_page(mend);
}

/* --- when --- */

void cluster_mend_later(struct cluster *cluster, bool is_of_start)
{
	struct cluster_mend *mend = &cluster->mend;
	int64_t now_us = clock_monotonic_us();

	mend->until_us = now_us + CLUSTER_OPEN_PATIENCES * cluster->patience_us;
	mend->is_of_start |= is_of_start;
	mend->is_wanted = mend->is_running;
	mend->due_us = now_us + (is_of_start ? 0 : FIRST_US);
}

bool cluster_mend(struct cluster *cluster)
{
	struct cluster_mend *mend = &cluster->mend;

	if (mend->due_us == 0 || mend->query || !cluster->is_ready)
		return false;
	if (mend->puts > 0)
		return true;
	if (mend->is_running && mend->failure.code != ERROR_NONE) {
		struct error err = mend->failure;

		end_pass(cluster, &err);
		return false;
	}
	if (!mend->is_running && clock_monotonic_us() < mend->due_us)
		return false;
	if (!mend->is_running)
		begin_pass(cluster);
	ask_next(cluster);
	return false;
}

void cluster_forget_mending(struct cluster *cluster)
{
	clickhouse_cancel(cluster->mend.query);
	cluster->mend.query = NULL;
}
