/* SPDX-License-Identifier: ISC */
/*
 * invalid.h: the answer to parameters that are wrong; private to api/.
 */
#ifndef CDRD_API_INVALID_H
#define CDRD_API_INVALID_H

#include "http/http.h"
#include "query/query.h"

/* Answers 422 with all of them in invalid_parameters. The log names the parameters, not what was sent, unless queries
 * are logged (access_log_query). */
void api_reply_invalid(struct http_request *request, const struct query_problems *problems);

#endif
