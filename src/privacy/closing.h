/* SPDX-License-Identifier: ISC */
/*
 * closing.h: accounts that were deleted go, with their records, when account_grace is over.
 *
 * One at a time, in slices between requests: reports over its records that have not ended are cancelled, its records
 * are removed (store/purge.h), then the account's own row, its webhook secret and its volume. A crash loses nothing of
 * the mark, so the next start goes on. A parent goes after its subaccounts.
 *
 * Files of its reports, its callbacks and its rejected records go in their own time (report_file_keep, callback_keep,
 * quarantine_keep), backups when they are removed.
 */
#ifndef CDRD_PRIVACY_CLOSING_H
#define CDRD_PRIVACY_CLOSING_H

#include "base/config.h"
#include "base/task.h"
#include "ingest/ingest.h"
#include "report/report.h"
#include "store/store.h"

struct closing;

/* All stay the caller's and must outlive it. */
struct closing_context {
	struct tasks *tasks;
	const struct config *config;
	struct meta *meta;
	struct store *store;
	struct ingest *ingest;
	struct reports *reports;
};

/* NULL when out of memory. */
struct closing *closing_new(const struct closing_context *context);

/* Comes before reports_free and ingest_free. Does nothing on NULL. */
void closing_free(struct closing *closing);

/* Looks for accounts to remove soon: one was deleted, or account_grace has changed. */
void closing_wake(struct closing *closing);

#endif
