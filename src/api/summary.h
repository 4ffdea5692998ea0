/* SPDX-License-Identifier: ISC */
/*
 * summary.h: one GET /v2/reports/summary in progress; private to api/.
 *
 *	summary.c         checks the request, reads in slices
 *	summary_turns.c   whose turn it is
 *	summary_answer.c  the JSON
 */
#ifndef CDRD_API_SUMMARY_H
#define CDRD_API_SUMMARY_H

#include "base/id.h"
#include "api/routes.h"
#include "api/summary_turns.h"
#include "api/work.h"
#include "store/aggregate.h"

struct api_summary {
	struct http_request *request;
	struct api *app;
	struct api_work work;
	struct api_summary_turn turn;
	struct query_params params;
	struct query_plan plan; /* borrows from params */
	char request_id[ID_UUID_LEN + 1];
	int64_t received_us;
	struct buf accounts;
	struct zone zone;
	struct aggregate *aggregate; /* NULL until its turn has come */
};

/* Answers with the complete summary, after which the request is dead. -1, without having answered, on failure. */
MUST_CHECK int api_summary_answer(struct api_summary *summary, struct error *err);

#endif
