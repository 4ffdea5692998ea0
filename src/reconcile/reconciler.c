/* SPDX-License-Identifier: ISC */
/*
 * reconciler.c: the stages of a reconciliation, and its result. See reconciler.h.
 */
#include "reconcile/reconciler_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

#define READ_SHARE 0.4 /* of the time, about */
#define SCAN_SHARE 0.3

static const char *const class_names[] = {
	[RECONCILER_MATCHED] = "matched",     [RECONCILER_DIFFERENT] = "different",
	[RECONCILER_ONLY_OURS] = "only_ours", [RECONCILER_ONLY_THEIRS] = "only_theirs",
	[RECONCILER_REJECTED] = "rejected",
};

const char *reconciler_class_name(enum reconciler_class class)
{
	return class_names[class];
}

/* --- its life --- */

static const char *path_of(const struct reconciler *reconciler, const char *name, struct buf *path)
{
	buf_clear(path);
	buf_addf(path, "%s/%s", reconciler->spec.dir, name);
	return buf_cstr(path);
}

static struct sorter *open_sorter(const struct reconciler *reconciler, const char *name, struct error *err)
{
	struct buf path = { 0 };
	struct sorter *sorter = NULL;

	if (path_of(reconciler, name, &path))
		sorter = sorter_new(path.data, err);
	else
		error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation");
	buf_free(&path);
	return sorter;
}

static int open_file(struct reconciler *reconciler, enum reconciler_class class, struct error *err)
{
	struct buf path = { 0 };
	char name[32];
	struct archive_options options = {
		.kind = reconciler->spec.request->compression,
		.time_us = reconciler->spec.time_us,
	};
	int result;

	(void)snprintf(name, sizeof(name), "%s.csv", class_names[class]);
	options.name = str_from(name);
	if (path_of(reconciler, class_names[class], &path))
		result = class_file_open(&reconciler->files[class], path.data, &options,
		                         class == RECONCILER_REJECTED ? "line,field,reason" : class_file_pairs, err);
	else
		result = error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation");
	buf_free(&path);
	return result;
}

static int begin(struct reconciler *reconciler, struct error *err)
{
	reconciler->ours.sorter = open_sorter(reconciler, RECONCILER_OURS_RUNS, err);
	if (reconciler->ours.sorter)
		reconciler->theirs.sorter = open_sorter(reconciler, RECONCILER_THEIRS_RUNS, err);
	if (!reconciler->theirs.sorter)
		return -1;
	for (int class = 0; class < RECONCILER_CLASSES; class ++)
		if (open_file(reconciler, (enum reconciler_class) class, err) != 0)
			return -1;
	return reconciler_read_begin(reconciler, err);
}

struct reconciler *reconciler_new(const struct reconciler_spec *spec, struct error *err)
{
	struct reconciler *reconciler = calloc(1, sizeof(*reconciler));
	struct pairing *pairing = calloc(1, sizeof(*pairing));

	if (!reconciler || !pairing) {
		error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation");
		free(reconciler);
		free(pairing);
		return NULL;
	}
	reconciler->spec = *spec;
	reconciler->upload = -1;
	reconciler->pairing = pairing;
	request_columns_find(spec->request->product, &reconciler->columns);
	if (begin(reconciler, err) == 0)
		return reconciler;
	reconciler_free(reconciler);
	return NULL;
}

void reconciler_on_ready(struct reconciler *reconciler, void (*on_ready)(void *arg), void *arg)
{
	reconciler->on_ready = on_ready;
	reconciler->on_ready_arg = arg;
}

static void free_side(struct reconciler_side *side)
{
	sorter_free(side->sorter);
	buf_free(&side->packed);
}

void reconciler_free(struct reconciler *reconciler)
{
	if (!reconciler)
		return;
	scan_cancel(reconciler->scan);
	ingest_trial_free(reconciler->trial);
	free_side(&reconciler->ours);
	free_side(&reconciler->theirs);
	for (int class = 0; class < RECONCILER_CLASSES; class ++)
		class_file_close(&reconciler->files[class]);
	if (reconciler->upload >= 0)
		close(reconciler->upload);
	buf_free(&reconciler->row);
	free(reconciler->pairing);
	free(reconciler);
}

/* --- its stages: 1 when one is done, 0 when there is more, -1 --- */

static int open_sides(struct reconciler *reconciler, struct error *err)
{
	int result = sorter_open(reconciler->ours.sorter, err);

	return result == 1 ? sorter_open(reconciler->theirs.sorter, err) : result;
}

/* A file at a time. */
static int finish(struct reconciler *reconciler, struct error *err)
{
	if (class_file_finish(&reconciler->files[reconciler->finished], &reconciler->results[reconciler->finished],
	                      err) != 0)
		return -1;
	return ++reconciler->finished == RECONCILER_CLASSES;
}

static int run_stage(struct reconciler *reconciler, int64_t deadline_us, bool *waits, struct error *err)
{
	switch (reconciler->stage) {
	case STAGE_READ:
		return reconciler_read(reconciler, deadline_us, err);
	case STAGE_SCAN:
		if (!reconciler->scan && reconciler_scan_begin(reconciler, err) != 0)
			return -1;
		return reconciler_scan(reconciler, deadline_us, waits, err);
	case STAGE_OPEN:
		return open_sides(reconciler, err);
	case STAGE_JOIN:
		return reconciler_join(reconciler, deadline_us, err);
	case STAGE_FINISH:
		return finish(reconciler, err);
	case STAGE_DONE:
		break;
	}
	return 1;
}

enum reconciler_end reconciler_step(struct reconciler *reconciler, int64_t deadline_us, struct error *err)
{
	bool waits = false;
	int result;

	do {
		result = run_stage(reconciler, deadline_us, &waits, err);
		if (result < 0)
			return RECONCILER_FAILED;
		reconciler->stage += result == 1;
		if (reconciler->stage == STAGE_DONE)
			return RECONCILER_DONE;
	} while (!waits && clock_monotonic_us() < deadline_us);
	return waits ? RECONCILER_WAITS : RECONCILER_MORE;
}

static double share_of(uint64_t part, uint64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : 1;
}

void reconciler_progress(const struct reconciler *reconciler, struct reconciler_progress *progress)
{
	double read =
		reconciler->stage > STAGE_READ ? 1 : share_of(reconciler->read_bytes, reconciler->spec.upload_bytes);
	double joined = reconciler->stage < STAGE_JOIN ? 0 :
	                                                 share_of(reconciler->ours.joined + reconciler->theirs.joined,
	                                                          reconciler->ours.rows + reconciler->theirs.rows);

	progress->rows_theirs = reconciler->theirs.rows;
	progress->rows_ours = reconciler->ours.rows;
	progress->share = READ_SHARE * (read < 1 ? read : 1) + SCAN_SHARE * reconciler->scanned +
	                  (1 - READ_SHARE - SCAN_SHARE) * joined;
}

/* --- the result --- */

static void write_class(const struct reconciler *reconciler, enum reconciler_class class, struct json *json)
{
	const struct class_file *file = &reconciler->files[class];

	json_object_begin(json);
	json_member_text(json, "class", class_names[class]);
	json_member_uint(json, "rows", file->rows);
	if (class != RECONCILER_REJECTED) {
		json_key(json, "sums");
		class_sums_write(file->sums, json);
		json_member_uint(json, "unsummed", file->sums->unsummed);
	}
	json_object_end(json);
}

int reconciler_write_result(const struct reconciler *reconciler, struct buf *out, struct error *err)
{
	struct json json = json_to(out);

	json_object_begin(&json);
	json_member_uint(&json, "rows_ours", reconciler->rows_ours);
	json_member_uint(&json, "rows_theirs", reconciler->theirs.rows);
	json_member_uint(&json, "rejected", reconciler->rejected);
	json_member_uint(&json, "skipped", reconciler->skipped);
	json_member_uint(&json, "other", reconciler->others);
	json_member_uint(&json, "duplicates", reconciler->duplicates);
	json_member_uint(&json, "price_differs", reconciler->differences[0]);
	json_member_uint(&json, "duration_differs", reconciler->differences[1]);
	json_member_uint(&json, "status_differs", reconciler->differences[2]);
	json_key(&json, "classes");
	json_array_begin(&json);
	for (int class = 0; class < RECONCILER_CLASSES; class ++)
		write_class(reconciler, (enum reconciler_class) class, &json);
	json_array_end(&json);
	json_object_end(&json);
	return out->failed ? error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation") : 0;
}

const struct class_file_result *reconciler_file(const struct reconciler *reconciler, enum reconciler_class class)
{
	return &reconciler->results[class];
}
