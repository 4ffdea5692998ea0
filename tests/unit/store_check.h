/* SPDX-License-Identifier: ISC */
/*
 * store_check.h: compares what the store says with what the model says.
 *
 * A checked scan is read page by page; the store may change between its pages. Everything that differs ends the test
 * with a message that begins with `about`.
 */
#ifndef CDRD_TESTS_UNIT_STORE_CHECK_H
#define CDRD_TESTS_UNIT_STORE_CHECK_H

#include "store_model.h"
#include "test_engine.h"

#define CHECK_ACCOUNTS_MAX 32
#define CHECK_FILTERS_MAX 3

struct check {
	const char *about;                /* of whoever checks: the seed, the step */
	const struct test_engine *engine; /* NULL: days_test_engine */
	struct store *store;
	const struct model *model;
	struct scan_query query;
	struct account_key accounts[CHECK_ACCOUNTS_MAX];
	struct scan_filter filters[CHECK_FILTERS_MAX];
	char *filter_values[CHECK_FILTERS_MAX];
	bool lines;
	bool many_lines;         /* on_lines, too */
	bool deflated_lines;     /* with their deflate */
	struct record_view view; /* of the lines; but for the direction, which is the query's */
	bool spans;
	struct scan *scan; /* kept from one page to the next; NULL: begun anew at `position` */
	struct scan_position position;
	const struct model_record **list; /* what the snapshot holds, in order */
	size_t count;
	size_t at;    /* passed so far */
	size_t given; /* records of the page */
	size_t page;  /* records that a page ends after */
	size_t spans_given;
	size_t lines_given;    /* records by scan_sink.on_lines */
	size_t deflated_given; /* of them, those that came with deflate */
	bool ready;            /* on_ready was called */
	enum scan_end end;
};

/* Begins a scan of check->query, which points to check->accounts and filters. */
void check_begin(struct check *check, const char *about, struct store *store, const struct model *model);

/* Reads a page of about `rows` records, without taking longer than the least when `pause`. True when that was the
 * last. */
bool check_page(struct check *check, size_t rows, bool pause);

/* Has the next page begin a scan at the position, as one of a new process does. To be called before the store
 * closes. */
void check_forget(struct check *check);

/* Counts what a checked query finds, which check_begin has begun. */
void check_count(struct check *check, bool pause);

void check_end(struct check *check);

/* A look-up against the model; returns how many were found. */
size_t check_find(const char *about, const struct test_engine *engine, struct store *store, const struct model *model,
                  const struct catalog_product *product, const struct account_key *account,
                  enum catalog_direction direction, struct str id, size_t max);

#endif
