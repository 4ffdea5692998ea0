/* SPDX-License-Identifier: ISC */
/*
 * changes.c: GET /v2/reports/changes, what arrived or changed since, for loaders that keep a copy.
 *
 *	?account_id=&product=[&since=TOKEN|now|beginning][&wait=SECONDS][&include_subaccounts=][&include_message=]
 *	[&show_concatenated=]
 *
 * A page is the oldest changes after the token (store/changes.h), in the order of their commits, and a token for the
 * next page. A record that has changed more than once since is listed once, as it is now. Only committed changes are
 * listed, and removal by retention is not. A token is valid for as long as records are kept.
 */
#include "api/changes.h"

#include <stdlib.h>

#include "base/clock.h"
#include "api/plan.h"

#define SINCE STR_LITERAL("since")
#define IV_LEN 16 /* of a cursor's iv: a token is iv and cursor in one */

static void changes_end(void *arg)
{
	struct api_changes *page = arg;

	api_work_end(&page->work);
	api_changes_wake(page);
	if (page->timer)
		event_free(page->timer);
	changes_free(page->changes);
	buf_free(&page->accounts);
	query_params_free(&page->params);
	free(page);
}

/* --- reading --- */

static void write_record(void *arg, struct buf *out, const struct record *record)
{
	const struct api_changes *page = arg;
	struct record_view view = page->view;

	view.direction = record_partition(record);
	record_write_json(out, record, &view);
}

static uint64_t columns_of(const struct api_changes *page)
{
	const struct catalog_product *product = page->plan.product;
	uint64_t columns = record_view_columns(product, &page->view);

	return product->direction_column == CATALOG_NONE ? columns : columns | UINT64_C(1) << product->direction_column;
}

/* Looked up anew each time a waiting page is checked: an account may have become a subaccount meanwhile. */
static int find_accounts(struct api_changes *page, struct error *err)
{
	buf_clear(&page->accounts);
	return accounts_keys_of_family(page->app->meta, &page->plan.account_key, page->plan.include_subaccounts,
	                               &page->accounts, err);
}

static void on_ready(void *arg)
{
	struct api_changes *page = arg;

	api_work_run(&page->work);
}

static int begin_reading(struct api_changes *page, struct error *err)
{
	struct changes_query query = {
		.product = page->plan.product,
		.accounts = (const struct account_key *)(const void *)page->accounts.data,
		.accounts_count = page->accounts.len / sizeof(struct account_key),
		.since = page->since,
		.max = (size_t)page->app->config->changes_page_max,
		.columns = columns_of(page),
		.write = write_record,
		.on_ready = on_ready,
		.arg = page,
	};

	page->changes = changes_new(page->app->store, &query, err);
	return page->changes ? 0 : -1;
}

/* Reads a slice. 1 when the page is complete, 0 when there is more to read, -1 on failure; *waits: not before on_ready. */
static int read_slice(struct api_changes *page, int64_t deadline_us, bool *waits, struct error *err)
{
	enum scan_end end;

	if (!page->changes && begin_reading(page, err) < 0)
		return -1;
	if (changes_run(page->changes, deadline_us, &end, err) < 0)
		return -1;
	*waits = end == SCAN_WAITS;
	if (end != SCAN_DONE)
		return 0;
	page->found = changes_page(page->changes);
	page->since = page->found.count > 0 ? page->since : page->found.up_to;
	return 1;
}

static enum api_work_state changes_step(void *arg, int64_t deadline_us, struct error *err)
{
	struct api_changes *page = arg;
	int complete = page->changes ? 0 : find_accounts(page, err);
	bool waits = false, in_vain = complete == 0 && page->waits && !api_changes_may_have(page);

	if (complete == 0)
		complete = in_vain ? 1 : read_slice(page, deadline_us, &waits, err);

	api_changes_wake(page);
	if (complete == 0)
		return waits ? API_WORK_WAITS : API_WORK_MORE;
	if (complete > 0 && page->found.count == 0 && api_changes_wait(page))
		return API_WORK_WAITS;
	return complete < 0 || api_changes_answer(page, err) < 0 ? API_WORK_FAILED : API_WORK_ANSWERED;
}

/* --- the beginning: each function answers the request if it returns false --- */

static bool take_token(struct api_changes *page)
{
	struct str token = page->plan.since;
	const struct account *reader = api_account(page->request);
	struct cursor cursor = { 0 };
	struct str iv = { token.p, IV_LEN }, sealed = { token.p + IV_LEN, token.len - IV_LEN };
	const char *problem = NULL;
	struct error err = { .code = ERROR_INVALID };
	bool opened =
		token.len > IV_LEN && cursor_open(&page->app->cursor_key, &reader->key, sealed, iv, &cursor, &err) == 0;

	if (!opened && err.code != ERROR_INVALID) {
		http_reply_error(page->request, &err);
		return false;
	}
	if (!opened)
		problem = "Not a token that was given to this account, nor one of: now, beginning";
	else if (cursor.fingerprint != page->fingerprint)
		problem = "Belongs to a query with other parameters";
	else if (cursor.snapshot > store_snapshot(page->app->store))
		problem = "Is of newer data than there is: it was restored from a backup; begin anew";
	if (problem)
		return api_plan_refuse(page->request, SINCE, problem);
	page->token = cursor.snapshot;
	page->began_us = cursor.began_us;
	page->has_token = true;
	return true;
}

static bool prepare(struct api_changes *page)
{
	struct query_limits limits = { .window_max_us = 0 };
	struct query_plan *plan = &page->plan;

	if (!api_plan_make(page->request, page->app, QUERY_CHANGES, &limits, page->received_us, &page->params, plan))
		return false;
	page->view = query_plan_view(plan);
	page->fingerprint = query_plan_fingerprint(plan, &page->params);
	page->until_us = clock_monotonic_us() + plan->wait_us;
	if (plan->since.p && str_is(plan->since, "now"))
		page->token = store_snapshot(page->app->store);
	else if (plan->since.p && !str_is(plan->since, "beginning") && !take_token(page))
		return false;
	page->since = page->token;
	return true;
}

void api_changes_get(struct http_request *request, void *app)
{
	struct api_changes *page = calloc(1, sizeof(*page));
	struct error err;

	if (!page) {
		error_set(&err, ERROR_NOMEM, "Out of memory for changes");
		http_reply_error(request, &err);
		return;
	}
	page->request = request;
	page->app = app;
	page->received_us = page->began_us = clock_now_us();
	id_uuid_from(&page->app->random, page->request_id);
	api_work_init(&page->work, request, app, changes_step, changes_end, page);
	if (api_work_admit(&page->work) && prepare(page))
		api_work_begin(&page->work, TASK_CHANGES);
	else
		changes_end(page);
}
