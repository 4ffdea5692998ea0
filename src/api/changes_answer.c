/* SPDX-License-Identifier: ISC */
/*
 * changes_answer.c: a page of changes as JSON, the next page's token, and the charge.
 *
 *	{"_links":{"self":...,"next":...},"request_id":...,"request_status":"TRUNCATED",...,"items_count":1000,
 *	 "more":true,"next":TOKEN,"data_complete_until":"2026-03-01T12:00:00+00:00","records":[...]}
 *
 * There is always a `next`, since there will be more changes one day. Records cost as much as in a synchronous query.
 * The page of a token is charged once, however often it is requested, for as long as it has the same records: one that
 * has changed or grown meanwhile is another page. An empty one is never charged.
 */
#include "base/clock.h"
#include "base/decimal.h"
#include "api/changes.h"
#include "api/link.h"

#define ENVELOPE_BYTES 4096 /* a usual envelope is shorter */

/* What the answer contains besides the page. */
struct answer {
	struct buf self;
	struct buf next;
	struct buf token;
	struct buf scratch;
	struct billing_price price;
	bool charged;
};

static void answer_free(struct answer *answer)
{
	buf_free(&answer->self);
	buf_free(&answer->next);
	buf_free(&answer->token);
	buf_free(&answer->scratch);
}

static int seal_token(const struct api_changes *page, struct answer *answer, struct error *err)
{
	struct cursor cursor = {
		.fingerprint = page->fingerprint,
		.snapshot = page->found.up_to,
		.began_us = page->began_us,
	};

	/* the iv, whose length is fixed, comes first */
	if (cursor_seal(&page->app->cursor_key, &api_account(page->request)->key, &cursor, &answer->scratch,
	                &answer->token, err) < 0)
		return -1;
	buf_add_str(&answer->token, buf_str(&answer->scratch));
	return 0;
}

static void write_links(const struct api_changes *page, struct answer *answer)
{
	static const char *const own[] = { "since", NULL };

	http_request_url(page->request, &answer->self);
	api_link_begin(&answer->next, page->request, &page->params, own);
	api_link_add(&answer->next, STR_LITERAL("since"), buf_str(&answer->token));
}

/* --- the charge --- */

static uint64_t hash_records(const struct api_changes *page)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < page->found.count; i++) {
		struct str text = changes_text(page->changes, i);

		hash = id_hash64(text.p, text.len, hash);
	}
	return hash;
}

/* Was the page charged before? Then it gets the same id as then. */
static int look_for_charge(struct api_changes *page, struct error *err)
{
	const struct account *reader = api_account(page->request);
	struct cursor cursor = { .fingerprint = page->fingerprint,
		                 .snapshot = page->token,
		                 .began_us = page->began_us,
		                 .position.words = { hash_records(page) } };

	if (!page->has_token)
		return 0;
	billing_page_id(reader, &cursor, page->request_id);
	return billing_is_charged(page->app->billing, reader, page->request_id, page->began_us, err);
}

static int quote(struct api_changes *page, struct answer *answer, struct error *err)
{
	const struct account *account = api_account(page->request);
	size_t count = page->found.count;
	int charged = 1;

	if (count > 0 && !billing_is_free(page->plan.product))
		charged = look_for_charge(page, err);
	answer->charged = charged == 0;
	if (answer->charged)
		billing_quote(page->app->billing, account, count, page->received_us, &answer->price);
	else
		billing_quote_nothing(page->app->billing, account, page->received_us, &answer->price);
	return charged < 0 ? -1 : 0;
}

static const char *status_of(const struct api_changes *page)
{
	return page->found.more ? "TRUNCATED" : "SUCCESS";
}

static void charge(const struct api_changes *page, const struct answer *answer)
{
	struct billing_usage usage = {
		.id = page->request_id,
		.owner = page->plan.account,
		.product = page->plan.product_name,
		.job_type = BILLING_BY_DATES,
		.status = status_of(page),
		.received_us = page->received_us,
		.started_us = page->received_us,
		.finished_us = clock_now_us(),
		.params = &page->params,
	};

	if (answer->charged && !http_request_is_head(page->request))
		billing_charge(page->app->billing, api_account(page->request), &usage, &answer->price);
}

/* --- the JSON --- */

static void write_time(struct json *json, const char *key, int64_t time_us, struct buf *scratch)
{
	buf_clear(scratch);
	clock_format_record(scratch, time_us - time_us % CLOCK_US_PER_SECOND);
	json_member_str(json, key, buf_str(scratch));
}

static void write_records(const struct api_changes *page, struct json *json)
{
	size_t count = page->found.count;

	json_key(json, "records");
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		json_raw(json, changes_text(page->changes, i));
	json_array_end(json);
}

static void write_answer(const struct api_changes *page, struct answer *answer, struct buf *out)
{
	struct json json = json_to(out);

	json_object_begin(&json);
	json_key(&json, "_links");
	json_object_begin(&json);
	api_link_write(&json, "self", &answer->self);
	api_link_write(&json, "next", &answer->next);
	json_object_end(&json);
	json_member_str(&json, "request_id", str_from(page->request_id));
	json_member_str(&json, "request_status", str_from(status_of(page)));
	write_time(&json, "received_at", page->received_us, &answer->scratch);
	buf_clear(&answer->scratch);
	decimal_format(&answer->scratch, answer->price.total);
	json_key(&json, "price");
	json_raw(&json, buf_str(&answer->scratch));
	json_member_str(&json, "currency", str_from(answer->price.currency));
	query_plan_echo(&page->plan, &page->params, &json);
	json_member_uint(&json, "items_count", page->found.count);
	json_member_bool(&json, "more", page->found.more);
	json_member_str(&json, "next", buf_str(&answer->token));
	write_time(&json, "data_complete_until", clock_now_us() - page->app->config->data_settle, &answer->scratch);
	write_records(page, &json);
	json_object_end(&json);
}

int api_changes_answer(struct api_changes *page, struct error *err)
{
	struct answer answer = { 0 };
	struct buf out = { 0 };
	int result = -1;

	if (seal_token(page, &answer, err) < 0 || quote(page, &answer, err) < 0)
		goto out;
	write_links(page, &answer);
	buf_reserve(&out, ENVELOPE_BYTES);
	write_answer(page, &answer, &out);
	if (out.failed || answer.self.failed || answer.next.failed || answer.token.failed || answer.scratch.failed) {
		error_set(err, ERROR_NOMEM, "Out of memory for a page of changes");
		goto out;
	}
	api_link_header(page->request, "next", &answer.next);
	charge(page, &answer);
	http_reply(page->request, 200, "application/json", &out);
	result = 0;
out:
	answer_free(&answer);
	buf_free(&out);
	return result;
}
