/* SPDX-License-Identifier: ISC */
/*
 * problem_pages.h: the names of problems; private to http/ and api/.
 */
#ifndef CDRD_HTTP_PROBLEM_PAGES_H
#define CDRD_HTTP_PROBLEM_PAGES_H

#include "base/buf.h"

/* A title as it stands in the URL of its page: "not-found". */
void http_problem_name(struct buf *out, const char *title);

#endif
