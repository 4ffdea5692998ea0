/* SPDX-License-Identifier: ISC */
/*
 * job.c: one job from its start to its end.
 *
 * The row is written when the job starts (with what its file depends on: snapshot, limits, accounts), at checkpoints,
 * and when it ends. An end that cannot be written, on a full disk say, is retried every second; until then the job's
 * status remains PROCESSING.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"
#include "callback/callback.h"
#include "destination/destination.h"
#include "report/away.h"
#include "report/report_private.h"
#include "report/table.h"
#include "report/workers.h"
#include "store/clock_watch.h"

/* --- its end --- */

/* Puts the job's callback, in the change that ends it. One that cannot be sent must not keep the job from ending. */
static int put_callback(struct change *change, const struct report *report, struct error *err)
{
	struct callback_event event = {
		.account = str_from(report->creator),
		.id = str_from(report->id),
		.url = query_params_get(&report->params, "callback_url"),
	};
	struct buf body = { 0 };
	int result;

	if (event.url.len == 0 || report->remade)
		return 0;
	result = report_write_status(report, buf_str(&report->base_url), &body, err);
	event.body = buf_str(&body);
	if (result == 0 && body.len > CALLBACK_BODY_MAX) {
		log_warn("report", "%s: a status of %zu bytes is too long for a callback", report->id, body.len);
	} else if (result == 0) {
		result = callback_put(change, &event, err);
		if (result < 0 && err->code == ERROR_INVALID) {
			log_warn("report", "%s: no callback: %s", report->id, err->message);
			result = 0;
		}
	}
	buf_free(&body);
	return result;
}

/* Puts the delivery of the file, if one was asked for, in the same change. */
static int put_delivery(const struct reports *reports, struct change *change, const struct report *report,
                        struct error *err)
{
	struct str name = query_params_get(&report->params, "destination");
	struct buf id = { 0 }, url = { 0 }, link = { 0 };
	struct destination destination;
	struct error why;
	int result = 0;

	if (name.len == 0 || !report->has_file || report->remade || !reports->destinations)
		return 0;
	if (destinations_find(reports->destinations, report->creator, name, &destination, &why) != 0) {
		log_warn("report", "%s: no delivery: %s", report->id, why.message);
		return why.code == ERROR_NOMEM || why.code == ERROR_IO ? error_set(err, why.code, "%s", why.message) :
		                                                         0;
	}
	buf_addf(&id, DELIVERY_PREFIX "%s", report->id);
	buf_add_text(&url, destination.url);
	report_file_name(report, &url);
	explicit_bzero(&destination, sizeof(destination));
	buf_add_str(&link, buf_str(&report->base_url));
	if (report->base_url.len > 0)
		buf_addf(&link, "/v3/media/%s", report->file_id);
	struct callback_event event = {
		.account = str_from(report->creator),
		.id = buf_str(&id),
		.url = buf_str(&url),
		.body = buf_str(&link),
		.upload = { name, str_from(report->file_id), str_from(report->sha256) },
	};
	result = id.failed || url.failed || link.failed ?
	                 error_set(err, ERROR_NOMEM, "report %s: out of memory", report->id) :
	                 callback_put(change, &event, err);
	if (result < 0 && err->code == ERROR_INVALID) {
		log_warn("report", "%s: no delivery: %s", report->id, err->message);
		result = 0;
	}
	buf_free(&id);
	buf_free(&url);
	buf_free(&link);
	return result;
}

static int write_end(struct reports *reports, const struct report *report, struct error *err)
{
	struct change change;
	int result;

	/* charge it first: once the end is written, it would never be charged */
	if (report->has_file && !report->remade && reports->on_end &&
	    reports->on_end(reports->on_end_arg, report, err) != 0)
		return -1;
	if (change_begin(&change, reports->meta, err) != 0)
		return -1;
	result = table_end(&change, report, report_due_us(reports, report), err);
	if (result == 0)
		result = put_callback(&change, report, err);
	if (result == 0)
		result = put_delivery(reports, &change, report, err);
	if (change_end(&change, result, err) != 0)
		return -1;
	if (reports->callbacks)
		callbacks_wake(reports->callbacks);
	return 0;
}

static void count_end(struct reports *reports, const struct report *report)
{
	reports->stats.ended[report->state]++;
	if (report->has_file) {
		reports->stats.rows += report->rows;
		reports->stats.bytes += report->bytes;
	}
	INVARIANT(report_state_ended(report->state) && report->ended_us != 0);
	log_info("report", "%s of account %s: %s, %llu rows, %llu bytes%s%s", report->id, report->account,
	         report_state_name(report->state), (unsigned long long)report->rows, (unsigned long long)report->bytes,
	         report->reason.len > 0 ? ": " : "", report->reason.len > 0 ? report->reason.data : "");
}

static void remove_job(struct reports *reports, struct report_job *job)
{
	struct report_work *work = job->work;

	report_queue_remove(reports, job);
	report_work_free(work);
	report_scheduler_wake(reports);
}

/* Writes the end as work->report has it. */
static void settle(struct reports *reports, struct report_job *job)
{
	struct report_work *work = job->work;
	bool again = work->ended;
	struct error err;

	work->ended = true;
	if (write_end(reports, &work->report, &err) < 0) {
		if (!again)
			log_error("report", "%s: its end cannot be written yet: %s", job->id, err.message);
		return;
	}
	count_end(reports, &work->report);
	remove_job(reports, job);
}

static void set_ended(const struct reports *reports, struct report *report, enum report_state state, const char *reason)
{
	report_set_state(report, state);
	report->ended_us = store_clock_stamp_us(reports->store);
	report->has_file = state == REPORT_SUCCESS || state == REPORT_TRUNCATED;
	buf_clear(&report->checkpoint);
	buf_clear(&report->reason);
	buf_add_text(&report->reason, reason);
	if (!buf_cstr(&report->reason))
		buf_clear(&report->reason); /* the end must be written all the same */
}

/* The reason shown to the account: it reveals nothing about the machine. The log has the full message. */
static const char *reason_of(const struct error *err)
{
	switch (err->code) {
	case ERROR_FULL:
		return "The server's disk is full";
	case ERROR_IO:
		return "The server could not read its data or write the file";
	case ERROR_CORRUPT:
		return "The server found damaged data";
	case ERROR_NOMEM:
		return "The server is short of memory";
	case ERROR_UNAVAILABLE:
		return "The records could not be reached";
	default:
		return err->message;
	}
}

static void end_making(struct report_work *work)
{
	maker_free(work->maker);
	work->maker = NULL;
	report_away_free(work->away);
	work->away = NULL;
}

/* The file is removed first: on a full disk that makes room to write the end. */
void report_job_fail(struct reports *reports, struct report_job *job, const struct error *err)
{
	struct report_work *work = job->work;

	log_warn("report", "%s: fails: %s", job->id, err->message);
	report_take_progress(&work->report, work);
	end_making(work);
	report_file_remove(reports, work->report.file_id);
	set_ended(reports, &work->report, REPORT_FAILED, reason_of(err));
	settle(reports, job);
}

void report_job_succeed(struct reports *reports, struct report_job *job, enum report_state state,
                        const struct maker_result *result)
{
	struct report_work *work = job->work;

	report_take_result(&work->report, result);
	end_making(work);
	report_file_mark(reports, &work->report);
	set_ended(reports, &work->report, state, "");
	settle(reports, job);
}

/* Loads the row of a job to cancel: from its work, or from disk. */
static int load_for_cancel(struct reports *reports, struct report_job *job, struct report *report, struct error *err)
{
	int found = table_get(reports->meta, str_from(job->id), report, err);

	if (found == 0)
		error_set(err, ERROR_NOT_FOUND, "report %s: no such report", job->id);
	if (found <= 0)
		return -1;
	if (job->work)
		report_take_progress(report, job->work);
	return 0;
}

int report_job_cancel(struct reports *reports, struct report_job *job, const char *reason, struct error *err)
{
	struct report report;
	int result;

	if (job->work && job->work->ended)
		return error_set(err, ERROR_CONFLICT, "report %s: has ended", job->id);
	if (load_for_cancel(reports, job, &report, err) < 0)
		return -1;
	set_ended(reports, &report, REPORT_ABORTED, reason);
	result = write_end(reports, &report, err);
	if (result == 0) {
		report_file_remove(reports, report.file_id);
		count_end(reports, &report);
		remove_job(reports, job);
	}
	report_free(&report);
	return result;
}

/* --- its start --- */

/* Of a day that is removed while the file is made, it would have some accounts' records. True where this leaves out more than
 * before. */
static bool leave_out_removed(const struct reports *reports, struct report *report)
{
	int64_t from_us = reports->kept_from_us < report->to_us ? reports->kept_from_us : report->to_us;

	if (report->from_us >= from_us)
		return false;
	report->from_us = from_us;
	return true;
}

/* Nothing is made of it yet, on disk too: after a crash it must not resume with the old file. */
static int write_from_nothing(struct reports *reports, struct report *report, struct error *err)
{
	buf_clear(&report->checkpoint);
	report->rows = report->bytes = 0;
	report->share = 0;
	return table_write(reports->meta, report, err);
}

/* Decides and writes down what the file will depend on. */
static int begin(struct reports *reports, struct report_work *work, struct error *err)
{
	struct report *report = &work->report;
	struct change change;
	int result;

	report_set_state(report, REPORT_PROCESSING);
	report->started_us = clock_now_us();
	report->snapshot = store_snapshot(reports->store);
	report->max_rows = (uint64_t)reports->config->report_max_rows;
	report->max_bytes = (uint64_t)reports->config->report_max_bytes;
	MAY_FAIL(leave_out_removed(reports, report)); /* most have no such day */
	if (accounts_keys_of_family(reports->meta, &report->account_key, work->plan.include_subaccounts,
	                            &work->accounts, err) < 0 ||
	    change_begin(&change, reports->meta, err) != 0)
		return -1;
	result = table_put(&change, report, err);
	if (result == 0)
		result = table_put_members(&change, report, buf_str(&work->accounts), err);
	return change_end(&change, result, err);
}

static int write_start(struct reports *reports, struct report_work *work, struct error *err)
{
	struct report *report = &work->report;

	if (report->state == REPORT_PENDING)
		return begin(reports, work, err);
	/* it was begun before this start of the daemon, or by a worker that is lost */
	return leave_out_removed(reports, report) ? write_from_nothing(reports, report, err) : 0;
}

static int load_accounts(struct reports *reports, struct report_work *work, struct error *err)
{
	int found = table_get_members(reports->meta, str_from(work->report.id), &work->accounts, err);

	if (found < 0)
		return -1;
	if (found == 0 || work->accounts.len == 0 || work->accounts.len % sizeof(struct account_key) != 0)
		return error_set(err, ERROR_CORRUPT, "report %s: its list of accounts is lost", work->report.id);
	return 0;
}

/* The store has something for a waiting report. */
static void on_ready(void *arg)
{
	struct report_work *work = arg;

	work->waits = false;
	report_scheduler_wake(work->reports);
}

/* A checkpoint that does not fit the file, after a power failure say, costs only work: the same bytes are written
 * again. */
static int make_maker(struct reports *reports, struct report_work *work, struct error *err)
{
	struct buf *checkpoint = &work->report.checkpoint;
	struct buf path = { 0 };

	report_file_path(reports, work->report.file_id, &path);
	if (!buf_cstr(&path))
		return error_set(err, ERROR_NOMEM, "report %s: out of memory", work->report.id);
	work->maker = maker_new(reports->store, &work->spec, path.data, buf_str(checkpoint), err);
	if (!work->maker && checkpoint->len > 0 && err->code == ERROR_CORRUPT) {
		log_warn("report", "%s: begins again: %s", work->report.id, err->message);
		buf_clear(checkpoint);
		work->maker = maker_new(reports->store, &work->spec, path.data, STR_LITERAL(""), err);
	}
	buf_free(&path);
	if (!work->maker)
		return -1;
	work->reports = reports;
	work->waits = false;
	maker_on_ready(work->maker, on_ready, work);
	return 0;
}

static void set_clock(struct reports *reports, struct report_work *work)
{
	MAY_FAIL(!report_work_progress(work, &work->seen)); /* it is being made */
	work->checkpoint_at_us = clock_monotonic_us() + reports->config->report_checkpoint;
}

static struct report_work *load_work(struct reports *reports, const char *id, struct error *err)
{
	struct report_work *work = calloc(1, sizeof(*work));
	int found;

	if (!work) {
		error_set(err, ERROR_NOMEM, "report %s: out of memory", id);
		return NULL;
	}
	found = table_get(reports->meta, str_from(id), &work->report, err);
	if (found > 0)
		return work;
	if (found == 0)
		error_set(err, ERROR_CORRUPT, "report %s: its row is gone", id);
	free(work);
	return NULL;
}

/* Steps whose failure is the job's own; it then ends as FAILED. */
static int prepare(struct reports *reports, struct report_work *work, struct error *err)
{
	if (report_work_plan(work, err) != 0)
		return -1;
	return work->report.state == REPORT_PROCESSING ? load_accounts(reports, work, err) : 0;
}

/* Is it to be made by this front end? What the daemon writes itself is on this disk, and so is a file that was begun. */
static bool stays_here(const struct report_work *work)
{
	return (work->plan.product && work->plan.product->own) || work->report.checkpoint.len > 0;
}

static int begin_making(struct reports *reports, struct report_job *job, struct report_work *work,
                        struct known_worker *worker, struct error *err)
{
	if (report_work_specify(work, err) != 0)
		return -1;
	return worker ? report_away_begin(reports, job, work, worker, err) : make_maker(reports, work, err);
}

int report_job_start(struct reports *reports, struct report_job *job, struct error *err)
{
	struct report_work *work = load_work(reports, job->id, err);
	struct known_worker *worker;
	int result;

	if (!work)
		return -1;
	result = prepare(reports, work, err);
	job->stays_here |= result == 0 && stays_here(work);
	worker = job->stays_here ? NULL : report_workers_choose(reports, job->lost_by);
	if (!worker && !report_workers_have_room_here(reports)) {
		report_work_free(work);
		return 0;
	}
	if (result == 0 && write_start(reports, work, err) < 0) {
		report_work_free(work);
		return -1;
	}
	if (result == 0)
		result = begin_making(reports, job, work, worker, err);
	job->work = work;
	report_queue_started(reports, job);
	if (result < 0)
		report_job_fail(reports, job, err);
	else
		set_clock(reports, work);
	return 0;
}

void report_job_put_back(struct reports *reports, struct report_job *job)
{
	struct report_work *work = job->work;

	/* What has come of it is no use to the next one, and the disk may be low until it is gone. */
	report_file_remove(reports, work->report.file_id);
	report_queue_put_back(reports, job);
	report_work_free(work);
	report_scheduler_wake(reports);
}

/* --- while it runs --- */

void report_job_checkpoint(struct reports *reports, struct report_job *job)
{
	struct report_work *work = job->work;
	struct report *report = &work->report;
	struct error err;

	work->checkpoint_at_us = clock_monotonic_us() + reports->config->report_checkpoint;
	if (!work->maker || !work->stepped)
		return;
	buf_clear(&report->checkpoint);
	if (maker_checkpoint(work->maker, &report->checkpoint, &err) < 0) {
		report_job_fail(reports, job, &err);
		return;
	}
	work->stepped = false;
	report_take_progress(report, work);
	if (table_write(reports->meta, report, &err) != 0)
		log_error("report", "%s: a checkpoint could not be written: %s", job->id, err.message);
}

void report_job_step(struct reports *reports, struct report_job *job, int64_t deadline_us)
{
	struct report_work *work = job->work;
	struct maker_result result;
	struct error err = { 0 };

	switch (maker_step(work->maker, deadline_us, &err)) {
	case MAKER_MORE:
		work->stepped = true;
		if (clock_monotonic_us() >= work->checkpoint_at_us)
			report_job_checkpoint(reports, job);
		break;
	case MAKER_WAITS:
		work->waits = true;
		break;
	case MAKER_DONE:
		maker_result(work->maker, &result);
		report_job_succeed(reports, job, REPORT_SUCCESS, &result);
		break;
	case MAKER_TRUNCATED:
		maker_result(work->maker, &result);
		report_job_succeed(reports, job, REPORT_TRUNCATED, &result);
		break;
	case MAKER_FAILED:
		if (err.code != ERROR_CORRUPT || !maker_reads_back(work->maker)) {
			report_job_fail(reports, job, &err);
			break;
		}
		log_warn("report", "%s: begins again: %s", job->id, err.message);
		MAY_FAIL(report_job_begin_again(reports, job, &err) != 0); /* then it has failed */
		break;
	}
}

/* One that waits to be resumed. */
static int forget_begun(struct reports *reports, struct report_job *job, struct error *err)
{
	struct report report;
	int found = job->is_begun ? table_get(reports->meta, str_from(job->id), &report, err) : 0;

	if (found <= 0)
		return found;
	found = report.checkpoint.len > 0 ? write_from_nothing(reports, &report, err) : 0;
	report_free(&report);
	return found;
}

int report_job_begin_again(struct reports *reports, struct report_job *job, struct error *err)
{
	struct report_work *work = job->work;

	if (work && work->away) { /* there is no checkpoint of it */
		report_job_put_back(reports, job);
		return 0;
	}
	if (!work)
		return forget_begun(reports, job, err);
	if (!work->maker)
		return 0;
	maker_free(work->maker);
	work->maker = NULL;
	work->stepped = false;
	work->spec.query.from_us = work->report.from_us;
	if (write_from_nothing(reports, &work->report, err) != 0 || make_maker(reports, work, err) != 0) {
		report_job_fail(reports, job, err);
		return -1;
	}
	set_clock(reports, work);
	return 0;
}

void report_job_leave_out_removed(struct reports *reports, struct report_job *job)
{
	struct report_work *work = job->work;
	struct error err;

	if (!work->ended && leave_out_removed(reports, &work->report) &&
	    report_job_begin_again(reports, job, &err) == 0)
		log_info("report", "%s: begins again without the days that are no longer kept", job->id);
}

static bool has_got_on(struct report_work *work)
{
	struct maker_progress now;
	bool moved;

	MAY_FAIL(!report_work_progress(work, &now)); /* it is being made */
	moved = now.rows != work->seen.rows || now.bytes != work->seen.bytes || now.share > work->seen.share;
	work->seen = now;
	return moved;
}

void report_job_look_after(struct reports *reports, struct report_job *job, int64_t elapsed_us)
{
	struct report_work *work = job->work;
	int64_t max_us = reports->config->report_stall_max;
	struct buf stalled = { 0 };
	struct error err;

	if (work->ended) {
		settle(reports, job);
		return;
	}
	if (work->away) {
		report_away_look_after(work->away, elapsed_us);
		return;
	}
	work->stalled_us = has_got_on(work) ? 0 : work->stalled_us + elapsed_us;
	if (work->stalled_us < max_us)
		return;
	clock_format_duration(&stalled, work->stalled_us - work->stalled_us % CLOCK_US_PER_SECOND);
	error_set(&err, ERROR_LIMIT, "No progress for %.*s", STR_ARGS(buf_str(&stalled)));
	buf_free(&stalled);
	report_job_fail(reports, job, &err);
}
