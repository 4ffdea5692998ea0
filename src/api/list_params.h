/* SPDX-License-Identifier: ISC */
/*
 * list_params.h: the parameters of a list that is read page by page; private to api/.
 *
 *	?limit=100&after=abcd1234
 *
 * `limit` is the size of a page; the other parameter names the last item of the page before, as its link does.
 */
#ifndef CDRD_API_LIST_PARAMS_H
#define CDRD_API_LIST_PARAMS_H

#include "query/query.h"
#include "api/routes.h"

#define API_LIST_DEFAULT 100
#define API_LIST_MAX 1000

struct api_list_params {
	uint64_t limit;
	struct str from; /* as sent; p NULL on the first page */
	struct query_params params;
};

/* Reads them; *list must be zeroed, and api_list_params_free be called in any case. False when the request has been
 * answered instead, because one is wrong, unknown or repeated. `from_name` names the second one. */
bool api_list_params_read(struct http_request *request, const char *from_name, struct api_list_params *list);

void api_list_params_free(struct api_list_params *list);

/* Writes _links, with the next page's where `last`, the last item of this one, is not NULL; also as a header. */
void api_list_write_links(struct http_request *request, const struct api_list_params *list, const char *from_name,
                          const char *last, struct json *json);

#endif
