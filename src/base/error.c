/* SPDX-License-Identifier: ISC */
/*
 * error.c: filling struct error.
 *
 * The text is put together in a local array first, so that a caller may pass err->message itself as an argument:
 *
 *	error_set(err, err->code, "%s:%d: %s", path, line, err->message);
 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define MESSAGE_BYTES sizeof(((struct error *)NULL)->message)

int error_set(struct error *err, enum error_code code, const char *format, ...)
{
	char message[MESSAGE_BYTES + 1]; /* one more, by which str_cut knows that a text is too long */
	va_list args;

	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	err->code = code;
	str_cut(err->message, sizeof(err->message), message);
	return -1;
}

static enum error_code code_of_errno(int number)
{
	switch (number) {
	case ENOSPC:
	case EDQUOT:
		return ERROR_FULL;
	case ENOMEM:
		return ERROR_NOMEM;
	default:
		return ERROR_IO;
	}
}

int error_set_errno(struct error *err, int number, const char *format, ...)
{
	char message[MESSAGE_BYTES];
	char reason[128];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return error_set(err, code_of_errno(number), "%s: %s", message, strerror_r(number, reason, sizeof(reason)));
}

const char *error_code_name(enum error_code code)
{
	static const char *const names[] = {
		[ERROR_NONE] = "none",
		[ERROR_INVALID] = "invalid",
		[ERROR_UNAUTHORIZED] = "unauthorized",
		[ERROR_FORBIDDEN] = "forbidden",
		[ERROR_NOT_FOUND] = "not found",
		[ERROR_CONFLICT] = "conflict",
		[ERROR_LIMIT] = "limit",
		[ERROR_FULL] = "full",
		[ERROR_IO] = "io",
		[ERROR_CORRUPT] = "corrupt",
		[ERROR_DAMAGED] = "damaged",
		[ERROR_NOMEM] = "out of memory",
		[ERROR_UNAVAILABLE] = "unavailable",
	};

	if ((size_t)code >= sizeof(names) / sizeof(names[0]))
		return "unknown";
	return names[code];
}
