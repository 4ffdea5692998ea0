/*
 * reports_list.c: GET /v2/reports?account_id=&status=A,B&date_from=&date_to=, an account's reports, newest first.
 *
 * Without date_from those of the last seven days are meant; nothing older is kept anyway. The newest LIST_MAX are
 * listed; whoever has more goes on with date_to.
 */
#include "http/reports.h"

#include "base/clock.h"
#include "http/plan.h"

#define LIST_MAX 500
#define DEFAULT_DAYS 7

struct list {
	const struct http_request *request;
	const struct http_app *app;
	struct str account;
	unsigned states; /* bit n: state n is wanted */
	int64_t from_us;
	int64_t to_us;
	struct str base_url;
	uint64_t count;
	struct buf reports; /* JSON objects, separated by commas */
	struct error err;
};

static int refuse(struct error *err, const char *name, const char *what)
{
	return error_set(err, ERROR_INVALID, "%s: %s", name, what);
}

static int take_account(struct list *list, struct str value, struct error *err)
{
	list->account = value;
	return id_is_account(value) ? 0 : refuse(err, "account_id", "Not an account id, which has 8 letters or digits");
}

static int take_status(struct list *list, struct str value, struct error *err)
{
	list->states = 0;
	while (value.len > 0) {
		const char *comma = memchr(value.p, ',', value.len);
		size_t len = comma ? (size_t)(comma - value.p) : value.len;
		size_t step = comma ? len + 1 : len;
		enum report_state state;

		if (!report_state_parse((struct str){ value.p, len }, &state))
			return refuse(err, "status",
			              "Not a list of PENDING, PROCESSING, SUCCESS, TRUNCATED, FAILED or ABORTED");
		list->states |= 1U << state;
		value.p += step;
		value.len -= step;
	}
	return 0;
}

static int take_date_from(struct list *list, struct str value, struct error *err)
{
	return clock_parse_iso8601(value, &list->from_us) ? 0 : refuse(err, "date_from", "Not a time");
}

static int take_date_to(struct list *list, struct str value, struct error *err)
{
	return clock_parse_iso8601(value, &list->to_us) ? 0 : refuse(err, "date_to", "Not a time");
}

static const struct {
	const char *name;
	int (*take)(struct list *list, struct str value, struct error *err);
} parameters[] = {
	{ "account_id", take_account },
	{ "status", take_status },
	{ "date_from", take_date_from },
	{ "date_to", take_date_to },
};

static int take(struct list *list, const struct query_param *param, struct error *err)
{
	struct str name = param->name;

	if (param->value.len == 0)
		return 0;
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		if (str_is(name, parameters[i].name))
			return parameters[i].take(list, param->value, err);
	}
	return error_set(err, ERROR_INVALID, "%.*s: Unknown parameter", (int)(name.len < 64 ? name.len : 64), name.p);
}

static int read_parameters(struct list *list, const struct query_params *params, struct error *err)
{
	list->states = (1U << REPORT_STATES) - 1;
	list->from_us = clock_now_us() - DEFAULT_DAYS * CLOCK_US_PER_DAY;
	list->to_us = INT64_MAX;
	for (size_t i = 0; i < params->count; i++) {
		if (take(list, &params->list[i], err) < 0)
			return -1;
	}
	return list->account.p ? 0 : refuse(err, "account_id", "Missing required parameter");
}

static bool add_report(void *arg, const struct report *report)
{
	struct list *list = arg;

	if (!(list->states & 1U << report->state) || !http_report_is_visible(list->request, list->app, report))
		return true;
	if (list->count == LIST_MAX)
		return false;
	if (list->count++ > 0)
		buf_add_char(&list->reports, ',');
	return report_write_status(report, list->base_url, &list->reports, &list->err) == 0;
}

static void write_self(const struct http_request *request, struct json *json)
{
	struct buf url = { 0 };

	http_request_url(request, &url);
	json_key(json, "_links");
	json_object_begin(json);
	json_key(json, "self");
	json_object_begin(json);
	json_key(json, "href");
	json_str(json, buf_str(&url));
	json_object_end(json);
	json_object_end(json);
	json_key(json, "self_link"); /* of older versions of the API */
	json_str(json, buf_str(&url));
	if (url.failed)
		json->out->failed = true;
	buf_free(&url);
}

static void answer(struct http_request *request, const struct list *list)
{
	struct buf body = { 0 };
	struct json json = json_to(&body);

	json_object_begin(&json);
	write_self(request, &json);
	json_key(&json, "items_count");
	json_uint(&json, list->count);
	json_key(&json, "reports");
	json_array_begin(&json);
	if (list->count > 0)
		json_raw(&json, buf_str(&list->reports));
	json_array_end(&json);
	json_object_end(&json);
	http_reply(request, 200, "application/json", &body);
}

static void list_reports(struct http_request *request, const struct http_app *app, struct list *list)
{
	char account[ACCOUNT_ID_LEN + 1] = "";
	struct buf base_url = { 0 };
	struct error err = { 0 };

	memcpy(account, list->account.p, ACCOUNT_ID_LEN);
	list->request = request;
	list->app = app;
	http_request_base_url(request, &base_url);
	list->base_url = buf_str(&base_url);
	if (reports_each(app->reports, account, list->from_us, list->to_us, add_report, list, &err) < 0)
		http_reply_error(request, &err);
	else if (list->err.code != ERROR_NONE)
		http_reply_error(request, &list->err);
	else
		answer(request, list);
	buf_free(&base_url);
	buf_free(&list->reports);
}

void http_report_list(struct http_request *request, void *arg)
{
	const struct http_app *app = arg;
	struct query_params params = { 0 };
	struct list list = { 0 };
	struct error err;

	if (query_params_decode(&params, http_request_query(request), &err) < 0 ||
	    read_parameters(&list, &params, &err) < 0)
		http_reply_error(request, &err);
	else if (http_plan_may_read(request, app, list.account))
		list_reports(request, app, &list);
	query_params_free(&params);
}
