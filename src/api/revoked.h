/* SPDX-License-Identifier: ISC */
/*
 * revoked.h: credentials that end take what they have opened with them; private to api/, but for the two that daemon/modules.c
 * calls (api.h).
 *
 * Whoever is let in leaves a pass (meta/pass.h) with the request. After each change of accounts, keys and producers, and
 * when a key's time is up, all passes are checked: bodies that are arriving, requests that wait and files that are being
 * sent end with theirs. A ticket keeps the pass of the request that it was made with.
 */
#ifndef CDRD_API_REVOKED_H
#define CDRD_API_REVOKED_H

#include "api/api.h"
#include "meta/pass.h"

/* The request was let in by it. */
void api_set_pass(struct http_request *request, struct api *app, const struct pass *pass);

#endif
