/* SPDX-License-Identifier: ISC */
/*
 * records.c: GET /v2/reports/records, the synchronous query.
 *
 * A request becomes a plan (query/), the plan a page. Reading is done in slices (work.h), so that a filter which rarely
 * matches does not keep other requests waiting. If the client disconnects, the page is dropped.
 */
#include "api/records.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "api/plan.h"

#define CURSOR STR_LITERAL("cursor")

static void page_free(void *arg)
{
	struct api_records_page *page = arg;

	api_work_end(&page->work);
	scan_cancel(page->scan);
	query_params_free(&page->params);
	buf_free(&page->records);
	buf_free(&page->hits);
	buf_free(&page->not_found);
	free(page);
}

static enum api_work_state page_step(void *arg, int64_t deadline_us, struct error *err)
{
	struct api_records_page *page = arg;
	enum api_records_end end = api_records_read(page, deadline_us, err);

	if (end == API_RECORDS_PAUSED)
		return API_WORK_MORE;
	if (end == API_RECORDS_WAITS)
		return API_WORK_WAITS;
	if (end != API_RECORDS_COMPLETE || api_records_answer(page, err) < 0)
		return API_WORK_FAILED;
	return API_WORK_ANSWERED;
}

/* --- the beginning: each function answers the request if it returns false --- */

static bool make_plan(struct api_records_page *page)
{
	const struct config *config = page->app->config;
	struct query_limits limits = {
		.window_max_us = config->sync_window_max,
		.ids_max = (size_t)config->ids_max,
		.page_max = (size_t)config->page_max,
	};

	if (!api_plan_make(page->request, page->app, QUERY_SYNC, &limits, page->received_us, &page->params,
	                   &page->plan))
		return false;
	page->view = query_plan_view(&page->plan);
	page->columns = record_view_columns(page->plan.product, &page->view);
	page->limit = page->plan.limit;
	return true;
}

/* Resumes with the range, snapshot, limit and position of the cursor. A limit given with it overrides the cursor's and
 * makes it another page: records beyond the other page's are not paid yet. */
static bool resume(struct api_records_page *page)
{
	struct query_plan *plan = &page->plan;
	const struct account *reader = api_account(page->request);
	struct cursor cursor;
	struct error err;

	if (cursor_open(&page->app->cursor_key, &reader->key, plan->cursor, plan->iv, &cursor, &err) < 0) {
		if (err.code == ERROR_INVALID)
			return api_plan_refuse(page->request, CURSOR, err.message);
		http_reply_error(page->request, &err);
		return false;
	}
	if (cursor.fingerprint != query_plan_fingerprint(plan, &page->params))
		return api_plan_refuse(page->request, CURSOR, "Belongs to a query with other parameters");
	if (!scan_is_kept(page->app->store, &cursor.position))
		return api_plan_refuse(page->request, CURSOR,
		                       "Is within a day whose records are no longer kept; begin anew");
	plan->from_us = cursor.from_us;
	plan->to_us = cursor.to_us;
	page->snapshot = cursor.snapshot;
	page->position = cursor.position;
	page->began_us = cursor.began_us;
	if (page->limit == 0)
		page->limit = cursor.limit;
	cursor.limit = (uint32_t)page->limit;
	billing_page_id(reader, &cursor, page->request_id);
	return true;
}

static size_t page_size(const struct api_records_page *page)
{
	size_t max = (size_t)page->app->config->page_max;

	return page->limit > 0 && page->limit < max ? page->limit : max;
}

static bool prepare(struct api_records_page *page)
{
	if (!make_plan(page))
		return false;
	/* flush pending usage records so this query sees them */
	if (billing_is_free(page->plan.product))
		billing_settle(page->app->billing);
	page->snapshot = store_snapshot(page->app->store);
	if (page->plan.cursor.p && !resume(page))
		return false;
	page->max = page_size(page);
	page->last = page->position;
	if (page->plan.cursor.p && !billing_is_free(page->plan.product)) {
		page->is_paid = billing_charge_waits(page->app->billing, api_account(page->request), page->request_id);
		page->asks_paid = !page->is_paid;
	}
	return true;
}

void api_records_get(struct http_request *request, void *app)
{
	struct api *shared = app;
	struct api_records_page *page = malloc(sizeof(*page));
	struct error err;

	if (!page) {
		error_set(&err, ERROR_NOMEM, "Out of memory for a query");
		http_reply_error(request, &err);
		return;
	}
	memset(page, 0, offsetof(struct api_records_page, plan));
	page->request = request;
	page->app = shared;
	page->received_us = page->began_us = clock_now_us();
	id_uuid_from(&shared->random, page->request_id);
	api_work_init(&page->work, request, shared, page_step, page_free, page);
	if (!api_work_admit(&page->work) || !prepare(page)) {
		page_free(page);
		return;
	}
	if (page->plan.ids_count > 1)
		tasks_tell_of_long_work(shared->tasks); /* an id alone takes no time to speak of */
	api_work_begin(&page->work, page->plan.by_id ? TASK_IDS : TASK_PAGES);
}
