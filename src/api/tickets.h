/* SPDX-License-Identifier: ISC */
/*
 * tickets.h: URLs that download one file once, within minutes, without credentials; private to api/.
 *
 * A link in a page cannot carry an Authorization header. A ticket can stand in its place: GET /v3/media/{id}?ticket=... is
 * then a download of the account that the ticket was given to, by the credentials that it was asked for with. Tickets live
 * in memory, so a restart ends them all, and none that was used can be used again.
 */
#ifndef CDRD_API_TICKETS_H
#define CDRD_API_TICKETS_H

#include "api/api.h"

#define API_TICKETS_MAX 4096
#define API_TICKETS_ACCOUNT_MAX 20 /* of one account that are neither used nor expired */

#define API_TICKET_LEN 36 /* 4 digits of the slot, 32 of the secret, hexadecimal */

/* Makes one for a file that the account may download, valid for `valid_us` and no longer than `pass`, which the account was
 * let in by. ERROR_LIMIT when it has API_TICKETS_ACCOUNT_MAX already; ERROR_NOMEM, also when all accounts together have
 * API_TICKETS_MAX. */
MUST_CHECK int api_ticket_make(struct api *app, const char *account, const struct pass *pass, const char *file_id,
                               int64_t valid_us, char text[API_TICKET_LEN + 1], struct error *err);

/* Fills *account, who may download the file with this ticket, and *pass. ERROR_FORBIDDEN for one that is unknown, used,
 * expired, of another file, of an account that is disabled or deleted, or was made with credentials that have ended. */
MUST_CHECK int api_ticket_check(const struct api *app, struct str text, struct str file_id, struct account *account,
                                struct pass *pass, struct error *err);

/* From now on it is used. False if it was before, or is none. */
bool api_ticket_use(const struct api *app, struct str text);

/* The request's ticket, appended to *text; false if it has none. */
bool api_ticket_of(const struct http_request *request, struct buf *text);

#endif
