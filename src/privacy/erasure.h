/* SPDX-License-Identifier: ISC */
/*
 * erasure.h: a person's number out of everything the daemon keeps of an account.
 *
 *	records      erase.h: of the account, with `subaccounts` of its subaccounts too, and usage records of its parent
 *	reports      those whose files hold it are made anew, those that are being made begin again
 *	callbacks    that wait and repeat a report's parameters
 *	quarantine   entries of rejected records that hold it are dropped
 *	catalog      its file is written anew, as the days' are; the number's hash stays in it (store/erased.h)
 *
 * What lies outside of data_dir is not touched: backups, files that were downloaded, logs.
 */
#ifndef CDRD_PRIVACY_ERASURE_H
#define CDRD_PRIVACY_ERASURE_H

#include "callback/callback.h"
#include "ingest/ingest.h"
#include "report/report.h"
#include "store/erase.h"
#include "store/store.h"

struct erasure;

struct erasure_context {
	struct meta *meta;
	struct store *store;
	struct ingest *ingest;
	struct reports *reports;
	struct callbacks *callbacks;
};

struct erasure_request {
	const char *account;
	bool subaccounts;
	const char *number;
	bool lasting; /* also what is still to come */
	uint32_t uid; /* who asks */
};

/*
 * From now on, records with the number are stored without it, if they are not newer than this moment or it is lasting.
 * All of the request is copied. ERROR_NOT_FOUND if there is no such account, ERROR_INVALID for the number,
 * ERROR_CONFLICT while another is erased.
 */
MUST_CHECK struct erasure *erasure_new(const struct erasure_context *context, const struct erasure_request *request,
                                       struct error *err);

/* Takes that back: records with the number are stored as they come, what is erased stays so. *count: of how many
 * accounts. ERROR_NOT_FOUND if it was erased of none of them. */
MUST_CHECK int erasure_revoke(struct meta *meta, struct store *store, const struct erasure_request *request,
                              size_t *count, struct error *err);

/* Does nothing on NULL. What was erased stays erased. */
void erasure_free(struct erasure *erasure);

/* Works until about `deadline_us`, commits included. */
MUST_CHECK int erasure_step(struct erasure *erasure, int64_t deadline_us, bool *done, struct error *err);

struct erasure_counts {
	struct erase_counts records;
	uint64_t accounts;
	uint64_t reports_anew;  /* ended ones that are made anew, as their files held it */
	uint64_t report_files;  /* removed, of reports that asked for it */
	uint64_t reports_again; /* begun again */
	uint64_t reports_cancelled;
	uint64_t callbacks;
	uint64_t quarantine; /* entries dropped */
};
void erasure_counts(const struct erasure *erasure, struct erasure_counts *counts);

#endif
