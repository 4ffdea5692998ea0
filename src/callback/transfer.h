/* SPDX-License-Identifier: ISC */
/*
 * transfer.h: POSTs, and PUTs of files, on the loop, by libcurl's multi interface; private to callback/.
 *
 * A transfer connects to the one address it is given, whatever the URL's host (which is still what the Host header and
 * the certificate check name), so that libcurl never resolves a name. The guard is asked again about the very address
 * that the socket will connect to. No redirects, no proxies, no reuse of connections, http and https only.
 */
#ifndef CDRD_CALLBACK_TRANSFER_H
#define CDRD_CALLBACK_TRANSFER_H

#include <curl/curl.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "callback/address.h"

struct transfers;
struct transfer;
struct upload;

struct transfer_result {
	const char *problem; /* why there is no answer; "" when there is one */
	long status;         /* of HTTP; 0 without an answer */
	bool is_done;        /* whatever the status: of couriers, who have none */
	bool refused;        /* by the guard */
	bool never_connected;
	int64_t retry_after_s; /* that the server asked for; 0 if it did not */
	struct str answer;     /* its body, from a server of S3; borrowed */
	struct str tag;        /* the same: ETag, or empty */
};

/* The transfer is gone when this is called. */
typedef void (*transfer_fn)(void *arg, const struct transfer_result *result);
typedef bool (*transfer_guard)(void *arg, const struct sockaddr *address);

/* Everything but the headers stays the caller's and must live until the transfer has ended or is cancelled. */
struct transfer_request {
	CURLU *url;
	const struct address *address;
	struct str body;
	const struct upload *upload; /* instead of the body; or NULL */
	const char *method;          /* of a step of an upload in parts (multipart.h), or NULL */
	bool is_part;                /* then the file's part, or else the body, is sent */
	int64_t part_offset;
	int64_t part_bytes;
	const char *id;             /* of the callback */
	int64_t attach_max;         /* smtp: the size up to which a file is attached, rather than linked by the body */
	bool may_be_plain;          /* smtp: without TLS */
	struct curl_slist *headers; /* becomes the transfer's, also when it cannot be started */
	const char *ca_file;        /* "" for only the system's authorities */
	int64_t connect_timeout_us;
	int64_t timeout_us; /* for all of it; of an upload, as long as nothing moves */
	transfer_guard guard;
	transfer_fn ended;
	void *arg; /* of both callbacks */
};

MUST_CHECK struct transfers *transfers_new(struct event_base *base, struct error *err);

/* Cancels all transfers. Does nothing on NULL. */
void transfers_free(struct transfers *transfers);

/* NULL with *err when it cannot be started; `ended` is never called before this returns. */
MUST_CHECK struct transfer *transfer_start(struct transfers *transfers, const struct transfer_request *request,
                                           struct error *err);

/* `ended` will not be called. */
void transfer_cancel(struct transfer *transfer);

#endif
