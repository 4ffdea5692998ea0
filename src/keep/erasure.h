/*
 * erasure.h: a person's number out of everything the daemon keeps of an account.
 *
 *	records      erase.h: of the account, with `subaccounts` of its subaccounts too, and usage records of its parent
 *	reports      files that may hold it are removed, reports that are being made begin again
 *	callbacks    that wait and repeat a report's parameters
 *	quarantine   entries of rejected records that hold it are dropped
 *	catalog      its file is written anew, as the days' are
 *
 * What lies outside of data_dir is not touched: backups, files that were downloaded, logs.
 */
#ifndef CDRD_KEEP_ERASURE_H
#define CDRD_KEEP_ERASURE_H

#include "callback/callback.h"
#include "ingest/ingest.h"
#include "report/report.h"
#include "store/erase.h"
#include "store/store.h"

struct erasure;

struct erasure_context {
	struct store *store;
	struct ingest *ingest;
	struct reports *reports;
	struct callbacks *callbacks;
};

/* ERROR_NOT_FOUND if there is no such account, ERROR_INVALID for the number, ERROR_CONFLICT while another is erased. */
struct erasure *erasure_new(const struct erasure_context *context, const char *account, bool subaccounts,
                            const char *number, struct error *err);

/* Does nothing on NULL. What was erased stays erased. */
void erasure_free(struct erasure *erasure);

/* Works until about `deadline_us`, commits included. */
int erasure_step(struct erasure *erasure, int64_t deadline_us, bool *done, struct error *err);

struct erasure_counts {
	struct erase_counts records;
	uint64_t accounts;
	uint64_t report_files;      /* removed */
	uint64_t reports_again;     /* begun again */
	uint64_t reports_cancelled;
	uint64_t callbacks;
	uint64_t quarantine;        /* entries dropped */
};
void erasure_counts(const struct erasure *erasure, struct erasure_counts *counts);

#endif
