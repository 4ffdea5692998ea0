/* SPDX-License-Identifier: ISC */
/*
 * closing.c: see closing.h.
 *
 * It looks through the accounts, a slice at a time, at the start, every ten minutes, and when woken. Those that wait for a
 * replica of a cluster are tried again by the rounds that begin a minute after the first of them was put off, and a round that
 * has met some of them pauses until then, and goes on after them: as many as there may be cost little.
 */
#include "privacy/closing.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "meta/accounts.h"
#include "store/erased.h"
#include "store/clock_watch.h"
#include "store/purge.h"

#define LOOK_EVERY_US (600 * CLOCK_US_PER_SECOND)
#define LOOK_FIRST_US CLOCK_US_PER_SECOND
#define AFTER_ERROR_US (60 * CLOCK_US_PER_SECOND)
#define ACCOUNTS_A_SLICE 250
#define REPORTS_A_SLICE 32
#define WAITING_A_MINUTE 16 /* so many accounts that wait are tried */

enum stage { STAGE_LOOK, STAGE_REPORTS, STAGE_RECORDS };

struct closing {
	struct closing_context context;
	struct task task;
	enum stage stage;
	char last[ACCOUNT_ID_MAX + 1];    /* of the accounts checked in this round; "": it has not begun */
	bool looks_again;                 /* one that the round has passed may be due since */
	int64_t round_us;                 /* when it began */
	int64_t due_after_us;             /* accounts that were due then are left to a later round */
	int looks_left;                   /* of the slice */
	int64_t next_us;                  /* when the next account is due, of those checked */
	char account[ACCOUNT_ID_MAX + 1]; /* of the account being removed */
	struct account_key key;           /* its */
	bool is_subaccount;
	struct purge *purge;
	unsigned waiting;  /* accounts that were tried within a minute, and wait; */
	int64_t minute_us; /* which is over then, on clock_monotonic_us */
};

static void run_in(struct closing *closing, int64_t us)
{
	struct error err;

	if (task_start_in(&closing->task, us, &err) < 0)
		MAY_FAIL(task_start(&closing->task,
		                    &err)); /* without the pause: it is the daemon's own, this cannot fail */
}

/* --- looking for one that is due --- */

static void count_child(void *arg, struct str id)
{
	(void)id;
	++*(uint64_t *)arg;
}

/* The round finds its subaccounts, and is repeated when one of them is gone. */
static bool has_subaccounts(const struct closing *closing, const struct account *account)
{
	uint64_t count = 0;
	struct error err;

	return accounts_each_child(closing->context.meta, str_from(account->id), count_child, &count, &err) != 0 ||
	       count > 0;
}

static bool look_at(void *arg, const struct account *account)
{
	struct closing *closing = arg;

	if (strcmp(account->id, closing->last) == 0)
		return true;
	memcpy(closing->last, account->id, sizeof(closing->last));
	if (account->deleted_us) {
		int64_t due_us = account->deleted_us + closing->context.config->account_grace;

		if (due_us > clock_now_us()) {
			closing->next_us = due_us < closing->next_us ? due_us : closing->next_us;
		} else if (due_us > closing->due_after_us && store_clock_allows_deletion(closing->context.store) &&
		           !has_subaccounts(closing, account)) {
			memcpy(closing->account, account->id, sizeof(closing->account));
			closing->key = account->key;
			closing->is_subaccount = account->parent[0];
			closing->stage = STAGE_REPORTS;
			return false;
		}
	}
	return --closing->looks_left > 0;
}

static void begin_round(struct closing *closing)
{
	closing->stage = STAGE_LOOK;
	closing->last[0] = '\0';
	closing->looks_again = false;
	closing->next_us = INT64_MAX;
}

/* Those that waited are to be tried again, by a round that begins after this one. */
static void end_minute(struct closing *closing)
{
	if (closing->waiting == 0 || clock_monotonic_us() < closing->minute_us)
		return;
	closing->waiting = 0;
	closing->looks_again |= closing->last[0] != '\0';
}

static int64_t until_us(int64_t monotonic_us)
{
	int64_t left_us = monotonic_us - clock_monotonic_us();

	return left_us > 0 ? left_us : 0;
}

/* After a round, until the next one. */
static int64_t rest_us(const struct closing *closing)
{
	int64_t rest_us = closing->looks_again ? 0 : LOOK_EVERY_US, left_us;

	if (closing->next_us != INT64_MAX) {
		left_us = closing->next_us - clock_now_us() + 1000;
		rest_us = left_us < rest_us ? left_us : rest_us;
	}
	if (closing->waiting > 0) {
		left_us = until_us(closing->minute_us);
		rest_us = left_us < rest_us ? left_us : rest_us;
	}
	return rest_us > 0 ? rest_us : 0;
}

static int step_look(struct closing *closing, int64_t *pause_us, struct error *err)
{
	end_minute(closing);
	if (closing->waiting >= WAITING_A_MINUTE) {
		*pause_us = until_us(closing->minute_us);
		return 0;
	}
	if (closing->last[0] == '\0') {
		closing->due_after_us = closing->waiting > 0 ? closing->round_us : INT64_MIN;
		closing->round_us = clock_now_us();
	}
	closing->looks_left = ACCOUNTS_A_SLICE;
	if (accounts_each_from(closing->context.meta, str_from(closing->last), look_at, closing, err) != 0)
		return -1;
	if (closing->stage != STAGE_LOOK || closing->looks_left == 0)
		return 0;
	*pause_us = rest_us(closing);
	log_debug("privacy", "no deleted account is due");
	begin_round(closing);
	return 0;
}

/* --- removing it --- */

struct gathering {
	char ids[REPORTS_A_SLICE][ID_UUID_LEN + 1];
	size_t count;
};

static bool gather_report(void *arg, const struct report *report)
{
	struct gathering *gathering = arg;

	if (!report_state_ended(report->state))
		memcpy(gathering->ids[gathering->count++], report->id, sizeof(report->id));
	return gathering->count < REPORTS_A_SLICE;
}

static int step_reports(struct closing *closing, struct error *err)
{
	struct reports *reports = closing->context.reports;
	struct gathering gathering = { .count = 0 };
	uint64_t removed = 0;

	if (schedules_forget_account(closing->context.schedules, closing->account, err) != 0 ||
	    destinations_forget_account(closing->context.destinations, closing->account, err) != 0 ||
	    reconciles_remove_of(closing->context.reconciles, &closing->key, 1, &removed, err) != 0 ||
	    reports_each(reports, &closing->key, INT64_MIN, INT64_MAX, gather_report, &gathering, err) != 0)
		return -1;
	for (size_t i = 0; i < gathering.count; i++)
		if (reports_cancel(reports, str_from(gathering.ids[i]), "the deletion of the account", err) != 0)
			return -1;
	if (gathering.count > 0)
		return 0;
	closing->purge = purge_new(closing->context.store, &closing->key);
	if (!closing->purge)
		return error_set(err, ERROR_NOMEM, "account %s: out of memory", closing->account);
	closing->stage = STAGE_RECORDS;
	return 0;
}

static int end_account(struct closing *closing, struct error *err)
{
	struct purge_counts counts;

	purge_counts(closing->purge, &counts);
	if (erased_forget_account(closing->context.store, &closing->key, err) != 0 ||
	    accounts_remove(closing->context.meta, closing->account, err) != 0)
		return -1;
	log_info("privacy", "account %s is removed, with %llu records of %llu days", closing->account,
	         (unsigned long long)counts.records, (unsigned long long)counts.days);
	purge_free(closing->purge);
	closing->purge = NULL;
	closing->looks_again |= closing->is_subaccount; /* its parent may be waiting for it */
	closing->stage = STAGE_LOOK;
	return 0;
}

/* Its id is free when no replica shows its records any more; accounts after it are removed meanwhile. */
static void put_off(struct closing *closing)
{
	log_warn("privacy",
	         "account %s: waits, its records removed, for a replica of the cluster that is missing or behind",
	         closing->account);
	end_minute(closing);
	if (closing->waiting++ == 0)
		closing->minute_us = clock_monotonic_us() + AFTER_ERROR_US;
	purge_free(closing->purge);
	closing->purge = NULL;
	closing->stage = STAGE_LOOK;
}

static int step_records(struct closing *closing, int64_t deadline_us, int64_t *pause_us, struct error *err)
{
	bool dirty, done;
	struct account account;
	uint64_t losses = ingest_losses(closing->context.ingest);

	/* Undeleted meanwhile: what is left of it stays. */
	if (accounts_get(closing->context.meta, str_from(closing->account), &account, err) != 0)
		return -1;
	if (!account.deleted_us) {
		purge_free(closing->purge);
		closing->purge = NULL;
		closing->stage = STAGE_LOOK;
		return 0;
	}
	if (purge_step(closing->purge, deadline_us, &dirty, &done, err) != 0) {
		if (losses != ingest_losses(closing->context.ingest))
			ingest_fail(closing->context.ingest, err);
		return -1;
	}
	if (dirty && ingest_commit_own(closing->context.ingest, err) != 0)
		return -1;
	*pause_us = purge_waits(closing->purge) ? LOOK_FIRST_US : 0;
	if (!done)
		return 0;
	if (purge_is_complete(closing->purge))
		return end_account(closing, err);
	put_off(closing);
	return 0;
}

static int step(struct closing *closing, int64_t deadline_us, int64_t *pause_us, struct error *err)
{
	switch (closing->stage) {
	case STAGE_LOOK:
		return step_look(closing, pause_us, err);
	case STAGE_REPORTS:
		return step_reports(closing, err);
	case STAGE_RECORDS:
		return step_records(closing, deadline_us, pause_us, err);
	}
	return 0;
}

static void on_slice(void *arg, int64_t deadline_us)
{
	struct closing *closing = arg;
	int64_t pause_us = 0;
	struct error err;

	if (step(closing, deadline_us, &pause_us, &err) != 0) {
		log_error("privacy", "removing deleted accounts: %s", err.message);
		purge_free(closing->purge);
		closing->purge = NULL;
		begin_round(closing);
		pause_us = AFTER_ERROR_US;
	}
	run_in(closing, pause_us);
}

/* --- its life --- */

struct closing *closing_new(const struct closing_context *context)
{
	struct closing *closing = calloc(1, sizeof(*closing));

	if (!closing)
		return NULL;
	closing->context = *context;
	task_init(&closing->task, context->tasks, "", TASK_MAINTENANCE, on_slice, closing);
	begin_round(closing);
	run_in(closing, LOOK_FIRST_US);
	return closing;
}

void closing_free(struct closing *closing)
{
	if (!closing)
		return;
	purge_free(closing->purge);
	task_cancel(&closing->task);
	free(closing);
}

void closing_wake(struct closing *closing)
{
	closing->looks_again |= closing->last[0] != '\0';
	if (closing->stage == STAGE_LOOK)
		run_in(closing, 0);
}
