/* SPDX-License-Identifier: ISC */
/*
 * taking_in.h: takes records in at a front end that does not hold the catalog (docs/CLUSTER.md): a copy of the catalog that is kept
 * fresh, the cluster, and what POST /v1/cdrs needs; and what makes files of reports for the holder, from the same store. Numbers of
 * changes are the holder's (asked_numbers.h). What is rejected goes to quarantine in PostgreSQL, which is all that it writes there.
 */
#ifndef CDRD_DAEMON_TAKING_IN_H
#define CDRD_DAEMON_TAKING_IN_H

#include "api/api.h"
#include "base/config.h"
#include "forward/forward.h"
#include "meta/shared_catalog.h"

struct intake;
struct report_worker;

struct intake_options {
	struct tasks *tasks;
	const struct config *config;
	struct audit *audit;
	const struct meta_shared_options *catalog; /* of which lease and calls do not count */
	struct forwarder *forwarder;               /* to the one that holds the catalog */
	struct http_server *http;                  /* which has api_cdrs_post, and whose `app` is this: */
	struct api *api;                           /* zeros; is filled in */
	const uint8_t *key;                        /* of HTTP_RELAY_KEY_BYTES, that front ends share */
};

/* Blocks while the copy of the catalog is brought up to date. What the options have stays the caller's, and must outlive it. NULL
 * with *err. */
MUST_CHECK struct intake *intake_new(const struct intake_options *options, struct error *err);

/* Bodies and orders on their way get 503. Not from within a handler. Does nothing on NULL. */
void intake_free(struct intake *intake);

/* Does it know all that the catalog said less than a second ago, and can it store? `why`: else that. */
bool intake_is_fresh(const struct intake *intake, char *why, size_t size);

/* It is the intake's, and ends with it. */
struct report_worker *intake_worker(struct intake *intake);

/* It has to be made anew. */
bool intake_is_broken(const struct intake *intake);

#endif
