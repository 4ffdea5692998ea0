/* SPDX-License-Identifier: ISC */
/*
 * numbers.h: what front ends ask of the one that holds the catalog: see numbers.c. Private to api/.
 */
#ifndef CDRD_API_NUMBERS_H
#define CDRD_API_NUMBERS_H

#include "http/http.h"

void api_numbers_post(struct http_request *request, void *app);
void api_numbers_end_post(struct http_request *request, void *app);

#endif
