/* SPDX-License-Identifier: ISC */
/*
 * store_sample.h: random records for the store's property tests.
 *
 * What a column holds depends on the seed: one value, a few, many or anything, so that all parts of a block that tell
 * what values it has come to use. Anything means quotes, newlines, UTF-8, empty and absent values, and long ones.
 */
#ifndef CDRD_TESTS_UNIT_STORE_SAMPLE_H
#define CDRD_TESTS_UNIT_STORE_SAMPLE_H

#include "pick.h"
#include "catalog/catalog.h"
#include "record/record.h"

/* A record and the bytes of its values, in one allocation; free() ends it. */
struct sample {
	struct record record;
	int64_t time_us;
	char bytes[];
};

/* What a sample is made with. */
struct sampler {
	struct pick pick;
	uint64_t styles; /* the seed of what columns hold */
	bool wild;       /* long values and many currencies */
};

/* The product of most samples. */
static inline const struct catalog_product *sms(void)
{
	return catalog_product_find(STR_LITERAL("SMS"));
}

/* The key of an account: the number of one whose id has not 8 characters is their count. */
struct account_key sample_account_key(const char *id);

/* A new record of an account at a time; `direction` for products that have one. */
struct sample *sample_new(struct sampler *sampler, const struct catalog_product *product, const char *account,
                          uint32_t id, enum catalog_direction direction, int64_t time_us);

/* A version of a record: at its time and direction, or others; `changes` values are made anew (not its ids). */
struct sample *sample_changed(struct sampler *sampler, const struct sample *from, enum catalog_direction direction,
                              int64_t time_us, unsigned changes);

/* What a producer may send to have it merged: some of the values are absent, perhaps the direction, too. */
struct sample *sample_part(struct sampler *sampler, const struct sample *from);

/* A copy of a record's values. */
struct sample *sample_copy(const struct record *record, int64_t time_us);

/* A value such as the column may hold; it dies with the next call. */
struct str sample_value(struct sampler *sampler, const struct catalog_product *product, uint8_t column);

#endif
