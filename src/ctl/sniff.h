/* SPDX-License-Identifier: ISC */
/*
 * sniff.h: detects the format of a file to import, if the operator does not give it.
 */
#ifndef CDRD_CTL_SNIFF_H
#define CDRD_CTL_SNIFF_H

#include "base/error.h"
#include "base/str.h"

/* The name of a format, as --format has it, by its first bytes: "ndjson", "json" (an array), "msgpack", or "csv" for
 * all else. NULL with an error for Parquet, and for UTF-16, unless it is known to be `encoded`, which also rules out msgpack. */
MUST_CHECK const char *sniff_format(struct str first, const char *encoding, struct error *err);

/* The product in the name of a report's file, report_SMS_abcd1234_20261101.csv or SMS_<id>.csv.gz, whatever the ending.
 * Empty if there is none. */
struct str sniff_product(const char *file_name);

#endif
