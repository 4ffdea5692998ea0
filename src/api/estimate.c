/* SPDX-License-Identifier: ISC */
/*
 * estimate.c: POST /v2/reports/estimate: what a report would hold and cost, before it is asked for. Free.
 *
 *	{"account_id":...,<the parameters>,"items_count":1234567,"exact":true,"price":493.8268,"currency":"EUR"}
 *
 * Records are counted in slices (store/count.h). That takes microseconds where blocks answer for all of their rows; with
 * a filter they may have to be read. After estimate_time the rest is extrapolated instead: its rows, roughly, times the
 * share that passed of those looked at; "exact" is false then.
 */
#include "api/reports.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "api/work.h"
#include "store/count.h"

struct estimate {
	struct http_request *request;
	const struct http_app *app;
	struct http_work work;
	struct query_params params;
	struct query_problems problems;
	struct query_plan plan; /* borrows from params */
	struct buf accounts;
	int64_t received_us;
	int64_t until_us;   /* monotonic: when counting ends, and again when counting roughly does; 0: not begun */
	struct scan_query query;
	struct count exact;
	struct count rough; /* of what the other one has not come to */
};

static void estimate_free(void *arg)
{
	struct estimate *estimate = arg;

	http_work_end(&estimate->work);
	query_params_free(&estimate->params);
	buf_free(&estimate->accounts);
	free(estimate);
}

/* --- counting --- */

/* From where the exact count stands, what is left is counted roughly. */
static void begin_rough(struct estimate *estimate)
{
	struct count *rough = &estimate->rough;

	*rough = estimate->exact;
	rough->rough = true;
	rough->rows = rough->begun_rows = 0;
	rough->seen = rough->begun_seen = 0;
	estimate->until_us = clock_monotonic_us() + estimate->app->config->estimate_time;
}

/* The share of the range that a count has come through, by time: days, accounts within a day, rows within an account. */
static double share_done(const struct estimate *estimate, const struct count *count)
{
	const struct scan_query *query = &estimate->query;
	int64_t begin_us = clock_day_start_us(count->day), end_us = begin_us + CLOCK_US_PER_DAY;
	double account = 0;

	if (begin_us < query->from_us)
		begin_us = query->from_us;
	if (end_us > query->to_us)
		end_us = query->to_us;
	if (count->hot && end_us > begin_us)
		account = (double)(count->hot_us - begin_us) / (double)(end_us - begin_us);
	double day = ((double)count->account + account) / (double)query->accounts_count;
	double done_us = (double)(begin_us - query->from_us) + day * (double)(end_us - begin_us);
	double share = done_us / (double)(query->to_us - query->from_us);

	return share > 0.001 ? share : 0.001;
}

static uint64_t extrapolate(const struct estimate *estimate, bool whole)
{
	const struct count *exact = &estimate->exact, *rough = &estimate->rough;
	double passing = exact->seen > 0 ? (double)exact->rows / (double)exact->seen : 1;
	double rows = (double)exact->rows + passing * (double)rough->rows;

	if (!whole)
		rows /= share_done(estimate, rough);
	return (uint64_t)(rows + 0.5);
}

/* --- the answer --- */

static void write_price(struct json *json, const struct billing_price *price)
{
	struct buf text = { 0 };

	decimal_format(&text, price->total);
	json_key(json, "price");
	json_raw(json, buf_str(&text));
	json_key(json, "currency");
	json_text(json, price->currency);
	buf_free(&text);
}

static void answer(struct estimate *estimate, uint64_t rows, bool exact)
{
	const struct account *account = http_request_account(estimate->request);
	uint64_t rows_max = (uint64_t)estimate->app->config->report_max_rows;
	bool truncated = rows_max > 0 && rows > rows_max;
	struct buf body = { 0 };
	struct json json = json_to(&body);
	struct billing_price price;

	if (billing_is_free(estimate->plan.product))
		billing_quote_nothing(estimate->app->billing, account, &price);
	else
		billing_quote(estimate->app->billing, account, truncated ? rows_max : rows, &price);
	json_object_begin(&json);
	query_plan_echo(&estimate->plan, &estimate->params, &json);
	json_key(&json, "items_count");
	json_uint(&json, rows);
	json_key(&json, "exact");
	json_bool(&json, exact);
	if (truncated) {
		json_key(&json, "truncated_at");
		json_uint(&json, rows_max);
	}
	write_price(&json, &price);
	json_object_end(&json);
	http_reply(estimate->request, 200, "application/json", &body);
}

static enum http_work_state estimate_step(void *arg, int64_t deadline_us, struct error *err)
{
	struct estimate *estimate = arg;
	struct count *count = estimate->rough.rough ? &estimate->rough : &estimate->exact;
	enum scan_end end;

	if (estimate->until_us == 0)
		estimate->until_us = clock_monotonic_us() + estimate->app->config->estimate_time;
	if (deadline_us > estimate->until_us)
		deadline_us = estimate->until_us;
	if (count_run(estimate->app->store, &estimate->query, count, deadline_us, &end, err) < 0)
		return HTTP_WORK_FAILED;
	if (count == &estimate->exact && end == SCAN_DONE) {
		answer(estimate, count->rows, true);
		return HTTP_WORK_ANSWERED;
	}
	bool late = clock_monotonic_us() >= estimate->until_us;

	if (count == &estimate->rough && (end == SCAN_DONE || late)) {
		answer(estimate, extrapolate(estimate, end == SCAN_DONE), false);
		return HTTP_WORK_ANSWERED;
	}
	if (count == &estimate->exact && late)
		begin_rough(estimate);
	return HTTP_WORK_MORE;
}

/* --- its beginning --- */

static int begin(struct estimate *estimate, struct error *err)
{
	const struct query_plan *plan = &estimate->plan;
	struct record_view view = query_plan_view(plan);

	if (report_find_accounts(estimate->app->store, plan->account, plan->include_subaccounts, &estimate->accounts,
	                         err) < 0)
		return -1;
	estimate->query = (struct scan_query){
		.product = plan->product,
		.direction = view.direction,
		.accounts = (const char (*)[SCAN_ACCOUNT_LEN])(const void *)estimate->accounts.data,
		.accounts_count = estimate->accounts.len / SCAN_ACCOUNT_LEN,
		.from_us = plan->from_us,
		.to_us = plan->to_us,
		.filters = plan->filters,
		.filters_count = plan->filters_count,
	};
	return 0;
}

void http_estimate_post(struct http_request *request, void *arg)
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
	http_work_init(&estimate->work, request, arg, estimate_step, estimate_free, estimate);
	if (!http_work_admit(&estimate->work) ||
	    !http_report_read_body(request, &estimate->params, &estimate->problems) ||
	    !http_report_make_plan(request, arg, estimate->received_us, &estimate->params, &estimate->plan,
	                           &estimate->problems)) {
		estimate_free(estimate);
	} else if (begin(estimate, &err) < 0) {
		http_reply_error(request, &err);
		estimate_free(estimate);
	} else {
		http_work_begin(&estimate->work, TASK_SUMMARIES);
	}
}
