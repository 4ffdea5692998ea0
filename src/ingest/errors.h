/* SPDX-License-Identifier: ISC */
/*
 * errors.h: what is wrong with the records of a batch, for its answer; private to ingest/.
 *
 * A list of the first `max` errors, in order; or, folded, of the first `max` that differ, each with its count.
 *
 *	{"line":7,"field":"to","reason":"..."}            {"line":7,"field":"to","reason":"...","times":120}
 */
#ifndef CDRD_INGEST_ERRORS_H
#define CDRD_INGEST_ERRORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

struct errors_row {
	uint64_t hash;
	uint64_t line; /* of the first */
	uint64_t times;
	size_t field_at, field_len; /* in `texts`, the reason after it */
	size_t reason_len;
};

/* Zero-initialised is empty. */
struct errors {
	bool fold;
	struct buf rows; /* of struct errors_row */
	struct buf texts;
	uint64_t unlisted; /* for which there was no room */
};

void errors_add(struct errors *errors, uint64_t max, uint64_t line, const char *field, const char *reason);

/* Writes the elements as an array. */
void errors_write(const struct errors *errors, struct json *j);

/* Did memory run out? */
bool errors_failed(const struct errors *errors);
void errors_free(struct errors *errors);

#endif
