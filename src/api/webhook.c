/* SPDX-License-Identifier: ISC */
/*
 * webhook.c: GET /v2/account/webhook?limit=&before=, the secret that signs the account's callbacks and the newest attempts
 * at them, newest first; POST /v2/account/webhook/rotate, a new secret.
 *
 * The secret is shown to whoever has the account's credentials, as receivers are told it by hand. Reading never makes
 * one: the first callback does, or the first rotation.
 */
#include "api/answer_time.h"
#include "api/list_params.h"
#include "api/plan.h"
#include "base/json.h"
#include "base/log.h"
#include "callback/callback.h"

#define NUMBER_DIGITS_MAX 18

struct attempts {
	struct json *json;
	uint64_t left;
	char last[NUMBER_DIGITS_MAX + 3]; /* the number of the last one on the page */
	bool more;
};

static void write_secret(struct json *json, const struct callback_secret *secret)
{
	json_object_begin(json);
	json_member_text(json, "secret", secret->text);
	api_write_time(json, "created", secret->made_us);
	if (secret->previous[0]) {
		json_member_text(json, "previous_secret", secret->previous);
		api_write_time(json, "previous_until", secret->previous_until_us);
	}
	json_object_end(json);
}

/* --- the attempts --- */

static void write_outcome(struct json *json, const struct callback_attempt *attempt)
{
	json_member_text(json, "state", callback_state_name(attempt->state));
	json_key(json, "status");
	if (attempt->status > 0)
		json_int(json, attempt->status);
	else
		json_null(json);
	json_key(json, "error");
	if (attempt->error.len > 0)
		json_str(json, attempt->error);
	else
		json_null(json);
	if (attempt->next_us > 0)
		api_write_time(json, "next_attempt", attempt->next_us);
}

static bool write_attempt(void *arg, const struct callback_attempt *attempt)
{
	struct attempts *attempts = arg;
	struct json *json = attempts->json;

	if (attempts->left == 0) {
		attempts->more = true;
		return false;
	}
	attempts->left--;
	(void)snprintf(attempts->last, sizeof(attempts->last), "%llu", (unsigned long long)attempt->number);
	json_object_begin(json);
	json_member_uint(json, "number", attempt->number);
	json_member_str(json, "callback_id", attempt->id);
	json_member_text(json, "kind",
	                 callback_is_test(attempt->id)     ? "test" :
	                 callback_is_delivery(attempt->id) ? "delivery" :
	                                                     "report");
	json_member_str(json, "url", attempt->url);
	json_member_int(json, "attempt", attempt->nth);
	api_write_time(json, "time", attempt->time_us);
	json_member_int(json, "duration_ms", attempt->duration_us / 1000);
	write_outcome(json, attempt);
	json_object_end(json);
	return true;
}

/* Digits alone; any number if there are none. */
static bool read_before(struct str text, uint64_t *before)
{
	*before = UINT64_MAX;
	if (!text.p)
		return true;
	if (text.len > NUMBER_DIGITS_MAX)
		return false;
	*before = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		*before = *before * 10 + (uint64_t)(text.p[i] - '0');
	}
	return true;
}

/* Members of an open object; fills *attempts. */
static int write_webhook(const struct http_request *request, const struct api *app, uint64_t before,
                         struct attempts *attempts, struct error *err)
{
	const char *account = api_account(request)->id;
	struct json *json = attempts->json;
	struct callback_secret secret;
	int found = callback_secret_find(app->meta, account, &secret, err);

	if (found < 0)
		return -1;
	json_key(json, "signing");
	if (found > 0)
		write_secret(json, &secret);
	else
		json_null(json);
	json_member_bool(json, "held", callbacks_held(app->callbacks) != CALLBACK_NOT_HELD);
	json_key(json, "attempts");
	json_array_begin(json);
	if (callback_attempts_each(app->meta, account, before, write_attempt, attempts, err) != 0)
		return -1;
	json_array_end(json);
	return 0;
}

static void answer(struct http_request *request, const struct api *app, const struct api_list_params *list,
                   uint64_t before)
{
	struct buf body = { 0 };
	struct json json = json_to(&body);
	struct attempts attempts = { .json = &json, .left = list->limit };
	struct error err;

	json_object_begin(&json);
	if (write_webhook(request, app, before, &attempts, &err) != 0) {
		buf_free(&body);
		http_reply_error(request, &err);
		return;
	}
	api_list_write_links(request, list, "before", attempts.more ? attempts.last : NULL, &json);
	json_object_end(&json);
	http_reply_header(request, "Cache-Control", "no-store");
	http_reply(request, 200, "application/json", &body);
}

void api_webhook_get(struct http_request *request, void *app)
{
	struct api_list_params list = { 0 };
	uint64_t before;

	if (api_list_params_read(request, "before", &list) &&
	    (read_before(list.from, &before) ||
	     api_plan_refuse(request, STR_LITERAL("before"), "Not the number of an attempt")))
		answer(request, app, &list, before);
	api_list_params_free(&list);
}

/* --- a new secret --- */

void api_webhook_rotate(struct http_request *request, void *arg)
{
	const struct api *app = arg;
	const char *account = api_account(request)->id;
	struct callback_secret secret;
	struct error err;
	struct buf body = { 0 };
	struct json json = json_to(&body);

	if (callback_secret_get(app->meta, account, true, app->config->callback_secret_overlap, &secret, &err) != 0) {
		http_reply_error(request, &err);
		return;
	}
	log_info("callback", "webhook secret of account %s rotated at its own request", account);
	write_secret(&json, &secret);
	http_reply_header(request, "Cache-Control", "no-store");
	http_reply(request, 200, "application/json", &body);
}
