/* SPDX-License-Identifier: ISC */
/*
 * store_model.h: what the store must answer, from a plain list of records.
 *
 * Every record with all places it has stood at, its committed version and the one that is put but not committed.
 * Answers come from looking at all of them and sorting.
 */
#ifndef CDRD_TESTS_UNIT_STORE_MODEL_H
#define CDRD_TESTS_UNIT_STORE_MODEL_H

#include "store/scan.h"
#include "store/store.h"
#include "store_sample.h"

struct model_place {
	int64_t time_us;
	uint64_t seq;
	uint8_t direction;
};

struct model_record {
	bool gone; /* with its day */
	struct sample *now;
	struct sample *committed; /* NULL: not yet there */
	struct sample *moved;     /* as it last changed its day, in what is not committed; or NULL */
	struct model_place *positions;
	size_t places_count;
	size_t places_moved; /* as of `moved` */
	size_t places_committed;
};

struct model {
	struct model_record **records; /* in order of arrival */
	uint64_t *keys;                /* a hash of what makes each the same record; to find it quickly */
	uint64_t *owners;              /* a hash of the product and the account of each, likewise */
	size_t count;
	size_t cap;
	int32_t first_day; /* those before are removed */
};

/* What store_put_version (store_put where `versions` is NULL) must say of a record. *stored, which the caller frees, is
 * what it must then be; NULL where nothing is written. */
enum store_put_result model_expect(const struct model *model, const struct sample *sample,
                                   const struct store_versions *versions, struct sample **stored);

/* Takes in what model_expect gave; `seq` is the number that the store gave to the change. */
void model_put(struct model *model, struct sample *sample, const struct store_versions *versions, uint64_t seq);
void model_commit(struct model *model);
void model_abort(struct model *model);

/* A crash between the commits of days, of which those that `has_day` says were committed. Records that changed their day
 * are finished by the start. What becomes of a record must not depend on others with its id: model_may_tear. */
typedef bool (*model_day_fn)(void *arg, int32_t day);
bool model_may_tear(const struct model *model);
void model_tear(struct model *model, model_day_fn has_day, void *arg);

void model_remove_days_before(struct model *model, int32_t day);

/* The day of a record as it is now, and of a place. */
int32_t model_day(const struct model_record *record);
int32_t model_place_day(const struct model_place *position);

/* Committed records of a day that are there. */
size_t model_day_count(const struct model *model, int32_t day);

/* Where a record stood for a snapshot; NULL if nowhere. */
const struct model_place *model_place_at(const struct model_record *record, uint64_t snapshot);

/* All that a query may show, whatever its filters, in order. The caller frees the list. */
const struct model_record **model_list(const struct model *model, const struct scan_query *query, size_t *count);

/* Does the committed version pass the filters? */
bool model_passes(const struct model_record *record, const struct scan_query *query);

/* What a look-up must give, in order. The caller frees the list. */
const struct model_record **model_find(const struct model *model, const struct catalog_product *product,
                                       const struct account_key *account, enum catalog_direction direction,
                                       struct str id, size_t *count);

void model_free(struct model *model);

#endif
