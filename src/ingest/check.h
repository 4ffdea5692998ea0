/* SPDX-License-Identifier: ISC */
/*
 * check.h: may this record be stored, and in which form? Private to ingest/.
 *
 * The parser has already checked names and sizes of values. Left are the rules that need the catalog, the accounts and
 * the clock (check.c), and the form of each kind of column's values (check_values.c). All faults of a record are found,
 * in addition to the parser's. Nothing here allocates: a record that passes borrows its normalized values from `struct
 * check` until the next one.
 */
#ifndef CDRD_INGEST_CHECK_H
#define CDRD_INGEST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config.h"
#include "ingest/zones.h"
#include "record/ingest_settings.h"
#include "record/parse.h"
#include "store/store.h"

#define CHECK_REASON_MAX 256
#define CHECK_FAULTS_MAX \
	((size_t)2 * PARSE_FAULTS_MAX) /* the parser's, and as many of ours; further faults are not listed */

struct check {
	const struct config *config;
	struct meta *meta;
	struct store *store;
	struct zones zones;
	/* of the current batch */
	int64_t oldest_us; /* a record's time lies between these, both included */
	int64_t newest_us;
	bool merge;              /* the direction may come from the stored record */
	struct zones_slot *zone; /* of times without an offset; NULL: none is set */
	const char *version;     /* the field that tells which version is newer; empty: none */
	const char *account_id;  /* of mapped rows that name no account that is known; empty: none */
	/* of the current record */
	bool updates; /* it changes a stored one, which has its direction */
	bool mapped;
	struct buf values; /* normalized, where that differs from the form sent */
	struct parse_fault faults[CHECK_FAULTS_MAX];
	size_t faults_count;
	bool failed;          /* it could not be checked, through no fault of its own */
	struct error failure; /* why */
	char reasons[CHECK_FAULTS_MAX][CHECK_REASON_MAX];
	/* values other than the known ones, by rows of catalog_listed */
	uint64_t unknown_values[CATALOG_LISTED_MAX];
	uint64_t erased; /* records that an erased number was taken out of */
};

/* ERROR_NOMEM, or 0. */
MUST_CHECK int check_init(struct check *check, const struct config *config, struct meta *meta, struct store *store,
                          struct error *err);
void check_free(struct check *check);

/* Called before each run of a batch's records: takes the bounds of time from the configuration, at a time known to be
 * from `earliest_us` to `latest_us`, and the time zone from the batch's settings. ERROR_NOMEM; ERROR_INVALID: the time
 * zone no longer exists. */
MUST_CHECK int check_set_batch(struct check *check, const struct ingest_settings *settings, int64_t earliest_us,
                               int64_t latest_us, struct error *err);

/*
 * Checks the parsed item and copies it to *record with its values normalized (2025-04-01T23:55:06+00:00, 0.00005, EUR)
 * and without erased numbers (store/erased.h); *time_us is its time field's. False if it must not be stored:
 * check->faults then has its faults, the parser's first, valid until the next call or the end of the item.
 */
bool check_item(struct check *check, const struct parse_item *item, struct record *record, int64_t *time_us);

/* For a record that check_item has passed: adds the fault that it has no direction and that no record is stored to
 * merge it into. */
void check_refuse_direction(struct check *check, const struct record *record);

/* The same for one that only updates what is stored: there is nothing. */
void check_refuse_update(struct check *check, const struct record *record);

/* --- check_values.c: NULL, or why the value is refused. Normalizes *value --- */

/* A reason about the current record. */
const char *check_reason(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Printf arguments for "%.*s" of a value that may be long. */
#define CHECK_SHOWN_MAX 64
#define CHECK_SHOWN(value) \
	(int)((value).len < CHECK_SHOWN_MAX ? (value).len : CHECK_SHOWN_MAX), ((value).p ? (value).p : "")

const char *check_time(struct check *check, struct str *value, int64_t *time_us);
const char *check_decimal(struct check *check, struct str *value);
const char *check_currency(struct check *check, struct str *value);

#endif
