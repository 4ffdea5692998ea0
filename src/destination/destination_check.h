/* SPDX-License-Identifier: ISC */
/*
 * destination_check.h: what a new destination may be; private to destination/.
 */
#ifndef CDRD_DESTINATION_DESTINATION_CHECK_H
#define CDRD_DESTINATION_DESTINATION_CHECK_H

#include "destination/destination.h"

/* Fills it with what is asked for. ERROR_INVALID with a message that begins with the name of what is wrong and ": ". */
MUST_CHECK int destination_fill(struct destination *destination, const struct destination_request *request,
                                struct error *err);

#endif
