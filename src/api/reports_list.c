/* SPDX-License-Identifier: ISC */
/*
 * reports_list.c: GET /v2/reports?account_id=&status=A,B&date_from=&date_to=, an account's reports, newest first.
 *
 * Without date_from it covers the last seven days; nothing older is kept anyway. The newest LIST_MAX are listed, or
 * fewer if they exceed LIST_BYTES_MAX; _links.next leads to older ones, by date_to.
 */
#include "api/reports.h"

#include "base/clock.h"
#include "api/link.h"
#include "api/plan.h"

#define LIST_MAX 500
#define LIST_BYTES_MAX ((size_t)1 << 20) /* reports may have callback URLs of 16 KB */
#define DEFAULT_DAYS 7
#define ALL_STATES ((1U << REPORT_STATES) - 1)

struct list {
	const struct http_request *request;
	const struct api *app;
	struct str account;
	struct account_key account_key;
	unsigned states; /* bit n: state n is wanted */
	int64_t from_us;
	int64_t to_us;
	struct str base_url;
	uint64_t count;
	int64_t last_us;    /* when the last one was received */
	bool more;          /* there are older ones */
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
	return id_is_account(value) ?
	               0 :
	               refuse(err, "account_id", "Not an account id, which has 1 to 64 letters, digits, - or _");
}

/* May be given more than once, as generated clients write lists; all count. */
static int take_status(struct list *list, struct str value, struct error *err)
{
	struct str rest = value, name;

	while (query_list_next(&rest, &name)) {
		enum report_state state;

		if (str_equal_nocase(name, STR_LITERAL("any"))) {
			list->states = ALL_STATES;
		} else if (report_state_parse(name, &state)) {
			list->states |= 1U << state;
		} else if (name.len > 0) {
			return refuse(err, "status",
			              "Not a list of PENDING, PROCESSING, SUCCESS, TRUNCATED, FAILED or ABORTED");
		}
	}
	return 0;
}

static int take_date(struct str value, const char *name, int64_t *time_us, struct error *err)
{
	struct clock_moment moment;

	if (!clock_parse_moment(value, &moment))
		return refuse(err, name, "Not a time or date");
	*time_us = moment.time_us;
	return 0;
}

static int take_date_from(struct list *list, struct str value, struct error *err)
{
	return take_date(value, "date_from", &list->from_us, err);
}

static int take_date_to(struct list *list, struct str value, struct error *err)
{
	return take_date(value, "date_to", &list->to_us, err);
}

static const struct {
	const char *name;
	bool repeats;
	int (*take)(struct list *list, struct str value, struct error *err);
} parameters[] = {
	{ "account_id", false, take_account },
	{ "status", true, take_status },
	{ "date_from", false, take_date_from },
	{ "date_to", false, take_date_to },
};

static int refuse_shown(struct error *err, struct str name, const char *what)
{
	return error_set(err, ERROR_INVALID, "%.*s: %s", (int)(name.len < 64 ? name.len : 64), name.p, what);
}

static bool was_given(const struct query_params *params, size_t before)
{
	for (size_t i = 0; i < before; i++) {
		if (params->list[i].value.len > 0 && str_equal(params->list[i].name, params->list[before].name))
			return true;
	}
	return false;
}

static int take(struct list *list, const struct query_params *params, size_t place, struct error *err)
{
	const struct query_param *param = &params->list[place];
	struct buf reason = { 0 };

	if (param->value.len == 0)
		return 0;
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		if (!str_is(param->name, parameters[i].name))
			continue;
		if (!parameters[i].repeats && was_given(params, place))
			return refuse_shown(err, param->name, "Given more than once");
		return parameters[i].take(list, param->value, err);
	}
	query_unknown_reason(&reason, param->name);
	(void)refuse_shown(err, param->name, buf_cstr(&reason) ? reason.data : "Unknown parameter");
	buf_free(&reason);
	return -1;
}

/* Without date_from, the usual days before date_to, or before now. */
static int read_parameters(struct list *list, const struct query_params *params, struct error *err)
{
	list->from_us = INT64_MIN;
	list->to_us = INT64_MAX;
	for (size_t i = 0; i < params->count; i++) {
		if (take(list, params, i, err) < 0)
			return -1;
	}
	if (list->states == 0)
		list->states = ALL_STATES;
	if (list->from_us == INT64_MIN)
		list->from_us =
			(list->to_us < INT64_MAX ? list->to_us : clock_now_us()) - DEFAULT_DAYS * CLOCK_US_PER_DAY;
	return list->account.p ? 0 : refuse(err, "account_id", "Missing required parameter");
}

static bool add_report(void *arg, const struct report *report)
{
	struct list *list = arg;

	int visible = list->states & 1U << report->state ?
	                      api_report_is_visible(list->request, list->app, report, &list->err) :
	                      0;

	if (visible <= 0)
		return visible == 0;
	list->more = list->count == LIST_MAX || list->reports.len >= LIST_BYTES_MAX;
	if (list->more)
		return false;
	list->last_us = report->received_us;
	if (list->count++ > 0)
		buf_add_char(&list->reports, ',');
	return report_write_status(report, list->base_url, &list->reports, &list->err) == 0;
}

static void add_date(struct buf *url, const char *name, int64_t time_us)
{
	struct buf text = { 0 };

	clock_format_record(&text, time_us);
	api_link_add(url, str_from(name), buf_str(&text));
	url->failed |= text.failed;
	buf_free(&text);
}

/* Each report is received in a microsecond of its own: the rest begins before that of the last one. */
static void write_next(struct http_request *request, const struct list *list, const struct query_params *params,
                       struct json *json)
{
	static const char *const own[] = { "date_from", "date_to", NULL };
	struct buf next = { 0 };

	api_link_begin(&next, request, params, own);
	add_date(&next, "date_from", list->from_us);
	add_date(&next, "date_to", list->last_us);
	api_link_write(json, "next", &next);
	api_link_header(request, "next", &next);
	json->out->failed |= next.failed;
	buf_free(&next);
}

static void write_links(struct http_request *request, const struct list *list, const struct query_params *params,
                        struct json *json)
{
	struct buf self = { 0 };

	http_request_url(request, &self);
	json_key(json, "_links");
	json_object_begin(json);
	api_link_write(json, "self", &self);
	if (list->more)
		write_next(request, list, params, json);
	json_object_end(json);
	json_member_str(json, "self_link", buf_str(&self)); /* of older versions of the API */
	json->out->failed |= self.failed;
	buf_free(&self);
}

static void answer(struct http_request *request, const struct list *list, const struct query_params *params)
{
	struct buf body = { 0 };
	struct json json = json_to(&body);

	json_object_begin(&json);
	write_links(request, list, params, &json);
	json_member_uint(&json, "items_count", list->count);
	json_key(&json, "reports");
	json_array_begin(&json);
	if (list->count > 0)
		json_raw(&json, buf_str(&list->reports));
	json_array_end(&json);
	json_object_end(&json);
	http_reply(request, 200, "application/json", &body);
}

static void list_reports(struct http_request *request, const struct api *app, const struct query_params *params,
                         struct list *list)
{
	struct buf base_url = { 0 };
	struct error err = { 0 };

	list->request = request;
	list->app = app;
	http_request_base_url(request, &base_url);
	list->base_url = buf_str(&base_url);
	if (reports_each(app->reports, &list->account_key, list->from_us, list->to_us, add_report, list, &err) < 0)
		http_reply_error(request, &err);
	else if (list->err.code != ERROR_NONE)
		http_reply_error(request, &list->err);
	else
		answer(request, list, params);
	buf_free(&base_url);
	buf_free(&list->reports);
}

void api_report_list(struct http_request *request, void *arg)
{
	const struct api *app = arg;
	struct query_params params = { 0 };
	struct list list = { 0 };
	struct error err;

	if (query_params_decode(&params, http_request_query(request), &err) < 0 ||
	    read_parameters(&list, &params, &err) < 0)
		http_reply_error(request, &err);
	else if (api_plan_may_read(request, app, list.account, &list.account_key))
		list_reports(request, app, &params, &list);
	query_params_free(&params);
}
