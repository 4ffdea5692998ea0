/* SPDX-License-Identifier: ISC */
/*
 * config_value.h: values of settings as text and as numbers. Private to config.
 */
#ifndef CDRD_BASE_CONFIG_VALUE_H
#define CDRD_BASE_CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config_type.h"
#include "base/decimal.h"

/* Is a value of this type kept as text rather than as int64_t? */
bool config_value_is_text(enum config_type type);

/* What a value of this type looks like, for an error: "a duration such as 250ms, 30s, 15m, 24h or 3d". */
const char *config_value_form(enum config_type type);

/*
 * Reads the number that a value means: microseconds, bytes, a count, 0 or 1. False if the text has not the type's
 * form, or does not fit an int64_t. Not for TEXT and CHOICE.
 */
bool config_value_parse(enum config_type type, const char *text, decimal_units *number);

/* Appends the shortest text that reads back as `number`. Not for values that are text. */
void config_value_format(struct buf *out, enum config_type type, int64_t number);

/* Is `word` one of `words`, which are separated by |? */
bool config_value_is_choice(const char *words, const char *word);

#define CONFIG_TEXT_BYTES_MAX 4096

/* A number that is a macro, as a string literal for a message. */
#define CONFIG_NUMBER_TEXT(number) CONFIG_QUOTE(number)
#define CONFIG_QUOTE(text) #text

/* Could a line of a file hold this text? At most CONFIG_TEXT_BYTES_MAX bytes, no control characters, no blanks at its
 * ends, nothing that begins a comment. */
bool config_value_fits_line(const char *text);

#endif
