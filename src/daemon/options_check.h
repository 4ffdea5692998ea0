/* SPDX-License-Identifier: ISC */
/*
 * options_check.h: checks of settings that their types do not cover.
 */
#ifndef CDRD_DAEMON_OPTIONS_CHECK_H
#define CDRD_DAEMON_OPTIONS_CHECK_H

#include "base/config.h"

/* Adds all faults of the settings to *faults. Reads the file system, changes nothing. */
void options_check(const struct config *config, struct config_faults *faults);

/* Are records in a ClickHouse cluster? */
bool options_use_cluster(const struct config *config);

/* Is the catalog in PostgreSQL? */
bool options_use_postgresql(const struct config *config);

/* Does a listener speak TLS? */
bool options_use_tls(const struct config *config);

/* For settings that are allowed but probably not intended: calls `tell` with a sentence for each. */
void options_each_warning(const struct config *config, void (*tell)(const char *text));

#endif
