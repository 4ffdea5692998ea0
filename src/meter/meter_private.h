/* SPDX-License-Identifier: ISC */
/*
 * meter_private.h: what the files of meter/ share; private to it.
 *
 *	meter.c      the module's life and settings
 *	tenants.c    what is known of each account that has asked for something
 *	volume.c     how many records an account has had this month, on disk
 *	charge.c     prices, and who is charged
 *	usage.c      usage records: as values, waiting, written
 *	limits.c     buckets and counts
 *	statement.c  what a month's usage records come to (knows nothing of the rest)
 */
#ifndef CDRD_METER_METER_PRIVATE_H
#define CDRD_METER_METER_PRIVATE_H

#include <sys/queue.h>

#include "meter/bucket.h"
#include "meter/meter.h"

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

/* An account that has asked for something. */
struct tenant {
	TAILQ_ENTRY(tenant) used;  /* the one used last at the end */
	TAILQ_ENTRY(tenant) dirty; /* its volume waits for a commit */
	struct tenant *next;       /* of the same hash */
	char id[ACCOUNT_ID_LEN + 1];
	const struct plan *plan;
	uint64_t plan_of;  /* meter->generation when it was looked up */
	uint64_t accounts_of; /* and that of the accounts */
	struct bucket buckets[METER_LIMITS];
	uint64_t downloads;
	int32_t month;     /* months since 1970 */
	uint64_t volume;   /* records of that month */
	bool is_dirty;
};

#define TENANT_SLOTS 4096 /* of the hash table */
#define TENANTS_MAX 16384

TAILQ_HEAD(tenants, tenant);

struct meter {
	const struct config *config;
	struct store *store;
	struct ingest *ingest;
	struct guard *guard;
	struct logins *logins;
	struct plans *plans;
	uint64_t generation; /* of plans */

	struct tenant *slots[TENANT_SLOTS];
	size_t tenants_count;
	struct tenants used;
	struct tenants dirty;

	const struct catalog_product *product; /* REPORTS-USAGE */
	uint8_t columns[USAGE_COLUMNS];
	struct event *flush;
	struct buf queue;      /* usage records that wait for a commit */
	size_t queue_count;
	size_t put_count;      /* the first of them are in the store's open transactions */
	size_t put_bytes;
	uint64_t put_aborts;   /* store_aborts then */
	struct buf run;        /* one of them being made */
	struct buf scratch;    /* for one value */
	int64_t failed_logged_us;
	struct meter_stats stats;
};

/* tenants.c: NULL only when memory is out. */
struct tenant *tenant_get(struct meter *meter, const struct account *account);
struct tenant *tenant_find(const struct meter *meter, const char *account);
void tenants_free(struct meter *meter);

/* Of the month that a tenant's volume is of; begins a new one when its time has come. */
uint64_t tenant_volume(struct tenant *tenant, int64_t now_us);
void tenant_add_volume(struct meter *meter, struct tenant *tenant, uint64_t items);

/* plans_in_use.c: ERROR_CONFLICT names accounts that have plans which are none of these. Reads all accounts, about a
 * microsecond each: for the start, and for a reload that takes plans away. */
int plans_check_in_use(struct store *store, const struct plans *plans, struct error *err);

/* volume.c: fills month and volume, 0 if nothing is known; and writes those of all dirty tenants into the catalog's open
 * transaction. */
int volume_load(struct store *store, struct tenant *tenant, struct error *err);
int volumes_put(struct meter *meter, struct error *err);
int32_t volume_month(int64_t time_us);

/* --- usage.c --- */

int usage_init(struct meter *meter, struct event_base *base, struct error *err);
void usage_free(struct meter *meter);

/* A usage record, to be put with the next commit or at once. The latter blocks for the fsyncs. */
int usage_enqueue(struct meter *meter, const struct account *account, const struct meter_usage *usage,
                  const struct meter_price *price, struct error *err);
int usage_put(struct meter *meter, const struct account *account, const struct meter_usage *usage,
              const struct meter_price *price, struct error *err);

/* Does one with this id wait? Those that do not are in the store. */
bool usage_waits(const struct meter *meter, const struct account *account, const char *id);

#endif
