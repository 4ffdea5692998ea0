/* SPDX-License-Identifier: ISC */
/*
 * source_list.h: settings that list where records come from by themselves: files, directories, queues.
 *
 *	ADDRESS name=value ... | ADDRESS name=value ...
 *
 * Of the options those of ingest_settings.h are read here; others are the reader's own.
 */
#ifndef CDRD_RECORD_SOURCE_LIST_H
#define CDRD_RECORD_SOURCE_LIST_H

#include "base/error.h"
#include "base/str.h"
#include "record/ingest_settings.h"

/* What reads one source after the other; -1 with *err ends the reading. */
struct source_reader {
	/* A source begins; of its address "" is possible. */
	int (*begin)(void *arg, struct str address, struct error *err);
	/* One of its own options: 1 if it took it, 0 if there is none of this name. NULL: there are none. */
	int (*option)(void *arg, struct str name, struct str value, struct error *err);
	/* All of the source has been read. */
	int (*end)(void *arg, const struct ingest_settings *settings, struct error *err);
};

/* Reads a setting's value; the empty one has no source. */
MUST_CHECK int sources_read(const char *text, const struct source_reader *reader, void *arg, struct error *err);

#endif
