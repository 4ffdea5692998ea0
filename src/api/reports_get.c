/* SPDX-License-Identifier: ISC */
/*
 * reports_get.c: GET and DELETE /v2/reports/{id}: one report's status, and its cancellation.
 *
 * A report belongs to the account that asked for it. That account's primary sees it, too, and may read its file, but
 * not cancel it. For everyone else it does not exist: the answer is the same as for an id that was never issued. So a
 * subaccount does not see its primary's reports, not even those of its own records.
 */
#include "api/reports.h"

#define ID_SHOWN 64 /* bytes of a wrong id that an answer repeats */

static void reply_unknown(struct http_request *request)
{
	struct str id = http_request_segment(request);
	struct buf detail = { 0 };

	if (id.len > ID_SHOWN)
		id.len = ID_SHOWN;
	buf_addf(&detail, "Report %.*s does not exist, or you do not have access.", STR_ARGS(id));
	http_reply_problem(request, 404, "Invalid report ID", buf_cstr(&detail));
	buf_free(&detail);
}

void api_report_reply(struct http_request *request, const struct report *report)
{
	struct buf base_url = { 0 }, body = { 0 };
	struct error err;

	http_request_base_url(request, &base_url);
	if (report_write_status(report, buf_str(&base_url), &body, &err) == 0) {
		http_reply(request, 200, "application/json", &body);
	} else {
		http_reply_error(request, &err);
		buf_free(&body);
	}
	buf_free(&base_url);
}

static bool key_allows(const struct http_request *request, const struct report *report)
{
	struct str name = query_params_get(&report->params, "product");
	struct str subaccounts = query_params_get(&report->params, "include_subaccounts");
	const struct catalog_product *product = catalog_product_find(name);

	if (!product)
		product = catalog_alias_find(name, query_params_get(&report->params, "type"));
	/* "true" and "1"; what cannot be read says no */
	return api_key_allows(request, product, str_from(report->account),
	                      subaccounts.len > 0 && !str_equal_nocase(subaccounts, STR_LITERAL("false")) &&
	                              !str_is(subaccounts, "0"));
}

int api_report_is_visible(const struct http_request *request, const struct api *app, const struct report *report,
                          struct error *err)
{
	struct account_key key;
	int reads = accounts_reads(app->meta, api_account(request), str_from(report->creator), &key, err);

	/* The creator may be gone, and its id be another's. */
	return reads > 0 ? account_key_equal(&key, &report->creator_key) && key_allows(request, report) : reads;
}

/* False when the request has been answered instead. */
static bool find(struct http_request *request, const struct api *app, struct report *report)
{
	struct error err;

	if (reports_get(app->reports, http_request_segment(request), report, &err) < 0) {
		if (err.code == ERROR_NOT_FOUND)
			reply_unknown(request);
		else
			http_reply_error(request, &err);
		return false;
	}
	int visible = api_report_is_visible(request, app, report, &err);

	if (visible > 0)
		return true;
	report_free(report);
	if (visible < 0)
		http_reply_error(request, &err);
	else
		reply_unknown(request);
	return false;
}

void api_report_get(struct http_request *request, void *arg)
{
	struct report report;

	if (!find(request, arg, &report))
		return;
	api_report_reply(request, &report);
	report_free(&report);
}

static bool cancel(struct http_request *request, const struct api *app, const struct report *report)
{
	char by[ACCOUNT_ID_MAX + 16];
	struct error err;

	if (strcmp(report->creator, api_account(request)->id) != 0) {
		http_reply_problem(request, 403, "Forbidden", "Only the account that asked for a report may cancel it");
		return false;
	}
	(void)snprintf(by, sizeof(by), "account %s", api_account(request)->id);
	if (reports_cancel(app->reports, str_from(report->id), by, &err) == 0)
		return true;
	if (err.code == ERROR_CONFLICT)
		http_reply_problem(
			request, 409, "Invalid Abort Operation",
			"The job is already in a terminated state such as SUCCESS, TRUNCATED, FAILED or ABORTED.");
	else
		http_reply_error(request, &err);
	return false;
}

void api_report_delete(struct http_request *request, void *arg)
{
	struct report report;
	bool cancelled;

	if (!find(request, arg, &report))
		return;
	cancelled = cancel(request, arg, &report);
	report_free(&report);
	if (cancelled)
		api_report_get(request, arg);
}
