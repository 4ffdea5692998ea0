/* SPDX-License-Identifier: ISC */
/*
 * finding.h: all that is kept of a number or an id, over all accounts or one: for access requests and support.
 *
 *	record      the current version, of a number as in store/number_search.h, of an id by its product's lookup columns
 *	quarantine  rejected records whose text holds it
 *	report      whose id it is, whose parameters hold it, or whose file does: files are searched
 *	schedule    whose id it is, or whose parameters hold it
 *	reconciliation  whose id it is, or, of a number, that may hold it: its files are not searched
 *	callback    that is not delivered and whose id or body has it
 *	erasure     of a number: that it was erased (store/erased.h)
 *
 * In this order, in slices, until `max` items were found.
 */
#ifndef CDRD_PRIVACY_FINDING_H
#define CDRD_PRIVACY_FINDING_H

#include "callback/callback.h"
#include "reconcile/reconcile.h"
#include "report/report.h"
#include "schedule/schedule.h"
#include "store/store.h"

struct finding;

struct finding_context {
	struct meta *meta;
	struct store *store;
	struct reports *reports;
	struct schedules *schedules;
	const struct reconciles *reconciles;
	struct callbacks *callbacks;
};

struct finding_request {
	const char *number;  /* or NULL */
	const char *id;      /* or NULL: exactly one of the two is given */
	const char *account; /* NULL: all */
	uint64_t max;
	void (*on_ready)(void *arg); /* from the loop: what finding_waits for is there; NULL: no callback */
};

/* An item found. Its texts are valid until the function that got it returns; unknown ones are empty. */
struct finding_item {
	const char *kind; /* "record" */
	struct str account, product, id;
	int64_t time_us;
	struct str where;            /* "to, from", "file", "parameters", a reason */
	const struct record *record; /* of a record, or NULL */
	struct str text;             /* of a rejected record, as it was sent; or empty */
};

typedef void (*finding_fn)(void *arg, const struct finding_item *item);

/* All of the request is copied. on_ready gets `arg`, too. ERROR_INVALID for an invalid number or id, ERROR_NOT_FOUND for an
 * unknown account. */
MUST_CHECK struct finding *finding_new(const struct finding_context *context, const struct finding_request *request,
                                       finding_fn fn, void *arg, struct error *err);

/* Does nothing on NULL. */
void finding_free(struct finding *finding);

/* Works until about `deadline_us` of clock_monotonic_us. */
MUST_CHECK int finding_step(struct finding *finding, int64_t deadline_us, bool *done, struct error *err);

/* Has a step nothing to do before on_ready is called? */
bool finding_waits(const struct finding *finding);

struct finding_counts {
	uint64_t found;
	bool truncated;                   /* there may be more */
	uint64_t steps_done, steps_total; /* of the current stage: days, accounts, reports */
};
void finding_counts(const struct finding *finding, struct finding_counts *counts);

#endif
