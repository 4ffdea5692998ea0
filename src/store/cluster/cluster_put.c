/* SPDX-License-Identifier: ISC */
/*
 * cluster_put.c: records on their way to the cluster: gathered, looked up, made rows.
 */
#include "store/cluster/cluster_sql.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "store/versions.h"

#define ACCOUNTS_LISTED_MAX 100 /* in a query; of more only the range is given */

/* A query of the ids of one table. */
struct cluster_lookup {
	struct cluster_lookup *next;
	struct cluster *cluster;
	const struct catalog_product *product;
	size_t shard;
	struct clickhouse_query *query;
	struct buf hashes;
	uint64_t accounts[ACCOUNTS_LISTED_MAX];
	size_t accounts_count; /* one more than fit: too many */
	uint64_t account_min, account_max;
	int32_t day_min, day_max;
};

/* --- what is known --- */

static struct cluster_known **slot_of(const struct cluster *cluster, uint64_t hash)
{
	return &cluster->known[hash % CLUSTER_SLOTS];
}

static void known_free(struct cluster_known *known)
{
	buf_free(&known->past);
	free(known->row);
	free(known);
}

void cluster_forget_known(struct cluster *cluster)
{
	for (size_t i = 0; cluster->known_bytes > 0 && i < CLUSTER_SLOTS; i++) {
		struct cluster_known *known = cluster->known[i];

		while (known) {
			struct cluster_known *next = known->next;

			known_free(known);
			known = next;
		}
		cluster->known[i] = NULL;
	}
	cluster->known_bytes = 0;
}

static int keep_row(struct cluster *cluster, struct cluster_known *known, const struct record *record,
                    struct error *err)
{
	char *row;

	buf_clear(&cluster->packed);
	record_pack(&cluster->packed, record, 0);
	row = cluster->packed.failed ? NULL : malloc(cluster->packed.len);
	if (!row)
		return error_set(err, ERROR_NOMEM, "a record on its way to the cluster: out of memory");
	memcpy(row, cluster->packed.data, cluster->packed.len);
	cluster->known_bytes += cluster->packed.len;
	free(known->row);
	known->row = row;
	known->len = cluster->packed.len;
	return 0;
}

static struct cluster_known *add_known(struct cluster *cluster, const struct catalog_product *product,
                                       const struct account_key *account, uint64_t hash)
{
	struct cluster_known *known = calloc(1, sizeof(*known));
	struct cluster_known **slot = slot_of(cluster, hash);

	if (!known)
		return NULL;
	known->product = product;
	known->account = *account;
	known->hash = hash;
	known->next = *slot;
	*slot = known;
	cluster->known_bytes += sizeof(*known);
	return known;
}

static bool is_of_record(const struct cluster_known *known, const struct cluster_put *put, const struct record *record)
{
	struct record stored;
	uint64_t seq;
	struct error err;

	return known->hash == put->hash && known->product == put->product &&
	       account_key_equal(&known->account, &put->account) &&
	       record_unpack(&stored, known->product, (struct str){ known->row, known->len }, &seq, &err) == 0 &&
	       id_equal(record_value(&stored, put->product->id_column), record_value(record, put->product->id_column));
}

static struct cluster_known *find_in_day(const struct cluster *cluster, const struct cluster_put *put,
                                         const struct record *record, int32_t day)
{
	for (struct cluster_known *known = *slot_of(cluster, put->hash); known; known = known->next)
		if (!known->has_left && clock_day_of(known->time_us) == day && is_of_record(known, put, record))
			return known;
	return NULL;
}

/* The place, if the record has left it. */
static struct cluster_known *find_left(const struct cluster *cluster, const struct cluster_put *put,
                                       const struct record *record, int64_t time_us, enum catalog_direction direction)
{
	for (struct cluster_known *known = *slot_of(cluster, put->hash); known; known = known->next)
		if (known->has_left && known->time_us == time_us && known->direction == direction &&
		    is_of_record(known, put, record))
			return known;
	return NULL;
}

static struct cluster_known *find_known(const struct cluster *cluster, const struct cluster_put *put,
                                        const struct record *record)
{
	int32_t day = clock_day_of(put->time_us);
	struct cluster_known *known = find_in_day(cluster, put, record, day);

	for (int32_t away = 1; !known && put->has_versions && away <= (put->versions.updates ? 7 : 1); away++) {
		known = find_in_day(cluster, put, record, day - away);
		if (!known && away == 1)
			known = find_in_day(cluster, put, record, day + 1);
	}
	return known;
}

/* --- rows --- */

static struct cluster_chunk *find_chunk(struct cluster *cluster, const struct catalog_product *product, size_t shard,
                                        int32_t day)
{
	struct cluster_chunk *chunk;

	/* the last one of the table, if it has room */
	TAILQ_FOREACH_REVERSE(chunk, &cluster->chunks, cluster_chunks, link)
	{
		if (chunk->product == product && chunk->shard == shard)
			break;
	}
	if (chunk && chunk->count < CLUSTER_CHUNK_ROWS && chunk->rows.len < CLUSTER_CHUNK_BYTES &&
	    cluster_take_day(chunk->days, &chunk->days_count, CLUSTER_CHUNK_DAYS, day))
		return chunk;
	chunk = calloc(1, sizeof(*chunk));
	if (!chunk)
		return NULL;
	chunk->product = product;
	chunk->shard = shard;
	chunk->days[chunk->days_count++] = day;
	TAILQ_INSERT_TAIL(&cluster->chunks, chunk, link);
	return chunk;
}

struct place {
	int64_t time_us;
	enum catalog_direction direction;
	bool is_dead;
	uint64_t version, first;
	struct str past;
};

static struct cluster_chunk *add_row(struct cluster *cluster, const struct cluster_put *put,
                                     const struct record *record, const struct place *place,
                                     const struct cluster_chunk *before, struct error *err)
{
	int32_t day = clock_day_of(place->time_us);
	struct cluster_chunk *chunk = find_chunk(cluster, put->product, cluster_shard(cluster, &put->account), day);
	const struct cluster_row row = {
		.account = cluster_account(&put->account),
		.direction = (uint8_t)place->direction,
		.day = day,
		.time_us = place->time_us,
		.id = record_value(record, put->product->id_column),
		.version = place->version,
		.is_dead = place->is_dead,
		.first = place->first,
		.past = place->past,
	};
	size_t len = chunk ? chunk->rows.len : 0;

	if (chunk)
		cluster_row_write(&chunk->rows, record, &row, &cluster->scratch);
	if (!chunk || chunk->rows.failed) {
		error_set(err, ERROR_NOMEM, "rows for the cluster: out of memory");
		return NULL;
	}
	cluster->chunk_bytes += chunk->rows.len - len;
	chunk->keys += chunk != before;
	if (chunk->count++ == 0)
		chunk->first_version = place->version;
	chunk->last_version = place->version;
	return chunk;
}

/* The number by which a new place counts as having been there from is another one than the row's, as the row may have to hide
 * one that is not known of. */
static void take_numbers(struct cluster *cluster, struct place *place)
{
	place->first = cluster_next_number(cluster);
	place->version = cluster_next_number(cluster);
}

/* Marks the place that the record is at as left, which is known from then on. */
static int leave(struct cluster *cluster, const struct cluster_put *put, struct cluster_known *known,
                 const struct record *record, struct error *err)
{
	const struct place old = { known->time_us, known->direction,     true, cluster_next_number(cluster),
		                   known->first,   buf_str(&known->past) };
	struct cluster_known *left;
	struct cluster_chunk *chunk = add_row(cluster, put, record, &old, known->chunk, err);

	if (!chunk)
		return -1;
	left = add_known(cluster, put->product, &put->account, put->hash);
	if (!left)
		return error_set(err, ERROR_NOMEM, "a record on its way to the cluster: out of memory");
	left->has_left = true;
	left->chunk = chunk;
	left->time_us = old.time_us;
	left->direction = old.direction;
	left->first = old.first;
	left->version = old.version;
	buf_move(&left->past, &known->past);
	known->chunk = NULL;
	return keep_row(cluster, left, record, err);
}

/* What is known of the place becomes the record's again: a snapshot of before may have it there. */
static int come_back(struct cluster_known *known, struct cluster_known *left, struct error *err)
{
	uint64_t numbers[] = { htole64(left->first), htole64(left->version) };

	buf_move(&known->past, &left->past);
	if (left->first < left->version)
		buf_add(&known->past, numbers, sizeof(numbers));
	if (known->past.len > CLUSTER_PAST_NUMBERS * sizeof(numbers[0]))
		buf_drain(&known->past, sizeof(numbers));
	known->chunk = left->chunk;
	left->hash = ~left->hash; /* it is found no more */
	return known->past.failed ? error_set(err, ERROR_NOMEM, "a record on its way to the cluster: out of memory") :
	                            0;
}

/* Where a known record goes, or a new one comes. */
static int go(struct cluster *cluster, const struct cluster_put *put, struct cluster_known **known,
              const struct record *record, struct place *place, struct error *err)
{
	struct cluster_known *left = find_left(cluster, put, record, place->time_us, place->direction);

	if (*known && leave(cluster, put, *known, record, err) != 0)
		return -1;
	if (!*known)
		*known = add_known(cluster, put->product, &put->account, put->hash);
	if (!*known)
		return error_set(err, ERROR_NOMEM, "a record on its way to the cluster: out of memory");
	if (left && come_back(*known, left, err) != 0)
		return -1;
	take_numbers(cluster, place);
	return 0;
}

/* Makes `record` what is known. */
static int change(struct cluster *cluster, const struct cluster_put *put, struct cluster_known *known,
                  const struct record *record, int64_t time_us, struct error *err)
{
	struct place place = { .time_us = time_us, .direction = record_partition(record) };

	if (known && known->time_us == time_us && known->direction == place.direction) {
		place.first = known->first;
		place.version = cluster_next_number(cluster);
	} else if (go(cluster, put, &known, record, &place, err) != 0) {
		return -1;
	}
	place.past = buf_str(&known->past);
	known->chunk = add_row(cluster, put, record, &place, known->chunk, err);
	if (!known->chunk)
		return -1;
	known->time_us = time_us;
	known->direction = place.direction;
	known->first = place.first;
	known->version = place.version;
	const struct partition partition = { put->account, put->product->number, (uint8_t)place.direction };

	cluster_note_change(cluster, &partition, place.version);
	cluster->uncommitted++;
	return keep_row(cluster, known, record, err);
}

static int meet(struct cluster *cluster, const struct cluster_put *put, struct cluster_known *known,
                const struct record *came, enum store_put_result *result, struct error *err)
{
	bool merges = put->has_versions && (put->versions.merge || put->versions.updates);
	struct buf copy = { 0 };
	struct record old, merged = *came;
	bool writes = true;
	uint64_t seq;
	int status = 0;

	/* what is known may be freed while the record is written */
	buf_add(&copy, known->row, known->len);
	if (copy.failed || record_unpack(&old, known->product, buf_str(&copy), &seq, err) != 0) {
		buf_free(&copy);
		return error_set(err, ERROR_NOMEM, "a record on its way to the cluster: out of memory");
	}
	bool outdated = put->has_versions && versions_is_older(came, &old, put->versions.column);
	*result = outdated ? STORE_OUTDATED : STORE_UPDATED;
	if (merges ? versions_adds_nothing(came, &old) : record_equal(&old, came)) {
		*result = STORE_DUPLICATE;
		writes = false;
	} else if (!outdated || (merges && versions_fill(&merged, came, &old))) {
		bool keeps_time = outdated || (put->has_versions && put->versions.updates);

		if (merges && !outdated)
			versions_merge(&merged, came, &old);
		if (keeps_time)
			merged.values[put->product->time_column] = old.values[put->product->time_column];
		merged.account_number = came->account_number;
		status = change(cluster, put, known, &merged, keeps_time ? known->time_us : put->time_us, err);
	} else {
		writes = false;
	}
	/* What nobody was told of is put now, as the feed has not had it. */
	if (!writes && !known->chunk && cluster_is_doubtful(cluster, known->version))
		status = change(cluster, put, known, &old, known->time_us, err);
	buf_free(&copy);
	return status;
}

/* The record as it is known, without the number. */
static int erase_known(struct cluster *cluster, const struct cluster_put *put, const struct record *record,
                       enum store_put_result *result, struct error *err)
{
	struct cluster_known *known = find_in_day(cluster, put, record, clock_day_of(put->time_us));
	struct buf copy = { 0 };
	struct record erased;
	uint64_t seq;
	int status = 0;

	*result = STORE_DUPLICATE;
	if (!put->eraser || !known)
		return 0;
	/* what is known may be freed while the record is written */
	buf_add(&copy, known->row, known->len);
	if (copy.failed)
		status = error_set(err, ERROR_NOMEM, "a record on its way to the cluster: out of memory");
	else
		status = record_unpack(&erased, known->product, buf_str(&copy), &seq, err);
	if (status == 0 && put->eraser->change(put->eraser->arg, &erased, true)) {
		*result = STORE_UPDATED;
		record_set_account_key(&erased, &put->account);
		status = change(cluster, put, known, &erased, known->time_us, err);
	}
	buf_free(&copy);
	return status;
}

/* Older versions would stand at the place if the one that says that the record has left it were just deleted. It counts as
 * having been there from this change on: no snapshot, of before or after it, shows it there. */
static int erase_left(struct cluster *cluster, const struct cluster_put *put, struct record *record,
                      enum store_put_result *result, struct error *err)
{
	const struct cluster_known *known = find_in_day(cluster, put, record, clock_day_of(put->time_us));
	struct place place = { .time_us = put->time_us, .direction = put->direction, .is_dead = true };

	*result = STORE_DUPLICATE;
	if (!put->eraser || (known && known->time_us == put->time_us && known->direction == put->direction) ||
	    !put->eraser->change(put->eraser->arg, record, false))
		return 0;
	*result = STORE_UPDATED;
	place.first = place.version = cluster_next_number(cluster);
	cluster->uncommitted++;
	return add_row(cluster, put, record, &place, NULL, err) ? 0 : -1;
}

static int apply(struct cluster *cluster, const struct cluster_put *put, enum store_put_result *result,
                 struct error *err)
{
	struct record record;
	uint64_t seq;

	if (record_unpack(&record, put->product, (struct str){ put->row, put->len }, &seq, err) != 0)
		return -1;
	record_set_account_key(&record, &put->account);
	if (put->was_left)
		return erase_left(cluster, put, &record, result, err);
	if (put->is_erasure)
		return erase_known(cluster, put, &record, result, err);
	struct cluster_known *known = find_known(cluster, put, &record);

	*result = STORE_ACCEPTED;
	if (known)
		return meet(cluster, put, known, &record, result, err);
	if (put->has_versions && put->versions.updates)
		*result = STORE_LACKS_RECORD;
	else if (put->product->partition_direction && record_partition(&record) == CATALOG_NO_DIRECTION)
		*result = STORE_LACKS_DIRECTION;
	else
		return change(cluster, put, NULL, &record, put->time_us, err);
	return 0;
}

/* --- what was found --- */

static bool is_at(const struct cluster_known *known, const struct cluster_row *row)
{
	return known->time_us == row->time_us && known->direction == (enum catalog_direction)row->direction;
}

static int take_row(struct cluster *cluster, const struct catalog_product *product, const struct cluster_row *row,
                    struct error *err)
{
	struct record record;
	struct cluster_known *known;
	uint64_t big_endian = htobe64(row->account);
	struct account_key account;

	memcpy(account.bytes, &big_endian, sizeof(account.bytes));
	if (cluster_row_record(&cluster->reader, row, product, &record, err) != 0)
		return -1;
	uint64_t hash = id_hash64_of_id(record_value(&record, product->id_column), 0);

	for (known = *slot_of(cluster, hash); known; known = known->next)
		if (known->hash == hash && known->product == product && account_key_equal(&known->account, &account) &&
		    (is_at(known, row) ||
		     (!row->is_dead && !known->has_left && clock_day_of(known->time_us) == row->day)))
			return 0; /* what waits to be inserted is newer */
	known = add_known(cluster, product, &account, hash);
	if (!known)
		return error_set(err, ERROR_NOMEM, "a record of the cluster: out of memory");
	known->time_us = row->time_us;
	known->direction = (enum catalog_direction)row->direction;
	known->first = row->first;
	known->version = row->version;
	known->has_left = row->is_dead;
	buf_add_str(&known->past, row->past);
	if (known->past.failed)
		return error_set(err, ERROR_NOMEM, "a record of the cluster: out of memory");
	return keep_row(cluster, known, &record, err);
}

/* Rows come with the newest of a key first. */
static int take_rows(struct cluster_lookup *lookup, struct str text, struct error *err)
{
	struct cluster_row row, last = { .time_us = INT64_MIN };

	while (text.len > 0) {
		if (!cluster_row_read(&text, &row))
			return error_set(err, ERROR_CORRUPT, "ClickHouse: rows of %.*s cannot be read",
			                 STR_ARGS(lookup->product->name));
		if (!cluster_row_is_same_key(&row, &last) && take_row(lookup->cluster, lookup->product, &row, err))
			return -1;
		last = row;
	}
	return 0;
}

/* --- a lookup --- */

static void free_lookups(struct cluster *cluster)
{
	struct cluster_lookup *lookup;

	while ((lookup = cluster->lookups)) {
		cluster->lookups = lookup->next;
		clickhouse_cancel(lookup->query);
		buf_free(&lookup->hashes);
		free(lookup);
	}
	cluster->lookups_left = 0;
}

static int apply_all(struct cluster *cluster, struct error *err)
{
	struct cluster_put *put;

	while ((put = TAILQ_FIRST(&cluster->looking))) {
		enum store_put_result result;

		if (apply(cluster, put, &result, err) != 0)
			return -1;
		TAILQ_REMOVE(&cluster->looking, put, link);
		cluster->looking_count--;
		put->done(put->arg, result, NULL);
		free(put);
	}
	return 0;
}

static void on_found(void *arg, struct buf *answer, const struct error *failure)
{
	struct cluster_lookup *lookup = arg;
	struct cluster *cluster = lookup->cluster;
	struct error err;

	lookup->query = NULL;
	cluster->lookups_left--;
	if (failure) {
		cluster->lookup_failure = *failure;
		/* It is not too much of one body, but of the rows that many have here. */
		if (failure->code == ERROR_LIMIT)
			cluster->lookup_failure.code = ERROR_UNAVAILABLE;
	} else if (take_rows(lookup, buf_str(answer), &err) != 0) {
		cluster->lookup_failure = err;
	}
	if (cluster->lookups_left > 0)
		return;
	free_lookups(cluster);
	if (cluster->lookup_failure.code != ERROR_NONE)
		cluster_looked_up(cluster, &cluster->lookup_failure);
	else if (apply_all(cluster, &err) != 0)
		cluster_looked_up(cluster, &err);
	else
		cluster_looked_up(cluster, NULL);
}

static struct cluster_lookup *get_lookup(struct cluster *cluster, const struct cluster_put *put)
{
	size_t shard = cluster_shard(cluster, &put->account);
	struct cluster_lookup *lookup;

	for (lookup = cluster->lookups; lookup; lookup = lookup->next)
		if (lookup->product == put->product && lookup->shard == shard)
			return lookup;
	lookup = calloc(1, sizeof(*lookup));
	if (!lookup)
		return NULL;
	*lookup = (struct cluster_lookup){ .next = cluster->lookups,
		                           .cluster = cluster,
		                           .product = put->product,
		                           .shard = shard,
		                           .account_min = UINT64_MAX,
		                           .day_min = INT32_MAX,
		                           .day_max = INT32_MIN };
	cluster->lookups = lookup;
	return lookup;
}

static void list_account(struct cluster_lookup *lookup, uint64_t account)
{
	if (account < lookup->account_min)
		lookup->account_min = account;
	if (account > lookup->account_max)
		lookup->account_max = account;
	for (size_t i = 0; i < lookup->accounts_count && i < ACCOUNTS_LISTED_MAX; i++)
		if (lookup->accounts[i] == account)
			return;
	if (lookup->accounts_count < ACCOUNTS_LISTED_MAX)
		lookup->accounts[lookup->accounts_count] = account;
	if (lookup->accounts_count <= ACCOUNTS_LISTED_MAX)
		lookup->accounts_count++;
}

static bool list_put(struct cluster_lookup *lookup, const struct cluster_put *put)
{
	uint64_t hash = htole64(put->hash);
	int32_t day = clock_day_of(put->time_us);
	int32_t before = !put->has_versions ? 0 : put->versions.updates ? 7 : 1, after = put->has_versions;

	list_account(lookup, cluster_account(&put->account));
	if (day - before < lookup->day_min)
		lookup->day_min = day - before;
	if (day + after > lookup->day_max)
		lookup->day_max = day + after;
	buf_add(&lookup->hashes, &hash, sizeof(hash));
	return !lookup->hashes.failed;
}

static void write_accounts(struct buf *sql, const struct cluster_lookup *lookup)
{
	if (lookup->accounts_count > ACCOUNTS_LISTED_MAX) {
		buf_addf(sql, "account >= %llu AND account <= %llu", (unsigned long long)lookup->account_min,
		         (unsigned long long)lookup->account_max);
		return;
	}
	buf_add_text(sql, "account IN (");
	for (size_t i = 0; i < lookup->accounts_count; i++)
		buf_addf(sql, "%s%llu", i ? "," : "", (unsigned long long)lookup->accounts[i]);
	buf_add_text(sql, ")");
}

static int ask(struct cluster_lookup *lookup, struct error *err)
{
	struct cluster *cluster = lookup->cluster;
	const struct catalog_product *product = lookup->product;
	struct str id = product->columns[product->id_column].name;
	struct buf sql = { 0 };

	buf_add_text(&sql, "SELECT " CLUSTER_ROW_COLUMNS " FROM ");
	cluster_write_table(&sql, cluster, product);
	buf_addf(&sql, " PREWHERE lookup_%.*s IN numbers WHERE ", STR_ARGS(id));
	write_accounts(&sql, lookup);
	buf_addf(&sql,
	         " AND day >= toDate(%d) AND day <= toDate(%d) ORDER BY " CLUSTER_KEY_COLUMNS ", version DESC "
	         "FORMAT RowBinary",
	         lookup->day_min, lookup->day_max);
	const struct clickhouse_request request = { .shard = lookup->shard,
		                                    .sql = buf_str(&sql),
		                                    .set = buf_str(&lookup->hashes),
		                                    .settings = cluster_read_settings(cluster),
		                                    .patience_us = cluster->patience_us,
		                                    .ended = on_found,
		                                    .arg = lookup };

	lookup->query = clickhouse_start(cluster->clickhouse, &request, err);
	buf_free(&sql);
	return lookup->query ? 0 : -1;
}

static int begin_lookups(struct cluster *cluster, struct error *err)
{
	struct cluster_put *put;

	TAILQ_FOREACH(put, &cluster->looking, link) {
		struct cluster_lookup *lookup = get_lookup(cluster, put);

		if (!lookup || !list_put(lookup, put))
			return error_set(err, ERROR_NOMEM, "a query to ClickHouse: out of memory");
	}
	for (struct cluster_lookup *lookup = cluster->lookups; lookup; lookup = lookup->next) {
		if (ask(lookup, err) != 0)
			return -1;
		cluster->lookups_left++;
	}
	return 0;
}

/* Up to a limit: many may have been gathered while others were looked up. */
static void take_gathered(struct cluster *cluster)
{
	struct cluster_put *put;

	while (cluster->looking_count < CLUSTER_GATHERED_MAX && (put = TAILQ_FIRST(&cluster->gathered))) {
		TAILQ_REMOVE(&cluster->gathered, put, link);
		TAILQ_INSERT_TAIL(&cluster->looking, put, link);
		cluster->looking_count++;
		cluster->gathered_count--;
		cluster->gathered_bytes -= sizeof(*put) + put->len;
	}
}

void cluster_look_up(struct cluster *cluster)
{
	struct error err;

	INVARIANT(TAILQ_EMPTY(&cluster->looking) && !cluster->inserts);
	take_gathered(cluster);
	cluster->lookup_failure = (struct error){ .code = ERROR_NONE };
	if (begin_lookups(cluster, &err) == 0)
		return;
	free_lookups(cluster);
	cluster_looked_up(cluster, &err);
}

/* --- a put --- */

static struct cluster_put *put_new(struct cluster *cluster, const struct record *record, int64_t time_us,
                                   const struct store_versions *versions)
{
	struct cluster_put *put;

	buf_clear(&cluster->packed);
	record_pack(&cluster->packed, record, 0);
	put = cluster->packed.failed ? NULL : malloc(sizeof(*put) + cluster->packed.len);
	if (!put)
		return NULL;
	*put = (struct cluster_put){ .product = record->product,
		                     .account = record_account_key(record),
		                     .hash = id_hash64_of_id(record_value(record, record->product->id_column), 0),
		                     .time_us = time_us,
		                     .has_versions = versions != NULL,
		                     .len = cluster->packed.len };
	if (versions)
		put->versions = *versions;
	memcpy(put->row, cluster->packed.data, put->len);
	return put;
}

size_t cluster_waiting_bytes(const struct cluster *cluster)
{
	return cluster->gathered_bytes + cluster->next_bytes + cluster->chunk_bytes + cluster->known_bytes;
}

/* NULL when `done` was told why it cannot be put; otherwise begin_put follows. */
static struct cluster_put *new_put(struct cluster *cluster, const struct record *record, int64_t time_us,
                                   const struct store_versions *versions, store_put_fn done, void *arg)
{
	size_t waits = cluster_waiting_bytes(cluster);
	struct cluster_put *put = NULL;
	struct error err;

	if (!cluster->is_ready)
		MAY_FAIL(cluster_refuse(cluster, &err));
	else if (waits > CLUSTER_FULL_BYTES)
		error_set(&err, ERROR_UNAVAILABLE,
		          "the cluster takes records more slowly than they come: %zu bytes wait", waits);
	else if (!(put = put_new(cluster, record, time_us, versions)))
		error_set(&err, ERROR_NOMEM, "a record on its way to the cluster: out of memory");
	if (!put) {
		done(arg, STORE_ACCEPTED, &err);
		return NULL;
	}
	put->done = done;
	put->arg = arg;
	return put;
}

static void begin_put(struct cluster *cluster, struct cluster_put *put)
{
	cluster_note_check(cluster);
	if (cluster->commit_done) {
		TAILQ_INSERT_TAIL(&cluster->next, put, link);
		cluster->next_bytes += sizeof(*put) + put->len;
		return;
	}
	cluster->gathered_count++;
	TAILQ_INSERT_TAIL(&cluster->gathered, put, link);
	cluster->gathered_bytes += sizeof(*put) + put->len;
}

void cluster_put(struct cluster *cluster, const struct record *record, int64_t time_us,
                 const struct store_versions *versions, store_put_fn done, void *arg)
{
	struct cluster_put *put = new_put(cluster, record, time_us, versions, done, arg);

	if (put)
		begin_put(cluster, put);
}

void cluster_put_erased(struct cluster *cluster, const struct record *record, const struct cluster_row *row,
                        const struct cluster_eraser *eraser, store_put_fn done, void *arg)
{
	struct cluster_put *put = new_put(cluster, record, row->time_us, NULL, done, arg);

	if (!put)
		return;
	put->is_erasure = true;
	put->eraser = eraser;
	put->was_left = row->is_dead;
	put->direction = (enum catalog_direction)row->direction;
	begin_put(cluster, put);
}

bool cluster_has_waiting(const struct cluster *cluster)
{
	return cluster->uncommitted > 0 || !TAILQ_EMPTY(&cluster->gathered) || !TAILQ_EMPTY(&cluster->looking) ||
	       !TAILQ_EMPTY(&cluster->next) || !TAILQ_EMPTY(&cluster->chunks);
}

/* --- the end of it --- */

static void ignore_put(void *arg, enum store_put_result result, const struct error *err)
{
	(void)arg;
	(void)result;
	(void)err;
}

void cluster_forget_erasing(struct cluster *cluster, const struct cluster_eraser *eraser)
{
	struct cluster_puts *const queues[] = { &cluster->gathered, &cluster->looking, &cluster->next };

	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		struct cluster_put *put;

		TAILQ_FOREACH(put, queues[i], link) {
			if (put->eraser != eraser)
				continue;
			put->eraser = NULL;
			put->done = ignore_put;
		}
	}
}

static void end_puts(struct cluster_puts *puts, const struct error *err)
{
	struct cluster_put *put;

	while ((put = TAILQ_FIRST(puts))) {
		TAILQ_REMOVE(puts, put, link);
		put->done(put->arg, STORE_ACCEPTED, err);
		free(put);
	}
}

void cluster_drop(struct cluster *cluster, const struct error *err)
{
	struct cluster_chunk *chunk;

	free_lookups(cluster);
	while ((chunk = TAILQ_FIRST(&cluster->chunks)))
		cluster_chunk_free(cluster, chunk);
	cluster_forget_known(cluster);
	cluster_forget_checks(cluster);
	cluster->uncommitted = 0;
	cluster->gathered_count = cluster->gathered_bytes = cluster->looking_count = cluster->next_bytes = 0;
	if (!err)
		return;
	end_puts(&cluster->looking, err);
	end_puts(&cluster->gathered, err);
	end_puts(&cluster->next, err);
}
