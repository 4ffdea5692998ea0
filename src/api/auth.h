/* SPDX-License-Identifier: ISC */
/*
 * auth.h: who makes a request, and whether it may be made now; private to api/.
 *
 * The functions that routes.def names; `app` is the struct api. Each returns false when it has turned the request away:
 * it is answered, or will be.
 */
#ifndef CDRD_API_AUTH_H
#define CDRD_API_AUTH_H

#include "catalog/catalog.h"
#include "http/http.h"
#include "meta/accounts.h"

/* auth.c: Basic ACCOUNT:SECRET, or a session of the console instead (console_session.h); or NAME:SECRET of a producer. Nobody is
 * let in under overload, nor where another front end may hold the catalog by now (503). After wrong credentials the answer is late
 * (login_delay_max), and others of the address are turned away meanwhile (429). */
bool api_auth_account(struct http_request *request, void *app);
/* The same, for everything that an account's secret may do; a key of the account (meta/api_keys.h) may not. Then those that
 * a key may use, too, that has the scope `records`, `reports`, or any. */
bool api_auth_records(struct http_request *request, void *app);
bool api_auth_reports(struct http_request *request, void *app);
bool api_auth_any(struct http_request *request, void *app);

/* As api_auth_any, but lets in who gives nothing at all, as an account whose id is "". */
bool api_auth_session(struct http_request *request, void *app);
bool api_auth_producer(struct http_request *request, void *app);

/* As api_auth_reports, or by a ticket for the file in the path (tickets.h): 403 for one that is not valid. */
bool api_auth_download(struct http_request *request, void *app);

/* Answers 403: a ticket is not valid. */
void api_reply_invalid_ticket(struct http_request *request, const char *detail);

/* admission.c, after api_auth_account: has the account made too many requests of a kind in this second, or has it too
 * many downloads in progress (429)? */
bool api_admit_sync(struct http_request *request, void *app);
bool api_admit_async(struct http_request *request, void *app);
bool api_admit_download(struct http_request *request, void *app);

/* Who has been let in; they live as long as the request. The account's id is "" where the route asks for a producer or
 * for neither, the producer's name where it asks for an account or for neither. */
const struct account *api_account(const struct http_request *request);
const char *api_producer(const struct http_request *request);

/* May the request, if it was made with a key, have records of a product (NULL: unknown) and an account, and of that
 * account's subaccounts? That the account itself may is another question. */
bool api_key_allows(const struct http_request *request, const struct catalog_product *product, struct str account,
                    bool include_subaccounts);
bool api_key_allows_subaccounts(const struct http_request *request);

/* What the credentials are good for, as bits (enum api_scope in meta/api_keys.h): all, unless they are a key with fewer. */
unsigned api_key_scopes(const struct http_request *request);

#endif
