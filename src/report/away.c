/* SPDX-License-Identifier: ISC */
/*
 * away.c: a job whose file a worker makes: the order, and what comes of it. See away.h and order.h.
 *
 * The file's bytes are written here as they come, so that it is on this disk when the worker has made it. Whoever says nothing
 * for SILENCE_US is taken for lost, and who gets on with nothing for report_stall_max is given up, as a job here would be.
 */
#include "report/away.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "forward/forward.h"
#include "http/http.h"
#include "report/archive.h"
#include "report/order.h"
#include "report/table.h"
#include "report/worker.h"
#include "report/workers.h"

#define SILENCE_US (10 * CLOCK_US_PER_SECOND)
#define WHY_SIZE 512

struct report_away {
	struct reports *reports;
	struct report_job *job;
	struct known_worker *worker;
	struct forward_own *request; /* or NULL: it has ended */
	bool is_heard, gets_on;      /* since it was last looked after */
	int64_t silent_us, stalled_us;
	struct buf arriving;     /* frames that are not taken yet */
	struct archive *archive; /* the file */
	struct maker_progress progress;
	struct report made; /* as the worker says */
	bool is_made;
	struct error failure; /* of this front end; or ERROR_NONE */
	char why[WHY_SIZE];   /* the worker cannot make it; "" */
};

const struct maker_progress *report_away_progress(const struct report_away *away)
{
	return &away->progress;
}

void report_away_free(struct report_away *away)
{
	if (!away)
		return;
	if (away->request)
		forward_own_cancel(away->request);
	archive_free(away->archive);
	buf_free(&away->arriving);
	if (away->is_made)
		report_free(&away->made);
	away->worker->running--;
	away->reports->away_count--;
	free(away);
}

/* --- what comes --- */

static void take_made(struct report_away *away, struct str bytes)
{
	struct error err;

	if (report_row_read(&away->made, str_from(away->job->id), bytes, &err) != 0)
		str_cut(away->why, sizeof(away->why), err.message);
	else
		away->is_made = true;
	if (away->is_made && away->made.state != REPORT_SUCCESS && away->made.state != REPORT_TRUNCATED)
		str_cut(away->why, sizeof(away->why), "it says that the report has not ended");
}

static bool take_progress(struct report_away *away, struct str bytes)
{
	const struct maker_progress before = away->progress;

	if (!report_progress_read(bytes, &away->progress)) {
		str_cut(away->why, sizeof(away->why), "its progress cannot be read");
		return false;
	}
	away->gets_on |= away->progress.rows != before.rows || away->progress.share > before.share;
	return true;
}

/* False: nothing more is to come. */
static bool take(struct report_away *away, enum report_frame kind, struct str bytes)
{
	if (away->is_made) {
		str_cut(away->why, sizeof(away->why), "more has come after its end");
		return false;
	}
	switch (kind) {
	case REPORT_FRAME_DATA:
		away->gets_on = true;
		return archive_put(away->archive, bytes, 0, &away->failure) == ARCHIVE_PUT;
	case REPORT_FRAME_PROGRESS:
		return take_progress(away, bytes);
	case REPORT_FRAME_MADE:
		take_made(away, bytes);
		return away->is_made;
	case REPORT_FRAME_FAILED:
		snprintf(away->why, sizeof(away->why), "%.*s", bytes.len < WHY_SIZE ? (int)bytes.len : WHY_SIZE - 1,
		         bytes.p);
		return false;
	}
	return false;
}

static bool take_all(struct report_away *away)
{
	struct str in = buf_str(&away->arriving), bytes;
	enum report_frame kind;
	int whole;

	while ((whole = report_frame_look(in, &kind, &bytes)) > 0) {
		if (!take(away, kind, bytes))
			return false;
		in = (struct str){ bytes.p + bytes.len, in.len - REPORT_FRAME_HEAD - bytes.len };
	}
	if (whole < 0)
		str_cut(away->why, sizeof(away->why), "it answers with what is no answer");
	buf_drain(&away->arriving, away->arriving.len - in.len);
	return whole == 0;
}

static bool on_came(void *arg, struct str piece)
{
	struct report_away *away = arg;

	away->is_heard = true;
	buf_add_str(&away->arriving, piece);
	if (away->arriving.failed)
		error_set(&away->failure, ERROR_NOMEM, "report %s: out of memory", away->job->id);
	return !away->arriving.failed && take_all(away);
}

/* --- its end --- */

/* The file is whole: is it what the worker says? */
static int complete(struct report_away *away, struct error *err)
{
	uint8_t sha256[ARCHIVE_SHA256_BYTES];
	char text[MAKER_SHA256_LEN + 1];

	if (archive_finish(away->archive, err) != 0 || archive_sync(away->archive, err) != 0 ||
	    archive_sha256(away->archive, sha256, err) != 0)
		return -1;
	str_write_hex(text, sha256, sizeof(sha256));
	if (archive_state(away->archive)->bytes != away->made.bytes || strcmp(text, away->made.sha256) != 0)
		str_cut(away->why, sizeof(away->why), "the file has not the SHA-256 that it says");
	return 0;
}

static void succeed(struct report_away *away)
{
	const struct report *made = &away->made;
	struct maker_result result = {
		.rows = made->rows,
		.first_us = made->first_us,
		.last_us = made->last_us,
		.bytes = made->bytes,
		.unsummed = made->unsummed,
		.sums_count = made->sums_count,
	};

	memcpy(result.sha256, made->sha256, sizeof(result.sha256));
	memcpy(result.sums, made->sums, sizeof(result.sums));
	report_job_succeed(away->reports, away->job, made->state, &result);
}

/* The job begins again, here or at a worker that has not lost it; here alone where that one did not get on with it, as a job with
 * which nobody gets on would go from one to the next. */
static void lose(struct report_away *away)
{
	log_warn("report", "%s: begins again, as the front end at %s does not make it: %s", away->job->id,
	         away->worker->url, away->why);
	report_worker_set_aside(away->worker);
	away->job->lost_by |= report_worker_bit(away->worker);
	away->job->stays_here |= away->stalled_us >= away->reports->config->report_stall_max;
	report_job_put_back(away->reports, away->job);
}

static void on_ended(void *arg, const struct error *failure)
{
	struct report_away *away = arg;
	struct error err;

	away->request = NULL;
	if (!away->is_made && !away->why[0] && away->failure.code == ERROR_NONE)
		str_cut(away->why, sizeof(away->why), failure ? failure->message : "its answer breaks off");
	if (away->is_made && !away->why[0] && away->failure.code == ERROR_NONE)
		MAY_FAIL(complete(away, &away->failure) != 0); /* that is looked at next */
	if (away->failure.code != ERROR_NONE) {
		err = away->failure;
		report_job_fail(away->reports, away->job, &err);
	} else if (away->why[0]) {
		lose(away);
	} else {
		succeed(away);
	}
}

void report_away_look_after(struct report_away *away, int64_t elapsed_us)
{
	away->silent_us = away->is_heard ? 0 : away->silent_us + elapsed_us;
	away->stalled_us = away->gets_on ? 0 : away->stalled_us + elapsed_us;
	away->is_heard = away->gets_on = false;
	if (away->silent_us >= SILENCE_US)
		str_cut(away->why, sizeof(away->why), "nothing is heard of it");
	else if (away->stalled_us >= away->reports->config->report_stall_max)
		str_cut(away->why, sizeof(away->why), "it does not get on");
	else
		return;
	lose(away);
}

/* --- its beginning --- */

static int begin(struct report_away *away, const struct report_work *work, struct error *err)
{
	static const struct archive_options whole_file = { .kind = ARCHIVE_PARQUET };
	static const struct forward_own_calls calls = { on_came, on_ended };
	const struct known_worker *worker = away->worker;
	const struct forward_peer peer = { worker->url, worker->url, worker->connect_to };
	struct reports *reports = away->reports;
	struct buf path = { 0 }, order = { 0 };

	report_file_path(reports, work->report.file_id, &path);
	if (buf_cstr(&path))
		away->archive = archive_new(path.data, &whole_file, err);
	else
		error_set(err, ERROR_NOMEM, "report %s: out of memory", work->report.id);
	buf_free(&path);
	if (!away->archive || report_order_write(work, worker->url, reports->config, reports->key, &order, err) != 0)
		return -1;
	away->request = forward_ask(reports->asker, &peer, REPORT_ORDER_PATH, &order, &calls, away, err);
	buf_free(&order);
	return away->request ? 0 : -1;
}

int report_away_begin(struct reports *reports, struct report_job *job, struct report_work *work,
                      struct known_worker *worker, struct error *err)
{
	struct report_away *away = calloc(1, sizeof(*away));

	if (!away)
		return error_set(err, ERROR_NOMEM, "report %s: out of memory", job->id);
	away->reports = reports;
	away->job = job;
	away->worker = worker;
	worker->running++;
	reports->away_count++;
	if (begin(away, work, err) != 0) {
		report_away_free(away);
		return -1;
	}
	work->away = away;
	log_info("report", "%s of account %s: is made by the front end at %s", work->report.id, work->report.account,
	         worker->url);
	return 0;
}
