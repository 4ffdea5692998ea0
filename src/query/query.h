/* SPDX-License-Identifier: ISC */
/*
 * query.h: from request parameters to a checked plan.
 *
 * Synchronous and asynchronous queries share the rules; differences are rows in query.c's table of parameters. All
 * problems of a request are found in one pass and listed together.
 */
#ifndef CDRD_QUERY_QUERY_H
#define CDRD_QUERY_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "catalog/catalog.h"
#include "base/zone.h"
#include "store/scan.h"

#define QUERY_PARAMS_MAX 64
#define QUERY_PROBLEMS_MAX 32
#define QUERY_IDS_MAX 1000
#define QUERY_GROUPS_MAX 8
#define QUERY_WAIT_MAX 30 /* seconds */

/* Parameters as sent, decoded; in order. Values borrow from `text`. */
struct query_params {
	size_t count;
	struct query_param {
		struct str name;
		struct str value;
	} list[QUERY_PARAMS_MAX];
	struct buf text;
};

/* Decodes a query string: %xx, and a plus as a space (dates read it as a plus again). ERROR_INVALID for a broken escape,
 * NUL, bytes that are not UTF-8 or too many parameters. */
MUST_CHECK int query_params_decode(struct query_params *params, struct str query_string, struct error *err);

/* Adds one (a JSON body's member); texts are copied. */
MUST_CHECK int query_params_add(struct query_params *params, struct str name, struct str value, struct error *err);

/* The value of the last parameter of that name; p is NULL if there is none. */
struct str query_params_get(const struct query_params *params, const char *name);

void query_params_free(struct query_params *params);

/* What is wrong with a request: an array of {name, reason}. None: all zero, or query_problems_clear. */
struct query_problems {
	size_t count;
	struct query_problem {
		char name[64];
		char reason[448];
	} list[QUERY_PROBLEMS_MAX];
	struct error
		failure; /* why something could not be checked, which is no fault of the request; or its code is ERROR_NONE */
	bool invalid_filter; /* the 422 "Invalid filter" of an id query: `detail` instead of the list */
	char detail[512];
};

/* Called for every request: the list is larger than the rest of most requests, and not worth clearing. */
static inline void query_problems_clear(struct query_problems *problems)
{
	problems->count = 0;
	problems->failure.code = ERROR_NONE;
	problems->invalid_filter = false;
}

void query_problems_add(struct query_problems *problems, struct str name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, of an error: `reason` is what its message says of the parameter. One that is not ERROR_INVALID or ERROR_NOT_FOUND
 * becomes the failure. */
void query_problems_add_error(struct query_problems *problems, struct str name, const struct error *err,
                              const char *reason);

struct query_limits {
	int64_t window_max_us;
	size_t ids_max;
	size_t page_max; /* this and the above: synchronous queries only */
	bool any_values; /* filters take values other than the known ones */
};

/* Cuts the next item off a list, "a, b,c", without spaces around it; it may be empty. False at the end, where rest->p
 * is NULL. */
bool query_list_next(struct str *rest, struct str *item);

/* Appends what is wrong with a parameter that an endpoint does not take: which others take it, that it belongs to other
 * versions of the API, or that it is unknown. */
void query_unknown_reason(struct buf *reason, struct str name);

/* How a report file is written. */
enum query_format { QUERY_CSV, QUERY_NDJSON, QUERY_PARQUET };
enum query_dialect { QUERY_PLAIN, QUERY_EXCEL };
enum query_compression { QUERY_ZIP, QUERY_GZIP, QUERY_ZSTD }; /* of csv and ndjson */

enum query_kind {
	QUERY_SYNC,
	QUERY_ASYNC,
	QUERY_SUMMARY, /* counts and sums of what a synchronous query would list */
	QUERY_CHANGES, /* the changes of an account and product: no dates, no filters */
};

struct query_plan {
	enum query_kind kind;
	const struct catalog_product *product;
	struct str product_name; /* as requested (an alias stays one) */
	struct str type;         /* of an alias */
	char account[ACCOUNT_ID_MAX + 1];
	struct account_key account_key;   /* set by the caller */
	enum catalog_direction direction; /* as requested; CATALOG_NO_DIRECTION when not given */
	bool include_message;
	bool show_concatenated;

	/* asynchronous only */
	bool include_subaccounts;
	struct str callback_url; /* p NULL without one */
	struct str destination;  /* likewise */
	enum query_format format;
	enum query_dialect dialect;
	enum query_compression compression;
	size_t columns_count;                 /* 0: those of the view */
	uint8_t columns[CATALOG_COLUMNS_MAX]; /* in the order given, without repeats */

	/* a summary only */
	size_t groups_count;
	uint8_t groups[QUERY_GROUPS_MAX]; /* columns, in the order given, without repeats */
	enum zone_interval interval;

	struct str time_zone; /* of a summary, or of a report's times; valid; p NULL: UTC */

	/* changes only */
	struct str since; /* as sent; p NULL: from the beginning */
	int64_t wait_us;  /* how long to wait for changes */

	bool by_id;
	size_t ids_count;

	int64_t from_us; /* by dates; also for asynchronous queries and summaries */
	int64_t to_us;
	size_t filters_count;
	struct scan_filter
		filters[SCAN_FILTERS_MAX]; /* `direction` is among them unless product->partition_direction */

	size_t limit;      /* records on a page, at most page_max; 0: not given */
	struct str cursor; /* as sent; p NULL without one */
	struct str iv;

	/* Without repeats, in the order given. Last, because unused ones are not cleared. */
	struct str ids[QUERY_IDS_MAX];
};

/*
 * Checks `params` and fills *plan, which borrows from them. Returns true when there is no problem. The caller checks
 * the account's existence and rights, and fills in its key. `now_us` is the end of default windows.
 */
bool query_plan_make(struct query_plan *plan, enum query_kind kind, const struct query_params *params,
                     const struct query_limits *limits, int64_t now_us, struct query_problems *problems);

/*
 * Writes the parameters that an answer repeats, as keys and values into an open object: those given, and always the
 * dates, as a client may not know the defaults.
 */
void query_plan_echo(const struct query_plan *plan, const struct query_params *params, struct json *json);

/* The view of records that the plan's answers have. */
struct record_view query_plan_view(const struct query_plan *plan);

/* A hash of what the plan selects and shows, without range, cursor and iv but with the dates as sent; ties a cursor to
 * its query. */
uint64_t query_plan_fingerprint(const struct query_plan *plan, const struct query_params *params);

#endif
