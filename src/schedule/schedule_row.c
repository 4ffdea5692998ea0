/* SPDX-License-Identifier: ISC */
/*
 * schedule_row.c: a schedule as it is stored. Layout version 1, a flat array:
 *
 *	[1, account, created, paused, due, at, base_url, waits_for, params, name, value, ...
 *	 runs, due, missed, made, report, error, ...]
 */
#include <string.h>

#include "lmdb/value.h"
#include "schedule/schedule_table.h"

#define ROW_VERSION 1
#define ROW_COUNT 9 /* elements without those of params and runs, and without the version */
#define PARAM_COUNT 2
#define RUN_COUNT 5

void schedule_row_write(struct buf *out, const struct schedule *schedule)
{
	struct value_writer w;

	value_begin(&w, out, ROW_VERSION,
	            ROW_COUNT + schedule->params.count * PARAM_COUNT + schedule->runs_count * RUN_COUNT);
	value_put_str(&w, str_from(schedule->account));
	value_put_int(&w, schedule->created_us);
	value_put_int(&w, schedule->paused);
	value_put_int(&w, schedule->due_us);
	value_put_int(&w, schedule->at_us);
	value_put_bytes(&w, buf_str(&schedule->base_url));
	value_put_bytes(&w, buf_str(&schedule->waits_for));
	value_put_int(&w, (int64_t)schedule->params.count);
	for (size_t i = 0; i < schedule->params.count; i++) {
		value_put_str(&w, schedule->params.list[i].name);
		value_put_str(&w, schedule->params.list[i].value);
	}
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

/* `out` is zeroed and longer than the longest text. */
static void read_text(struct value_reader *r, char *out, size_t len_min, size_t len_max)
{
	struct str text = value_str(r, len_min, len_max);

	memcpy(out, text.p, text.len);
}

static int read_params(struct value_reader *r, struct query_params *params, struct error *err)
{
	int64_t count = value_int(r, 0, QUERY_PARAMS_MAX);

	for (int64_t i = 0; i < count; i++) {
		struct str name = value_str(r, 0, SIZE_MAX);
		struct str value = value_str(r, 0, SIZE_MAX);

		if (query_params_add(params, name, value, err) < 0)
			return -1;
	}
	return 0;
}

static void read_runs(struct value_reader *r, struct schedule *schedule)
{
	int64_t count = value_int(r, 0, SCHEDULE_RUNS_MAX);

	for (int64_t i = 0; i < count && !r->bad; i++) {
		struct schedule_run *run = &schedule->runs[schedule->runs_count++];

		run->due_us = value_int(r, INT64_MIN, INT64_MAX);
		run->missed_us = value_int(r, INT64_MIN, INT64_MAX);
		run->made_us = value_int(r, INT64_MIN, INT64_MAX);
		read_text(r, run->report, 0, ID_UUID_LEN);
		read_text(r, run->error, 0, SCHEDULE_ERROR_MAX);
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
	read_text(&r, schedule->account, 1, sizeof(schedule->account) - 1);
	schedule->created_us = value_int(&r, INT64_MIN, INT64_MAX);
	schedule->paused = value_int(&r, 0, 1) != 0;
	schedule->due_us = value_int(&r, INT64_MIN, INT64_MAX);
	schedule->at_us = value_int(&r, INT64_MIN, INT64_MAX);
	buf_add_str(&schedule->base_url, value_str(&r, 0, SIZE_MAX));
	buf_add_str(&schedule->waits_for, value_str(&r, 0, SIZE_MAX));
	result = read_params(&r, &schedule->params, err);
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
