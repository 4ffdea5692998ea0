/* SPDX-License-Identifier: ISC */
/*
 * erasure.c: see erasure.h.
 */
#include "privacy/erasure.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "meta/accounts.h"
#include "store/clock_watch.h"
#include "store/erased.h"
#include "meta/quarantine.h"
#include "privacy/entry.h"

#define ENTRIES_MAX 256 /* of quarantine checked in a slice; also the most dropped in one change */

enum stage {
	STAGE_RECORDS,
	STAGE_REPORTS,
	STAGE_RECONCILED,
	STAGE_SCHEDULES,
	STAGE_CALLBACKS,
	STAGE_QUARANTINE,
	STAGE_CATALOG,
	STAGE_DONE
};

struct erasure {
	struct erasure_context context;
	struct erase *erase;
	struct buf accounts; /* struct account_key each, in order */
	struct buf ids;      /* theirs, each with its NUL */
	enum stage stage;
	uint64_t snapshot;  /* when the last record was freed of it */
	struct buf reports; /* ids */
	size_t report;
	struct report_search search; /* of its file */
	uint64_t entry;              /* of quarantine, checked last */
	struct erasure_counts counts;
};

/* --- its life --- */

static int find_accounts(struct meta *meta, const char *account, bool subaccounts, struct account *found,
                         struct buf *accounts, struct error *err)
{
	if (accounts_get(meta, str_from(account), found, err) != 0)
		return -1;
	return accounts_keys_of_family(meta, &found->key, subaccounts, accounts, err);
}

static const struct account_key *keys_of(const struct buf *accounts, size_t *count)
{
	*count = accounts->len / sizeof(struct account_key);
	return (const struct account_key *)(const void *)accounts->data;
}

static int begin(struct erasure *erasure, const struct erasure_request *request, struct error *err)
{
	struct store *store = erasure->context.store;
	struct account found, parent = { .parent = "" };
	size_t count;

	if (find_accounts(erasure->context.meta, request->account, request->subaccounts, &found, &erasure->accounts,
	                  err) != 0)
		return -1;
	if (found.parent[0] && accounts_get(erasure->context.meta, str_from(found.parent), &parent, err) != 0)
		return -1;
	const struct account_key *accounts = keys_of(&erasure->accounts, &count);
	if (accounts_ids_of_keys(erasure->context.meta, accounts, count, &erasure->ids, err) != 0)
		return -1;
	struct erase_scope scope = {
		.accounts = accounts,
		.accounts_count = count,
		.owners = &parent.key,
		.owners_count = found.parent[0] != '\0',
		.number = str_from(request->number),
		.on_ready = request->on_ready,
		.arg = request->arg,
	};
	struct erased_entry entry = { .erased_us = store_clock_stamp_us(store), .uid = request->uid };
	entry.until_us = request->lasting ? ERASED_LASTS : entry.erased_us;
	erasure->counts.accounts = scope.accounts_count;
	erasure->erase = erase_new(store, &scope, err);
	/* First, so that records that arrive meanwhile are stored without it; and what is rejected that arrived before is in
	 * quarantine then. A cluster's commit of such ones fails. */
	if (!erasure->erase || erased_add(store, accounts, count, scope.number, &entry, err) != 0)
		return -1;
	return ingest_ends_later(erasure->context.ingest) ? 0 : ingest_commit(erasure->context.ingest, err);
}

struct erasure *erasure_new(const struct erasure_context *context, const struct erasure_request *request,
                            struct error *err)
{
	struct erasure *erasure = calloc(1, sizeof(*erasure));

	if (!erasure) {
		error_set(err, ERROR_NOMEM, "erasing: out of memory");
		return NULL;
	}
	erasure->context = *context;
	if (begin(erasure, request, err) == 0)
		return erasure;
	erasure_free(erasure);
	return NULL;
}

int erasure_revoke(struct meta *meta, struct store *store, const struct erasure_request *request, size_t *count,
                   struct error *err)
{
	struct buf accounts = { 0 };
	struct account found;
	size_t accounts_count;
	int result = find_accounts(meta, request->account, request->subaccounts, &found, &accounts, err);

	const struct account_key *keys = keys_of(&accounts, &accounts_count);
	if (result == 0)
		result = erased_revoke(store, keys, accounts_count, str_from(request->number), count, err);
	if (result == 0 && *count == 0)
		result = error_set(err, ERROR_NOT_FOUND, "account %s: this number was not erased", request->account);
	buf_free(&accounts);
	return result;
}

void erasure_free(struct erasure *erasure)
{
	if (!erasure)
		return;
	erase_free(erasure->erase);
	buf_free(&erasure->accounts);
	buf_free(&erasure->ids);
	buf_free(&erasure->reports);
	report_search_end(&erasure->search);
	free(erasure);
}

void erasure_counts(const struct erasure *erasure, struct erasure_counts *counts)
{
	*counts = erasure->counts;
	erase_counts(erasure->erase, &counts->records);
}

/* --- records --- */

/* A slice of the store's work, and the commit that it requests. A failure may have lost what others had put. */
static int run_slice(struct erasure *erasure,
                     int (*step)(struct erase *erase, int64_t deadline_us, bool *dirty, bool *done, struct error *err),
                     int64_t deadline_us, bool *done, struct error *err)
{
	bool dirty;

	do {
		uint64_t losses = ingest_losses(erasure->context.ingest);

		if (step(erasure->erase, deadline_us, &dirty, done, err) != 0) {
			if (losses != ingest_losses(erasure->context.ingest))
				ingest_fail(erasure->context.ingest, err);
			return -1;
		}
		if (dirty && ingest_commit_own(erasure->context.ingest, err) != 0)
			return -1;
		if (dirty && ingest_ends_later(erasure->context.ingest))
			ingest_commit_held(erasure->context.ingest, true);
	} while (dirty && !*done && !erase_waits(erasure->erase) && clock_monotonic_us() < deadline_us);
	return 0;
}

bool erasure_waits(const struct erasure *erasure)
{
	return erasure->stage == STAGE_RECORDS && erase_waits(erasure->erase);
}

static int step_records(struct erasure *erasure, int64_t deadline_us, struct error *err)
{
	bool done;

	if (run_slice(erasure, erase_step, deadline_us, &done, err) != 0)
		return -1;
	if (!done)
		return 0;
	erasure->stage = STAGE_REPORTS;
	erasure->snapshot = store_snapshot(erasure->context.store);
	buf_clear(&erasure->reports);
	size_t count;
	const struct account_key *accounts = keys_of(&erasure->accounts, &count);
	return reports_find_to_erase(erasure->context.reports, erasure->erase, accounts, count, &erasure->reports, err);
}

/* --- everything else --- */

static int step_reports(struct erasure *erasure, int64_t deadline_us, struct error *err)
{
	enum reports_erased done;
	const size_t len = ID_UUID_LEN + 1;

	if (erasure->report == erasure->reports.len / len) {
		erasure->stage = STAGE_RECONCILED;
		return 0;
	}
	const char *id = erasure->reports.data + erasure->report * len;
	if (reports_erase(erasure->context.reports, id, erasure->erase, erasure->snapshot, &erasure->search,
	                  deadline_us, &done, err) != 0)
		return -1;
	erasure->report += done != REPORTS_SEARCHING;
	erasure->counts.reports_anew += done == REPORTS_MADE_ANEW;
	erasure->counts.report_files += done == REPORTS_FILE_GONE;
	erasure->counts.reports_again += done == REPORTS_BEGUN_AGAIN;
	erasure->counts.reports_cancelled += done == REPORTS_CANCELLED;
	return 0;
}

/* They can be made again from the carrier's file. */
static int step_reconciled(struct erasure *erasure, struct error *err)
{
	size_t count;
	const struct account_key *accounts = keys_of(&erasure->accounts, &count);

	erasure->stage = STAGE_SCHEDULES;
	return reconciles_remove_of(erasure->context.reconciles, accounts, count, &erasure->counts.reconciliations,
	                            err);
}

struct looking {
	struct erasure *erasure;
	uint64_t drop[ENTRIES_MAX];
	size_t drop_count;
	int looks;
};

static bool has_text(struct str text, const char *sought, size_t len)
{
	return text.len >= len && memmem(text.p, text.len, sought, len) != NULL;
}

/* The account is taken from the entry's text and its column, as far as found. An entry without an account may be
 * anyone's: it is dropped, too. */
static bool may_be_of_accounts(const struct erasure *erasure, const struct quarantine_entry *entry)
{
	static const char name[] = "account_id";

	for (size_t at = 0; at < erasure->ids.len; at += strlen(erasure->ids.data + at) + 1)
		if (id_account_is_in(entry->raw, erasure->ids.data + at) ||
		    id_account_is_in(entry->account, erasure->ids.data + at))
			return true;
	return entry->account.len == 0 && !has_text(entry->raw, name, sizeof(name) - 1) &&
	       !has_text(entry->header, name, sizeof(name) - 1);
}

static bool look_at_entry(void *arg, const struct quarantine_entry *entry)
{
	struct looking *looking = arg;
	struct erasure *erasure = looking->erasure;

	erasure->entry = entry->number;
	if (entry_has(entry, erasure->erase) && may_be_of_accounts(erasure, entry))
		looking->drop[looking->drop_count++] = entry->number;
	return ++looking->looks < ENTRIES_MAX;
}

static int step_quarantine(struct erasure *erasure, struct error *err)
{
	struct looking looking = { .erasure = erasure };
	struct meta *meta = erasure->context.meta;

	if (quarantine_each(meta, erasure->entry + 1, look_at_entry, &looking, err) != 0)
		return -1;
	if (looking.drop_count > 0 && (erase_demand_catalog(erasure->erase, err) != 0 ||
	                               quarantine_drop_each(meta, looking.drop, looking.drop_count, err) != 0))
		return -1;
	erasure->counts.quarantine += looking.drop_count;
	if (looking.looks < ENTRIES_MAX)
		erasure->stage = STAGE_CATALOG;
	return 0;
}

static int step_catalog(struct erasure *erasure, int64_t deadline_us, struct error *err)
{
	bool done;

	if (run_slice(erasure, erase_pack_catalog, deadline_us, &done, err) != 0)
		return -1;
	if (done)
		erasure->stage = STAGE_DONE;
	return 0;
}

static int step(struct erasure *erasure, int64_t deadline_us, struct error *err)
{
	switch (erasure->stage) {
	case STAGE_RECORDS:
		return step_records(erasure, deadline_us, err);
	case STAGE_REPORTS:
		return step_reports(erasure, deadline_us, err);
	case STAGE_RECONCILED:
		return step_reconciled(erasure, err);
	case STAGE_SCHEDULES:
		erasure->stage = STAGE_CALLBACKS;
		return schedules_erase(erasure->context.schedules, buf_str(&erasure->ids), erasure->erase,
		                       &erasure->counts.schedules, err);
	case STAGE_CALLBACKS:
		erasure->stage = STAGE_QUARANTINE;
		return callbacks_erase(erasure->context.meta, buf_str(&erasure->ids), erasure->erase,
		                       &erasure->counts.callbacks, err);
	case STAGE_QUARANTINE:
		return step_quarantine(erasure, err);
	case STAGE_CATALOG:
		return step_catalog(erasure, deadline_us, err);
	case STAGE_DONE:
		break;
	}
	return 0;
}

int erasure_step(struct erasure *erasure, int64_t deadline_us, bool *done, struct error *err)
{
	int result;

	do
		result = step(erasure, deadline_us, err);
	while (result == 0 && erasure->stage != STAGE_DONE && !erasure_waits(erasure) &&
	       clock_monotonic_us() < deadline_us);
	*done = result == 0 && erasure->stage == STAGE_DONE;
	return result;
}
