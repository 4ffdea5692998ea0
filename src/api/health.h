/* SPDX-License-Identifier: ISC */
/*
 * health.h: the answers of /healthz and /readyz, which the metrics listener serves too.
 */
#ifndef CDRD_API_HEALTH_H
#define CDRD_API_HEALTH_H

#include "base/disk.h"
#include "http/http.h"
#include "meta/meta.h"
#include "store/store.h"

/* Parameters by which a front end that forwards says, sealed (http_request_is_of_front_end), where it is and how many files
 * of reports it makes at once. */
#define API_READY_URL "front_end_url"
#define API_READY_ROOM "reports"

/* Whose health is reported; all pointers stay the caller's. */
struct api_health {
	const struct http_server *http; /* the public one */
	struct store *store;            /* NULL: it is not open */
	const struct disk *disk;
	const struct meta *meta; /* NULL: it is not open */
};

void api_health_reply_alive(struct http_request *request);
void api_health_reply_ready(struct http_request *request, const struct api_health *health);

#endif
