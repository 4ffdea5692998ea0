/* SPDX-License-Identifier: ISC */
/*
 * estimate.c: POST /v2/reports/estimate: what a report would hold and cost, before it is asked for. Free.
 *
 *	{"account_id":...,<the parameters>,"items_count":1234567,"exact":true,"size_bytes":98765960,"price":493.8268,
 *	 "currency":"EUR"}
 *
 * Records are counted in slices (store/aggregate.h). That takes microseconds where the block index has the counts; with
 * a filter blocks may have to be read. After estimate_time the rest is extrapolated instead: its rows, roughly, times
 * the share of matches among those read; "exact" is false then. Where nothing was found yet, it goes on until something is: a
 * number that rests on nothing is none.
 */
#include "api/reports.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "api/work.h"
#include "store/aggregate.h"

struct estimate {
	struct http_request *request;
	const struct api *app;
	struct api_work work;
	struct query_params params;
	struct query_problems problems;
	struct query_plan plan; /* borrows from params */
	struct buf accounts;
	int64_t received_us;
	int64_t until_us; /* monotonic: when exact counting ends, then when rough counting does; 0: not begun */
	struct aggregate *aggregate;
	bool hurries;
};

static void estimate_free(void *arg)
{
	struct estimate *estimate = arg;

	api_work_end(&estimate->work);
	aggregate_cancel(estimate->aggregate);
	query_params_free(&estimate->params);
	buf_free(&estimate->accounts);
	free(estimate);
}

/* --- counting --- */

#define SHARE_LEAST 0.001

/* Assumes that the rest is like what was counted. */
static uint64_t extrapolate(const struct aggregate_counts *counts)
{
	double passing = counts->seen > 0 ? (double)counts->rows / (double)counts->seen : 1;
	double rows = (double)counts->rows + passing * (double)counts->rough;
	double share = counts->share > SHARE_LEAST ? counts->share : SHARE_LEAST;

	return (uint64_t)(rows / share + 0.5);
}

/* --- the answer --- */

static void write_price(struct json *json, const struct billing_price *price)
{
	struct buf text = { 0 };

	decimal_format(&text, price->total);
	json_key(json, "price");
	json_raw(json, buf_str(&text));
	json_member_text(json, "currency", price->currency);
	buf_free(&text);
}

static void answer(struct estimate *estimate, uint64_t rows, bool exact)
{
	const struct account *account = api_account(estimate->request);
	uint64_t rows_max = (uint64_t)estimate->app->config->report_max_rows;
	bool truncated = rows_max > 0 && rows > rows_max;
	struct buf body = { 0 };
	struct json json = json_to(&body);
	struct billing_price price;

	if (billing_is_free(estimate->plan.product))
		billing_quote_nothing(estimate->app->billing, account, estimate->received_us, &price);
	else
		billing_quote(estimate->app->billing, account, truncated ? rows_max : rows, estimate->received_us,
		              &price);
	json_object_begin(&json);
	query_plan_echo(&estimate->plan, &estimate->params, &json);
	json_member_uint(&json, "items_count", rows);
	json_member_bool(&json, "exact", exact);
	if (truncated)
		json_member_uint(&json, "truncated_at", rows_max);
	json_member_uint(&json, "size_bytes", report_file_size(&estimate->plan, truncated ? rows_max : rows));
	write_price(&json, &price);
	json_object_end(&json);
	http_reply(estimate->request, 200, "application/json", &body);
}

/* Has anything been found that the rest may be like? */
static bool has_basis(const struct estimate *estimate)
{
	struct aggregate_counts counts;

	aggregate_counts(estimate->aggregate, &counts);
	return counts.share > 0 && (counts.seen > 0 || counts.rough > 0);
}

/* 1 when there is an answer, 0 when there is more to count, -1 on failure. */
static int count(struct estimate *estimate, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	if (estimate->until_us == 0)
		estimate->until_us = clock_monotonic_us() + estimate->app->config->estimate_time;
	if (deadline_us > estimate->until_us)
		deadline_us = estimate->until_us;
	if (aggregate_step(estimate->aggregate, deadline_us, end, err) < 0)
		return -1;
	if (*end == SCAN_DONE)
		return 1;
	if (clock_monotonic_us() < estimate->until_us)
		return 0;
	if (estimate->hurries && has_basis(estimate))
		return 1;
	if (!estimate->hurries)
		*end = SCAN_PAUSED; /* what it waits for does not come any more */
	aggregate_hurry(estimate->aggregate);
	estimate->hurries = true;
	estimate->until_us = 0; /* begins with the next step, however long others have the loop until then */
	return 0;
}

static enum api_work_state estimate_step(void *arg, int64_t deadline_us, struct error *err)
{
	struct estimate *estimate = arg;
	struct aggregate_counts counts;
	enum scan_end end;
	int result = count(estimate, deadline_us, &end, err);

	if (result < 0)
		return API_WORK_FAILED;
	if (result == 0)
		return end == SCAN_WAITS ? API_WORK_WAITS : API_WORK_MORE;
	aggregate_counts(estimate->aggregate, &counts);
	if (end == SCAN_DONE && !estimate->hurries)
		answer(estimate, counts.rows, true);
	else
		answer(estimate, extrapolate(&counts), false);
	return API_WORK_ANSWERED;
}

/* --- its beginning --- */

static void on_ready(void *arg)
{
	struct estimate *estimate = arg;

	api_work_run(&estimate->work);
}

static int begin(struct estimate *estimate, struct error *err)
{
	const struct query_plan *plan = &estimate->plan;
	struct record_view view = query_plan_view(plan);

	if (accounts_keys_of_family(estimate->app->meta, &plan->account_key, plan->include_subaccounts,
	                            &estimate->accounts, err) < 0)
		return -1;
	const struct aggregate_query query = {
		.scan = {
			.product = plan->product,
			.direction = view.direction,
			.accounts = (const struct account_key *)(const void *)estimate->accounts.data,
			.accounts_count = estimate->accounts.len / sizeof(struct account_key),
			.from_us = plan->from_us,
			.to_us = plan->to_us,
			.snapshot = store_snapshot(estimate->app->store),
			.filters = plan->filters,
			.filters_count = plan->filters_count,
		},
		.on_ready = on_ready,
		.arg = estimate,
	};

	estimate->aggregate = aggregate_start(estimate->app->store, &query, err);
	return estimate->aggregate ? 0 : -1;
}

void api_estimate_post(struct http_request *request, void *arg)
{
	struct estimate *estimate = calloc(1, sizeof(*estimate));
	struct error err;

	if (!estimate) {
		error_set(&err, ERROR_NOMEM, "Out of memory for an estimate");
		http_reply_error(request, &err);
		return;
	}
	estimate->request = request;
	estimate->app = arg;
	estimate->received_us = clock_now_us();
	api_work_init(&estimate->work, request, arg, estimate_step, estimate_free, estimate);
	if (!api_work_admit(&estimate->work) ||
	    !api_report_read_body(request, &estimate->params, &estimate->problems) ||
	    !api_report_make_plan(request, arg, estimate->received_us, &estimate->params, &estimate->plan,
	                          &estimate->problems)) {
		estimate_free(estimate);
	} else if (begin(estimate, &err) < 0) {
		http_reply_error(request, &err);
		estimate_free(estimate);
	} else {
		api_work_begin(&estimate->work, TASK_SUMMARIES);
	}
}
