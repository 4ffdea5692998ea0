/* SPDX-License-Identifier: ISC */
/*
 * config.h: the daemon's settings.
 *
 * One row per setting in settings.def: type, key, default, bounds, whether SIGHUP takes a new value, help. The struct,
 * the parser, `cdrd -t`, the error texts and the table of cdrd.conf(5) come from those rows. Files are INI without
 * sections (`key = value`, `#` and `;` begin comments), read with inih; `-o key=value` overrides the file.
 */
#ifndef CDRD_BASE_CONFIG_H
#define CDRD_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config_type.h"
#include "base/error.h"

#define CONFIG_C_TYPE_CONFIG_TEXT char *
#define CONFIG_C_TYPE_CONFIG_DURATION int64_t
#define CONFIG_C_TYPE_CONFIG_SIZE int64_t
#define CONFIG_C_TYPE_CONFIG_COUNT int64_t
#define CONFIG_C_TYPE_CONFIG_BOOL int64_t
#define CONFIG_C_TYPE_CONFIG_CHOICE char *

struct config {
#define SETTING(type, key, fallback, min, max, reload, help) CONFIG_C_TYPE_##type key;
#include "base/settings.def"
#undef SETTING
};

struct config_row {
	enum config_type type;
	const char *key;
	const char *fallback; /* the default, as text */
	const char *min;      /* smallest value as text, "" for none */
	const char *max;      /* largest value as text, or a choice's words */
	bool reload;          /* SIGHUP takes a new value; others need a restart */
	const char *help;
	size_t offset;
};

extern const struct config_row config_rows[];
extern const size_t config_rows_count;

/* All settings at their defaults. Returns 0, or -1 when out of memory. */
MUST_CHECK int config_init(struct config *config, struct error *err);

/* Sets one key. The error names key, value and what is allowed; for an unknown key it suggests a similar one. */
MUST_CHECK int config_set(struct config *config, const char *key, const char *value, struct error *err);

/* The faults of a configuration, a line each, so that all are reported at once. Zeroed at first; `lines` ends with a
 * NUL and is freed by the caller. */
struct config_faults {
	struct buf lines;
	size_t count;
};
void config_faults_add(struct config_faults *faults, const struct error *err);

/* Applies the valid settings of a file; faults name file and line. -1 if there was one. */
int config_read_file(struct config *config, const char *path, struct config_faults *faults);

/* Takes over from `fresh` every setting that may change while running; appends to `ignored` a comma-separated list of
 * the keys that differ and need a restart. */
MUST_CHECK int config_reload(struct config *config, const struct config *fresh, struct buf *ignored, struct error *err);

/* Appends "key = value" lines of all settings, as a file that could be read back. */
void config_dump(const struct config *config, struct buf *out);

void config_free(struct config *config);

#endif
