/* SPDX-License-Identifier: ISC */
/*
 * reports.c: the module's life, new jobs, and answers about existing ones. See report.h.
 */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "callback/callback.h"
#include "report/report_private.h"
#include "report/table.h"
#include "report/workers.h"

/* --- the module's life --- */

struct loading {
	struct reports *reports;
	struct error *err;
	bool failed;
};

static bool load_queued(void *arg, struct str id)
{
	struct loading *loading = arg;
	struct report_job *job;
	struct report report;
	int found = table_get(loading->reports->meta, id, &report, loading->err);

	if (found <= 0) {
		/* one damaged row must not keep the others, and the daemon, from starting */
		log_error("report", "%.*s: cannot be taken up: %s", STR_ARGS(id),
		          found < 0 ? loading->err->message : "no row");
		return true;
	}
	job = report_queue_add(loading->reports, report.creator, id);
	if (!job) {
		error_set(loading->err, ERROR_NOMEM, "reports: out of memory");
		loading->failed = true;
	} else if (report.state == REPORT_PROCESSING) {
		report_queue_note_begun(loading->reports, job);
	}
	report_free(&report);
	return !loading->failed;
}

static int load_all(struct reports *reports, struct error *err)
{
	struct loading loading = { .reports = reports, .err = err };

	if (table_each_queued(reports->meta, load_queued, &loading, err) < 0 || loading.failed)
		return -1;
	if (reports->pending_count > 0)
		log_info("report", "taking up %llu reports", (unsigned long long)reports->pending_count);
	return 0;
}

/* Does not use `reports`: outcomes are still saved after these are freed. */
static int note_callback(void *arg, struct change *change, const struct callback_info *info, struct error *err)
{
	(void)arg;
	return table_note_callback(change, info, err);
}

struct reports *reports_new(struct tasks *tasks, const struct config *config, struct meta *meta, struct store *store,
                            struct callbacks *callbacks, struct shrinking *shrinking, struct error *err)
{
	struct reports *reports = calloc(1, sizeof(*reports));

	if (!reports) {
		error_set(err, ERROR_NOMEM, "reports: out of memory");
		return NULL;
	}
	TAILQ_INIT(&reports->queues);
	TAILQ_INIT(&reports->workers);
	reports->tasks = tasks;
	reports->config = config;
	reports->meta = meta;
	reports->store = store;
	reports->callbacks = callbacks;
	reports->shrinking = shrinking;
	if (report_files_init(reports, err) < 0 || report_files_sweep(reports, err) < 0 ||
	    report_scheduler_init(reports, err) < 0 || load_all(reports, err) < 0) {
		reports_free(reports);
		return NULL;
	}
	if (callbacks) {
		callbacks_on_outcome(callbacks, note_callback, NULL);
		callbacks_ask_for_file(callbacks, report_find_delivered, reports);
	}
	report_scheduler_wake(reports);
	return reports;
}

void reports_on_end(struct reports *reports, reports_end_fn fn, void *arg)
{
	reports->on_end = fn;
	reports->on_end_arg = arg;
}

void reports_deliver_to(struct reports *reports, struct destinations *destinations)
{
	reports->destinations = destinations;
}

/* The job, and its queue with it, may be gone after fn. */
static void each_running(struct reports *reports, void (*fn)(struct reports *reports, struct report_job *job))
{
	struct report_queue *queue, *next_queue;
	struct report_job *job, *next;

	for (queue = TAILQ_FIRST(&reports->queues); queue; queue = next_queue) {
		next_queue = TAILQ_NEXT(queue, link);
		for (job = TAILQ_FIRST(&queue->running); job; job = next) {
			next = TAILQ_NEXT(job, link);
			fn(reports, job);
		}
	}
}

void reports_keep_from(struct reports *reports, int64_t from_us)
{
	if (from_us > reports->kept_from_us) {
		reports->kept_from_us = from_us;
		each_running(reports, report_job_leave_out_removed);
	}
	reports->kept_from_us = from_us;
}

static void free_jobs(struct reports *reports)
{
	struct report_queue *queue;

	while ((queue = TAILQ_FIRST(&reports->queues))) {
		struct report_job *job = TAILQ_FIRST(&queue->running);
		struct report_work *work = job ? job->work : NULL;

		report_queue_remove(reports, job ? job : TAILQ_FIRST(&queue->pending));
		report_work_free(work);
	}
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void reports_free(struct reports *reports)
{
	if (!reports)
		return;
	if (reports->callbacks)
		callbacks_ask_for_file(reports->callbacks, NULL, NULL); /* they are freed after these */
	each_running(reports, report_job_checkpoint);
	free_jobs(reports);
	task_cancel(&reports->slice);
	free_event(reports->tick);
	report_workers_free(reports); /* runs the loop, where a name is looked up */
	buf_free(&reports->lost);
	free(reports->dir);
	free(reports);
}

void reports_watch_disk(struct reports *reports, const struct disk *disk)
{
	reports->disk = disk;
}

void reports_stats(const struct reports *reports, struct reports_stats *stats)
{
	*stats = reports->stats;
	stats->pending = reports->pending_count - reports->begun_count;
	stats->processing = reports->running_count + reports->begun_count;
}

/* --- new jobs --- */

static int fill(struct report *report, const struct report_request *request, struct error *err)
{
	memset(report, 0, sizeof(*report));
	id_uuid(report->id);
	id_uuid(report->file_id);
	report->account_key = request->plan->account_key;
	report->creator_key = request->creator->key;
	str_copy(report->account, sizeof(report->account), request->plan->account);
	str_copy(report->creator, sizeof(report->creator), request->creator->id);
	report->received_us = request->received_us;
	report->from_us = request->plan->from_us;
	report->to_us = request->plan->to_us;
	buf_add_str(&report->base_url, request->base_url);
	buf_add_str(&report->key, request->key);
	for (size_t i = 0; i < request->params->count; i++) {
		const struct query_param *param = &request->params->list[i];

		if (param->value.len > 0 && query_params_add(&report->params, param->name, param->value, err) < 0)
			return -1;
	}
	if (report->base_url.failed || report->key.failed)
		return error_set(err, ERROR_NOMEM, "Out of memory for a report");
	return 0;
}

static int put(struct change *change, const struct report *report, const struct report_request *request,
               struct error *err)
{
	if (table_add(change, report, request->body_hash, err) != 0)
		return -1;
	return request->with ? request->with(request->with_arg, change, report, err) : 0;
}

static int add(struct reports *reports, const struct report *report, const struct report_request *request,
               struct error *err)
{
	struct report_job *job = report_queue_add(reports, report->creator, str_from(report->id));
	struct change change;

	if (!job)
		return error_set(err, ERROR_NOMEM, "Out of memory for a report");
	if (change_begin(&change, reports->meta, err) == 0 &&
	    change_end(&change, put(&change, report, request, err), err) == 0)
		return 0;
	report_queue_remove(reports, job);
	return -1;
}

uint64_t reports_pending(const struct reports *reports, const char *creator)
{
	return report_queue_pending(reports, creator);
}

int reports_create(struct reports *reports, const struct report_request *request, struct report *report,
                   struct error *err)
{
	uint64_t most = request->pending_max ? request->pending_max : (uint64_t)reports->config->reports_pending_max;

	if (report_queue_pending(reports, request->creator->id) >= most)
		return error_set(err, ERROR_LIMIT, "Account %s has %llu reports waiting, which is all it may have",
		                 request->creator->id, (unsigned long long)most);
	if (fill(report, request, err) < 0 || add(reports, report, request, err) < 0) {
		report_free(report);
		return -1;
	}
	log_info("report", "%s of account %s: asked for by %s", report->id, report->account, report->creator);
	report_scheduler_wake(reports);
	return 0;
}

/* --- answers --- */

/* Adds what the row of a running job does not have yet. */
static void add_progress(const struct reports *reports, struct report *report)
{
	const struct report_job *job;

	if (report->state != REPORT_PROCESSING)
		return;
	job = report_queue_find(reports, report->creator, str_from(report->id));
	if (job && job->work)
		report_take_progress(report, job->work);
}

static int not_found(const char *what, struct str id, struct error *err)
{
	return error_set(err, ERROR_NOT_FOUND, "%s %.*s: there is none", what, (int)(id.len < 64 ? id.len : 64), id.p);
}

int reports_get(struct reports *reports, struct str id, struct report *report, struct error *err)
{
	int found = table_get(reports->meta, id, report, err);

	if (found == 0)
		return not_found("report", id, err);
	if (found > 0)
		add_progress(reports, report);
	return found < 0 ? -1 : 0;
}

int reports_get_file(struct reports *reports, struct str file_id, struct report *report, struct error *err)
{
	char id[ID_UUID_LEN + 1];
	int found = table_find_file(reports->meta, file_id, id, err);

	if (found > 0)
		found = table_get(reports->meta, str_from(id), report, err);
	if (found == 0)
		return not_found("file", file_id, err);
	return found < 0 ? -1 : 0;
}

int reports_find_key(struct reports *reports, const struct account_key *creator, struct str key,
                     char id[ID_UUID_LEN + 1], uint64_t *body_hash, struct error *err)
{
	return table_find_key(reports->meta, creator, key, id, body_hash, err);
}

int reports_cancel(struct reports *reports, struct str id, const char *by, struct error *err)
{
	char reason[128];
	struct report report;
	struct report_job *job;

	if (reports_get(reports, id, &report, err) < 0)
		return -1;
	job = report_queue_find(reports, report.creator, str_from(report.id));
	report_free(&report);
	if (!job)
		return error_set(err, ERROR_CONFLICT, "report %.*s: has ended", STR_ARGS(id));
	(void)snprintf(reason, sizeof(reason), "Cancelled by %s", by);
	return report_job_cancel(reports, job, reason, err);
}

struct giving {
	const struct reports *reports;
	reports_fn fn;
	void *arg;
};

static bool give(void *arg, const struct report *row)
{
	struct giving *giving = arg;
	struct report report = *row; /* borrows its texts */

	add_progress(giving->reports, &report);
	return giving->fn(giving->arg, &report);
}

int reports_each(struct reports *reports, const struct account_key *account, int64_t from_us, int64_t to_us,
                 reports_fn fn, void *arg, struct error *err)
{
	struct giving giving = { reports, fn, arg };

	return table_each(reports->meta, account, from_us, to_us, give, &giving, err);
}
