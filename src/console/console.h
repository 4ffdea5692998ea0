/* SPDX-License-Identifier: ISC */
/*
 * console.h: the files of the console, the web page that a browser gets at /console/ (index.html), and of the operators'
 * page on operator_listen (operator.html), which share most of them. They lie in web/; the libraries
 * that they use come from npm at build time (package-lock.json). tools/gen_console.py compresses all of them into a table.
 *
 * All files but the two pages are served below a folder named after console_version, a hash of everything, so that they may
 * be cached forever. A build without the console (configure --disable-console) has no files.
 */
#ifndef CDRD_CONSOLE_CONSOLE_H
#define CDRD_CONSOLE_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct console_file {
	const char *name;
	const char *content_type;
	const uint8_t *gzip;
	size_t gzip_len;
	size_t len; /* uncompressed */
};

/* Ends with a row whose name is NULL. */
extern const struct console_file console_files[];
extern const char console_version[];

/* NULL if there is none of this name. */
const struct console_file *console_find(struct str name);

#endif
