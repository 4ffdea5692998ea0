/* SPDX-License-Identifier: ISC */
/*
 * schedule_row.c: a schedule as it is stored. Layout version 1, a flat array:
 *
 *	[1, account, created, paused, due, at, base_url, waits_for, params, name, value, ...
 *	 runs, due, missed, made, report, error, ...]
 */
#include <string.h>

#include "lmdb/value.h"
#include "query/params_value.h"
#include "schedule/schedule_table.h"

#define ROW_VERSION 1
#define ROW_COUNT 8 /* elements without params and those of the runs, and without the version */
#define RUN_COUNT 5

void schedule_row_write(struct buf *out, const struct schedule *schedule)
{
	struct value_writer w;

	value_begin(&w, out, ROW_VERSION,
	            ROW_COUNT + query_params_elements(&schedule->params) + schedule->runs_count * RUN_COUNT);
	value_put_str(&w, str_from(schedule->account));
	value_put_int(&w, schedule->created_us);
	value_put_int(&w, schedule->paused);
	value_put_int(&w, schedule->due_us);
	value_put_int(&w, schedule->at_us);
	value_put_bytes(&w, buf_str(&schedule->base_url));
	value_put_bytes(&w, buf_str(&schedule->waits_for));
	query_params_put(&w, &schedule->params);
	value_put_int(&w, (int64_t)schedule->runs_count);
	for (size_t i = 0; i < schedule->runs_count; i++) {
		const struct schedule_run *run = &schedule->runs[i];

		value_put_int(&w, run->due_us);
		value_put_int(&w, run->missed_us);
		value_put_int(&w, run->made_us);
		value_put_str(&w, str_from(run->report));
		value_put_bytes(&w, str_from(run->error));
	}
}

static void read_runs(struct value_reader *r, struct schedule *schedule)
{
	int64_t count = value_int(r, 0, SCHEDULE_RUNS_MAX);

	for (int64_t i = 0; i < count && !r->bad; i++) {
		struct schedule_run *run = &schedule->runs[schedule->runs_count++];

		run->due_us = value_int(r, INT64_MIN, INT64_MAX);
		run->missed_us = value_int(r, INT64_MIN, INT64_MAX);
		run->made_us = value_int(r, INT64_MIN, INT64_MAX);
		value_text(r, run->report, 0, ID_UUID_LEN);
		value_text(r, run->error, 0, SCHEDULE_ERROR_MAX);
	}
}

int schedule_row_read(struct schedule *schedule, struct str id, struct str bytes, struct error *err)
{
	struct value_reader r;
	int result;

	memset(schedule, 0, sizeof(*schedule));
	if (id.len != ID_UUID_LEN)
		return error_set(err, ERROR_CORRUPT, "a schedule's key: %zu bytes, must be %d", id.len, ID_UUID_LEN);
	memcpy(schedule->id, id.p, id.len);
	value_open(&r, bytes, ROW_VERSION);
	value_text(&r, schedule->account, 1, sizeof(schedule->account) - 1);
	schedule->created_us = value_int(&r, INT64_MIN, INT64_MAX);
	schedule->paused = value_int(&r, 0, 1) != 0;
	schedule->due_us = value_int(&r, INT64_MIN, INT64_MAX);
	schedule->at_us = value_int(&r, INT64_MIN, INT64_MAX);
	buf_add_str(&schedule->base_url, value_str(&r, 0, SIZE_MAX));
	buf_add_str(&schedule->waits_for, value_str(&r, 0, SIZE_MAX));
	result = query_params_read(&r, &schedule->params, err);
	if (result == 0)
		read_runs(&r, schedule);
	bool is_whole = value_close(&r);
	if (schedule->base_url.failed || schedule->waits_for.failed || (result < 0 && err->code == ERROR_NOMEM))
		result = error_set(err, ERROR_NOMEM, "schedule %s: out of memory", schedule->id);
	else if (!is_whole || result < 0)
		result = error_set(err, value_error(&r), "schedule %s: its stored value cannot be read", schedule->id);
	if (result < 0)
		schedule_free(schedule);
	return result;
}

void schedule_free(struct schedule *schedule)
{
	buf_free(&schedule->base_url);
	buf_free(&schedule->waits_for);
	query_params_free(&schedule->params);
}
