/* SPDX-License-Identifier: ISC */
/*
 * row.h: callbacks as they are stored; private to callback/.
 *
 * Each is a row of the catalog's `callbacks` under a number that is never used again, so that new ones can be found
 * after the last number seen. Delivered ones are removed.
 */
#ifndef CDRD_CALLBACK_ROW_H
#define CDRD_CALLBACK_ROW_H

#include "base/buf.h"
#include "callback/callback.h"
#include "meta/rows.h"

/*
 * Layout version 1:
 *
 *	[1, id, account, url, body, created_us, since_us, attempts, next_us, failed, last_error,
 *	 destination, file, sha256,         of a delivery; left out by builds that made none
	 parts]                             of one that has begun an upload in parts (multipart.h)
 */
struct callback_row {
	uint64_t number; /* the key */
	struct str id;
	struct str account;
	struct str url;
	struct str body;
	int64_t created_us;
	int64_t since_us; /* callback_keep counts from here: when created, or retried by hand */
	int64_t attempts;
	int64_t next_us;
	bool failed;
	struct str last_error;
	struct callback_upload upload;
	struct str parts; /* what multipart_keep wrote; or empty */
};

struct callback_key {
	char bytes[8];
};

/* The key of a number, big-endian; borrowed from *key. */
struct str callback_key_of(uint64_t number, struct callback_key *key);

/* Everything in *row borrows from `bytes`. ERROR_CORRUPT or ERROR_NOMEM. */
MUST_CHECK int callback_row_read(struct callback_row *row, struct str key, struct str bytes, struct error *err);

/* How a walk goes on after a row that was not read: past one that is damaged, which was logged when it was first read,
 * but not past one for which there was no room. */
MUST_CHECK enum meta_next callback_row_passed_over(const struct error *err);

/* Takes the row's URL apart, by what the row is. */
struct callback_url;
MUST_CHECK int callback_row_url(const struct callback_row *row, struct callback_url *url, struct error *err);

MUST_CHECK int callback_row_put(struct change *change, const struct callback_row *row, struct error *err);

#endif
