/* SPDX-License-Identifier: ISC */
/*
 * directory.h: names that last.
 *
 * Syncing a file puts its bytes on disk, not the name that leads to them: that is a change of its directory. After a
 * power cut a file whose directory was not synced may be gone, one that was renamed may have its old name, and one that
 * was removed may be back. So a name that an answer relies on is synced before that answer.
 */
#ifndef CDRD_BASE_DIRECTORY_H
#define CDRD_BASE_DIRECTORY_H

#include <dirent.h>

#include "base/error.h"

/* Makes all changes of names in the directory last. Blocks. A file system that cannot sync directories (EINVAL) is taken to
 * have nothing to sync. */
MUST_CHECK int directory_sync(const char *path, struct error *err);

/* The same for an open directory; `path` is for the message. */
MUST_CHECK int directory_sync_open(int fd, const char *path, struct error *err);

/* The same for the directory that `path`, without a slash at its end, is in. */
MUST_CHECK int directory_sync_parent(const char *path, struct error *err);

/* Makes a directory (mode 0750) whose name lasts, unless it is there. Blocks if it is made. */
MUST_CHECK int directory_make(const char *path, struct error *err);

/* The name of the next entry, but "." and "..", which lives until the next call. 1; 0 at the end; -1 where the rest cannot be
 * read, so that what is not there is not told from it. `path` is for the message. */
MUST_CHECK int directory_next(DIR *dir, const char *path, const char **name, struct error *err);

#endif
