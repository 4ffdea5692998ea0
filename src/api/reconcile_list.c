/* SPDX-License-Identifier: ISC */
/*
 * reconcile_list.c: GET /v2/reports/reconcile, the newest reconciliations that the account may see.
 *
 * The result of each is a file: they are read in slices. One that cannot be read does not keep the others from being shown.
 */
#include <stdlib.h>
#include <string.h>

#include "api/reports.h"
#include "api/work.h"
#include "base/clock.h"
#include "base/log.h"
#include "mapping/mapping.h"
#include "reconcile/reconcile.h"

#define LIST_MAX 1000

struct list {
	struct api_work work;
	struct http_request *request;
	struct api *app;
	struct buf base_url, body;
	struct json json;
	size_t count, at;
	char ids[LIST_MAX][ID_UUID_LEN + 1];
	struct error err;
	bool failed;
};

static void list_free(void *arg)
{
	struct list *list = arg;

	api_work_end(&list->work);
	buf_free(&list->base_url);
	buf_free(&list->body);
	free(list);
}

static bool note_job(void *arg, const struct reconciliation *job)
{
	struct list *list = arg;
	int visible = api_reconcile_is_visible(list->request, list->app, job, &list->err);

	list->failed = visible < 0;
	if (visible > 0)
		memcpy(list->ids[list->count++], job->id, ID_UUID_LEN + 1);
	return !list->failed && list->count < LIST_MAX;
}

/* Nothing of one that has gone meanwhile. */
static void add_job(struct list *list, const char *id)
{
	const struct reconciliation *job = reconciles_get(list->app->reconciles, str_from(id));
	struct buf status = { 0 };

	if (job && reconcile_write_listed(list->app->reconciles, job, buf_str(&list->base_url), &status) == 0)
		json_raw(&list->json, buf_str(&status));
	list->body.failed |= status.failed;
	buf_free(&status);
}

static bool add_mapping(void *arg, const struct mapping *mapping)
{
	json_text(arg, mapping_name(mapping));
	return true;
}

static void answer(struct list *list)
{
	json_array_end(&list->json);
	json_key(&list->json, "mappings");
	json_array_begin(&list->json);
	mappings_each(list->app->mappings, add_mapping, &list->json);
	json_array_end(&list->json);
	json_object_end(&list->json);
	http_reply(list->request, 200, "application/json", &list->body);
}

static enum api_work_state step(void *arg, int64_t deadline_us, struct error *err)
{
	struct list *list = arg;

	(void)err;
	while (list->at < list->count) {
		add_job(list, list->ids[list->at++]);
		if (clock_monotonic_us() >= deadline_us && list->at < list->count)
			return API_WORK_MORE;
	}
	answer(list);
	return API_WORK_ANSWERED;
}

void api_reconcile_list(struct http_request *request, void *app)
{
	struct list *list = calloc(1, sizeof(*list));
	struct error err;

	if (!list) {
		error_set(&err, ERROR_NOMEM, "Out of memory for a list of reconciliations");
		http_reply_error(request, &err);
		return;
	}
	list->request = request;
	list->app = app;
	list->json = json_to(&list->body);
	http_request_base_url(request, &list->base_url);
	reconciles_each(list->app->reconciles, note_job, list);
	api_work_init(&list->work, request, app, step, list_free, list);
	if (list->failed)
		http_reply_error(request, &list->err);
	if (list->failed || !api_work_admit(&list->work)) {
		list_free(list);
		return;
	}
	json_object_begin(&list->json);
	json_key(&list->json, "reconciliations");
	json_array_begin(&list->json);
	api_work_begin(&list->work, TASK_PAGES);
}
