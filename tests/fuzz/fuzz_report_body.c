/* SPDX-License-Identifier: ISC */
/*
 * fuzz_report_body.c: bodies of POST /v2/reports to parameters, plans and the status that repeats them.
 *
 * Beside not crashing, what must hold: no parameter has a NUL, there are no more than fit, and where a plan can be
 * made, its echo is JSON.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json_reader.h"
#include "api/reports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_json(struct str text)
{
	struct json_reader reader = json_reader_of(text);
	enum json_event event;
	struct error err;

	do
		event = json_reader_next(&reader, &err);
	while (event > JSON_EVENT_END);
	must(event == JSON_EVENT_END);
	json_reader_free(&reader);
}

static void check_plan(const struct query_params *params, struct query_problems *problems)
{
	static const struct query_limits limits = { .window_max_us = 400 * CLOCK_US_PER_DAY };
	static struct query_plan plan;
	struct buf out = { 0 };
	struct json json = json_to(&out);

	if (!query_plan_make(&plan, QUERY_ASYNC, params, &limits, INT64_C(1718625600000000), problems))
		return;
	must(plan.columns_count <= plan.product->columns_count);
	json_object_begin(&json);
	query_plan_echo(&plan, params, &json);
	json_object_end(&json);
	check_json(buf_str(&out));
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct query_params params = { 0 };
	struct query_problems problems = { 0 };
	struct error err;

	if (api_report_params(&params, &problems, (struct str){ (const char *)data, size }, &err) == 0) {
		must(params.count <= QUERY_PARAMS_MAX);
		for (size_t i = 0; i < params.count; i++)
			must(!memchr(params.list[i].value.p, '\0', params.list[i].value.len));
		check_plan(&params, &problems);
	}
	query_params_free(&params);
	return 0;
}
