/* SPDX-License-Identifier: ISC */
/*
 * feed.h: files that other programs write, read by mappings as they appear or grow.
 *
 * A *spool* is a directory into which files are moved as a whole; each is read and moved on to its folder `done`, with a
 * report beside it. A *tail* is a file that grows and is rotated. Where reading has got to is a row of META_DB_FEEDS,
 * which becomes durable after the records before it and in the same transaction as what was rejected of them. So after a
 * crash reading resumes at a place before which all is stored; records after it that are stored as well are duplicates,
 * and their rejected neighbours are not in quarantine yet. Nothing is lost, and nothing is there twice. Where commits end
 * later, reading goes on meanwhile, and the place that becomes durable is the one that was noted when the commit began.
 *
 * A commit takes as many files of a spool, and rotated ones of a tail, as are read until it is asked for. So a spool's row has a
 * place for each file that is under way: read, and not moved yet. A tail's has one place, before which all is stored.
 *
 * Files are read in slices, from a task; they must be on a local disk.
 */
#ifndef CDRD_FEED_FEED_H
#define CDRD_FEED_FEED_H

#include "base/config.h"
#include "base/error.h"
#include "base/task.h"
#include "ingest/ingest.h"

struct meta;
struct feeds;

/* What is wrong with the value of the setting `key`, `spool` or `tail`; ERROR_INVALID. */
MUST_CHECK int feeds_check(const char *key, const char *text, struct error *err);

/* Begins to read what the settings name. All stay the caller's and must outlive it. NULL with ERROR_NOMEM or ERROR_IO. */
MUST_CHECK struct feeds *feeds_new(struct tasks *tasks, const struct config *config, struct meta *meta,
                                   struct ingest *ingest, struct error *err);

/* Mappings may have changed: what is read from now on is read by the new ones. */
void feeds_reload(struct feeds *feeds);

/* Before the ingest is freed. Does nothing on NULL. */
void feeds_free(struct feeds *feeds);

struct feed_status {
	const char *kind; /* "spool" or "tail" */
	const char *path;
	const char *mapping;
	const char *file;              /* of a spool: that is read; or "" */
	const char *problem;           /* why it does not work at the moment, or "" */
	uint64_t waiting;              /* of a spool: files, as far as was seen */
	uint64_t place;                /* bytes of the file that were read */
	uint64_t unread;               /* bytes of it after them */
	struct ingest_summary records; /* of the file, by the last commit */
};

/* In no order. The texts die with the call. */
void feeds_each(const struct feeds *feeds, void (*fn)(void *arg, const struct feed_status *status), void *arg);

#endif
