/* SPDX-License-Identifier: ISC */
/*
 * worker.h: makes files of reports for the front end that holds the catalog, on one that does not.
 *
 * Each order (order.h) is a request whose answer is the file, sent as it is made. The file here is for the maker alone, and has no
 * name. When the connection ends before, the holder does not want it any more, or is gone, and the making ends, too. At most
 * `reports_max` (a setting) are made at once, and none is begun while the disk is low or ClickHouse does not answer.
 */
#ifndef CDRD_REPORT_WORKER_H
#define CDRD_REPORT_WORKER_H

#include <stdint.h>

#include "base/config.h"
#include "base/disk.h"
#include "base/error.h"
#include "http/http.h"
#include "store/store.h"

#define REPORT_ORDER_PATH "/front-ends/reports" /* of HTTP_POST and HTTP_BODY_STREAM */

struct report_worker;
struct shrinking;
struct tasks;

/* All stays the caller's and must outlive it; the key need not be known before the first request. */
struct report_worker_options {
	struct tasks *tasks;
	const struct config *config;
	struct store *store; /* that can be scanned */
	const struct disk *disk;
	struct shrinking *shrinking;
	const uint8_t *key; /* of HTTP_RELAY_KEY_BYTES, that front ends share */
};

/* NULL with *err. */
MUST_CHECK struct report_worker *report_worker_new(const struct report_worker_options *options, struct error *err);

/* Ends what is under way. Not from within a handler. Does nothing on NULL. */
void report_worker_free(struct report_worker *worker);

/* How many files it makes at once; 0 while it can begin none. */
uint64_t report_worker_room(const struct report_worker *worker);

/* The route's handler: answers the request, of which it is known that a front end of this catalog has made it. */
void report_worker_take(struct report_worker *worker, struct http_request *request);

/* Ends what is under way: whoever has ordered it sees that. */
void report_worker_end_all(struct report_worker *worker);

/* The same, and takes no more. */
void report_worker_end(struct report_worker *worker);

#endif
