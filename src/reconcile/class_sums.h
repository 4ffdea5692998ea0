/* SPDX-License-Identifier: ISC */
/*
 * class_sums.h: what the rows of a class cost on either side, by currency and country, exactly; private to reconcile/.
 */
#ifndef CDRD_RECONCILE_CLASS_SUMS_H
#define CDRD_RECONCILE_CLASS_SUMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/decimal.h"
#include "base/json.h"
#include "base/str.h"

#define CLASS_SUMS_SLOTS 1024
#define CLASS_SUMS_MAX 768 /* pairs of currency and country; prices of further ones are in no sum */
#define CLASS_SUMS_CURRENCY_MAX 7
#define CLASS_SUMS_COUNTRY_MAX 15

enum class_side { CLASS_OURS, CLASS_THEIRS, CLASS_SIDES };

/* All zero at first. */
struct class_sums {
	struct class_sum {
		bool used;
		char currency[CLASS_SUMS_CURRENCY_MAX + 1];
		char country[CLASS_SUMS_COUNTRY_MAX + 1];
		uint64_t rows[CLASS_SIDES];
		struct decimal price[CLASS_SIDES];
	} slots[CLASS_SUMS_SLOTS];
	size_t used;
	uint64_t unsummed; /* rows whose price is in no sum: no number, too many pairs or too large a sum */
};

/* Counts a row of one side with its price, which may be empty: then it is 0. */
void class_sums_add(struct class_sums *sums, enum class_side side, struct str currency, struct str country,
                    struct str price);

/* Writes an array, by currency and then country: rows, sums and ours less theirs. */
void class_sums_write(const struct class_sums *sums, struct json *json);

#endif
