/* SPDX-License-Identifier: ISC */
/*
 * changes.h: one GET /v2/reports/changes in progress; private to api/.
 *
 *	changes.c         checks the request, reads a page in slices
 *	changes_wait.c    those that wait for something new
 *	changes_answer.c  the JSON, the next page's token, and the charge
 */
#ifndef CDRD_API_CHANGES_H
#define CDRD_API_CHANGES_H

#include <sys/queue.h>

#include "base/id.h"
#include "api/work.h"
#include "store/changes.h"

struct api_changes {
	TAILQ_ENTRY(api_changes) entry; /* of the waiters */
	bool waits;
	struct http_request *request;
	struct api *app;
	struct api_work work;
	struct event *timer; /* makes it check again while it waits; NULL until the first time */
	struct query_params params;
	struct query_plan plan; /* borrows from params */
	char request_id[ID_UUID_LEN + 1];
	int64_t received_us;
	int64_t until_us; /* monotonic: when the wait ends */
	uint64_t fingerprint;
	int64_t began_us; /* when the token's feed began */
	bool has_token;
	uint64_t token; /* the change it stands for: the client knows those up to it */
	uint64_t since; /* later: those up to this one are not this account's and can be skipped */
	struct record_view view;
	struct buf accounts;       /* struct account_key each: whose changes are listed */
	int64_t looked_us;         /* monotonic: when many accounts were last checked for changes */
	struct changes *changes;   /* open reader; NULL while it waits */
	struct changes_page found; /* valid when the page is complete, or nothing was found yet */
};

/* Answers with the complete page, after which the request is dead. -1, without having answered, on failure. */
MUST_CHECK int api_changes_answer(struct api_changes *page, struct error *err);

/* changes_wait.c: nothing was found: makes the page wait until there may be something. False if it must be answered
 * empty because it has waited long enough, too many wait, or the daemon is about to end. */
bool api_changes_wait(struct api_changes *page);

/* May there be something new? */
bool api_changes_may_have(const struct api_changes *page);

/* Removes the page from the waiters, if it is among them. */
void api_changes_wake(struct api_changes *page);

#endif
