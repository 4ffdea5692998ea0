/*
 * check.h: may this record be stored? Private to ingest/.
 *
 * The parser has already seen to names and sizes of values. Left are the rules that need the catalogue's meaning, the
 * accounts and the clock; check.c has them in one table, and the first that a record breaks is its fault. Nothing
 * here allocates: a record that passes borrows its normalised times from `struct check` until the next one.
 */
#ifndef CDRD_INGEST_CHECK_H
#define CDRD_INGEST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config.h"
#include "record/record.h"
#include "store/store.h"

#define CHECK_REASON_MAX 256

struct check {
	const struct config *config;
	struct store *store;
	int64_t oldest_us; /* a record's time lies between these, both included */
	int64_t newest_us;
	struct buf times;
	uint64_t erased; /* records that an erased number was taken out of */
	char reason[CHECK_REASON_MAX];
};

struct check_fault {
	const char *field;
	const char *reason;
};

/* ERROR_NOMEM, or 0. */
int check_init(struct check *check, const struct config *config, struct store *store, struct error *err);
void check_free(struct check *check);

/* Takes the bounds of time from the settings; before each run of records. */
void check_set_now(struct check *check, int64_t now_us);

/* The same where the time is not known better than to be one from `earliest_us` to `latest_us`. */
void check_set_span(struct check *check, int64_t earliest_us, int64_t latest_us);

/*
 * Checks `sent` and copies it to *record with its times normalised (2025-04-01T23:55:06+00:00) and without what was
 * erased before (store/erased.h); *time_us is that of its time field. False with *fault when it breaks a rule; the fault's texts live until the next call.
 */
bool check_record(struct check *check, const struct record *sent, struct record *record, int64_t *time_us,
                  struct check_fault *fault);

#endif
