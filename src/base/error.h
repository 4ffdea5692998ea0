/* SPDX-License-Identifier: ISC */
/*
 * error.h: the one error type.
 *
 * Made where the cause is known, carried up unchanged, logged or answered once. A function that can fail returns 0,
 * or -1 with *err filled; `err` may never be NULL. The message is for the person: it names the thing, the value and
 * the limit ("date_end: 26 hours after date_start, at most 24 allowed").
 */
#ifndef CDRD_BASE_ERROR_H
#define CDRD_BASE_ERROR_H

/* For a function that can fail: its result must be checked. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* For a call that may fail without harm; a comment says why. */
#define MAY_FAIL(call) \
	do { \
		if (call) { \
		} \
	} while (0)

enum error_code {
	ERROR_NONE = 0,
	ERROR_INVALID,      /* input that breaks a rule */
	ERROR_UNAUTHORIZED, /* no or wrong credentials */
	ERROR_FORBIDDEN,    /* known, but not allowed */
	ERROR_NOT_FOUND,
	ERROR_CONFLICT,    /* not in this state, or exists already */
	ERROR_LIMIT,       /* more than a setting allows */
	ERROR_FULL,        /* no room on disk or in the map */
	ERROR_IO,          /* the system said no */
	ERROR_CORRUPT,     /* stored data that cannot be right */
	ERROR_DAMAGED,     /* a whole day of it is unusable; the message may be shown to clients */
	ERROR_UNAVAILABLE, /* servers that keep data do not answer, or cannot now: it passes by itself */
	ERROR_NOMEM,
};

struct error {
	enum error_code code;
	char message[512];
};

/* Fills *err, printf style; a message that is too long is cut. Always returns -1, so that a caller can return it. */
int error_set(struct error *err, enum error_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As error_set with ": " and the text of errno value `number` appended; ENOSPC and EDQUOT become ERROR_FULL,
 * ENOMEM ERROR_NOMEM, anything else ERROR_IO. */
int error_set_errno(struct error *err, int number, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The name of a code for logs, e.g. "invalid". */
const char *error_code_name(enum error_code code);

#endif
