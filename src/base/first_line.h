/* SPDX-License-Identifier: ISC */
/*
 * first_line.h: a file that holds one line, such as a password.
 */
#ifndef CDRD_BASE_FIRST_LINE_H
#define CDRD_BASE_FIRST_LINE_H

#include <stddef.h>

#include "base/error.h"

/* The first line of a file, without its end. At most `size` - 1 bytes, which the file must not exceed. */
MUST_CHECK int first_line_read(const char *path, char *line, size_t size, struct error *err);

#endif
