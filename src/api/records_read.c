/* SPDX-License-Identifier: ISC */
/*
 * records_read.c: one slice of reading for a page of records.
 *
 * By dates, a scan writes records straight into the page and looks for one more than fits, so that the status is
 * TRUNCATED only when there is more. By ids, each id is looked up in turn; results arrive newest day first and id by
 * id, so they are collected with their times, then sorted.
 */
#include "api/records.h"

#include <stdlib.h>

#include "base/clock.h"

#define ROOM_AT 16 /* records after which a page's size can be estimated */

/* A record that an id found: its JSON within page->records until the hits are sorted. */
struct hit {
	int64_t time_us;
	uint64_t seq; /* with the time, tells records apart */
	size_t at;
	size_t len;
};

/* After the first few, makes room for a full page like them: growing step by step would copy them again and again. */
static void make_room(struct api_records_page *page)
{
	size_t usual = page->records.len / page->count;

	buf_reserve(&page->records, (page->max - page->count) * (usual + usual / 8));
}

static bool add_scanned(void *arg, const struct scan_row *row)
{
	struct api_records_page *page = arg;

	if (page->count == page->max) {
		page->more = true;
		return false;
	}
	if (page->count == ROOM_AT)
		make_room(page);
	if (page->count++ > 0)
		buf_add_char(&page->records, ',');
	record_write_json_columns(&page->records, row->record, page->columns);
	page->last = *row->after;
	return !page->records.failed;
}

static void on_ready(void *arg)
{
	struct api_records_page *page = arg;

	api_work_run(&page->work);
}

static struct scan *begin_scan(struct api_records_page *page, struct error *err)
{
	const struct query_plan *plan = &page->plan;
	const struct scan_query query = {
		.product = plan->product,
		.direction = page->view.direction,
		.accounts = &plan->account_key,
		.accounts_count = 1,
		.from_us = plan->from_us,
		.to_us = plan->to_us,
		.snapshot = page->snapshot,
		.filters = plan->filters,
		.filters_count = plan->filters_count,
		.columns = page->columns,
	};
	const struct scan_sink sink = { .on_record = add_scanned, .on_ready = on_ready, .arg = page };

	return scan_start(page->app->store, &query, &page->position, &sink, err);
}

static enum api_records_end end_of(enum scan_end end)
{
	switch (end) {
	case SCAN_PAUSED:
		return API_RECORDS_PAUSED;
	case SCAN_WAITS:
		return API_RECORDS_WAITS;
	default:
		return API_RECORDS_COMPLETE;
	}
}

static enum api_records_end read_range(struct api_records_page *page, int64_t deadline_us, struct error *err)
{
	enum scan_end end;

	if (!page->scan)
		page->scan = begin_scan(page, err);
	if (!page->scan || scan_step(page->scan, deadline_us, &end, err) < 0)
		return API_RECORDS_FAILED;
	return end_of(end);
}

/* The lookup knows directions only where they are stored apart. */
static bool is_other_direction(const struct query_plan *plan, const struct record *record)
{
	struct str direction = record_value(record, plan->product->direction_column);

	return plan->direction != CATALOG_NO_DIRECTION && catalog_direction_parse(direction) != plan->direction;
}

static struct hit *hits_of(const struct api_records_page *page)
{
	return (struct hit *)(void *)page->hits.data;
}

static int compare_hits(const void *a, const void *b)
{
	const struct hit *left = a, *right = b;

	if (left->time_us != right->time_us)
		return left->time_us < right->time_us ? -1 : 1;
	return (left->seq > right->seq) - (left->seq < right->seq);
}

/* Did an earlier id find the same record? By its message_id and its id, say. */
static bool is_known(const struct api_records_page *page, const struct hit *hit)
{
	const struct hit *hits = hits_of(page);

	for (size_t i = 0; page->ids_done > 0 && i < page->count; i++) {
		if (compare_hits(&hits[i], hit) == 0)
			return true;
	}
	return false;
}

static bool add_found(void *arg, const struct scan_row *row)
{
	struct api_records_page *page = arg;
	struct record_view view = page->view;
	struct hit hit = { .time_us = row->time_us, .seq = row->seq, .at = page->records.len };

	if (is_other_direction(&page->plan, row->record))
		return true;
	page->id_found = true;
	if (is_known(page, &hit))
		return true;
	if (page->count == page->max) {
		page->more = true;
		return false;
	}
	view.direction = record_partition(row->record); /* the query need not name one */
	record_write_json(&page->records, row->record, &view);
	hit.len = page->records.len - hit.at;
	buf_add(&page->hits, &hit, sizeof(hit));
	if (page->records.failed || page->hits.failed)
		return false;
	page->count++;
	return true;
}

static struct scan *begin_find(struct api_records_page *page, struct error *err)
{
	const struct query_plan *plan = &page->plan;
	const struct scan_find find = {
		.product = plan->product,
		.account = &plan->account_key,
		.direction = page->view.direction,
		.id = plan->ids[page->ids_done],
		.columns = page->columns,
		.first_day = clock_day_of(store_kept_from_us(page->app->store)),
		.max = SIZE_MAX,
	};
	const struct scan_sink sink = { .on_record = add_found, .on_ready = on_ready, .arg = page };

	page->id_found = false;
	return scan_start_find(page->app->store, &find, &sink, err);
}

static void end_find(struct api_records_page *page)
{
	scan_cancel(page->scan);
	page->scan = NULL;
	if (!page->id_found) {
		if (page->not_found.len > 0)
			buf_add_char(&page->not_found, ',');
		buf_add_str(&page->not_found, page->plan.ids[page->ids_done]);
	}
	page->ids_done++;
}

/* Looks up the current id. */
static enum api_records_end find_one(struct api_records_page *page, int64_t deadline_us, struct error *err)
{
	enum scan_end end;

	if (!page->scan)
		page->scan = begin_find(page, err);
	if (!page->scan || scan_step(page->scan, deadline_us, &end, err) < 0)
		return API_RECORDS_FAILED;
	if (end_of(end) == API_RECORDS_COMPLETE)
		end_find(page);
	return end_of(end);
}

/* Rewrites the hits in order of time, with commas between them. */
static void put_in_order(struct api_records_page *page)
{
	struct hit *hits = hits_of(page);
	struct buf ordered = { 0 };

	if (page->count < 2)
		return;
	qsort(hits, page->count, sizeof(*hits), compare_hits);
	buf_reserve(&ordered, page->records.len + page->count);
	for (size_t i = 0; i < page->count; i++) {
		if (i > 0)
			buf_add_char(&ordered, ',');
		buf_add(&ordered, page->records.data + hits[i].at, hits[i].len);
	}
	buf_free(&page->records);
	page->records = ordered;
}

static enum api_records_end read_ids(struct api_records_page *page, int64_t deadline_us, struct error *err)
{
	const struct query_plan *plan = &page->plan;

	while (page->ids_done < plan->ids_count) {
		enum api_records_end end = find_one(page, deadline_us, err);

		if (end != API_RECORDS_COMPLETE)
			return end;
		if (page->ids_done < plan->ids_count && clock_monotonic_us() >= deadline_us)
			return API_RECORDS_PAUSED;
	}
	if (page->records.failed || page->hits.failed || page->not_found.failed) {
		error_set(err, ERROR_NOMEM, "Out of memory for a page of records");
		return API_RECORDS_FAILED;
	}
	put_in_order(page);
	return API_RECORDS_COMPLETE;
}

static bool take_charge(void *arg, const struct scan_row *row)
{
	struct api_records_page *page = arg;

	(void)row;
	page->is_paid = true;
	return false;
}

static struct scan *begin_charge(struct api_records_page *page, struct error *err)
{
	const struct scan_sink sink = { .on_record = take_charge, .on_ready = on_ready, .arg = page };

	return billing_find_charge(page->app->billing, api_account(page->request), page->request_id, page->began_us,
	                           &sink, err);
}

/* A page reached by a cursor is charged once. */
static enum api_records_end look_for_charge(struct api_records_page *page, int64_t deadline_us, struct error *err)
{
	enum scan_end end;

	if (!page->scan)
		page->scan = begin_charge(page, err);
	if (!page->scan || scan_step(page->scan, deadline_us, &end, err) < 0)
		return API_RECORDS_FAILED;
	if (end_of(end) == API_RECORDS_COMPLETE) {
		scan_cancel(page->scan);
		page->scan = NULL;
		page->asks_paid = false;
	}
	return end_of(end);
}

enum api_records_end api_records_read(struct api_records_page *page, int64_t deadline_us, struct error *err)
{
	if (page->asks_paid) {
		enum api_records_end end = look_for_charge(page, deadline_us, err);

		if (end != API_RECORDS_COMPLETE)
			return end;
	}
	return page->plan.by_id ? read_ids(page, deadline_us, err) : read_range(page, deadline_us, err);
}
