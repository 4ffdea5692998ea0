/* SPDX-License-Identifier: ISC */
/*
 * billing_private.h: what the files of billing/ share; private to it.
 *
 *	billing.c      the module's life and settings
 *	tenants.c    what is known of each account that has made requests
 *	volume.c     how many records an account has queried this month, on disk
 *	charge.c     prices, and who is charged
 *	usage.c      usage records: as values, waiting, written
 *	statement.c  sums of a month's usage records (independent of the rest)
 */
#ifndef CDRD_BILLING_BILLING_PRIVATE_H
#define CDRD_BILLING_BILLING_PRIVATE_H

#include <sys/queue.h>

#include "base/recent.h"
#include "billing/billing.h"
#include "meta/meta.h"

/* The columns of a usage record, by their places in `usage_names` of usage.c. */
enum usage_column {
	USAGE_ACCOUNT,
	USAGE_OWNER,
	USAGE_MASTER,
	USAGE_TYPE,
	USAGE_PRODUCT,
	USAGE_JOB,
	USAGE_STATUS,
	USAGE_RECEIVED,
	USAGE_STARTED,
	USAGE_FINISHED,
	USAGE_ITEMS,
	USAGE_IS_CHARGED,
	USAGE_CURRENCY,
	USAGE_PRICE,
	USAGE_TOTAL,
	USAGE_VOLUME,
	USAGE_PARAMS,
	USAGE_ID,
	USAGE_COLUMNS,
};

/* Some are kept, as a clock that is wrong for a while leads away from a month and back to it. */
#define VOLUME_MONTHS 3

struct volume {
	int32_t month; /* since 1970 */
	uint64_t records;
};

/* An account that has made requests. */
struct tenant {
	struct recent_entry entry;
	TAILQ_ENTRY(tenant) dirty; /* its volume waits for a commit */
	const struct plan *plan;
	uint64_t plan_of;                     /* billing->generation when it was looked up */
	uint64_t accounts_of;                 /* and the accounts' generation then */
	struct volume volumes[VOLUME_MONTHS]; /* of the months that were asked for last, the last one first */
	bool is_dirty;
};

struct billing {
	const struct config *config;
	struct meta *meta;
	struct store *store;
	struct ingest *ingest;
	struct plans *plans;
	uint64_t generation; /* of plans */

	struct recent tenants; /* of struct tenant */
	TAILQ_HEAD(, tenant) dirty;

	const struct catalog_product *product; /* REPORTS-USAGE */
	uint8_t columns[USAGE_COLUMNS];
	struct event *flush;
	struct buf queue; /* usage records that wait for a commit */
	size_t queue_count;
	size_t put_count; /* the first of them are in the store's open transactions */
	size_t put_bytes;
	uint64_t put_aborts; /* store_aborts then */
	struct buf run;      /* the record being made */
	struct buf scratch;  /* for one value */
	int64_t failed_logged_us;
	struct billing_stats stats;
	struct heavy_hitters accounts;
};

void tenants_init(struct billing *billing);

/* tenants.c: NULL only when out of memory. */
struct tenant *tenant_get(struct billing *billing, const struct account *account);
struct tenant *tenant_find(const struct billing *billing, const char *account);

/* The tenant's volume in the month of that time; begins the month where nothing is known of it. */
uint64_t tenant_volume(struct tenant *tenant, int64_t time_us);
/* To the month that tenant_volume was last asked for. */
void tenant_add_volume(struct billing *billing, struct tenant *tenant, uint64_t items);

/* plans_in_use.c: ERROR_CONFLICT names accounts whose plans are not among these. Reads all accounts, about a
 * microsecond each: for the start, and for a reload that removes plans. */
MUST_CHECK int plans_check_in_use(struct meta *meta, const struct plans *plans, struct error *err);

/* volume.c: fills month and volume, 0 if nothing is known; and writes those of all dirty tenants into the catalog's open
 * transaction. */
MUST_CHECK int volume_load(struct meta *meta, struct tenant *tenant, struct error *err);
MUST_CHECK int volumes_put(struct billing *billing, struct error *err);
int32_t volume_month(int64_t time_us);

/* --- usage.c --- */

MUST_CHECK int usage_init(struct billing *billing, struct event_base *base, struct error *err);
void usage_free(struct billing *billing);

/* Adds a usage record, to be put with the next commit or at once. The latter blocks for the fsyncs. */
MUST_CHECK int usage_enqueue(struct billing *billing, const struct account *account, const struct billing_usage *usage,
                             const struct billing_price *price, struct error *err);
MUST_CHECK int usage_put(struct billing *billing, const struct account *account, const struct billing_usage *usage,
                         const struct billing_price *price, struct error *err);

/* Does a record with this id wait? Otherwise it is in the store, if it exists. */
bool usage_waits(const struct billing *billing, const struct account *account, const char *id);

#endif
