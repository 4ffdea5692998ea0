/* SPDX-License-Identifier: ISC */
/*
 * times.h: times as other programs write them, rewritten as check.h takes them.
 *
 * A form is a text with the conversions of strptime(3) that are of fixed meaning: %Y %m %d %H %M %S %y %b %e %z %% and
 * %f, a fraction of a second of any length (also none). Or it is one of the words epoch, epoch_ms, epoch_us and
 * epoch_ns: the time since 1970-01-01 UTC in seconds or parts of them.
 */
#ifndef CDRD_MAPPING_TIMES_H
#define CDRD_MAPPING_TIMES_H

#include "base/buf.h"
#include "base/str.h"

struct time_form {
	struct str text;
	int shift; /* of the epoch_ words: digits after the point; -1: not one of them */
};

/* False if it is no form. */
bool time_form_read(struct str text, struct time_form *form);

/* Appends the time; false, with nothing appended, if it does not have the form. */
bool time_form_rewrite(const struct time_form *form, struct str time, struct buf *out);

#endif
