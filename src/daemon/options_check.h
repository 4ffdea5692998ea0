/* SPDX-License-Identifier: ISC */
/*
 * options_check.h: what a setting's type does not say.
 */
#ifndef CDRD_DAEMON_OPTIONS_CHECK_H
#define CDRD_DAEMON_OPTIONS_CHECK_H

#include "base/config.h"

/* Adds all that is wrong with the settings to *faults. Looks at the file system, changes nothing. */
void options_check(const struct config *config, struct config_faults *faults);

/* What is allowed and may still not be meant: calls `tell` with a sentence for each. */
void options_each_warning(const struct config *config, void (*tell)(const char *text));

#endif
