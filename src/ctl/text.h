/* SPDX-License-Identifier: ISC */
/*
 * text.h: values as text for a terminal.
 *
 * Texts of records come from others: control characters and marks that change the direction of writing are shown as
 * escapes, so that no record can manipulate the operator's terminal.
 */
#ifndef CDRD_CTL_TEXT_H
#define CDRD_CTL_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct tree;

/* Sets the locale for widths of characters, always with UTF-8. Call it once. */
void text_init(void);

/* Appends a text with escapes where needed; returns how many columns of the terminal it takes. */
int text_add(struct buf *out, const char *text);

/* How many bytes of a text, which has no control characters, take at most so many columns. */
size_t text_fit(const char *text, int columns);

/* "1,234,567", "1.5 MiB", "0:42", "1:02:03" */
void text_add_count(struct buf *out, uint64_t count);
void text_add_bytes(struct buf *out, double bytes);
void text_add_clock(struct buf *out, uint64_t seconds);

/*
 * Appends a value on one line, and returns its columns: yes and no, "-" for null or empty, arrays of scalars joined by
 * commas, other values as JSON. `key` tells the unit: sizes end in _bytes, durations in _seconds, _ms or _us.
 */
int text_add_value(struct buf *out, const char *key, const struct tree *value);

/* Appends a key, of numbers without its unit: "uptime" of uptime_seconds; returns its columns. */
int text_add_label(struct buf *out, const char *key, bool number);

#endif
