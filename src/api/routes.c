/* SPDX-License-Identifier: ISC */
/*
 * routes.c: every endpoint of the daemon, one row each: method, path, who may call it, what becomes of the body,
 * the function that answers, and the limit that it counts against.
 */
#include "api/routes.h"

const struct http_route api_routes[] = {
	{ HTTP_POST, "/v1/cdrs", HTTP_AUTH_PRODUCER, HTTP_BODY_STREAM, api_cdrs_post, LIMIT_NONE },
	{ HTTP_GET, "/v2/reports/records", HTTP_AUTH_ACCOUNT, HTTP_BODY_NONE, api_records_get, LIMIT_SYNC },
	{ HTTP_POST, "/v2/reports", HTTP_AUTH_ACCOUNT, HTTP_BODY_WHOLE, api_report_post, LIMIT_ASYNC },
	{ HTTP_POST, "/v2/reports/estimate", HTTP_AUTH_ACCOUNT, HTTP_BODY_WHOLE, api_estimate_post, LIMIT_ASYNC },
	{ HTTP_GET, "/v2/reports/summary", HTTP_AUTH_ACCOUNT, HTTP_BODY_NONE, api_summary_get, LIMIT_SYNC },
	{ HTTP_GET, "/v2/reports/changes", HTTP_AUTH_ACCOUNT, HTTP_BODY_NONE, api_changes_get, LIMIT_SYNC },
	{ HTTP_GET, "/v2/reports", HTTP_AUTH_ACCOUNT, HTTP_BODY_NONE, api_report_list, LIMIT_ASYNC },
	{ HTTP_GET, "/v2/reports/{id}", HTTP_AUTH_ACCOUNT, HTTP_BODY_NONE, api_report_get, LIMIT_ASYNC },
	{ HTTP_DELETE, "/v2/reports/{id}", HTTP_AUTH_ACCOUNT, HTTP_BODY_NONE, api_report_delete, LIMIT_ASYNC },
	{ HTTP_GET, "/v3/media/{id}", HTTP_AUTH_ACCOUNT, HTTP_BODY_NONE, api_media_get, LIMIT_DOWNLOAD },
	{ HTTP_GET, "/problems", HTTP_AUTH_NONE, HTTP_BODY_NONE, api_problems_get, LIMIT_NONE },
	{ HTTP_GET, "/problems/{name}", HTTP_AUTH_NONE, HTTP_BODY_NONE, api_problem_get, LIMIT_NONE },
	{ HTTP_GET, "/healthz", HTTP_AUTH_NONE, HTTP_BODY_NONE, api_healthz_get, LIMIT_NONE },
	{ HTTP_GET, "/readyz", HTTP_AUTH_NONE, HTTP_BODY_NONE, api_readyz_get, LIMIT_NONE },
	{ 0 },
};
