/* SPDX-License-Identifier: ISC */
/*
 * reconcile_upload.c: a new reconciliation, from the first byte of the carrier's file. See reconcile.h.
 *
 * The file is received into a directory with another name, ID.part, which a crash leaves and the next start removes;
 * when it is complete, the directory gets its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "reconcile/reconcile_private.h"

#define WRITEBACK_BYTES ((uint64_t)1 << 20) /* so that little is left to be written at the end */

struct reconcile_upload {
	struct reconcile_job *job;
	char dir[ID_UUID_LEN + sizeof(".part")];
	int fd;
	uint64_t writeback_bytes;
};

static int check_pending(const struct reconciles *reconciles, const char *creator, struct error *err)
{
	int64_t pending = 0, pending_max = reconciles->context.config->reconciles_pending_max;
	const struct reconcile_job *job;

	TAILQ_FOREACH(job, &reconciles->jobs, link)
		pending += !report_state_ended(job->shown.state) && strcmp(job->shown.creator, creator) == 0;
	if (pending < pending_max)
		return 0;
	return error_set(err, ERROR_LIMIT, "%lld reconciliations have not ended, at most %lld may be waiting",
	                 (long long)pending, (long long)pending_max);
}

static int copy_params(struct query_params *to, const struct query_params *from, struct error *err)
{
	for (size_t i = 0; i < from->count; i++)
		if (query_params_add(to, from->list[i].name, from->list[i].value, err) != 0)
			return -1;
	return 0;
}

static void ignore_row(void *arg, const struct ingest_trial_row *row)
{
	(void)arg;
	(void)row;
}

/* Is there such a mapping, and can its rows be read? */
static int check_mapping(const struct reconciles *reconciles, const struct reconcile_request *request,
                         struct error *err)
{
	struct ingest_trial *trial =
		ingest_trial_new(reconciles->context.ingest, &request->settings, ignore_row, NULL, err);

	if (!trial)
		return -1;
	ingest_trial_free(trial);
	return 0;
}

static int check_account(struct reconcile_job *job, struct error *err)
{
	struct str id = str_from(job->shown.request.account);
	int found = id.len == 0 ? 1 : accounts_look_up(job->reconciles->context.meta, id, &job->shown.account_key, err);

	return found == 0 ? error_set(err, ERROR_NOT_FOUND, "account %.*s: there is none", STR_ARGS(id)) :
	       found < 0  ? -1 :
	                    0;
}

static int check(struct reconcile_job *job, const struct account *creator, const struct query_params *params,
                 struct query_problems *problems, struct error *err)
{
	struct reconciliation *shown = &job->shown;

	if (copy_params(&shown->params, params, err) != 0)
		return -1;
	if (creator) {
		memcpy(shown->creator, creator->id, sizeof(shown->creator));
		shown->creator_key = creator->key;
	}
	if (!reconcile_request_read(&shown->params, !creator, &shown->request, problems))
		return error_set(err, ERROR_INVALID, "%s: %.300s", problems->list[0].name, problems->list[0].reason);
	if (check_mapping(job->reconciles, &shown->request, err) != 0 || check_account(job, err) != 0)
		return -1;
	return check_pending(job->reconciles, shown->creator, err);
}

static int open_file(struct reconcile_upload *upload, struct error *err)
{
	const struct reconciles *reconciles = upload->job->reconciles;
	struct buf path = { 0 };
	int result = 0;

	(void)snprintf(upload->dir, sizeof(upload->dir), "%s.part", upload->job->shown.id);
	reconcile_path(reconciles, upload->dir, NULL, &path);
	if (buf_cstr(&path) && mkdir(path.data, 0750) != 0)
		result = error_set_errno(err, errno, "%s: make directory", path.data);
	buf_addf(&path, "/" RECONCILER_UPLOAD);
	if (result == 0 && !buf_cstr(&path))
		result = error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation");
	if (result == 0 && (upload->fd = open(path.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640)) < 0)
		result = error_set_errno(err, errno, "%s: open", path.data);
	buf_free(&path);
	return result;
}

struct reconcile_upload *reconcile_upload_begin(struct reconciles *reconciles, const struct account *creator,
                                                const struct query_params *params, struct query_problems *problems,
                                                struct error *err)
{
	struct reconcile_upload *upload = calloc(1, sizeof(*upload));
	struct reconcile_job *job = calloc(1, sizeof(*job));

	if (!upload || !job) {
		free(upload);
		free(job);
		error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation");
		return NULL;
	}
	upload->fd = -1;
	upload->job = job;
	job->reconciles = reconciles;
	id_uuid(job->shown.id);
	job->shown.received_us = clock_now_us();
	if (disk_is_low(reconciles->context.disk))
		disk_fail_low(reconciles->context.disk, err);
	else if (check(job, creator, params, problems, err) == 0 && open_file(upload, err) == 0)
		return upload;
	reconcile_upload_drop(upload);
	return NULL;
}

static void begin_writeback(struct reconcile_upload *upload)
{
	uint64_t len = upload->job->shown.upload_bytes - upload->writeback_bytes;

	if (len < WRITEBACK_BYTES)
		return;
	/* A hint: where it fails, fdatasync does all the work, and says what is wrong. */
	(void)sync_file_range(upload->fd, (off_t)upload->writeback_bytes, (off_t)len, SYNC_FILE_RANGE_WRITE);
	upload->writeback_bytes += len;
}

int reconcile_upload_feed(struct reconcile_upload *upload, struct str piece, struct error *err)
{
	struct reconcile_job *job = upload->job;
	uint64_t max = (uint64_t)job->reconciles->context.config->reconcile_upload_max;

	if (max > 0 && job->shown.upload_bytes + piece.len > max)
		return error_set(err, ERROR_LIMIT, "The file has more than %llu bytes, the most allowed",
		                 (unsigned long long)max);
	while (piece.len > 0) {
		ssize_t done = write(upload->fd, piece.p, piece.len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return error_set_errno(err, errno, "%s/%s: write", job->reconciles->dir, upload->dir);
		job->shown.upload_bytes += (uint64_t)done;
		piece.p += done;
		piece.len -= (size_t)done;
	}
	begin_writeback(upload);
	return 0;
}

/* Everything is on disk before the directory gets its name. */
static int complete(struct reconcile_upload *upload, struct error *err)
{
	struct reconcile_job *job = upload->job;

	if (fdatasync(upload->fd) != 0)
		return error_set_errno(err, errno, "%s/%s: sync", job->reconciles->dir, upload->dir);
	if (reconcile_save_in(job, upload->dir, err) != 0)
		return -1;
	return reconcile_rename_dir(job->reconciles, upload->dir, job->shown.id, err);
}

const struct reconciliation *reconcile_upload_finish(struct reconcile_upload *upload, struct error *err)
{
	struct reconcile_job *job = upload->job;

	/* Others of the creator may have been received at the same time. */
	if (check_pending(job->reconciles, job->shown.creator, err) != 0 || complete(upload, err) != 0) {
		reconcile_upload_drop(upload);
		return NULL;
	}
	close(upload->fd);
	free(upload);
	reconciles_insert(job->reconciles, job);
	log_info("reconcile", "%s of account %s: a file of %llu bytes", job->shown.id, job->shown.request.account,
	         (unsigned long long)job->shown.upload_bytes);
	reconciles_wake(job->reconciles);
	return &job->shown;
}

void reconcile_upload_drop(struct reconcile_upload *upload)
{
	struct error err;

	if (!upload)
		return;
	if (upload->fd >= 0)
		close(upload->fd);
	/* What stays is removed at the next start: it has no id's name. */
	if (upload->dir[0] && reconcile_remove_dir(upload->job->reconciles, upload->dir, &err) != 0)
		log_error("reconcile", "%s", err.message);
	reconcile_job_free(upload->job);
	free(upload);
}
