/* SPDX-License-Identifier: ISC */
/*
 * secret.h: webhook secrets and signatures; private to callback/.
 *
 * Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md):
 *
 *	webhook-id: <event id>
 *	webhook-timestamp: <seconds since the epoch, of the attempt>
 *	webhook-signature: v1,<base64 of HMAC-SHA256(secret, id "." timestamp "." body)>   more, separated by spaces
 *
 * A secret is shown as "whsec_" and the base64 of its 32 bytes. It is stored in the clear: signing needs it.
 */
#ifndef CDRD_CALLBACK_SECRET_H
#define CDRD_CALLBACK_SECRET_H

#include "base/buf.h"
#include "callback/callback.h"

/* Makes the account's secret as part of the change if there is none. */
MUST_CHECK int secret_ensure(struct change *change, struct str account, struct error *err);

/* Appends the value of webhook-signature; also signs with the old secret while they overlap. */
MUST_CHECK int secret_sign(struct meta *meta, struct str account, struct str id, int64_t time_us, struct str body,
                           struct buf *out, struct error *err);

#endif
