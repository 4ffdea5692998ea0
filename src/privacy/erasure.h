/* SPDX-License-Identifier: ISC */
/*
 * erasure.h: erases a person's number from everything the daemon keeps of an account.
 *
 *	records      erase.h: of the account, with `subaccounts` of its subaccounts too, and usage records of its parent
 *	reports      those whose files hold it are remade, those in progress start over
 *	reconciled   files of months beside carriers' ones, and those: of any of the accounts, whatever is in them
 *	schedules    whose parameters have it are removed
 *	callbacks    that wait and repeat a report's parameters
 *	quarantine   entries of rejected records that hold it are dropped
 *	catalog      its file is rewritten, as the days' are; the number's hash stays in it (store/erased.h)
 *
 * Nothing outside data_dir is touched: backups, downloaded files, logs.
 */
#ifndef CDRD_PRIVACY_ERASURE_H
#define CDRD_PRIVACY_ERASURE_H

#include "callback/callback.h"
#include "ingest/ingest.h"
#include "reconcile/reconcile.h"
#include "report/report.h"
#include "schedule/schedule.h"
#include "store/erase.h"
#include "store/store.h"

struct erasure;

struct erasure_context {
	struct meta *meta;
	struct store *store;
	struct ingest *ingest;
	struct reports *reports;
	struct schedules *schedules;
	struct callbacks *callbacks;
	struct reconciles *reconciles;
};

struct erasure_request {
	const char *account;
	bool subaccounts;
	const char *number;
	bool lasting;                /* also future records */
	uint32_t uid;                /* user id of the requester */
	void (*on_ready)(void *arg); /* what erasure_waits for may be there; from the loop; may free it */
	void *arg;
};

/*
 * From now on, records with the number are stored without it, if they are not newer than this moment or it is lasting.
 * All of the request is copied. ERROR_NOT_FOUND if there is no such account, ERROR_INVALID for the number,
 * ERROR_CONFLICT while another is erased.
 */
MUST_CHECK struct erasure *erasure_new(const struct erasure_context *context, const struct erasure_request *request,
                                       struct error *err);

/* Reverts that: records with the number are stored as they arrive; what was erased stays erased. *count: of how many
 * accounts. ERROR_NOT_FOUND if it was erased from none of them. */
MUST_CHECK int erasure_revoke(struct meta *meta, struct store *store, const struct erasure_request *request,
                              size_t *count, struct error *err);

/* Does nothing on NULL. What was erased stays erased. */
void erasure_free(struct erasure *erasure);

/* Works until about `deadline_us`, commits included. */
MUST_CHECK int erasure_step(struct erasure *erasure, int64_t deadline_us, bool *done, struct error *err);

/* Has the last step nothing to do before on_ready is called? */
bool erasure_waits(const struct erasure *erasure);

struct erasure_counts {
	struct erase_counts records;
	uint64_t accounts;
	uint64_t reports_anew;  /* ended ones that are remade because their files held it */
	uint64_t report_files;  /* removed, of reports whose parameters have it */
	uint64_t reports_again; /* started over */
	uint64_t reports_cancelled;
	uint64_t reconciliations; /* removed */
	uint64_t schedules;       /* removed */
	uint64_t callbacks;
	uint64_t quarantine; /* entries dropped */
};
void erasure_counts(const struct erasure *erasure, struct erasure_counts *counts);

#endif
