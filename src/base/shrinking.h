/* SPDX-License-Identifier: ISC */
/*
 * shrinking.h: removes large files without holding up the loop.
 *
 * To unlink a file of a hundred megabytes takes the file system tens of milliseconds, as it frees the blocks. So a file is
 * opened, loses its name at once, and is cut shorter a piece at a time; a crash in between leaves nothing. Who has it open,
 * or mapped, keeps it whole: it is cut when nobody else has it any more, which a lease (fcntl(2), F_SETLEASE) tells.
 */
#ifndef CDRD_BASE_SHRINKING_H
#define CDRD_BASE_SHRINKING_H

#include <event2/event.h>
#include <stddef.h>

#include "base/error.h"

struct shrinking;

/* NULL when out of memory. */
struct shrinking *shrinking_new(struct event_base *base);

/* What is left is removed at once. Does nothing on NULL. */
void shrinking_free(struct shrinking *shrinking);

/* As unlinkat(directory, name, 0), with its errno; exactly that if `shrinking` is NULL. */
MUST_CHECK int shrinking_unlink(struct shrinking *shrinking, int directory, const char *name);

/* Files without a name that still have bytes on disk. */
size_t shrinking_count(const struct shrinking *shrinking);

#endif
