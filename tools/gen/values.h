/* SPDX-License-Identifier: ISC */
/*
 * values.h: what stands in the columns of a sample record.
 *
 * Before a record is written its facts are drawn once (when, where, how it went, how long it took); each column's
 * maker then writes one of them as text. Makers are found by the column's name where many products share the name
 * (`country`, `latency`, `date_end`), and by its kind otherwise, so that a new product of the data file needs
 * nothing here.
 */
#ifndef CDRD_GEN_VALUES_H
#define CDRD_GEN_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "catalog/catalog.h"
#include "gen/body.h"
#include "gen/places.h"
#include "gen/random.h"
#include "gen/text.h"

/* The most bytes a maker writes: a body, or a sample of the data file. */
#define GEN_VALUE_BYTES_MAX 4096

struct gen_facts {
	struct gen_random random;
	struct gen_text_day last_day;
	const struct gen_bodies *bodies;
	uint64_t pool_seed; /* of the ids that several records share */
	bool by_the_minute; /* the product has a duration, its total is a price by the minute */

	struct str account;
	enum catalog_direction direction;
	int64_t time_us;

	const struct gen_place *place;
	const struct gen_network *network;
	uint32_t latency_ms; /* at least 1000, so that the end differs from the beginning in its second */
	uint32_t duration_s;
	uint32_t failure; /* 0: it went well; otherwise which of the ways it did not */
	char id[GEN_TEXT_UUID_LEN];
};

struct gen_column;

/* Writes the value at `out` and returns the place after it; writing nothing means an absent value. */
typedef char *(*gen_maker)(char *out, const struct gen_column *column, struct gen_facts *facts);

struct gen_column {
	const struct catalog_column *column;
	gen_maker make;
	uint32_t samples_count;
	const struct str *samples; /* escaped for the output format */
	struct str before;         /* what the output format writes in front of the value */
};

/* Draws what is random of the next record; account, direction and time are set by the caller. */
void gen_facts_draw(struct gen_facts *facts);

/* The maker of a product's column. */
gen_maker gen_maker_find(const struct catalog_product *product, uint8_t column);

#endif
