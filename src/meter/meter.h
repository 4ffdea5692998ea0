/* SPDX-License-Identifier: ISC */
/*
 * meter.h: what requests cost, and how many there may be.
 *
 * Charges. Every answered query that is no repetition leaves one REPORTS-USAGE record with the account that asked;
 * what an account owes is the sum of these records (statement.h), and their items are the volume of its tiers.
 *
 *	                   one record                                 never
 *	GET .../records    each page                                  a page asked again with the same cursor; HEAD;
 *	                                                              queries of REPORTS-USAGE itself
 *	GET .../changes    each page that has records                 a page asked again with the same token; HEAD;
 *	                                                              summaries
 *	POST /v2/reports   when the report ends SUCCESS or TRUNCATED  one that FAILED or was ABORTED; its downloads;
 *	                                                              estimates
 *
 * The record of a page waits, up to usage_delay, for a commit that many share: a crash loses that much and no
 * more, to the account's favour. That of a report is on disk before the report has ended, and there once, whatever
 * crashes.
 *
 * Limits. An account's buckets and downloads live in memory. A limit of 0 is none.
 */
#ifndef CDRD_METER_METER_H
#define CDRD_METER_METER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/decimal.h"
#include "base/error.h"
#include "base/id.h"
#include "ingest/ingest.h"
#include "meter/guard.h"
#include "meter/logins.h"
#include "meter/plans.h"
#include "query/cursor.h"
#include "query/query.h"
#include "report/report.h"
#include "store/accounts.h"
#include "store/store.h"

struct meter;

/* All stay the caller's and must outlive it. The settings' plans must be right (plans_check). */
struct meter *meter_new(struct event_base *base, const struct config *config, struct store *store,
                        struct ingest *ingest, struct error *err);

/* Writes what waits. Comes before ingest_free. Does nothing on NULL. */
void meter_free(struct meter *meter);

/* May these settings take the place of the present ones? ERROR_CONFLICT when they lack a plan that accounts have, and
 * names these. */
int meter_check_reload(const struct meter *meter, const struct config *fresh, struct error *err);

/* The settings have changed. */
void meter_reload(struct meter *meter);

/* Those of the settings; they die with the next reload. */
const struct plans *meter_plans(const struct meter *meter);

/* --- charges --- */

struct meter_price {
	char currency[PLAN_CURRENCY_MAX + 1];
	struct decimal unit;
	struct decimal total;
	uint64_t items;
	uint64_t volume; /* of the account's month, these items included */
};

/* What `items` records would cost the account now. */
void meter_quote(struct meter *meter, const struct account *account, uint64_t items, struct meter_price *price);

/* A price of 0: for what was charged before. */
void meter_quote_nothing(struct meter *meter, const struct account *account, struct meter_price *price);

/* Are queries of this product free? */
bool meter_is_free(const struct catalog_product *product);

struct meter_usage {
	const char *id; /* the request's */
	const char *owner; /* account whose records were asked for */
	struct str product;
	const char *job_type; /* METER_BY_ID, ... */
	const char *status;
	int64_t received_us;
	int64_t started_us;
	int64_t finished_us;
	const struct query_params *params;
};

#define METER_BY_ID "SYNC_JOB_FROM_ID"
#define METER_BY_DATES "SYNC_JOB_FROM_DATES"
#define METER_REPORT "ASYNC_JOB"

/* Charges the account a price that meter_quote gave in this turn of the loop. Never blocks; fails only in memory,
 * which is logged. */
void meter_charge(struct meter *meter, const struct account *account, const struct meter_usage *usage,
                  const struct meter_price *price);

/*
 * The id of the page that a cursor leads to: the same whenever and however often it is asked for. And has the account
 * been charged for it since `begun_us`, when the query's first page was asked for?
 */
void meter_page_id(const struct account *account, const struct cursor *cursor, char id[ID_UUID_LEN + 1]);
int meter_is_charged(struct meter *meter, const struct account *account, const char *id, int64_t begun_us,
                     struct error *err);

/* Charges a report that has ended with a file, unless that was done; on disk when it returns 0. A reports_end_fn. */
int meter_charge_report(void *meter, const struct report *report, struct error *err);

/* Commits what waits, so that a statement is complete; blocks for the fsyncs. meter_settle is the same for those who go
 * on without, when that is not possible: it is logged. */
int meter_flush(struct meter *meter, struct error *err);
void meter_settle(struct meter *meter);

/* --- limits --- */

enum meter_limit { METER_LIMIT_NONE, METER_LIMIT_SYNC, METER_LIMIT_ASYNC, METER_LIMIT_DOWNLOAD, METER_LIMITS };

/* For the RateLimit headers. */
struct meter_rate {
	const char *name;
	int64_t quota;     /* a second; 0: no limit, and the rest means nothing */
	int64_t left;
	int64_t reset_s;   /* until the quota is whole again */
};

/* May the account make such a request now? Takes a token if so. Fills *rate either way. */
bool meter_take(struct meter *meter, const struct account *account, enum meter_limit limit, struct meter_rate *rate);

/* Downloads in progress: may there be one more, one has begun, one has ended. */
bool meter_may_download(struct meter *meter, const struct account *account, int64_t *most);
void meter_download_begun(struct meter *meter, const struct account *account);
void meter_download_ended(struct meter *meter, const char *account);

/* How many reports of the account may wait. */
uint64_t meter_queued_max(struct meter *meter, const struct account *account);

/* The guards that belong to no account. */
struct guard *meter_guard(struct meter *meter);
struct logins *meter_logins(struct meter *meter);

struct meter_stats {
	uint64_t requests;  /* charged or for nothing, since the start */
	uint64_t items;
	uint64_t waiting;   /* records for the next commit */
	uint64_t lost;      /* records that could not be kept */
	uint64_t limited;   /* requests over a limit */
	int64_t flush_us_max;
};
void meter_stats(const struct meter *meter, struct meter_stats *stats);

#endif
