/* SPDX-License-Identifier: ISC */
/*
 * reconciles.c: all reconciliations: loaded at start, started in turn, removed when they expire. See reconcile.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/log.h"
#include "reconcile/reconcile_private.h"
#include "store/clock_watch.h"

#define TICK_US CLOCK_US_PER_SECOND
#define GOING_EVERY 10 /* ticks */

void reconciles_insert(struct reconciles *reconciles, struct reconcile_job *job)
{
	struct reconcile_job *other;

	TAILQ_FOREACH(other, &reconciles->jobs, link)
		if (other->shown.received_us <= job->shown.received_us) {
			TAILQ_INSERT_BEFORE(other, job, link);
			return;
		}
	TAILQ_INSERT_TAIL(&reconciles->jobs, job, link);
}

static struct reconcile_job *find(const struct reconciles *reconciles, struct str id)
{
	struct reconcile_job *job;

	TAILQ_FOREACH(job, &reconciles->jobs, link)
		if (str_is(id, job->shown.id))
			return job;
	return NULL;
}

const struct reconciliation *reconciles_get(const struct reconciles *reconciles, struct str id)
{
	const struct reconcile_job *job = find(reconciles, id);

	return job ? &job->shown : NULL;
}

void reconciles_each(const struct reconciles *reconciles, reconciles_fn fn, void *arg)
{
	struct reconcile_job *job;

	TAILQ_FOREACH(job, &reconciles->jobs, link)
		if (!fn(arg, &job->shown))
			return;
}

const struct reconciliation *reconciles_get_file(const struct reconciles *reconciles, struct str file_id,
                                                 enum reconciler_class *class)
{
	struct reconcile_job *job;

	TAILQ_FOREACH(job, &reconciles->jobs, link)
		for (int i = 0; i < RECONCILER_CLASSES && job->shown.state == REPORT_SUCCESS; i++)
			if (id_equal(str_from(job->shown.files[i].id), file_id)) {
				*class = (enum reconciler_class)i;
				return &job->shown;
			}
	return NULL;
}

void reconciles_get_stats(const struct reconciles *reconciles, struct reconciles_stats *stats)
{
	const struct reconcile_job *job;

	*stats = reconciles->stats;
	TAILQ_FOREACH(job, &reconciles->jobs, link) {
		stats->pending += job->shown.state == REPORT_PENDING;
		stats->processing += job->shown.state == REPORT_PROCESSING;
	}
}

/* --- turns --- */

/* The oldest that waits; of somebody else than the last one that was started, if there is one. */
static struct reconcile_job *next_job(const struct reconciles *reconciles)
{
	struct reconcile_job *job, *oldest = NULL;

	TAILQ_FOREACH_REVERSE(job, &reconciles->jobs, reconcile_jobs, link)
	{
		if (job->shown.state != REPORT_PENDING)
			continue;
		if (strcmp(job->shown.creator, reconciles->last) != 0)
			return job;
		if (!oldest)
			oldest = job;
	}
	return oldest;
}

void reconciles_wake(struct reconciles *reconciles)
{
	struct reconcile_job *job;

	if (reconciles->waking)
		return;
	reconciles->waking = true;
	while (reconciles->running < (size_t)reconciles->context.config->reconciles_max &&
	       !disk_is_low(reconciles->context.disk) && (job = next_job(reconciles))) {
		memcpy(reconciles->last, job->shown.creator, sizeof(reconciles->last));
		reconcile_job_start(job);
	}
	reconciles->waking = false;
}

int reconciles_cancel(struct reconciles *reconciles, struct str id, const char *by, struct error *err)
{
	struct reconcile_job *job = find(reconciles, id);
	char reason[128];

	if (!job)
		return error_set(err, ERROR_NOT_FOUND, "reconciliation %.*s: there is none", STR_ARGS(id));
	if (report_state_ended(job->shown.state))
		return error_set(err, ERROR_CONFLICT, "reconciliation %.*s: has ended", STR_ARGS(id));
	(void)snprintf(reason, sizeof(reason), "Cancelled by %s", by);
	reconcile_job_end(job, REPORT_ABORTED, reason);
	return 0;
}

/* --- removal --- */

/* It is shown no more; -1 if files of it are still there, which are removed later. */
static int remove_job(struct reconcile_job *job, struct error *err)
{
	struct reconciles *reconciles = job->reconciles;

	reconcile_job_stop(job);
	TAILQ_REMOVE(&reconciles->jobs, job, link);
	if (reconcile_remove(reconciles, job->shown.id, err) == 0) {
		reconcile_job_free(job);
		return 0;
	}
	TAILQ_INSERT_TAIL(&reconciles->going, job, link);
	log_error("reconcile", "%s; it is tried again every few seconds", err->message);
	return -1;
}

/* True if nothing of it is left, nor the job. */
static bool remove_rest(struct reconcile_job *job, struct error *err)
{
	struct reconciles *reconciles = job->reconciles;

	if (reconcile_remove(reconciles, job->shown.id, err) != 0)
		return false;
	log_info("reconcile", "%s: its files are removed now", job->shown.id);
	TAILQ_REMOVE(&reconciles->going, job, link);
	reconcile_job_free(job);
	return true;
}

static void remove_rests(struct reconciles *reconciles)
{
	struct reconcile_job *job = TAILQ_FIRST(&reconciles->going);
	struct error err;

	while (job) {
		struct reconcile_job *next = TAILQ_NEXT(job, link);

		(void)remove_rest(job, &err);
		job = next;
	}
}

static void expire(struct reconciles *reconciles)
{
	int64_t now_us = clock_now_us(), keep_us = reconciles->context.config->report_file_keep;
	struct reconcile_job *job = TAILQ_FIRST(&reconciles->jobs);
	struct error err;

	if (!store_clock_allows_deletion(reconciles->context.store))
		return;
	while (job) {
		struct reconcile_job *next = TAILQ_NEXT(job, link);

		if (report_state_ended(job->shown.state) && !job->unsaved && job->shown.ended_us + keep_us <= now_us)
			MAY_FAIL(remove_job(job, &err)); /* it is tried again */
		job = next;
	}
}

static bool has_key(const struct account_key *keys, size_t count, const struct account_key *key)
{
	for (size_t i = 0; i < count; i++)
		if (account_key_equal(&keys[i], key))
			return true;
	return false;
}

/* Does it hold, or may it hold, records of one of them? 1, 0 or -1. */
static int is_of(const struct reconcile_job *job, const struct account_key *accounts, size_t count, struct error *err)
{
	const struct reconciliation *shown = &job->shown;
	struct buf family = { 0 };
	int result = 0;

	if (!shown->request.account[0] || has_key(accounts, count, &shown->account_key) ||
	    (shown->creator[0] && has_key(accounts, count, &shown->creator_key)))
		return 1;
	if (!shown->request.include_subaccounts)
		return 0;
	if (accounts_keys_of_family(job->reconciles->context.meta, &shown->account_key, true, &family, err) != 0)
		result = -1;
	for (size_t at = 0; result == 0 && at < family.len; at += sizeof(struct account_key))
		result = has_key(accounts, count, (const struct account_key *)(const void *)(family.data + at));
	buf_free(&family);
	return result;
}

int reconciles_remove_of(struct reconciles *reconciles, const struct account_key *accounts, size_t count,
                         uint64_t *removed, struct error *err)
{
	struct reconcile_job *job = TAILQ_FIRST(&reconciles->going);
	int result = 0;

	while (job) {
		struct reconcile_job *next = TAILQ_NEXT(job, link);
		int found = is_of(job, accounts, count, err);

		if (found < 0 || (found > 0 && !remove_rest(job, err)))
			return -1;
		job = next;
	}
	job = TAILQ_FIRST(&reconciles->jobs);
	while (job) {
		struct reconcile_job *next = TAILQ_NEXT(job, link);
		int found = is_of(job, accounts, count, err);

		if (found < 0)
			return -1;
		if (found > 0) {
			log_info("reconcile", "%s: removed, as it may hold what is erased", job->shown.id);
			result |= remove_job(job, err);
			++*removed;
		}
		job = next;
	}
	reconciles_wake(reconciles);
	return result;
}

/* --- the module's life --- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct reconciles *reconciles = arg;
	struct reconcile_job *job;
	struct error err;

	(void)fd;
	(void)what;
	TAILQ_FOREACH(job, &reconciles->jobs, link)
		if (job->unsaved && reconcile_save(job, &err) == 0) {
			job->unsaved = false;
			reconcile_remove_work(job);
		}
	expire(reconciles);
	if (++reconciles->ticks % GOING_EVERY == 0)
		remove_rests(reconciles);
	reconciles_wake(reconciles);
}

/* One that cannot be read is left where it is, for a person. */
static int load_one(struct reconciles *reconciles, const char *id, struct error *err)
{
	struct reconcile_job *job = calloc(1, sizeof(*job));

	if (!job)
		return error_set(err, ERROR_NOMEM, "reconciliations: out of memory");
	job->reconciles = reconciles;
	if (reconcile_load(job, id, err) != 0) {
		log_error("reconcile", "%s: left alone: %s", id, err->message);
		reconcile_job_free(job);
		return err->code == ERROR_NOMEM ? -1 : 0;
	}
	if (report_state_ended(job->shown.state)) /* a crash came before that */
		reconcile_remove_work(job);
	reconciles_insert(reconciles, job);
	return 0;
}

static int load(struct reconciles *reconciles, struct error *err)
{
	DIR *dir;
	const char *name;
	int more = 1;

	if (directory_make(reconciles->dir, err) != 0)
		return -1;
	dir = opendir(reconciles->dir);
	if (!dir)
		return error_set_errno(err, errno, "%s: open", reconciles->dir);
	while (more > 0 && (more = directory_next(dir, reconciles->dir, &name, err)) > 0) {
		if (name[0] == '.')
			continue;
		if (id_is_uuid(str_from(name)))
			more = load_one(reconciles, name, err) == 0 ? 1 : -1;
		/* an upload that was not finished, or what is left of a removal */
		else if (reconcile_remove_dir(reconciles, name, err) != 0)
			log_error("reconcile", "%s", err->message);
	}
	closedir(dir);
	return more;
}

static int begin(struct reconciles *reconciles, struct error *err)
{
	struct timeval tick = clock_timeval(TICK_US);
	struct buf dir = { 0 };

	buf_addf(&dir, "%s/reconcile", reconciles->context.config->data_dir);
	if (!buf_cstr(&dir))
		return error_set(err, ERROR_NOMEM, "reconciliations: out of memory");
	reconciles->dir = dir.data;
	if (load(reconciles, err) != 0)
		return -1;
	reconciles->tick = event_new(tasks_base(reconciles->context.tasks), -1, EV_PERSIST, on_tick, reconciles);
	if (!reconciles->tick || event_add(reconciles->tick, &tick) != 0)
		return error_set(err, ERROR_NOMEM, "reconciliations: out of memory");
	return 0;
}

struct reconciles *reconciles_new(const struct reconciles_context *context, struct error *err)
{
	struct reconciles *reconciles = calloc(1, sizeof(*reconciles));

	if (!reconciles) {
		error_set(err, ERROR_NOMEM, "reconciliations: out of memory");
		return NULL;
	}
	reconciles->context = *context;
	TAILQ_INIT(&reconciles->jobs);
	TAILQ_INIT(&reconciles->going);
	if (begin(reconciles, err) == 0)
		return reconciles;
	reconciles_free(reconciles);
	return NULL;
}

void reconciles_free(struct reconciles *reconciles)
{
	struct reconcile_job *job;

	if (!reconciles)
		return;
	while ((job = TAILQ_FIRST(&reconciles->jobs))) {
		TAILQ_REMOVE(&reconciles->jobs, job, link);
		reconcile_job_stop(job);
		reconcile_job_free(job);
	}
	while ((job = TAILQ_FIRST(&reconciles->going))) {
		TAILQ_REMOVE(&reconciles->going, job, link);
		reconcile_job_free(job);
	}
	if (reconciles->tick)
		event_free(reconciles->tick);
	free(reconciles->dir);
	free(reconciles);
}
