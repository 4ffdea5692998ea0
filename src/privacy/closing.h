/* SPDX-License-Identifier: ISC */
/*
 * closing.h: removes deleted accounts, with their records, when account_grace is over.
 *
 * One at a time, in slices between requests: its schedules, destinations and reconciliations are removed, reports over its
 * records that have not ended are cancelled, its records are removed (store/purge.h), then the account's own row, its
 * webhook secret and its volume. The mark of deletion survives a crash, so the next start continues. A parent is removed
 * after its subaccounts.
 *
 * Files of its reports, its callbacks and its rejected records expire by their own settings (report_file_keep,
 * callback_keep, quarantine_keep); backups keep it until they are removed.
 */
#ifndef CDRD_PRIVACY_CLOSING_H
#define CDRD_PRIVACY_CLOSING_H

#include "base/config.h"
#include "base/task.h"
#include "ingest/ingest.h"
#include "destination/destination.h"
#include "reconcile/reconcile.h"
#include "report/report.h"
#include "schedule/schedule.h"
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
	struct schedules *schedules;
	struct destinations *destinations;
	struct reconciles *reconciles;
};

/* NULL when out of memory. */
struct closing *closing_new(const struct closing_context *context);

/* Call it before reports_free and ingest_free. Does nothing on NULL. */
void closing_free(struct closing *closing);

/* Looks for accounts to remove soon. Call it when one was deleted or account_grace has changed. */
void closing_wake(struct closing *closing);

#endif
