/* SPDX-License-Identifier: ISC */
/*
 * ingest_settings.h: how the records of a producer, or of one request, are read.
 *
 * Six texts, each empty where nothing is set. A producer has them in its row; a request or an import may give its own,
 * which then apply instead. They are rows of one table, which the admin commands, the query of POST /v1/cdrs, the list
 * of producers and the stored row walk; a row that is appended is read as empty from what was stored before.
 */
#ifndef CDRD_RECORD_INGEST_SETTINGS_H
#define CDRD_RECORD_INGEST_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"
#include "base/zone.h"

#define INGEST_MODE_MAX 7
#define INGEST_FIELD_MAX 64
#define INGEST_ENCODING_MAX 32
#define INGEST_SETTING_MAX 64 /* the longest of them all */
#define INGEST_MAPPING_MAX 64
#define INGEST_ACCOUNT_MAX 64
#define INGEST_SETTINGS_COUNT 6
#define INGEST_SETTING_MAPPING 4 /* its index */

struct ingest_settings {
	char mode[INGEST_MODE_MAX + 1];          /* "replace" or "merge"; empty: replace */
	char version[INGEST_FIELD_MAX + 1];      /* the field that tells which version of a record is newer */
	char time_zone[ZONE_NAME_MAX + 1];       /* of times without an offset, as zone_load reads it */
	char encoding[INGEST_ENCODING_MAX + 1];  /* of texts, as iconv knows it; empty: UTF-8 */
	char mapping[INGEST_MAPPING_MAX + 1];    /* of rows that are no records of ours (mapping/mapping.h) */
	char account_id[INGEST_ACCOUNT_MAX + 1]; /* of rows of a mapping that name no account that is known */
};

/* The name of a setting, `index` being less than INGEST_SETTINGS_COUNT: "time_zone". */
const char *ingest_settings_name(size_t index);

/* Its value, empty where nothing is set. */
const char *ingest_settings_get(const struct ingest_settings *settings, size_t index);

/* Sets one, the empty text clearing it. ERROR_INVALID names the value and what it must be, not
 * the setting; then it is as it was. */
MUST_CHECK int ingest_settings_set(struct ingest_settings *settings, size_t index, struct str value, struct error *err);

/* The same without a check, for what was checked when it was stored; false if it is too long. */
bool ingest_settings_load(struct ingest_settings *settings, size_t index, struct str value);

#endif
