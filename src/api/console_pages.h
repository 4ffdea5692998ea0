/* SPDX-License-Identifier: ISC */
/*
 * console_pages.h: answers with files of the console, for all listeners that have a page.
 */
#ifndef CDRD_API_CONSOLE_PAGES_H
#define CDRD_API_CONSOLE_PAGES_H

#include "console/console.h"
#include "http/http.h"

/* A page, which browsers ask for each time, or that the client has it already. */
void api_console_reply(struct http_request *request, const struct console_file *page);

/* The file that the path .../VERSION/FILE names, which never changes, or that there is nothing. */
void api_console_reply_versioned(struct http_request *request);

#endif
