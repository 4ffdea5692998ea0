/*
 * routes.c: every endpoint of the daemon, one row each: method, path, who may call it, what becomes of the body, and
 * the function that answers.
 */
#include "http/routes.h"

const struct http_route http_routes[] = {
	{ HTTP_POST, "/v1/cdrs", HTTP_AUTH_PRODUCER, HTTP_BODY_STREAM, http_cdrs_post },
	{ HTTP_GET, "/v2/reports/records", HTTP_AUTH_ACCOUNT, HTTP_BODY_NONE, http_records_get },
	{ HTTP_POST, "/v2/reports", HTTP_AUTH_ACCOUNT, HTTP_BODY_WHOLE, http_report_post },
	{ HTTP_GET, "/v2/reports", HTTP_AUTH_ACCOUNT, HTTP_BODY_NONE, http_report_list },
	{ HTTP_GET, "/v2/reports/{id}", HTTP_AUTH_ACCOUNT, HTTP_BODY_NONE, http_report_get },
	{ HTTP_DELETE, "/v2/reports/{id}", HTTP_AUTH_ACCOUNT, HTTP_BODY_NONE, http_report_delete },
	{ HTTP_GET, "/v3/media/{id}", HTTP_AUTH_ACCOUNT, HTTP_BODY_NONE, http_media_get },
	{ 0 },
};
