/* SPDX-License-Identifier: ISC */
/*
 * tariff.h: prices by the prefix of a number, the length of a call and the day.
 *
 *	447 = 0.0125 per 60 minimum 30 from 2026-01-01 until 2026-06-30
 *
 * The price is that of each started interval of 60 seconds, of at least 30 seconds; without `per` it is that of each
 * message or call. Both days are included, and either may be missing. Prices are exact decimals.
 */
#ifndef CDRD_MAPPING_TARIFF_H
#define CDRD_MAPPING_TARIFF_H

#include "base/decimal.h"
#include "mapping/mapfile.h"
#include "mapping/lookup.h"

struct rate {
	struct rate *next; /* of the same prefix, for other days */
	struct decimal price;
	int64_t interval_s; /* 0: of each message or call */
	int64_t minimum_s;
	int32_t from, until; /* days since the epoch, both included */
};

/* Takes a line of the table. What is wrong with it is added to the source's faults. */
void tariff_take(struct mapfile *source, struct lookup *table, const struct mapfile_line *line);

/* What a price is asked for. */
struct rate_call {
	struct str number;
	struct str amount; /* seconds, a decimal number; empty: none, 0 seconds */
	struct str time;   /* as check.h takes times */
};

/* NULL with the price; else why there is none, which is written to `reason`. */
const char *tariff_price(const struct lookup *table, const struct rate_call *call, struct decimal *price, char *reason,
                         size_t room);

#endif
