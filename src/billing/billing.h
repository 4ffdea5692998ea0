/* SPDX-License-Identifier: ISC */
/*
 * billing.h: what requests cost.
 *
 * Every answered query that is no repetition adds one REPORTS-USAGE record to the account that asked; what an account
 * owes is the sum of these records (statement.h), and their items are the volume for its tiers.
 *
 *	                   one record                                 never
 *	GET .../records    each page                                  a page asked again with the same cursor; HEAD;
 *	                                                              queries of REPORTS-USAGE itself
 *	GET .../changes    each page that has records                 a page asked again with the same token; HEAD;
 *	                                                              summaries
 *	POST /v2/reports   when the report ends SUCCESS or TRUNCATED  one that FAILED or was ABORTED; its downloads;
 *	                                                              estimates
 *
 * The record of a page waits, up to usage_delay, for a commit that many share: a crash loses at most that much, in the
 * account's favour. A report's record is on disk before the report has ended, exactly once, whatever crashes.
 */
#ifndef CDRD_BILLING_BILLING_H
#define CDRD_BILLING_BILLING_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/decimal.h"
#include "base/error.h"
#include "base/heavy_hitters.h"
#include "base/id.h"
#include "ingest/ingest.h"
#include "billing/plans.h"
#include "query/cursor.h"
#include "query/query.h"
#include "report/report.h"
#include "meta/accounts.h"
#include "store/store.h"

struct billing;

/* All stay the caller's and must outlive it. The settings' plans must be valid (plans_check). */
MUST_CHECK struct billing *billing_new(struct event_base *base, const struct config *config, struct meta *meta,
                                       struct store *store, struct ingest *ingest, struct error *err);

/* Writes pending records. Call it before ingest_free. Does nothing on NULL. */
void billing_free(struct billing *billing);

/* May these settings replace the present ones? ERROR_CONFLICT, naming the accounts, when they lack a plan that accounts
 * have. */
MUST_CHECK int billing_check_reload(const struct billing *billing, const struct config *fresh, struct error *err);

/* The settings have changed. */
void billing_reload(struct billing *billing);

/* The plans of the settings; valid until the next reload. */
const struct plans *billing_plans(const struct billing *billing);

/* The plan of the account, which may be its parent's or plan_default; valid in this turn of the loop. */
const struct plan *billing_plan(struct billing *billing, const struct account *account);

/* --- charges --- */

struct billing_price {
	char currency[PLAN_CURRENCY_MAX + 1];
	struct decimal unit;
	struct decimal total;
	uint64_t items;
	uint64_t volume; /* of the account's month, these items included */
};

/* What `items` records cost the account in a request received at `received_us`: by the volume of that month, whose
 * statement has the charge. */
void billing_quote(struct billing *billing, const struct account *account, uint64_t items, int64_t received_us,
                   struct billing_price *price);

/* A price of 0: for a page that was charged before. */
void billing_quote_nothing(struct billing *billing, const struct account *account, int64_t received_us,
                           struct billing_price *price);

/* Are queries of this product free? */
bool billing_is_free(const struct catalog_product *product);

struct billing_usage {
	const char *id;    /* the request's */
	const char *owner; /* account whose records were queried */
	struct str product;
	const char *job_type; /* BILLING_BY_ID, ... */
	const char *status;
	int64_t received_us;
	int64_t started_us;
	int64_t finished_us;
	const struct query_params *params;
};

#define BILLING_BY_ID "SYNC_JOB_FROM_ID"
#define BILLING_BY_DATES "SYNC_JOB_FROM_DATES"
#define BILLING_REPORT "ASYNC_JOB"

/* Charges the account a price that billing_quote gave in this turn of the loop. Never blocks; fails only when out of
 * memory, which is logged. */
void billing_charge(struct billing *billing, const struct account *account, const struct billing_usage *usage,
                    const struct billing_price *price);

/* The id of the page that a cursor leads to: always the same, however often the page is requested. */
void billing_page_id(const struct account *account, const struct cursor *cursor, char id[ID_UUID_LEN + 1]);

/* Is the charge for it still waiting to be stored? */
bool billing_charge_waits(const struct billing *billing, const struct account *account, const char *id);

/* A scan that finds the charge for it, if one has been stored since `begun_us`, when the query's first page was
 * requested. `account` and `id` must outlive the scan. NULL with ERROR_NOMEM. */
MUST_CHECK struct scan *billing_find_charge(struct billing *billing, const struct account *account, const char *id,
                                            int64_t begun_us, const struct scan_sink *sink, struct error *err);

/* Both at once, for callers that cannot wait: 1, 0, or -1; also ERROR_IO if the store could not tell at once. */
MUST_CHECK int billing_is_charged(struct billing *billing, const struct account *account, const char *id,
                                  int64_t begun_us, struct error *err);

/* Charges a report that has ended with a file, unless it was charged before; on disk when it returns 0. A
 * reports_end_fn. */
MUST_CHECK int billing_charge_report(void *billing, const struct report *report, struct error *err);

/* Commits pending records, so that a statement is complete; blocks for the fsyncs. billing_settle does the same for
 * callers that continue if it fails: the failure is logged. */
MUST_CHECK int billing_flush(struct billing *billing, struct error *err);
void billing_settle(struct billing *billing);

struct billing_stats {
	uint64_t requests; /* charged or free, since the start */
	uint64_t items;
	uint64_t waiting; /* records for the next commit */
	uint64_t lost;    /* records that could not be kept */
	int64_t flush_us_max;
};
void billing_stats(const struct billing *billing, struct billing_stats *stats);

/* The accounts that were charged most today, since the start, by currency; sums are the units of struct decimal. Fees are
 * not among them. Belongs to `billing`. */
const struct heavy_hitters *billing_accounts(struct billing *billing);

#endif
