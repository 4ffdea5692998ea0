/* SPDX-License-Identifier: ISC */
/*
 * records_answer.c: the JSON around a page of records.
 *
 *	{"_links":{"self":{"href":...},"next":{"href":...}},"request_id":...,"request_status":"TRUNCATED",...,
 *	 "items_count":1000,"cursor":...,"iv":...,"records":[...]}
 *
 * Records may be a megabyte, so they are sent after the front of the envelope without being copied.
 *
 * `next` repeats the query with the new cursor and iv; the same URL stands in a Link header (RFC 8288).
 */
#include "api/records.h"

#include "base/clock.h"
#include "base/decimal.h"
#include "base/json.h"
#include "api/link.h"

#define FRONT_BYTES 2048 /* usually shorter */

/* What the answer contains besides the page. */
struct answer {
	struct buf self;
	struct buf next; /* this and the two below: empty on the last page */
	struct buf cursor;
	struct buf iv;
	struct buf scratch;
};

static void answer_free(struct answer *answer)
{
	buf_free(&answer->self);
	buf_free(&answer->next);
	buf_free(&answer->cursor);
	buf_free(&answer->iv);
	buf_free(&answer->scratch);
}

static void write_next(const struct api_records_page *page, struct answer *answer)
{
	static const char *const own[] = { "cursor", "iv", NULL };

	api_link_begin(&answer->next, page->request, &page->params, own);
	api_link_add(&answer->next, STR_LITERAL("cursor"), buf_str(&answer->cursor));
	api_link_add(&answer->next, STR_LITERAL("iv"), buf_str(&answer->iv));
}

static int seal_cursor(const struct api_records_page *page, struct answer *answer, struct error *err)
{
	struct cursor cursor = {
		.fingerprint = query_plan_fingerprint(&page->plan, &page->params),
		.from_us = page->plan.from_us,
		.to_us = page->plan.to_us,
		.snapshot = page->snapshot,
		.began_us = page->began_us,
		.limit = (uint32_t)page->limit,
		.position = page->last,
	};

	return cursor_seal(&page->app->cursor_key, &api_account(page->request)->key, &cursor, &answer->cursor,
	                   &answer->iv, err);
}

static void write_links(struct json *json, const struct answer *answer)
{
	json_key(json, "_links");
	json_object_begin(json);
	api_link_write(json, "self", &answer->self);
	if (answer->next.len > 0)
		api_link_write(json, "next", &answer->next);
	json_object_end(json);
}

static void write_time(struct json *json, const char *key, int64_t time_us, struct buf *scratch)
{
	buf_clear(scratch);
	clock_format_record(scratch, time_us);
	json_member_str(json, key, buf_str(scratch));
}

static void write_price(const struct billing_price *price, struct json *json, struct buf *scratch)
{
	buf_clear(scratch);
	decimal_format(scratch, price->total);
	json_key(json, "price");
	json_raw(json, buf_str(scratch));
	json_member_str(json, "currency", str_from(price->currency));
}

static bool is_empty_range(const struct query_plan *plan)
{
	return !plan->by_id && plan->from_us == plan->to_us;
}

/* Does the page cost anything? HEAD shows what GET would, and is free. */
static bool is_chargeable(const struct api_records_page *page)
{
	return !page->is_paid && !is_empty_range(&page->plan) && !billing_is_free(page->plan.product);
}

static void quote(const struct api_records_page *page, struct billing_price *price)
{
	const struct account *account = api_account(page->request);

	if (is_chargeable(page))
		billing_quote(page->app->billing, account, page->count, page->received_us, price);
	else
		billing_quote_nothing(page->app->billing, account, page->received_us, price);
}

static const char *status_of(const struct api_records_page *page)
{
	return page->more ? "TRUNCATED" : "SUCCESS";
}

static void charge(const struct api_records_page *page, const struct billing_price *price)
{
	struct billing_usage usage = {
		.id = page->request_id,
		.owner = page->plan.account,
		.product = page->plan.product_name,
		.job_type = page->plan.by_id ? BILLING_BY_ID : BILLING_BY_DATES,
		.status = status_of(page),
		.received_us = page->received_us,
		.started_us = page->received_us,
		.finished_us = clock_now_us(),
		.params = &page->params,
	};

	if (is_chargeable(page) && !http_request_is_head(page->request))
		billing_charge(page->app->billing, api_account(page->request), &usage, price);
}

/* The answer up to its records. */
static void write_front(const struct api_records_page *page, const struct billing_price *price, struct answer *answer,
                        struct buf *out)
{
	struct json json = json_to(out);
	int64_t received_us = page->received_us - page->received_us % CLOCK_US_PER_SECOND;

	json_object_begin(&json);
	write_links(&json, answer);
	json_member_str(&json, "request_id", str_from(page->request_id));
	json_member_str(&json, "request_status", str_from(status_of(page)));
	write_time(&json, "received_at", received_us, &answer->scratch);
	write_price(price, &json, &answer->scratch);
	query_plan_echo(&page->plan, &page->params, &json);
	json_member_uint(&json, "items_count", page->count);
	if (page->not_found.len > 0)
		json_member_str(&json, "ids_not_found", buf_str(&page->not_found));
	if (answer->next.len > 0) {
		json_member_str(&json, "cursor", buf_str(&answer->cursor));
		json_member_str(&json, "iv", buf_str(&answer->iv));
	}
	json_key(&json, "records");
	json_array_begin(&json);
}

/* And after them. */
static void write_end(struct buf *out)
{
	struct json json = json_to(out);

	json_array_end(&json);
	json_object_end(&json);
}

int api_records_answer(struct api_records_page *page, struct error *err)
{
	struct answer answer = { 0 };
	struct buf front = { 0 };
	struct billing_price price;
	int result = -1;

	http_request_url(page->request, &answer.self);
	/* an id query has no cursor: one id may find more than a page, which only the status tells */
	if (page->more && !page->plan.by_id) {
		if (seal_cursor(page, &answer, err) < 0)
			goto out;
		write_next(page, &answer);
	}
	buf_reserve(&front, FRONT_BYTES);
	quote(page, &price);
	write_front(page, &price, &answer, &front);
	write_end(&page->records);
	if (front.failed || page->records.failed || answer.self.failed || answer.next.failed || answer.scratch.failed) {
		error_set(err, ERROR_NOMEM, "Out of memory for a page of records");
		goto out;
	}
	if (answer.next.len > 0)
		api_link_header(page->request, "next", &answer.next);
	charge(page, &price);
	http_reply_after(page->request, 200, "application/json", buf_str(&front), &page->records);
	result = 0;
out:
	answer_free(&answer);
	buf_free(&front);
	return result;
}
