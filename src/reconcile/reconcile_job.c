/* SPDX-License-Identifier: ISC */
/*
 * reconcile_job.c: one reconciliation from its start to its end. See reconcile_private.h.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"
#include "reconcile/reconcile_private.h"
#include "store/clock_watch.h"

static void set_state(struct reconciliation *shown, enum report_state state)
{
	static const unsigned ended = 1U << REPORT_SUCCESS | 1U << REPORT_FAILED | 1U << REPORT_ABORTED;
	static const unsigned allowed[REPORT_STATES] = {
		[REPORT_PENDING] = 1U << REPORT_PROCESSING | 1U << REPORT_ABORTED | 1U << REPORT_FAILED,
		[REPORT_PROCESSING] = ended,
	};

	INVARIANT_STEP(allowed, shown->state, state);
	shown->state = state;
}

void reconcile_job_stop(struct reconcile_job *job)
{
	if (!job->reconciler)
		return;
	task_cancel(&job->task);
	reconciler_free(job->reconciler);
	job->reconciler = NULL;
	reconcile_remove_runs(job);
	buf_free(&job->accounts);
	job->reconciles->running--;
}

void reconcile_job_free(struct reconcile_job *job)
{
	query_params_free(&job->shown.params);
	buf_free(&job->accounts);
	buf_free(&job->dir);
	free(job);
}

void reconcile_job_end(struct reconcile_job *job, enum report_state state, const char *reason)
{
	struct reconciliation *shown = &job->shown;
	struct error err;

	reconcile_job_stop(job);
	set_state(shown, state);
	job->reconciles->stats.ended[state]++;
	shown->ended_us = store_clock_stamp_us(job->reconciles->context.store);
	str_cut(shown->reason, sizeof(shown->reason), reason);
	log_info("reconcile", "%s of account %s: %s%s%s", shown->id, shown->request.account, report_state_name(state),
	         reason[0] ? ": " : "", reason);
	if (state != REPORT_SUCCESS)
		reconcile_remove_work(job); /* first: that makes room on a full disk */
	job->unsaved = reconcile_save(job, &err) != 0;
	if (job->unsaved)
		log_error("reconcile", "%s: its end cannot be written yet: %s", shown->id, err.message);
	else
		reconcile_remove_work(job);
	reconciles_wake(job->reconciles);
}

/* What the account is told reveals nothing about the machine; the log has it all. */
static void fail(struct reconcile_job *job, const struct error *err)
{
	const char *reason = err->message;

	log_warn("reconcile", "%s: fails: %s", job->shown.id, err->message);
	if (err->code == ERROR_FULL)
		reason = "The server's disk is full";
	else if (err->code == ERROR_IO)
		reason = "The server could not read its data or write a file";
	else if (err->code == ERROR_CORRUPT)
		reason = "The server found damaged data";
	else if (err->code == ERROR_NOMEM)
		reason = "The server is short of memory";
	reconcile_job_end(job, REPORT_FAILED, reason);
}

static int write_result(struct reconcile_job *job, struct error *err)
{
	struct buf result = { 0 };
	int done = reconciler_write_result(job->reconciler, &result, err);

	if (done == 0)
		done = reconcile_write_file(job->reconciles, job->shown.id, "result", buf_str(&result), err);
	for (int i = 0; i < RECONCILER_CLASSES; i++) {
		job->shown.files[i].made = *reconciler_file(job->reconciler, (enum reconciler_class)i);
		id_uuid(job->shown.files[i].id);
	}
	buf_free(&result);
	return done;
}

static void on_step(void *arg, int64_t deadline_us)
{
	struct reconcile_job *job = arg;
	struct error err;
	enum reconciler_end end = reconciler_step(job->reconciler, deadline_us, &err);

	reconciler_progress(job->reconciler, &job->shown.progress);
	if (end == RECONCILER_WAITS)
		task_cancel(&job->task);
	else if (end == RECONCILER_FAILED || (end == RECONCILER_DONE && write_result(job, &err) != 0))
		fail(job, &err);
	else if (end == RECONCILER_DONE)
		reconcile_job_end(job, REPORT_SUCCESS, "");
}

static void on_ready(void *arg)
{
	struct reconcile_job *job = arg;
	struct error err;

	if (task_start(&job->task, &err) != 0)
		fail(job, &err);
}

/* --- its start --- */

static bool take_account(void *arg, const struct account *account)
{
	struct buf *keys = arg;

	buf_add(keys, &account->key, sizeof(account->key));
	return !keys->failed;
}

static int find_accounts(struct reconcile_job *job, struct error *err)
{
	const struct reconcile_request *request = &job->shown.request;
	struct meta *meta = job->reconciles->context.meta;
	int result;

	buf_clear(&job->accounts);
	if (request->account[0])
		return accounts_keys_of_family(meta, &job->shown.account_key, request->include_subaccounts,
		                               &job->accounts, err);
	result = accounts_each(meta, take_account, &job->accounts, err);
	if (result == 0 && job->accounts.failed)
		return error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation");
	account_keys_sort((struct account_key *)(void *)job->accounts.data,
	                  job->accounts.len / sizeof(struct account_key));
	return result;
}

/* An account, so that rows of the carrier's pass the checks of records, whatever they name. */
static int name_some_account(const struct reconcile_job *job, char id[ACCOUNT_ID_MAX + 1], struct error *err)
{
	if (job->accounts.len == 0)
		return error_set(err, ERROR_INVALID, "There is no account");
	int found = accounts_id_of_key(job->reconciles->context.meta,
	                               (const struct account_key *)(const void *)job->accounts.data, id, err);

	return found == 0 ? error_set(err, ERROR_INVALID, "The account is gone") : found > 0 ? 0 : -1;
}

static int begin(struct reconcile_job *job, struct error *err)
{
	const struct reconciles_context *context = &job->reconciles->context;
	char some_account[ACCOUNT_ID_MAX + 1];

	if (find_accounts(job, err) != 0 || name_some_account(job, some_account, err) != 0)
		return -1;
	buf_clear(&job->dir);
	reconcile_path(job->reconciles, job->shown.id, NULL, &job->dir);
	if (!buf_cstr(&job->dir))
		return error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation");
	struct reconciler_spec spec = {
		.store = context->store,
		.ingest = context->ingest,
		.request = &job->shown.request,
		.accounts = (const struct account_key *)(const void *)job->accounts.data,
		.accounts_count = job->accounts.len / sizeof(struct account_key),
		.some_account = some_account,
		.dir = job->dir.data,
		.upload_bytes = job->shown.upload_bytes,
		.time_us = job->shown.received_us,
	};
	job->reconciler = reconciler_new(&spec, err);
	return job->reconciler ? 0 : -1;
}

void reconcile_job_start(struct reconcile_job *job)
{
	struct reconciles *reconciles = job->reconciles;
	struct error err;

	if (begin(job, &err) != 0) {
		fail(job, &err);
		return;
	}
	reconciles->running++;
	set_state(&job->shown, REPORT_PROCESSING);
	job->shown.started_us = clock_now_us();
	reconciler_on_ready(job->reconciler, on_ready, job);
	task_init(&job->task, reconciles->context.tasks, job->shown.creator, TASK_REPORTS, on_step, job);
	if (task_start(&job->task, &err) != 0)
		fail(job, &err);
}
