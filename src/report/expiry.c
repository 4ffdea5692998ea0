/* SPDX-License-Identifier: ISC */
/*
 * expiry.c: removes ended jobs: first the file, after report_file_keep, then the job, after report_keep.
 *
 * Each ended job is in the index once, under the time when something of it is due. What is due is decided at that time,
 * by the settings then.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "report/report_private.h"
#include "report/table.h"
#include "store/clock_watch.h"

#define BATCH 32

int64_t report_due_us(const struct reports *reports, const struct report *report)
{
	int64_t file_keep_us = reports->config->report_file_keep, keep_us = reports->config->report_keep;

	return report->ended_us + (report->has_file && file_keep_us < keep_us ? file_keep_us : keep_us);
}

/* Drops what is due of a job, in the change; *file_goes: whether its file must be removed afterwards. */
static int drop_due(struct reports *reports, struct change *change, struct report *report, int64_t was_us,
                    int64_t now_us, bool *file_goes, struct error *err)
{
	bool had_file = report->has_file;

	if (report->ended_us + reports->config->report_keep <= now_us) {
		*file_goes = had_file;
		return table_remove(change, report, was_us, err);
	}
	if (had_file && report->ended_us + reports->config->report_file_keep <= now_us) {
		*file_goes = true;
		report->has_file = false;
		return table_drop_file(change, report, was_us, report_due_us(reports, report), err);
	}
	return table_move_due(change, report, was_us, report_due_us(reports, report), err);
}

/* One entry of the index. An unreadable row is left alone so that it does not stop the others. */
static int expire_one(struct reports *reports, struct change *change, const struct table_due *due, int64_t now_us,
                      char file_id[ID_UUID_LEN + 1], struct error *err)
{
	struct report report;
	bool file_goes = false;
	int found = table_get(reports->meta, str_from(due->id), &report, err);
	int result;

	if (found <= 0) {
		if (found < 0 && err->code != ERROR_CORRUPT)
			return -1;
		if (found < 0)
			log_error("report", "expiry: %s", err->message);
		return table_remove_due(change, str_from(due->id), due->at_us, err);
	}
	/* A report that is being remade is entered again when it ends. */
	if (report_state_ended(report.state))
		result = drop_due(reports, change, &report, due->at_us, now_us, &file_goes, err);
	else
		result = table_remove_due(change, str_from(due->id), due->at_us, err);
	if (file_goes)
		memcpy(file_id, report.file_id, sizeof(report.file_id));
	report_free(&report);
	return result;
}

/* A batch in one transaction. Returns the number of its entries, or -1. */
static int expire_batch(struct reports *reports, int64_t now_us, struct error *err)
{
	struct table_due due[BATCH];
	char files[BATCH][ID_UUID_LEN + 1] = { "" };
	struct change change;
	int result = 0;
	int count = table_find_due(reports->meta, now_us, due, BATCH, err);

	if (count <= 0)
		return count;
	if (change_begin(&change, reports->meta, err) != 0)
		return -1;
	for (int i = 0; i < count && result == 0; i++)
		result = expire_one(reports, &change, &due[i], now_us, files[i], err);
	if (change_end(&change, result, err) != 0)
		return -1;
	for (int i = 0; i < count; i++) {
		if (files[i][0] != '\0')
			report_file_remove(reports, files[i]);
	}
	return count;
}

void report_expire(struct reports *reports, int64_t deadline_us)
{
	int64_t now_us = clock_now_us();
	struct error err;
	int done;

	if (!store_clock_allows_deletion(reports->store))
		return;
	do
		done = expire_batch(reports, now_us, &err);
	while (done == BATCH && clock_monotonic_us() < deadline_us);
	if (done < 0)
		log_error("report", "expiry: %s", err.message);
}
