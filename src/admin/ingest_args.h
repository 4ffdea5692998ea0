/* SPDX-License-Identifier: ISC */
/*
 * ingest_args.h: the options --mode, --version, --time-zone and --encoding; private to admin/.
 */
#ifndef CDRD_ADMIN_INGEST_ARGS_H
#define CDRD_ADMIN_INGEST_ARGS_H

#include "admin/args.h"
#include "record/ingest_settings.h"

/* Changes those settings that were given, an empty value clearing one. ERROR_INVALID names the option. */
MUST_CHECK int ingest_args_read(const struct args *args, struct ingest_settings *settings, struct error *err);

/* How many of them were given. */
size_t ingest_args_count(const struct args *args);

#endif
