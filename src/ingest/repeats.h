/* SPDX-License-Identifier: ISC */
/*
 * repeats.h: which rejected records are in quarantine already, for a body that may have come before; private to ingest/.
 *
 * A message that a broker delivers again may have been rejected the first time, in part or as a whole, and not been
 * acknowledged. Its rejected records are told by their bytes, reason and producer, among the newest entries: REPEATS_MAX,
 * or as many as have REPEATS_BYTES.
 */
#ifndef CDRD_INGEST_REPEATS_H
#define CDRD_INGEST_REPEATS_H

#include "base/error.h"
#include "meta/quarantine.h"

/* Looked at in one go, once for a body that has rejected records. */
#define REPEATS_MAX 4096
#define REPEATS_BYTES ((size_t)8 << 20) /* of the records */

/* Of an entry's texts; 128 bits, as a record that is not in quarantine must not be taken for one that is. */
struct repeats_print {
	uint64_t words[2];
};

struct repeats_print repeats_print_of(const struct quarantine_entry *entry);
bool repeats_print_equal(const struct repeats_print *a, const struct repeats_print *b);

struct repeats;

/* NULL with *err. */
MUST_CHECK struct repeats *repeats_load(struct meta *meta, struct error *err);
bool repeats_has(const struct repeats *repeats, const struct repeats_print *print);
void repeats_free(struct repeats *repeats);

#endif
