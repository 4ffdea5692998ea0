/* SPDX-License-Identifier: ISC */
/*
 * records.h: one GET /v2/reports/records in progress; private to api/.
 *
 *	records.c         checks the request, runs slices until the page is complete
 *	records_read.c    a slice: records from the store into page->records, as JSON
 *	records_answer.c  the envelope around them, and the links
 */
#ifndef CDRD_API_RECORDS_H
#define CDRD_API_RECORDS_H

#include "base/id.h"
#include "api/work.h"

struct api_records_page {
	struct http_request *request;
	const struct api *app;
	struct api_work work;
	char request_id[ID_UUID_LEN + 1];
	int64_t received_us;
	int64_t began_us; /* when the first of the query's pages was asked for */
	bool is_paid;     /* this very page was requested before */
	bool asks_paid;   /* is_paid is not known yet */

	struct record_view view;
	uint64_t columns;   /* that the view shows, as in scan_query */
	size_t max;         /* records on a page */
	size_t limit;       /* the same as the query gives it; 0: not given */
	size_t count;       /* records on this one */
	bool more;          /* there is at least one more record */
	struct buf records; /* JSON objects, separated by commas */

	struct scan *scan; /* of the range, or of the current id; NULL: not begun */

	/* by dates */
	uint64_t snapshot;
	struct scan_position position; /* where the page begins */
	struct scan_position last;     /* after the last record of the page */

	/* by ids */
	size_t ids_done;
	bool id_found;        /* the current one */
	struct buf hits;      /* struct hit of records_read.c */
	struct buf not_found; /* ids, separated by commas */

	struct query_params params;
	struct query_plan plan; /* borrows from params; last, as query_plan_make fills it */
};

enum api_records_end { API_RECORDS_COMPLETE, API_RECORDS_PAUSED, API_RECORDS_WAITS, API_RECORDS_FAILED };

/* Reads until the page is complete or `deadline_us` of clock_monotonic_us has passed. API_RECORDS_WAITS: the store
 * resumes the work when there is something to read. API_RECORDS_FAILED: *err says why. */
MUST_CHECK enum api_records_end api_records_read(struct api_records_page *page, int64_t deadline_us, struct error *err);

/* Answers with the complete page, after which the request is dead. -1, without having answered, on failure. */
MUST_CHECK int api_records_answer(struct api_records_page *page, struct error *err);

#endif
