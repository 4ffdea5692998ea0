/* SPDX-License-Identifier: ISC */
/*
 * text.h: numbers and times to text, by hand.
 *
 * cdrgen feeds benchmarks with tens of millions of records; printf would be nine tenths of its time. Each function
 * writes at `out` without a NUL and returns the place after what it wrote.
 */
#ifndef CDRD_GEN_TEXT_H
#define CDRD_GEN_TEXT_H

#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define GEN_TEXT_UUID_LEN 36

/* The date part of the last time written: neighbouring records nearly always share it. Zero-initialised is valid. */
struct gen_text_day {
	int32_t day;
	char date[10];
};

static inline char *gen_text_str(char *out, struct str text)
{
	memcpy(out, text.p, text.len);
	return out + text.len;
}

/* Exactly `digits` decimal digits (1 to 20) of value, zeros in front; what does not fit is cut at the front. */
char *gen_text_digits(char *out, uint64_t value, int digits);

/* The shortest decimal form. */
char *gen_text_number(char *out, uint64_t value);

/* A version 4 UUID out of 128 random bits. */
char *gen_text_uuid(char *out, uint64_t high, uint64_t low);

/* 2025-04-01T23:55:06+00:00, the fraction cut; for times from 1970 to 9999. */
char *gen_text_time(char *out, struct gen_text_day *last, int64_t time_us);

#endif
