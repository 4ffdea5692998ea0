/* SPDX-License-Identifier: ISC */
/*
 * courier.h: files that are delivered by SFTP and SMTP, each by a process of its own; private to callback/. Its
 * main function is in callback.h.
 *
 * libcurl's multi interface blocks at the end of both: it waits for the answer to a closed file, a rename, a message or a
 * goodbye, however long the server takes. So a courier is this very program, started anew (/proc/self/exe), which does one
 * transfer with libcurl and ends. It gets all it needs, credentials among it, by its standard input, the file as a
 * descriptor, and says on its standard output how far it is. It is killed when it says nothing for too long, when the
 * transfer is cancelled, and by the kernel when the daemon dies.
 */
#ifndef CDRD_CALLBACK_COURIER_H
#define CDRD_CALLBACK_COURIER_H

#include "callback/transfer.h"

struct couriers;
struct courier;

MUST_CHECK struct couriers *couriers_new(struct event_base *base, struct error *err);

/* Ends all of them. Does nothing on NULL. */
void couriers_free(struct couriers *couriers);

/* As transfer_start; of a delivery whose destination is of type sftp or smtp. */
MUST_CHECK struct courier *courier_start(struct couriers *couriers, const struct transfer_request *request,
                                         struct error *err);

/* `ended` will not be called. */
void courier_cancel(struct courier *courier);

#endif
