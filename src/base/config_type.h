/* SPDX-License-Identifier: ISC */
/*
 * config_type.h: the types of settings.
 */
#ifndef CDRD_BASE_CONFIG_TYPE_H
#define CDRD_BASE_CONFIG_TYPE_H

enum config_type {
	CONFIG_TEXT,     /* char *, never NULL, owned by the config */
	CONFIG_DURATION, /* int64_t, microseconds; "250ms", "30s", "15m", "24h", "3d", "0" */
	CONFIG_SIZE,     /* int64_t, bytes; "512", "64K", "16M", "64G", "1T" (powers of 1024, an i or B may follow) */
	CONFIG_COUNT,    /* int64_t, a plain number */
	CONFIG_BOOL,     /* int64_t, 0 or 1; "yes", "no", "true", "false", "on", "off" */
	CONFIG_CHOICE,   /* char *, one of the words in `max`, separated by | */
};

#endif
