/* SPDX-License-Identifier: ISC */
/*
 * invalid.h: the answer to invalid parameters; private to api/.
 */
#ifndef CDRD_API_INVALID_H
#define CDRD_API_INVALID_H

#include "http/http.h"
#include "query/query.h"

/* Answers 422 and lists them all in invalid_parameters. The log names the parameters, not their values, unless queries
 * are logged (access_log_query). */
void api_reply_invalid(struct http_request *request, const struct query_problems *problems);

#endif
