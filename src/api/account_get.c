/* SPDX-License-Identifier: ISC */
/*
 * account_get.c: GET /v2/account?limit=&after=, the account that asks: its plan, its limits and what of them is left,
 * and its subaccounts, a page at a time. Nothing that could be used to log in.
 */
#include "api/account_limits.h"
#include "api/answer_time.h"
#include "api/list_params.h"
#include "api/plan.h"
#include "base/json.h"
#include "meta/api_keys.h"

struct children {
	struct json *json;
	struct str after;
	uint64_t left;
	char last[ACCOUNT_ID_MAX + 1]; /* that is on the page */
	bool more;
	bool shown; /* to a key that may read their records */
	const struct api *app;
	bool failed;
	struct error *err;
};

static void write_own(const struct account *account, struct json *json)
{
	json_member_text(json, "account_id", account->id);
	json_member_text(json, "name", account->name);
	api_write_time(json, "created", account->created_us);
}

static bool write_child(void *arg, const struct account *account)
{
	struct children *children = arg;
	struct json *json = children->json;

	if (str_is(children->after, account->id))
		return true;
	if (children->left == 0) {
		children->more = true;
		return false;
	}
	children->left--;
	memcpy(children->last, account->id, sizeof(children->last));
	json_object_begin(json);
	write_own(account, json);
	json_member_text(json, "plan", account->plan[0] ? account->plan : NULL);
	if (api_account_write_fees(children->app, account, true, json, children->err) != 0) {
		children->failed = true;
		return false;
	}
	json_member_bool(json, "disabled", account->disabled);
	if (account->deleted_us)
		api_write_time(json, "deleted", account->deleted_us);
	json_object_end(json);
	return true;
}

static int write_children(const struct api *app, const struct account *account, struct children *children,
                          struct error *err)
{
	struct str from = children->after.p ? children->after : STR_LITERAL("");

	json_key(children->json, "subaccounts");
	json_array_begin(children->json);
	children->app = app;
	children->err = err;
	if (children->shown &&
	    accounts_each_child_from(app->meta, str_from(account->id), from, write_child, children, err) != 0)
		return -1;
	json_array_end(children->json);
	return children->failed ? -1 : 0;
}

static void write_scopes(unsigned scopes, struct json *json)
{
	json_key(json, "scopes");
	json_array_begin(json);
	for (size_t i = 0; i < API_SCOPES; i++)
		if (scopes >> i & 1)
			json_text(json, api_scope_names[i]);
	json_array_end(json);
}

static void answer(struct http_request *request, const struct api *app, const struct api_list_params *list)
{
	const struct account *account = api_account(request);
	struct buf body = { 0 };
	struct json json = json_to(&body);
	struct children children = {
		.json = &json, .after = list->from, .left = list->limit, .shown = api_key_allows_subaccounts(request)
	};
	struct error err;

	json_object_begin(&json);
	write_own(account, &json);
	json_member_text(&json, "parent", account->parent[0] ? account->parent : NULL);
	write_scopes(api_key_scopes(request), &json);
	api_account_write_plan(app, account, &json);
	api_account_write_limits(app, account, &json);
	api_account_write_settings(app, &json);
	if (api_account_write_fees(app, account, false, &json, &err) != 0 ||
	    write_children(app, account, &children, &err) != 0) {
		buf_free(&body);
		http_reply_error(request, &err);
		return;
	}
	api_list_write_links(request, list, "after", children.more ? children.last : NULL, &json);
	json_object_end(&json);
	http_reply_header(request, "Cache-Control", "no-store");
	http_reply(request, 200, "application/json", &body);
}

void api_account_get(struct http_request *request, void *app)
{
	struct api_list_params list = { 0 };

	if (api_list_params_read(request, "after", &list) &&
	    (!list.from.p || id_is_account(list.from) ||
	     api_plan_refuse(request, STR_LITERAL("after"), "Not an account id")))
		answer(request, app, &list);
	api_list_params_free(&list);
}
