/* SPDX-License-Identifier: ISC */
/*
 * courier_private.h: what a courier is told, by courier.c, and reads, in courier_main.c.
 *
 * Each field of courier_fields.def in turn, as a text that ends with a NUL. The answer is a dot now and then while bytes
 * move, and at the end a line: a newline, libcurl's code, whether there was a connection (0 or 1), and why it failed.
 */
#ifndef CDRD_CALLBACK_COURIER_PRIVATE_H
#define CDRD_CALLBACK_COURIER_PRIVATE_H

#include <stddef.h>

#define COURIER_ARGUMENT "--courier"
#define COURIER_FILE_FD 3
#define COURIER_JOB_MAX ((size_t)60 << 10) /* fits into an empty pipe */

struct courier_job {
#define FIELD(name) const char *name;
#include "callback/courier_fields.def"
#undef FIELD
};

#endif
