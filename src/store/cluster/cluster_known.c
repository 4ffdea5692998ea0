/* SPDX-License-Identifier: ISC */
/*
 * cluster_known.c: records as they are stored, or will be, by the hashes of their ids. See cluster_known.h.
 */
#include "store/cluster/cluster_known.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct cluster_known **cluster_known_slot(const struct cluster *cluster, uint64_t hash)
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

int cluster_known_keep(struct cluster *cluster, struct cluster_known *known, const struct record *record,
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

struct cluster_known *cluster_known_add(struct cluster *cluster, const struct catalog_product *product,
                                        const struct account_key *account, uint64_t hash)
{
	struct cluster_known *known = calloc(1, sizeof(*known));
	struct cluster_known **slot = cluster_known_slot(cluster, hash);

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

struct cluster_known *cluster_known_next(const struct cluster *cluster, const struct cluster_put *put,
                                         const struct record *record, const struct cluster_known *known)
{
	struct cluster_known *next = known ? known->next : *cluster_known_slot(cluster, put->hash);

	while (next && !is_of_record(next, put, record))
		next = next->next;
	return next;
}

struct cluster_known *cluster_known_in_day(const struct cluster *cluster, const struct cluster_put *put,
                                           const struct record *record, int32_t day)
{
	for (struct cluster_known *known = *cluster_known_slot(cluster, put->hash); known; known = known->next)
		if (!known->has_left && clock_day_of(known->time_us) == day && is_of_record(known, put, record))
			return known;
	return NULL;
}

/* Was the place left by the number before `first`, or, as rows of a data directory that was moved have it, the same one? */
static bool was_left_for(const struct cluster_known *known, uint64_t first)
{
	struct str past = buf_str(&known->past);
	uint64_t came, went;

	if (known->has_left && (known->version + 1 == first || known->version == first))
		return true;
	while (cluster_take_number(&past, sizeof(came), &came) && cluster_take_number(&past, sizeof(went), &went))
		if (went + 1 == first || went == first)
			return true;
	return false;
}

bool cluster_known_has_come(const struct cluster *cluster, const struct cluster_put *put, const struct record *record,
                            const struct cluster_known *known)
{
	for (struct cluster_known *left = *cluster_known_slot(cluster, put->hash); left; left = left->next)
		if (was_left_for(left, known->first) && is_of_record(left, put, record))
			return true;
	return false;
}

/* The place, if the record has left it. */
struct cluster_known *cluster_known_left(const struct cluster *cluster, const struct cluster_put *put,
                                         const struct record *record, int64_t time_us, enum catalog_direction direction)
{
	for (struct cluster_known *known = *cluster_known_slot(cluster, put->hash); known; known = known->next)
		if (known->has_left && known->time_us == time_us && known->direction == direction &&
		    is_of_record(known, put, record))
			return known;
	return NULL;
}

struct cluster_known *cluster_known_find(const struct cluster *cluster, const struct cluster_put *put,
                                         const struct record *record)
{
	int32_t day = clock_day_of(put->time_us);
	struct cluster_known *known = cluster_known_in_day(cluster, put, record, day);

	for (int32_t away = 1; !known && put->has_versions && away <= (put->versions.updates ? 7 : 1); away++) {
		known = cluster_known_in_day(cluster, put, record, day - away);
		if (!known && away == 1)
			known = cluster_known_in_day(cluster, put, record, day + 1);
	}
	return known;
}
