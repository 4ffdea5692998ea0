/* SPDX-License-Identifier: ISC */
/*
 * folder.h: directories of backups: what is in them, reading and writing small files, removing.
 */
#ifndef CDRD_BACKUP_FOLDER_H
#define CDRD_BACKUP_FOLDER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

/* Appends "dir/name" and a NUL after it; NULL with *err when out of memory. */
MUST_CHECK const char *folder_path(struct buf *out, const char *dir, const char *name, struct error *err);

/* Appends the whole of a file of at most `max` bytes. ERROR_NOT_FOUND if there is none. */
MUST_CHECK int folder_read(const char *path, size_t max, struct buf *out, struct error *err);

/* Writes a file and syncs it. */
MUST_CHECK int folder_write(const char *path, struct str text, unsigned mode, struct error *err);

/* Makes a directory; an existing one is an error unless `may_exist`. */
MUST_CHECK int folder_make(const char *path, bool may_exist, struct error *err);

/* Removes a directory with its contents. No error if it does not exist. */
MUST_CHECK int folder_remove(const char *path, struct error *err);

/* Calls fn for each entry but . and ..; -1 from fn ends it. */
typedef int (*folder_fn)(void *arg, const char *name, struct error *err);
MUST_CHECK int folder_each(const char *path, folder_fn fn, void *arg, struct error *err);

/* Is it a complete backup's name, or (part) that of one being made? */
bool folder_is_backup(const char *name);
bool folder_is_part(const char *name);

/* Appends the name of a backup begun at a time: 2026-11-24T142011.123Z. */
void folder_add_name(struct buf *out, int64_t time_us);

/* Is a backup older than another? Names sort as their times do; but those that are after `now`, as a clock that was ahead has
 * named them, are taken for older than all others. */
bool folder_is_older(const char *name, const char *than, const char *now);

/* The newest complete backup of a directory: 1 with its name appended and a NUL after it, 0 if there is none, -1. */
MUST_CHECK int folder_newest(const char *dir, struct buf *name, struct error *err);

#endif
