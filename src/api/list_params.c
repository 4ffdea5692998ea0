/* SPDX-License-Identifier: ISC */
/*
 * list_params.c: see list_params.h.
 */
#include "api/list_params.h"

#include "api/invalid.h"
#include "api/link.h"

static void take_limit(struct api_list_params *list, const struct query_param *param, struct query_problems *problems)
{
	uint64_t limit = 0;

	for (size_t i = 0; i < param->value.len && limit <= API_LIST_MAX; i++) {
		char c = param->value.p[i];

		limit = c >= '0' && c <= '9' ? limit * 10 + (uint64_t)(c - '0') : API_LIST_MAX + 1;
	}
	if (limit >= 1 && limit <= API_LIST_MAX)
		list->limit = limit;
	else
		query_problems_add(problems, param->name, "Not a number from 1 to %d", API_LIST_MAX);
}

static void refuse_unknown(const struct query_param *param, struct query_problems *problems)
{
	struct buf reason = { 0 };

	query_unknown_reason(&reason, param->name);
	query_problems_add(problems, param->name, "%.*s", STR_ARGS(buf_str(&reason)));
	buf_free(&reason);
}

/* Empty values count as not given. */
static void take_all(struct api_list_params *list, const char *from_name, struct query_problems *problems)
{
	for (size_t i = 0; i < list->params.count; i++) {
		const struct query_param *param = &list->params.list[i];
		bool is_limit = str_is(param->name, "limit"), is_from = str_is(param->name, from_name);

		if (param->value.len == 0)
			continue;
		if (!is_limit && !is_from)
			refuse_unknown(param, problems);
		else if (is_limit ? list->limit > 0 : list->from.p != NULL)
			query_problems_add(problems, param->name, "Given more than once");
		else if (is_limit)
			take_limit(list, param, problems);
		else
			list->from = param->value;
	}
	if (list->limit == 0)
		list->limit = API_LIST_DEFAULT;
}

bool api_list_params_read(struct http_request *request, const char *from_name, struct api_list_params *list)
{
	struct query_problems problems;
	struct error err;

	query_problems_clear(&problems);
	if (query_params_decode(&list->params, http_request_query(request), &err) < 0) {
		http_reply_error(request, &err);
		return false;
	}
	take_all(list, from_name, &problems);
	if (problems.count == 0)
		return true;
	api_reply_invalid(request, &problems);
	return false;
}

void api_list_params_free(struct api_list_params *list)
{
	query_params_free(&list->params);
}

void api_list_write_links(struct http_request *request, const struct api_list_params *list, const char *from_name,
                          const char *last, struct json *json)
{
	const char *const without[] = { from_name, NULL };
	struct buf self = { 0 }, next = { 0 };

	http_request_url(request, &self);
	json_key(json, "_links");
	json_object_begin(json);
	api_link_write(json, "self", &self);
	if (last) {
		api_link_begin(&next, request, &list->params, without);
		api_link_add(&next, str_from(from_name), str_from(last));
		api_link_write(json, "next", &next);
		api_link_header(request, "next", &next);
	}
	json_object_end(json);
	if (self.failed || next.failed)
		json->out->failed = true;
	buf_free(&self);
	buf_free(&next);
}
