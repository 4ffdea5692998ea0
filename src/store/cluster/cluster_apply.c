/* SPDX-License-Identifier: ISC */
/*
 * cluster_apply.c: makes of a record that was put, and of what is known of it, the rows that are to be inserted.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/cluster/cluster_known.h"
#include "store/erased.h"
#include "store/versions.h"

/* --- rows --- */

/* The last one of the table; or NULL. */
static struct cluster_chunk *last_chunk(struct cluster *cluster, const struct cluster_put *put)
{
	size_t shard = cluster_shard(cluster, &put->account);
	struct cluster_chunk *chunk;

	TAILQ_FOREACH_REVERSE(chunk, &cluster->chunks, cluster_chunks, link)
	{
		if (chunk->product == put->product && chunk->shard == shard)
			break;
	}
	return chunk;
}

/* With room for rows of two days, which may be the same: one leaves its place, and the next one is where it goes. With one
 * insert after the other, the record would be nowhere if this process were killed between them. NULL when out of memory. */
static struct cluster_chunk *find_chunk(struct cluster *cluster, const struct cluster_put *put, int32_t day,
                                        int32_t next_day)
{
	struct cluster_chunk *chunk = last_chunk(cluster, put);

	if (chunk && chunk->count + 1 < CLUSTER_CHUNK_ROWS && chunk->rows.len < CLUSTER_CHUNK_BYTES &&
	    cluster_take_day(chunk->days, &chunk->days_count, CLUSTER_CHUNK_DAYS, day) &&
	    cluster_take_day(chunk->days, &chunk->days_count, CLUSTER_CHUNK_DAYS, next_day))
		return chunk;
	chunk = cluster_chunk_new(put->product, cluster_shard(cluster, &put->account), day);
	if (!chunk)
		return NULL;
	(void)cluster_take_day(chunk->days, &chunk->days_count, CLUSTER_CHUNK_DAYS, next_day); /* it has room */
	TAILQ_INSERT_TAIL(&cluster->chunks, chunk, link);
	return chunk;
}

struct place {
	int64_t time_us;
	enum catalog_direction direction;
	bool is_dead;
	uint64_t version, first;
	struct str past;
	int64_t next_us; /* of one that is left: the time of the row that follows */
	bool follows;    /* such a row, and is where that has room for it */
};

static struct cluster_chunk *add_row(struct cluster *cluster, const struct cluster_put *put,
                                     const struct record *record, const struct place *place,
                                     const struct cluster_chunk *before, struct error *err)
{
	int32_t day = clock_day_of(place->time_us);
	struct cluster_chunk *chunk =
		place->follows ? last_chunk(cluster, put) :
				 find_chunk(cluster, put, day, place->is_dead ? clock_day_of(place->next_us) : day);
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

/* Marks the place that the record is at as left, which is known from then on. The row of where it goes follows. */
static int leave(struct cluster *cluster, const struct cluster_put *put, struct cluster_known *known,
                 const struct record *record, int64_t next_us, struct error *err)
{
	const struct place old = {
		.time_us = known->time_us,
		.direction = known->direction,
		.is_dead = true,
		.version = cluster_next_number(cluster),
		.first = known->first,
		.past = buf_str(&known->past),
		.next_us = next_us,
	};
	struct cluster_known *left;
	struct cluster_chunk *chunk = add_row(cluster, put, record, &old, known->chunk, err);

	if (!chunk)
		return -1;
	left = cluster_known_add(cluster, put->product, &put->account, put->hash);
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
	return cluster_known_keep(cluster, left, record, err);
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
	struct cluster_known *left = cluster_known_left(cluster, put, record, place->time_us, place->direction);

	place->follows = *known != NULL;
	if (*known && leave(cluster, put, *known, record, place->time_us, err) != 0)
		return -1;
	if (!*known)
		*known = cluster_known_add(cluster, put->product, &put->account, put->hash);
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
	return cluster_known_keep(cluster, known, record, err);
}

/* A copy of what is known, as that may be freed while the record is written; the caller frees *copy in any case. */
static int copy_known(const struct cluster_put *put, const struct cluster_known *known, struct buf *copy,
                      struct record *record, struct error *err)
{
	uint64_t seq;

	buf_add(copy, known->row, known->len);
	if (copy->failed)
		return error_set(err, ERROR_NOMEM, "a record on its way to the cluster: out of memory");
	if (record_unpack(record, known->product, buf_str(copy), &seq, err) != 0)
		return -1;
	record_set_account_key(record, &put->account);
	return 0;
}

/* It leaves the place, as its other row has it. */
static int lose(struct cluster *cluster, const struct cluster_put *put, struct cluster_known *known, int64_t next_us,
                struct error *err)
{
	struct buf copy = { 0 };
	struct record record;
	int result = copy_known(put, known, &copy, &record, err);

	if (result == 0)
		result = leave(cluster, put, known, &record, next_us, err);
	known->hash = ~known->hash; /* it is found no more */
	cluster->uncommitted++;
	buf_free(&copy);
	return result;
}

/* May rows that would tell where it came from be gone with their day, or have been put anew as erased? */
static bool lacks_origins(const struct cluster *cluster, const struct cluster_put *put,
                          const struct cluster_known *place, const struct record *record)
{
	struct cluster_known *known = NULL;

	if (clock_day_start_us(clock_day_of(place->time_us) - 1) < store_kept_from_us(cluster->store))
		return true;
	while ((known = cluster_known_next(cluster, put, record, known)))
		if (known->has_left && known->first == known->version)
			return true;
	return false;
}

/* Where else it is, too, because a server has died between the days of an insert, and has stored where the record went, and not
 * that it left; or NULL. Nobody was told of it, and there is no row of a place that it has left for this one, which the look-up
 * would have found: a record with its id that is another one, as they are of days further apart, may have gone to the day
 * beside it. */
static struct cluster_known *half_moved_from(const struct cluster *cluster, const struct cluster_put *put,
                                             const struct cluster_known *known, const struct record *came)
{
	int32_t day = clock_day_of(known->time_us);

	if (!put->has_versions || clock_day_of(put->time_us) != day || !cluster_is_doubtful(cluster, known->first) ||
	    cluster_known_has_come(cluster, put, came, known) || lacks_origins(cluster, put, known, came))
		return NULL;
	for (int32_t away = -1; away <= 1; away += 2) {
		struct cluster_known *other = cluster_known_in_day(cluster, put, came, day + away);

		if (other && other->first < known->first)
			return other;
	}
	return NULL;
}

static int mend_move(struct cluster *cluster, const struct cluster_put *put, const struct cluster_known *known,
                     const struct record *came, struct error *err)
{
	struct cluster_known *other = half_moved_from(cluster, put, known, came);

	return other ? lose(cluster, put, other, known->time_us, err) : 0;
}

static int meet(struct cluster *cluster, const struct cluster_put *put, struct cluster_known *known,
                const struct record *came, enum store_put_result *result, struct error *err)
{
	bool merges = put->has_versions && (put->versions.merge || put->versions.updates);
	struct buf copy = { 0 };
	struct record old, merged = *came;
	bool writes = true;
	int status = 0;

	if (copy_known(put, known, &copy, &old, err) != 0) {
		buf_free(&copy);
		return -1;
	}
	if (merges) /* erasing may not have come to it yet, and must not miss what it becomes */
		(void)erased_clean(cluster->store, &old, known->time_us);
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
		if (keeps_time) /* what came was checked for erased numbers as of its own time */
			(void)erased_clean(cluster->store, &merged, known->time_us);
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

/* --- half moves --- */

/* As the record that was put says where it is, or was. */
static struct cluster_known *known_there(const struct cluster *cluster, const struct cluster_put *put,
                                         const struct record *record)
{
	struct cluster_known *known = NULL;

	while ((known = cluster_known_next(cluster, put, record, known)))
		if (known->time_us == put->time_us && known->direction == put->direction)
			return known;
	return NULL;
}

/* Was the record at `other`, in the day beside, when it came to `place`? */
static bool was_beside(const struct cluster_known *other, const struct cluster_known *place)
{
	int32_t days = clock_day_of(other->time_us) - clock_day_of(place->time_us);

	return (days == 1 || days == -1) && other->first < place->first &&
	       (!other->has_left || other->version > place->first);
}

/* Has it gone from there to somewhere else? Where it was taken away by mending, nothing came with the next number. */
static bool has_gone_on(const struct cluster *cluster, const struct cluster_put *put, const struct record *record,
                        const struct cluster_known *left)
{
	struct cluster_known *known = NULL;

	while ((known = cluster_known_next(cluster, put, record, known)))
		if (known->first == left->version + 1)
			return true;
	return false;
}

/* Where it came to `place` from, and the row that says that it left is not there: it would have the number before. */
static struct cluster_known *half_left_for(const struct cluster *cluster, const struct cluster_put *put,
                                           const struct cluster_known *place, const struct record *record)
{
	struct cluster_known *other = NULL;

	if (lacks_origins(cluster, put, place, record))
		return NULL;
	while ((other = cluster_known_next(cluster, put, record, other)))
		if (was_beside(other, place) &&
		    (!other->has_left || (!place->has_left && has_gone_on(cluster, put, record, other))))
			return other;
	return NULL;
}

/* Of both places, the newer one stays. */
static int mend_arrival(struct cluster *cluster, const struct cluster_put *put, struct cluster_known *place,
                        const struct record *record, enum store_put_result *result, struct error *err)
{
	struct cluster_known *other = half_left_for(cluster, put, place, record);

	if (!other)
		return 0;
	*result = STORE_UPDATED;
	if (other->has_left || (!place->has_left && other->version > place->version))
		return lose(cluster, put, place, other->time_us, err);
	if (lose(cluster, put, other, place->time_us, err) != 0)
		return -1;
	/* Nobody was told of it, and the feed has not had it. */
	return place->has_left ? 0 : change(cluster, put, place, record, place->time_us, err);
}

/* It left the place, and is not where it went: nobody was told of it, but of where it was. */
static int mend_departure(struct cluster *cluster, const struct cluster_put *put, const struct cluster_known *place,
                          struct record *record, enum store_put_result *result, struct error *err)
{
	struct cluster_known *known = NULL;
	int64_t goes_us;

	/* Another time than what was looked up for is of a later move. */
	if (!clock_parse_iso8601(record->values[put->product->time_column], &goes_us) || goes_us != put->goes_us ||
	    clock_day_of(goes_us) == clock_day_of(place->time_us) || goes_us < store_kept_from_us(cluster->store))
		return 0;
	while ((known = cluster_known_next(cluster, put, record, known)))
		if (known != place && known->first >= place->version)
			return 0; /* it has come, and may have left again */
	(void)erased_clean(cluster->store, record, goes_us);
	*result = STORE_ACCEPTED;
	return change(cluster, put, NULL, record, goes_us, err);
}

static int mend(struct cluster *cluster, const struct cluster_put *put, struct record *record,
                enum store_put_result *result, struct error *err)
{
	struct cluster_known *place = known_there(cluster, put, record);
	struct buf copy = { 0 };

	*result = STORE_DUPLICATE;
	if (!place)
		return 0;
	int status = copy_known(put, place, &copy, record, err);
	if (status == 0 && cluster_is_doubtful(cluster, place->first) &&
	    !cluster_known_has_come(cluster, put, record, place))
		status = mend_arrival(cluster, put, place, record, result, err);
	if (status == 0 && *result == STORE_DUPLICATE && place->has_left && place->first < place->version &&
	    cluster_is_doubtful(cluster, place->version))
		status = mend_departure(cluster, put, place, record, result, err);
	buf_free(&copy);
	return status;
}

/* The record as it is known, without the number. */
static int erase_known(struct cluster *cluster, const struct cluster_put *put, const struct record *record,
                       enum store_put_result *result, struct error *err)
{
	struct cluster_known *known = cluster_known_in_day(cluster, put, record, clock_day_of(put->time_us));
	struct buf copy = { 0 };
	struct record erased;

	*result = STORE_DUPLICATE;
	if (!put->eraser || !known)
		return 0;
	int status = copy_known(put, known, &copy, &erased, err);
	if (status == 0 && put->eraser->change(put->eraser->arg, &erased, true)) {
		*result = STORE_UPDATED;
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
	const struct cluster_known *known = cluster_known_in_day(cluster, put, record, clock_day_of(put->time_us));
	struct place place = { .time_us = put->time_us, .direction = put->direction, .is_dead = true };

	*result = STORE_DUPLICATE;
	if (!put->eraser || (known && known->time_us == put->time_us && known->direction == put->direction) ||
	    !put->eraser->change(put->eraser->arg, record, false))
		return 0;
	*result = STORE_UPDATED;
	place.next_us = place.time_us;
	place.first = place.version = cluster_next_number(cluster);
	cluster->uncommitted++;
	return add_row(cluster, put, record, &place, NULL, err) ? 0 : -1;
}

int cluster_apply(struct cluster *cluster, const struct cluster_put *put, enum store_put_result *result,
                  struct error *err)
{
	struct record record;
	uint64_t seq;

	if (record_unpack(&record, put->product, (struct str){ put->row, put->len }, &seq, err) != 0)
		return -1;
	record_set_account_key(&record, &put->account);
	if (put->is_mending)
		return mend(cluster, put, &record, result, err);
	if (put->was_left)
		return erase_left(cluster, put, &record, result, err);
	if (put->is_erasure)
		return erase_known(cluster, put, &record, result, err);
	struct cluster_known *known = cluster_known_find(cluster, put, &record);

	*result = STORE_ACCEPTED;
	if (known && put->has_versions && put->versions.updates) { /* its time only said where to look */
		record.values[put->product->time_column] = (struct str){ NULL, 0 };
		(void)erased_clean(cluster->store, &record, known->time_us);
	}
	if (known)
		return mend_move(cluster, put, known, &record, err) == 0 ?
		               meet(cluster, put, known, &record, result, err) :
		               -1;
	if (put->has_versions && put->versions.updates)
		*result = STORE_LACKS_RECORD;
	else if (put->product->partition_direction && record_partition(&record) == CATALOG_NO_DIRECTION)
		*result = STORE_LACKS_DIRECTION;
	else
		return change(cluster, put, NULL, &record, put->time_us, err);
	return 0;
}
